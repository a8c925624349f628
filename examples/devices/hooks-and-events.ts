/** What a device is told of its life, and what its owner hears: hooks are the device's, events anybody's. */
import { connect, defineDevice, SharedMemoryTransport, u16, u32le } from 'virtio-sdk'

const heard: string[] = []
const lamp = defineDevice({
  id: 0x1236,
  queues: [{ name: 'requests', size: 8 }],
  config: { brightness: u16('brightness', { driverWritable: true }), faults: u16('faults') },
  onActivate: () => void heard.push('on'),
  onConfigWrite: () => void heard.push(`brightness ${device.config.values.brightness}`),
  onReset: () => void heard.push('off'),
  requests(queue) {
    for (const { reader } of queue.drain(8)) if (reader.u32() === 13) throw new Error('the lamp is broken')
  },
})

// The default policy: what breaks a rule, or throws, stops the device until it is reset. `reject` would go on.
const device = lamp.create({ policy: 'needs-reset' })
device.events.on('violation', ({ rule, clause }) => heard.push(`${rule}, ${clause}`))
device.events.on('fault', (error) => heard.push(String(error)))

const transport = new SharedMemoryTransport(device)
const driver = await connect(transport)
driver.writeConfig('brightness', 300)

// The device's side of the configuration: the driver gets an interrupt, and `config` of its events.
driver.events.on('config', () => heard.push(`the driver sees ${driver.config.faults}`))
device.config.update({ faults: 1 })
await new Promise((resolve) => setTimeout(resolve))

// A handler that throws is a fault of the device, and no exception of whoever kicked it: the device asks for a reset.
driver.events.on('stopped', ({ cause }) => heard.push(`the driver stopped: ${cause}`))
await driver.requests.call([u32le(13)]).catch(() => {})
await new Promise((resolve) => setTimeout(resolve))
driver.close()
console.log(heard.join('\n'))
const told = ['on', 'brightness 300', 'the driver sees 1', 'the driver stopped: Error: the lamp is broken', 'off']
if (told.some((line) => !heard.includes(line))) throw new Error('something was not told')

/** Console drivers before devices of ours on every transport, and before devices that do as they like. */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  ConsoleDevice,
  type ConsoleDeviceOptions,
  ConsoleDriver,
  type ConsoleDriverPort,
  consoleContract,
  Device,
  type DeviceQueue,
} from 'virtio-sdk/virtio'
import { afterEach, describe, expect, it } from 'vitest'
import { EVERY_TRANSPORT, settled } from '../../transport/every-transport.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytesOf = (string: string) => new TextEncoder().encode(string)
const code = (name: string) => expect.objectContaining({ code: name })
const open: ConsoleDriver[] = []
afterEach(() => {
  for (const driver of open.splice(0)) driver.close()
})

/** A driver that notes what comes, by port. */
function listening(transport: ConstructorParameters<typeof ConsoleDriver>[0], options = {}) {
  const heard: string[] = []
  const onPort = (port: ConsoleDriverPort) => {
    heard.push(`${port.id} is there`)
    port.onData = (bytes) => heard.push(`${port.id}: ${text(bytes)}`)
  }
  const driver = new ConsoleDriver(transport, { onPort, ...options })
  open.push(driver)
  return { driver, heard }
}

describe.each(EVERY_TRANSPORT)('over %s', (_, behind) => {
  it('CON-DRV-01, CON-DRV-02: one port, both ways', async () => {
    const device = new ConsoleDevice({ size: { columns: 80, rows: 25 } })
    const said: string[] = []
    device.port.onData = (bytes) => said.push(text(bytes))
    const { driver, heard } = listening(behind(device))
    device.port.write(bytesOf('login: '))
    await driver.ports.get(0)!.write(bytesOf('root'))
    await settled()
    expect([heard, said]).toEqual([['0 is there', '0: login: '], ['root']])
    expect(driver.ports.get(0)).toMatchObject({ isConsole: true, hostOpen: true, size: { columns: 80, rows: 25 } })
    let told = 0
    driver.ports.get(0)!.onChange = () => told++
    device.port.size = { columns: 132, rows: 43 }
    await settled()
    expect([driver.ports.get(0)!.size, told]).toEqual([{ columns: 132, rows: 43 }, 1])
  })

  it('CON-DRV-03, CON-DRV-04, CON-DRV-05, CON-DRV-06: ports are followed, and terminals opened', async () => {
    const emergencies: number[] = []
    const device = new ConsoleDevice({
      ports: [{}, { name: 'org.example.agent' }],
      maxPorts: 3,
      onEmergency: (byte) => emergencies.push(byte),
    })
    const { driver, heard } = listening(behind(device))
    await settled(60)
    expect(heard).toEqual(['0 is there', '1 is there'])
    const [terminal, agent] = [driver.ports.get(0)!, driver.ports.get(1)!]
    expect(terminal).toMatchObject({ isConsole: true, hostOpen: true, isOpen: true, name: '' })
    expect(agent).toMatchObject({ isConsole: false, hostOpen: true, isOpen: false, name: 'org.example.agent' })
    expect([device.port.guestOpen, device.ports.get(1)!.guestOpen]).toEqual([true, false])
    await agent.setOpen(true)
    expect(device.ports.get(1)!.guestOpen).toBe(true)
    const late = device.addPort({ name: 'late', size: { columns: 3, rows: 4 } })
    await settled(60)
    expect(driver.ports.get(2)).toMatchObject({ name: 'late', size: { columns: 3, rows: 4 } })
    late.write(bytesOf('hello'))
    await settled()
    const port = driver.ports.get(2)!
    late.remove()
    await settled()
    expect([heard.slice(2), port.isRemoved, driver.ports.size]).toEqual([['2 is there', '2: hello'], true, 2])
    await expect(port.write(bytesOf('x'))).rejects.toThrow(code('CONSOLE_NO_PORT'))
    // The next of that number has the queue and its buffers.
    device.addPort().write(bytesOf('again'))
    await settled(60)
    expect(heard.slice(4)).toEqual(['2 is there', '2: again'])
    driver.emergencyWrite(0x21)
    expect(emergencies).toEqual([0x21])
  })
})

it('much is cut into pieces, and waits for a reader that does', async () => {
  const device = new ConsoleDevice({ queueSize: 4 })
  let said = ''
  device.port.onData = (bytes) => (said += text(bytes))
  device.port.paused = true
  const { driver } = listening(new SharedMemoryTransport(device))
  const long = 'abcdefgh'.repeat(5000)
  const written = driver.ports.get(0)!.write(bytesOf(long))
  await settled()
  expect(said).toBe('')
  device.port.paused = false
  await written
  expect(said).toBe(long)
})

it('what was not negotiated is refused', async () => {
  const { driver } = listening(new SharedMemoryTransport(new ConsoleDevice()))
  expect(() => driver.emergencyWrite(1)).toThrow(code('FEATURES_MISSING'))
  await expect(driver.ports.get(0)!.setOpen(true)).rejects.toThrow(code('FEATURES_MISSING'))
})

/** A device whose control queue says what the test wants, and which takes what it is sent only when told to. */
function odd() {
  const held: DeviceQueue[] = []
  const messages: Uint8Array[] = []
  let isTaking = true
  const contract = consoleContract(4)
  const device = new Device(
    contract,
    contract.queues.map(({ name }) => (queue: DeviceQueue) => {
      if (name.startsWith('transmitq') || name === 'controlTransmitq') {
        if (isTaking) for (const _ of queue.drain(64));
        else held.push(queue)
      } else if (name === 'controlReceiveq') {
        while (messages.length > 0 && queue.waiting > 0) {
          for (const { writer } of queue.drain(1)) writer.bytes(messages.shift()!)
        }
      }
    }),
    {},
    { config: { maxNrPorts: 4 } },
  )
  const { driver, heard } = listening(new SharedMemoryTransport(device))
  const say = async (...list: (readonly number[])[]) => {
    messages.push(...list.map((bytes) => Uint8Array.from(bytes)))
    device.queues.controlReceiveq!.wake()
    await settled(60)
  }
  return { device, driver, heard, say, stopTaking: () => (isTaking = false), messages }
}

const message = (id: number, event: number, value = 1, ...data: number[]) => [id, 0, 0, 0, event, 0, value, 0, ...data]

describe('a device that', () => {
  it.each([
    ['is cut short', [1, 2, 3]],
    ['adds a port that cannot be', message(4, 1)],
    ['adds a port twice', message(0, 1)],
    ['removes what is not there', message(3, 2)],
    ['sizes half', message(0, 5, 0, 1, 0)],
    ['speaks of no event', message(0, 77)],
  ])('%s: counted, and the driver goes on', async (_, bytes) => {
    const { driver, say } = odd()
    await say(message(0, 1), bytes, message(1, 1))
    expect([driver.malformedMessages, driver.ports.size, driver.driver.error]).toEqual([1, 2, null])
  })

  it('says more than it listens: it is not heard until it has taken the answers', async () => {
    const { driver, say, stopTaking, messages } = odd()
    stopTaking()
    for (let i = 0; i < 100; i++) await say(message(1, 1), message(1, 2))
    expect(messages.length).toBeGreaterThan(40)
    expect(driver.driver.error).toBeNull()
  })

  it('stops: everything ends with its reset', async () => {
    const { driver, device, say, stopTaking } = odd()
    await say(message(0, 1))
    stopTaking()
    const write = expect(driver.ports.get(0)!.write(bytesOf('x'))).rejects.toThrow(code('DEVICE_NEEDS_RESET'))
    device.registers.setNeedsReset(new Error('gone'))
    await write
  })

  it('takes its receive queue anew: the buffers are there again', async () => {
    const device = new ConsoleDevice()
    const { driver, heard } = listening(new SharedMemoryTransport(device))
    expect(driver.driver.resetQueue('receiveq0')).toBe(true)
    for (let i = 0; i < 3; i++) {
      device.port.write(bytesOf('x'.repeat(40_000)))
      await settled()
    }
    expect(heard.slice(1).join('').replaceAll('0: ', '').length).toBe(120_000)
  })

  it('says a name of another kind', async () => {
    const { driver, say } = odd()
    await say(message(0, 1), message(0, 7, 1, 0x61, 0, 0x62))
    expect(driver.ports.get(0)!.name).toBe('a')
  })
})

it('save and restore: ports, what was written and not read, and messages on their way', async () => {
  const options: ConsoleDeviceOptions = { ports: [{}, { name: 'agent' }], size: { columns: 4, rows: 5 } }
  const first = new ConsoleDevice(options)
  first.ports.get(1)!.paused = true
  const transport = new SharedMemoryTransport(first)
  const { driver } = listening(transport)
  await settled(60)
  const write = expect(driver.ports.get(1)!.write(bytesOf('under way'))).rejects.toThrow()
  await settled()
  first.ports.get(1)!.write(new Uint8Array(40_000))
  const image = transport.memory.regions[0]!
  const saved = JSON.parse(JSON.stringify([first.registers.saveState(), driver.saveState()]))
  const memory = new GuestMemory([
    { base: image.base, size: image.size, buffer: image.u8.slice().buffer as ArrayBuffer },
  ])
  driver.close()
  await write

  const device = new ConsoleDevice(options)
  const said: string[] = []
  device.ports.get(1)!.onData = (bytes) => said.push(text(bytes))
  const again = new SharedMemoryTransport(device, { memory })
  device.registers.restoreState(saved[0])
  const heard: number[] = []
  const restored = ConsoleDriver.restore(again, saved[1], {
    onPort: (port) => {
      port.onData = (bytes) => heard.push(bytes.length)
    },
  })
  open.push(restored)
  restored.poll()
  await settled(60)
  expect(said).toEqual(['under way'])
  expect(heard.reduce((sum, length) => sum + length, 0)).toBe(40_000)
  expect(restored.ports.get(1)).toMatchObject({ name: 'agent', hostOpen: true, isConsole: false })
  expect(restored.ports.get(0)).toMatchObject({ isConsole: true, isOpen: true, size: { columns: 4, rows: 5 } })
  for (const wrong of [
    null,
    { ...saved[1], version: 1 },
    { ...saved[1], ports: [{ id: 77 }] },
    { ...saved[1], slots: [[1]] },
  ]) {
    expect(() => ConsoleDriver.restore(again, wrong)).toThrow(code('INVALID_STATE'))
  }
})

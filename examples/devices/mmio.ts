/** A device behind memory-mapped registers: what an emulator plugs in, and a driver that finds it there. */
import { defineDevice, GuestMemory, u32le } from 'virtio-sdk'
import { InterruptLine, MmioTransport, MmioWindow } from 'virtio-sdk/transport'
import { connect } from 'virtio-sdk/virtio'

const doubler = defineDevice({
  id: 0x1234,
  queues: [{ name: 'requests', size: 16 }],
  requests(queue) {
    for (const request of queue.drain(16)) request.writer.u32(request.reader.u32() * 2)
  },
})

const memory = GuestMemory.ofSize(1 << 20, 0x8000_0000)
// An emulator has its own: give it the level, and call the window for each of the guest's accesses.
const line = new InterruptLine(() => transport?.takeInterrupt() ?? false)
const window = new MmioWindow(doubler.create(), { memory, interruptLine: (level) => line.set(level) })

// The driver's side takes anything that reads and writes registers: this window, or the machine of an emulator.
const transport = MmioTransport.probe(window, { memory, contract: doubler.contract })
if (transport === null) throw new Error('DeviceID is 0: nobody is there')
const driver = await connect(transport)
const { bytes } = await driver.requests.call([u32le(21)], { reply: 4 })
const [answer] = new Uint32Array(bytes.buffer)
console.log(`status ${window.read(0x70, 4)}, 2 * 21 = ${answer}`)
driver.close()
if (answer !== 42) throw new Error('the doubler cannot double')

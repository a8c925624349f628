/** A device with a request under way, its driver and their memory: saved as JSON, and restored into fresh objects. */
import { defineDevice, GuestMemory, SharedMemoryTransport, startDriver, u32le } from 'virtio-sdk'
import { type DeviceState, type DriverState, restoreDriver } from 'virtio-sdk/virtio'

/** Doubles numbers, but only when it is told to. */
function lateDoubler() {
  let served = 0
  const device = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      for (const request of queue.drain(8)) request.defer()
    },
    onSave: () => ({ served }),
    // What was deferred is in `queues.requests.deferred` again.
    onRestore(saved) {
      served = (saved as { served: number }).served
    },
  }).create()
  const serve = () => {
    for (const request of device.queues.requests.deferred) {
      request.writer.u32(2 * request.reader.u32())
      request.writer.u32(++served)
      request.complete()
    }
  }
  return { device, serve }
}

const BASE = 0x4000_0000
const before = lateDoubler()
const memory = GuestMemory.ofSize(65536, BASE)
const driver = startDriver(new SharedMemoryTransport(before.device, { memory }))
driver.requests.call([u32le(20)], { reply: 8 })
before.serve()
driver.requests.call([u32le(21)], { reply: 8 })

// Between two turns: the memory, the device, the driver.
const bytes = new Uint8Array(65536)
memory.read(BASE, bytes)
const saved = JSON.stringify({ device: before.device.registers.saveState(), driver: driver.saveState() })

const state = JSON.parse(saved) as { device: DeviceState; driver: DriverState }
const after = lateDoubler()
const copy = GuestMemory.ofSize(65536, BASE)
copy.write(BASE, bytes)
const transport = new SharedMemoryTransport(after.device, { memory: copy })
after.device.registers.restoreState(state.device)
const restored = restoreDriver(transport, state.driver)
const calls = restored.requests.resumed.map(({ promise }) => promise)
after.serve()
const answers = (await Promise.all(calls)).map((reply) => [...new Uint32Array(reply.bytes.buffer)])
console.log(
  `${saved.length} bytes of state; the calls under way end in ${answers.map((each) => each.join(' of ')).join(' and ')}`,
)
restored.close()
if (answers.at(-1)?.join() !== '42,2') throw new Error('the second request was lost')

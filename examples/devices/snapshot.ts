/** Save and restore: device and driver go on where they were, with the request that was under way, in another process even. */
import { defineDevice, GuestMemory, SharedMemoryTransport, startDriver, u32le } from 'virtio-sdk'
import { restoreDriver } from 'virtio-sdk/virtio'
import type { Request } from 'virtio-sdk/virtqueue'

/** A device with state of its own: what it has counted, and the requests that it has deferred. */
function counter() {
  const state = { count: 0, held: [] as Request[] }
  const definition = defineDevice({
    id: 0x1237,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      for (const request of queue.drain(8)) {
        state.count++
        state.held.push(request.defer())
      }
    },
    onSave: () => state.count,
    // Foreign input: it may have come from anywhere.
    onRestore(saved, { queues }) {
      if (!Number.isSafeInteger(saved)) throw new Error('no count')
      state.count = saved as number
      state.held = [...queues.requests.deferred]
    },
  })
  return { state, definition, device: definition.create() }
}

const before = counter()
const transport = new SharedMemoryTransport(before.device)
const driver = startDriver(transport)
driver.requests.call([u32le(41)], { reply: 4 }).catch(() => {})

// Between turns: the memory, and two objects that JSON keeps.
const image = transport.memory.regions[0]!.u8.slice()
const file = JSON.stringify({ device: before.device.registers.saveState(), driver: driver.saveState() })

const after = counter()
const saved = JSON.parse(file)
const { base, size } = transport.memory.regions[0]!
const memory = new GuestMemory([{ base, size, buffer: image.buffer as ArrayBuffer }])
const again = new SharedMemoryTransport<typeof after.definition.contract>(after.device, { memory })
after.device.registers.restoreState(saved.device)
const restored = restoreDriver(again, saved.driver)

const [call] = restored.requests.resumed
const [request] = after.state.held
request!.writer.u32(request!.reader.u32() + after.state.count)
request!.complete()
const { bytes } = await call!.promise
console.log(`the call that was made before the snapshot got ${bytes[0]}`)
restored.close()
if (bytes[0] !== 42) throw new Error('the snapshot lost the request')

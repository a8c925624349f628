/** A device that answers later: `defer` keeps a request beyond the loop, `complete` gives it back, in any order. */
import { connect, defineDevice, SharedMemoryTransport, u32le } from 'virtio-sdk'
import type { Request } from 'virtio-sdk/virtqueue'

const held: Request[] = []
const disk = defineDevice({
  id: 0x1235,
  queues: [{ name: 'requests', size: 8 }],
  requests(queue) {
    for (const request of queue.drain(8)) held.push(request.defer())
  },
})

const driver = await connect(new SharedMemoryTransport(disk.create()))
const answers = [1, 2].map((sector) => driver.requests.call([u32le(sector)], { reply: 4 }))

// Whenever the disk is done: the driver gets its interrupt without a kick of its own.
for (const request of held.splice(0).reverse()) {
  request.writer.u32(100 * request.reader.u32())
  request.complete()
}
const sectors = (await Promise.all(answers)).map(({ bytes }) => new DataView(bytes.buffer).getUint32(0, true))
console.log(`the disk read ${sectors.join(' and ')}`)
driver.close()
if (sectors.join() !== '100,200') throw new Error('an answer went to the wrong request')

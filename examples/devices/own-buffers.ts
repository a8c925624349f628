/** A driver with buffers of its own: `post` sends them with a callback, without a copy and without a promise. */
import { connect, defineDevice, SharedMemoryTransport } from 'virtio-sdk'
import { BufferList } from 'virtio-sdk/virtqueue'

const source = defineDevice({
  id: 0x1238,
  queues: [{ name: 'samples', size: 4 }],
  samples(queue) {
    for (const { writer } of queue.drain(4)) writer.u32(7)
  },
})

const transport = new SharedMemoryTransport(source.create())
const driver = await connect(transport)
const address = transport.allocate(64, 16)
const buffers = new BufferList().addWritable(address, 64)

let samples = 0
let sum = 0
const completed = (writtenBytes: number): void => {
  samples++
  sum += transport.memory.readU32(address)
  if (writtenBytes !== 4) throw new Error('the device wrote another length')
  // The buffer is ours again: offer it once more. False would mean that the ring is full.
  if (samples < 5 && !driver.samples.post(buffers, completed)) throw new Error('the ring has no room')
}
driver.samples.post(buffers, completed)
while (samples < 5) await new Promise((resolve) => setTimeout(resolve))
console.log(`${samples} samples, ${sum} in all`)
driver.close()
transport.free(address, 64)
if (sum !== 35) throw new Error('a sample is missing')

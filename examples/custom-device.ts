/** A custom device in fifteen lines, and a driver that talks to it over simulated shared memory. */
import { connect, defineDevice, SharedMemoryTransport, u32, u32le } from 'virtio-sdk'

const adder = defineDevice({
  id: 0x1234,
  queues: [{ name: 'requests', size: 64 }],
  features: { checksum: 0 },
  config: { limit: u32('limit') },
  requests(queue, { features, config }) {
    for (const request of queue.drain(16)) {
      const a = request.reader.u32()
      const b = request.reader.u32()
      request.writer.u32((a + b) % config.limit)
      if (features.checksum) request.writer.u32(a ^ b)
    }
  },
})

const transport = new SharedMemoryTransport(adder.create({ config: { limit: 1000 } }))
const driver = await connect(transport, { want: ['checksum'] })
const { bytes } = await driver.requests.call([u32le(40), u32le(2)], { reply: 8 })
const [sum, checksum] = new Uint32Array(bytes.buffer)
console.log(
  `40 + 2 = ${sum}, checksum ${checksum}, limit ${driver.config.limit}, negotiated ${driver.features.checksum}`,
)
driver.close()
if (sum !== 42 || checksum !== 42) throw new Error('the adder cannot add')

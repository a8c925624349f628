/** The device of the README, and a transport to it whose kicks and interrupts a test can hold back. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { type DriverTransport, defineDevice, u32 } from 'virtio-sdk/virtio'

export const adder = defineDevice({
  id: 0x1234,
  queues: [{ name: 'requests', size: 8 }],
  features: { checksum: 0, fast: 1 },
  config: { limit: u32('limit', { initial: 1000 }) },
  requests(queue, { features, config }) {
    for (const request of queue.drain(4)) {
      const a = request.reader.u32()
      const b = request.reader.u32()
      request.writer.u32((a + b) % config.limit)
      if (features.checksum) request.writer.u32(a ^ b)
    }
  },
})

export type AdderContract = typeof adder.contract

/** Forwards everything; a test overrides what it wants to spoil. */
export class SpyTransport extends SharedMemoryTransport<AdderContract> implements DriverTransport<AdderContract> {
  readonly statusWrites: number[] = []
  readonly kicks: number[] = []

  override writeStatus(status: number): void {
    this.statusWrites.push(status)
    super.writeStatus(status)
  }

  override notify(queue: number): void {
    this.kicks.push(queue)
    super.notify(queue)
  }
}

/**
 * The device side of v86's virtio, an emulator in JavaScript, attached to the kit as anybody's queue would be. Its code, from
 * its npm package, over the RAM of a machine that never starts. It keeps no count of what it handed out, no event index,
 * and asks for no silence.
 */
import { startV86, type V86Chain } from '../../bench/v86.ts'
import { GuestMemory } from '../../src/memory/index.ts'
import type { DeviceQueueTarget } from '../../src/testing/index.ts'

const RAM_BYTES = 64 << 20

export async function v86Device(): Promise<{ target: DeviceQueueTarget; close(): Promise<void> }> {
  const location = { size: 8, descriptorArea: 0x1000, driverArea: 0x2000, deviceArea: 0x3000 }
  const { queue, ram, close } = await startV86(RAM_BYTES, location)
  const memory = new GuestMemory([
    { base: 0, size: RAM_BYTES, buffer: ram.buffer as ArrayBuffer, byteOffset: ram.byteOffset },
  ])
  const target: DeviceQueueTarget = {
    side: 'device',
    name: 'v86 0.5 VirtQueue',
    ownMemory: memory,
    lacks: ['eventIdx', 'concurrency'],
    create(_memory, ring) {
      const held = new Map<number, V86Chain>()
      /** Replies not flushed, and flushed since an interrupt was asked about: its own devices ask at each flush. */
      let staged = 0
      let flushed = 0
      const start = (): void => {
        queue.reset()
        queue.set_size(ring.size)
        queue.desc_addr = ring.descriptorArea
        queue.avail_addr = ring.driverArea
        queue.used_addr = ring.deviceArea
        queue.enable()
        held.clear()
        staged = 0
        flushed = 0
      }
      start()
      return {
        take() {
          if (!queue.has_request()) return null
          const chain = queue.pop_request()
          held.set(chain.head_idx, chain)
          // It looks at the low word of an address only.
          const ranges = (buffers: V86Chain['read_buffers']) =>
            buffers.map(({ addr_low, len }) => ({ address: addr_low >>> 0, length: len >>> 0 }))
          return {
            kind: 'chain',
            id: chain.head_idx,
            readable: ranges(chain.read_buffers),
            writable: ranges(chain.write_buffers),
          }
        },
        complete(id, writtenBytes) {
          // Its own devices return the chain object that they took, so a head that is not out cannot even be named.
          const chain = held.get(id)
          if (chain === undefined) throw new Error(`head ${id} is not out`)
          chain.length_written = writtenBytes
          queue.push_reply(chain)
          held.delete(id)
          staged++
        },
        publish() {
          queue.flush_replies()
          flushed += staged
          staged = 0
        },
        wantsNotification() {
          const wants = flushed > 0 && (memory.readU16(ring.driverArea) & 1) === 0
          flushed = 0
          return wants
        },
        reset: start,
      }
    },
  }
  return { target, close }
}

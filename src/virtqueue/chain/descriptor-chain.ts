/**
 * One request as the device sees it: a private snapshot of a descriptor chain, checked and translated.
 *
 * Caller-owned and reused, so that a chain costs no allocation. Valid until the next `popAvailable` with the same object; the
 * driver cannot change it any more (museum 17).
 */
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { SegmentList } from '../../memory/segment-list.ts'

/**
 * A chain that a device took, copied and checked: its segments stay as they were, whatever the driver writes
 * afterwards. It is filled by `popAvailable` and may be used again after `addUsed`.
 */
export class DescriptorChain {
  /** Head index: what `addUsed` wants back. */
  id = -1
  memory: GuestMemory | null = null
  /** First the device-readable segments, then the device-writable ones. */
  readonly segments = new SegmentList()
  /** How many of the segments are device-readable. */
  readableCount = 0
  /** Bytes, 0..2^32-1 together. */
  readableBytes = 0
  writableBytes = 0
  /** Descriptors read to build it, an indirect reference included: what the walk cost, at most queue size + 1. */
  descriptorCount = 0

  get segmentCount(): number {
    return this.segments.count
  }

  get region(): Int32Array {
    return this.segments.region
  }

  get offset(): Uint32Array {
    return this.segments.offset
  }

  get address(): Float64Array {
    return this.segments.address
  }

  get length(): Uint32Array {
    return this.segments.length
  }

  clear(): void {
    this.id = -1
    this.segments.clear()
    this.readableCount = 0
    this.readableBytes = 0
    this.writableBytes = 0
    this.descriptorCount = 0
  }
}

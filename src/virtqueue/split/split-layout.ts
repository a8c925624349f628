/**
 * The three areas of a split virtqueue (virtio 1.4 §2.7) and the rules that hold before one may be used.
 *
 *   descriptor area   16 × size       { le64 addr, le32 len, le16 flags, le16 next } each
 *   driver area       6 + 2 × size    flags, idx, ring[size] of heads, used_event       written by the driver only
 *   device area       6 + 8 × size    flags, idx, ring[size] of { id, len }, avail_event   written by the device only
 */
import { VirtioError } from '../../internal/error.ts'
import { isPowerOfTwo } from '../../internal/u16.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { DESCRIPTOR_BYTES } from '../chain/descriptor.ts'
import { layoutAreas, type RingLayout, type RingShape, resolveAreas, words16, words32 } from '../ring-area.ts'
import { MAX_QUEUE_SIZE, type RingLocation } from '../ring-config.ts'

/** Flag of the used ring: the device needs no notification of available buffers. */
export const VIRTQ_USED_F_NO_NOTIFY = 1
/** Flag of the available ring: the driver needs no interrupt for used buffers. */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1

/** Places the three areas of a split virtqueue one after another from `baseAddress`, a multiple of 16. */
export function layoutSplitQueue(size: number, baseAddress: number): RingLayout {
  return layoutAreas(splitShape(size), baseAddress)
}

/** The largest size of a split virtqueue that is not over `most`, which is at least 1. */
export function splitSizeAtMost(most: number): number {
  return 2 ** Math.floor(Math.log2(most))
}

/** Views of exactly one queue's areas. */
export class SplitRing {
  /** Four words a descriptor: address low, address high, length, flags | next << 16. */
  readonly descriptors: Uint32Array
  /** 0 flags, 1 idx, 2.. ring, 2 + size used_event. */
  readonly available: Uint16Array
  /** 0 flags, 1 idx; `availEventIndex` avail_event. */
  readonly used: Uint16Array
  /** The same area in 32-bit words: element i is { id, len } at 1 + 2i. */
  readonly usedElements: Uint32Array
  readonly usedEventIndex: number
  readonly availEventIndex: number
  /** Any of the three areas is shared with another agent: flags, indices and event fields need ordered access. */
  readonly shared: boolean

  /** Throws `VirtioError` INVALID_QUEUE: a size that is none, or areas that `resolveAreas` refuses. */
  constructor(memory: GuestMemory, location: RingLocation) {
    const { size } = location
    const [descriptors, available, used] = resolveAreas(memory, location, splitShape(size))
    this.descriptors = words32(descriptors)
    this.available = words16(available)
    this.used = words16(used)
    this.usedElements = words32(used, 4 + 8 * size)
    this.usedEventIndex = 2 + size
    this.availEventIndex = 2 + 4 * size
    this.shared = descriptors.shared || available.shared || used.shared
  }
}

/** Throws `VirtioError` INVALID_QUEUE for a size that is none. */
export function splitShape(size: number): RingShape {
  if (!isPowerOfTwo(size) || size > MAX_QUEUE_SIZE) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `queue size ${size} must be a power of two from 1 to ${MAX_QUEUE_SIZE} (IMP-VQS-02)`,
    )
  }
  return {
    descriptorArea: { bytes: DESCRIPTOR_BYTES * size, alignment: 16 },
    driverArea: { bytes: 6 + 2 * size, alignment: 2 },
    deviceArea: { bytes: 6 + 8 * size, alignment: 4 },
    alignmentClause: 'VQS-DRV-01',
  }
}

/**
 * The three areas of a split virtqueue (virtio 1.4 §2.7) and the rules that hold before one may be used.
 *
 *   descriptor area   16 × size       { le64 addr, le32 len, le16 flags, le16 next } each
 *   driver area       6 + 2 × size    flags, idx, ring[size] of heads, used_event       written by the driver only
 *   device area       6 + 8 × size    flags, idx, ring[size] of { id, len }, avail_event   written by the device only
 */
import { VirtioError } from '../internal/error.ts'
import { isPowerOfTwo } from '../internal/u16.ts'
import type { GuestMemory } from '../memory/guest-memory.ts'
import { hex } from '../memory/memory-error.ts'
import { SegmentList } from '../memory/segment-list.ts'

export const VIRTQ_DESC_F_NEXT = 1
export const VIRTQ_DESC_F_WRITE = 2
export const VIRTQ_DESC_F_INDIRECT = 4
export const VIRTQ_USED_F_NO_NOTIFY = 1
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1

export const MAX_QUEUE_SIZE = 32768
export const DESCRIPTOR_BYTES = 16
/** VQS-DESC-DRV-01, less the one total that a used length could not say. */
export const MAX_CHAIN_BYTES = 0xffff_ffff

/** Where and how big a queue is, and what was negotiated for it. */
export interface SplitQueueLocation {
  /** Entries: a power of two, 1..32768 (IMP-VQS-02). */
  readonly size: number
  /** Guest-physical addresses, aligned to 16, 2 and 4 (VQS-DRV-01). */
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
}

export interface SplitQueueLayout {
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
  /** From `baseAddress` to the end of the last area. */
  readonly bytes: number
}

/** Places the three areas one after another from `baseAddress`, a multiple of 16. */
export function layoutSplitQueue(size: number, baseAddress: number): SplitQueueLayout {
  requireQueueSize(size)
  const driverArea = baseAddress + descriptorAreaBytes(size)
  const deviceArea = Math.ceil((driverArea + driverAreaBytes(size)) / 4) * 4
  return {
    descriptorArea: baseAddress,
    driverArea,
    deviceArea,
    bytes: deviceArea + deviceAreaBytes(size) - baseAddress,
  }
}

/** Bytes that `layoutSplitQueue` needs. */
export function splitQueueBytes(size: number): number {
  return layoutSplitQueue(size, 0).bytes
}

/**
 * Views of exactly one queue's areas. Resolved once, when the queue is configured: no access is translated after that, no
 * index can leave its area, and nothing that anybody writes to a register later moves the ring (museum 23).
 */
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

  /** Throws `VirtioError` INVALID_QUEUE: bad size or alignment, an area outside RAM or not in one piece, areas that overlap. */
  constructor(memory: GuestMemory, location: SplitQueueLocation) {
    const { size, descriptorArea, driverArea, deviceArea } = location
    requireQueueSize(size)
    const areas = [
      resolveArea(memory, 'descriptorArea', descriptorArea, descriptorAreaBytes(size), 16),
      resolveArea(memory, 'driverArea', driverArea, driverAreaBytes(size), 2),
      resolveArea(memory, 'deviceArea', deviceArea, deviceAreaBytes(size), 4),
    ] as const
    for (const [i, area] of areas.entries()) for (const other of areas.slice(i + 1)) refuseOverlap(area, other)
    const [descriptors, available, used] = areas
    this.descriptors = new Uint32Array(descriptors.buffer, descriptors.byteOffset, descriptors.bytes / 4)
    this.available = new Uint16Array(available.buffer, available.byteOffset, available.bytes / 2)
    this.used = new Uint16Array(used.buffer, used.byteOffset, used.bytes / 2)
    this.usedElements = new Uint32Array(used.buffer, used.byteOffset, 1 + 2 * size)
    this.usedEventIndex = 2 + size
    this.availEventIndex = 2 + 4 * size
    this.shared = areas.some((area) => area.shared)
  }
}

export interface ResolvedArea {
  readonly name: string
  readonly buffer: ArrayBufferLike
  readonly byteOffset: number
  readonly bytes: number
  readonly shared: boolean
}

export function resolveArea(
  memory: GuestMemory,
  name: string,
  address: number,
  bytes: number,
  alignment: number,
): ResolvedArea {
  if (!Number.isSafeInteger(address) || address < 0 || address % alignment !== 0) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `${name} ${hex(address)} must be an address from 0 to 2^53 and a multiple of ${alignment} (VQS-DRV-01)`,
    )
  }
  const runs = new SegmentList(2)
  if (!memory.translate(address, bytes, runs)) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `${name} ${hex(address)} + ${bytes} is not backed by memory; regions: ${memory.describe()}`,
    )
  }
  if (runs.count !== 1) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `${name} ${hex(address)} + ${bytes} is not in one piece of memory but in ${runs.count}`,
    )
  }
  const region = memory.regions[runs.region[0]!]!
  const byteOffset = region.u8.byteOffset + runs.offset[0]!
  return { name, buffer: region.u8.buffer, byteOffset, bytes, shared: region.shared }
}

/** Compared where the bytes really are: two guest addresses may be the same page. */
function refuseOverlap(a: ResolvedArea, b: ResolvedArea): void {
  if (a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.bytes && b.byteOffset < a.byteOffset + a.bytes) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `${a.name} and ${b.name} overlap: each area has one writer only (IMP-VQS-02)`,
    )
  }
}

function requireQueueSize(size: number): void {
  if (!isPowerOfTwo(size) || size > MAX_QUEUE_SIZE) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `queue size ${size} must be a power of two from 1 to ${MAX_QUEUE_SIZE} (IMP-VQS-02)`,
    )
  }
}

function descriptorAreaBytes(size: number): number {
  return DESCRIPTOR_BYTES * size
}

function driverAreaBytes(size: number): number {
  return 6 + 2 * size
}

function deviceAreaBytes(size: number): number {
  return 6 + 8 * size
}

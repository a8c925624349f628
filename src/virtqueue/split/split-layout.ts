/**
 * The three areas of a split virtqueue (virtio 1.4 §2.7) and the rules that hold before one may be used.
 *
 *   descriptor area   16 × size       { le64 addr, le32 len, le16 flags, le16 next } each
 *   driver area       6 + 2 × size    flags, idx, ring[size] of heads, used_event       written by the driver only
 *   device area       6 + 8 × size    flags, idx, ring[size] of { id, len }, avail_event   written by the device only
 */
import { checkInteger } from '../../internal/check-option.ts'
import { VirtioError } from '../../internal/error.ts'
import { isPowerOfTwo } from '../../internal/u16.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { hex } from '../../memory/memory-error.ts'
import { SegmentList } from '../../memory/segment-list.ts'
import { type Piece, piecedWords } from '../pieced-words.ts'

/** Descriptor flag: the buffer goes on at `next`. */
export const VIRTQ_DESC_F_NEXT = 1
/** Descriptor flag: the device writes the buffer; otherwise it reads it. */
export const VIRTQ_DESC_F_WRITE = 2
/** Descriptor flag: the buffer is a table of descriptors. */
export const VIRTQ_DESC_F_INDIRECT = 4
/** Flag of the used ring: the device needs no notification of available buffers. */
export const VIRTQ_USED_F_NO_NOTIFY = 1
/** Flag of the available ring: the driver needs no interrupt for used buffers. */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1

/** Most entries of a split virtqueue. */
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

/** Where the areas of a split virtqueue lie: guest-physical addresses, and their lengths in bytes. */
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
  checkInteger('baseAddress', baseAddress, 0)
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

  /** Throws `VirtioError` INVALID_QUEUE: bad size or alignment, an area outside RAM or scattered over its pages, areas that overlap. */
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
    this.descriptors = words32(descriptors)
    this.available = words16(available)
    this.used = words16(used)
    this.usedElements = words32(used, 4 + 8 * size)
    this.usedEventIndex = 2 + size
    this.availEventIndex = 2 + 4 * size
    this.shared = areas.some((area) => area.shared)
  }
}

export interface ResolvedArea {
  readonly name: string
  readonly bytes: number
  /** Adjacent ones of one buffer are one. */
  readonly pieces: readonly Piece[]
  readonly shared: boolean
}

export function words16({ pieces }: ResolvedArea): Uint16Array {
  const [piece] = pieces
  if (pieces.length > 1 || piece === undefined) return piecedWords(Uint16Array, 2, pieces)
  return new Uint16Array(piece.buffer, piece.byteOffset, piece.bytes / 2)
}

/** The first `bytes` bytes. */
export function words32({ pieces, bytes: all }: ResolvedArea, bytes = all): Uint32Array {
  const [piece] = pieces
  if (pieces.length > 1 || piece === undefined) return piecedWords(Uint32Array, 4, pieces)
  return new Uint32Array(piece.buffer, piece.byteOffset, bytes / 4)
}

/** Used again: a driver that comes up resolves a dozen areas, and a simulation has many drivers. */
const runs = new SegmentList(2)

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
  runs.clear()
  if (!memory.translate(address, bytes, runs)) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `${name} ${hex(address)} + ${bytes} is not backed by memory; regions: ${memory.describe()}`,
    )
  }
  const pieces: Piece[] = []
  for (let i = 0; i < runs.count; i++) {
    const region = memory.regions[runs.region[i]!]!
    // The owner of the table may move the pages of a page-mapped region at any time.
    if (runs.count > 1 && region.frames !== null) {
      throw new VirtioError(
        'INVALID_QUEUE',
        `${name} ${hex(address)} + ${bytes} is not in one piece of memory but in ${runs.count}`,
      )
    }
    const { buffer } = region.u8
    const byteOffset = region.u8.byteOffset + runs.offset[i]!
    const last = pieces.at(-1)
    const { shared } = region
    if (last?.buffer === buffer && last.byteOffset + last.bytes === byteOffset && last.shared === shared) {
      pieces[pieces.length - 1] = { ...last, bytes: last.bytes + runs.length[i]! }
    } else pieces.push({ buffer, byteOffset, bytes: runs.length[i]!, shared })
  }
  return { name, bytes, pieces, shared: pieces.some((piece) => piece.shared) }
}

/** Compared where the bytes really are: two guest addresses may be the same page. */
function refuseOverlap(a: ResolvedArea, b: ResolvedArea): void {
  for (const one of a.pieces) {
    for (const other of b.pieces) {
      if (one.buffer !== other.buffer) continue
      if (one.byteOffset >= other.byteOffset + other.bytes || other.byteOffset >= one.byteOffset + one.bytes) continue
      throw new VirtioError(
        'INVALID_QUEUE',
        `${a.name} and ${b.name} overlap: each area has one writer only (IMP-VQS-02)`,
      )
    }
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

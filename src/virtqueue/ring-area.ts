/**
 * The three areas of a ring, of either format: how they lie one behind another, and how they are looked up in the memory once, when the
 * ring is opened. No access is translated after that, no index can leave its area, and nothing that anybody writes to a register
 * later moves the ring (museum 23).
 */
import { checkInteger } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import type { GuestMemory } from '../memory/guest-memory.ts'
import { hex } from '../memory/memory-error.ts'
import { SegmentList } from '../memory/segment-list.ts'
import { type Piece, piecedWords } from './pieced-words.ts'
import type { RingLocation } from './ring-config.ts'

/** Where the areas of a ring lie: guest-physical addresses, and their length in bytes. */
export interface RingLayout {
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
  /** From the first area to the end of the last. */
  readonly bytes: number
}

/** What a format asks of an area. */
export interface AreaShape {
  readonly bytes: number
  readonly alignment: number
}

/** What a format asks of the areas of a ring of some size, and the clause that says so. */
export interface RingShape {
  readonly descriptorArea: AreaShape
  readonly driverArea: AreaShape
  readonly deviceArea: AreaShape
  readonly alignmentClause: string
}

const AREAS = ['descriptorArea', 'driverArea', 'deviceArea'] as const

/** Places the three areas one after another from `baseAddress`. */
export function layoutAreas(shape: RingShape, baseAddress: number): RingLayout {
  checkInteger('baseAddress', baseAddress, 0)
  let end = baseAddress
  const [descriptorArea, driverArea, deviceArea] = AREAS.map((name) => {
    const { bytes, alignment } = shape[name]
    const address = Math.ceil(end / alignment) * alignment
    end = address + bytes
    return address
  })
  return { descriptorArea: descriptorArea!, driverArea: driverArea!, deviceArea: deviceArea!, bytes: end - baseAddress }
}

/** Throws `VirtioError` INVALID_QUEUE: bad alignment, an area outside RAM or scattered over its pages, areas that overlap. */
export function resolveAreas(
  memory: GuestMemory,
  location: RingLocation,
  shape: RingShape,
): readonly [descriptorArea: ResolvedArea, driverArea: ResolvedArea, deviceArea: ResolvedArea] {
  const [descriptors, driver, device] = AREAS.map((name) =>
    resolveArea(memory, name, location[name], shape[name], shape.alignmentClause),
  )
  const areas = [descriptors!, driver!, device!] as const
  for (const [i, area] of areas.entries()) for (const other of areas.slice(i + 1)) refuseOverlap(area, other)
  return areas
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
  { bytes, alignment }: AreaShape,
  alignmentClause: string,
): ResolvedArea {
  if (!Number.isSafeInteger(address) || address < 0 || address % alignment !== 0) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `${name} ${hex(address)} must be an address from 0 to 2^53 and a multiple of ${alignment} (${alignmentClause})`,
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

/**
 * The history of every location: the order in which its values were stored, which all sides agree on (coherence). A memory
 * model says which of them a load may still see.
 *
 * A location is two bytes, so that a 16-bit ring field is one and a 32-bit word is two that one store changes at once.
 */
import type { Access, Side } from './access.ts'
import { other } from './access.ts'
import type { LocalState } from './local-states.ts'

export interface Version {
  readonly value: number
  /** Who stored it; -1: there from the start. */
  readonly side: Side | -1
  /** Which access of that side it was. */
  readonly depth: number
  /** Order of stores, of both sides. */
  readonly stamp: number
  readonly prev: Version | null
  /** Stored with sequential consistency. */
  readonly total: boolean
  /** Who acquires from it knows this many accesses of the storing side. */
  readonly released: number
}

/** Newest version of each location, never changed in place. */
export interface History {
  readonly heads: readonly Version[]
  readonly stores: number
  /** Where a location changed hands: with the local states of both sides, this says what the heads are. */
  readonly handovers: string
}

export function initialHistory(image: Uint8Array): History {
  const heads: Version[] = []
  for (let i = 0; i < image.length; i += 2) {
    const value = image[i]! | (image[i + 1]! << 8)
    heads.push({ value, side: -1, depth: -1, stamp: -1, prev: null, total: false, released: 0 })
  }
  return { heads, stores: 0, handovers: '' }
}

export function append(
  history: History,
  side: Side,
  local: LocalState,
  access: { readonly address: number; readonly bytes: number },
  value: number,
  total: boolean,
  released: number,
): History {
  const { address, bytes } = access
  const heads = history.heads.slice()
  let { handovers } = history
  for (const [i, granule] of granulesOf(access).entries()) {
    const prev = heads[granule]!
    const shift = 8 * (address & 1)
    const whole =
      bytes === 1 ? (prev.value & ~(0xff << shift)) | (value << shift) : Math.floor(value / 2 ** (16 * i)) & 0xffff
    heads[granule] = { value: whole, side, depth: local.depth, stamp: history.stores, prev, total, released }
    if (prev.side === other(side)) handovers += `;${granule}:${side},${prev.depth},${local.depth}`
  }
  return { heads, stores: history.stores + 1, handovers }
}

/** The locations of an access, in address order. */
export function granulesOf({ address, bytes }: { readonly address: number; readonly bytes: number }): number[] {
  const first = address >>> 1
  return bytes === 4 ? [first, first + 1] : [first]
}

/**
 * What a load may see: one version a location. The newest one known, or any later one. Of choices with the same value only
 * the oldest is kept: it shows its reader least, and who knows less may do all that who knows more may do.
 */
export function choices(
  history: History,
  access: { readonly address: number; readonly bytes: number },
  isKnown: (version: Version, granule: number) => boolean,
): { readonly versions: readonly Version[]; readonly value: number }[] {
  const granules = granulesOf(access)
  const lists = granules.map((granule) => {
    const list: Version[] = []
    for (let at = history.heads[granule]!; ; at = at.prev!) {
      list.push(at)
      if (at.prev === null || isKnown(at, granule)) return list.reverse()
    }
  })
  const stamps = new Set<number>()
  for (const list of lists) for (const { stamp } of list.slice(1)) stamps.add(stamp)
  const result = [choice(access, lists, Number.NEGATIVE_INFINITY)]
  // Aligned words do not tear: both halves are seen as they were at one moment of their own order.
  for (const stamp of [...stamps].sort((a, b) => a - b)) {
    const next = choice(access, lists, stamp)
    if (!result.some(({ value }) => value === next.value)) result.push(next)
  }
  return result
}

function choice(
  access: { readonly address: number; readonly bytes: number },
  lists: readonly (readonly Version[])[],
  until: number,
): { readonly versions: readonly Version[]; readonly value: number } {
  const versions = lists.map((list) => list.findLast(({ stamp }) => stamp <= until) ?? list[0]!)
  return { versions, value: wordOf(access, versions) }
}

export function newest(history: History, access: { readonly address: number; readonly bytes: number }): Version[] {
  return granulesOf(access).map((granule) => history.heads[granule]!)
}

export function wordOf(
  { address, bytes }: { readonly address: number; readonly bytes: number },
  versions: readonly Version[],
): number {
  if (bytes === 1) return (versions[0]!.value >>> (8 * (address & 1))) & 0xff
  return bytes === 2 ? versions[0]!.value : versions[0]!.value + versions[1]!.value * 0x1_0000
}

export function bytesOf(history: History): Uint8Array {
  const bytes = new Uint8Array(2 * history.heads.length)
  for (const [i, { value }] of history.heads.entries()) {
    bytes[2 * i] = value
    bytes[2 * i + 1] = value >>> 8
  }
  return bytes
}

/** Both sides store to one location and nothing orders the two: what is left there is luck, under every model but sc. */
export function writeRace(
  history: History,
  side: Side,
  access: { readonly address: number; readonly bytes: number },
  isKnown: (version: Version, granule: number) => boolean,
): boolean {
  return granulesOf(access).some((granule) => {
    const head = history.heads[granule]!
    return head.side === other(side) && !isKnown(head, granule)
  })
}

/** The locations that `access` reads and writes; none for fences. */
export function touches(access: Access): { readonly reads: number[]; readonly writes: number[] } {
  if (access.kind === 'load') return { reads: granulesOf(access), writes: [] }
  if (access.kind === 'store' || access.kind === 'update') return { reads: [], writes: granulesOf(access) }
  return { reads: [], writes: [] }
}

/**
 * What the kit must know of a ring format: where a ring lies, what each side finds in its bytes, when a side must be told of
 * it, and who may write what. The witnesses, scenes, stages and exchanges are written against this; `split/` and `packed/`
 * hold the two implementations, each beside its executable specification.
 *
 * A place is where a side is in the ring: an index of a split ring, a slot and a wrap counter of a packed one. It moves on by
 * steps: one for each chain of a split ring, one for each slot of a packed one.
 */
import type { ByteRange } from './split/reference-split-ring.ts'
import type { RingMemory, WritableRingMemory } from './split/split-ring-format.ts'

export type RingSide = 'device' | 'driver'

/** What rings of every format have. */
export interface RingShape {
  readonly size: number
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  /** IN_ORDER; absent where the kit does not know it. */
  readonly inOrder?: boolean
}

/** What a ring is asked to be, before it has a place in memory. */
export type RingWish = Pick<RingShape, 'size' | 'eventIdx' | 'indirect' | 'inOrder'>

/** A chain that the driver made available, as the specification understands it. */
export interface SpecifiedChain {
  readonly kind: 'chain'
  readonly id: number
  /** Descriptors of the ring that it takes. */
  readonly slots: number
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
  readonly readableBytes: number
  readonly writableBytes: number
  /** Legal, and a device may refuse it. */
  readonly mayRefuse: boolean
  /** What the driver did wrong and a device overlooks. */
  readonly overlooked?: readonly string[]
  /** Where its buffers are named if that is not in the ring. */
  readonly table?: ByteRange | null
}

export interface SpecifiedFault {
  readonly kind: 'fault'
  readonly id: number
  readonly rules: readonly string[]
  readonly slots?: number
}

export type SpecifiedAvailable = { readonly kind: 'nothing' } | SpecifiedChain | SpecifiedFault

/** A chain that came back, and how many bytes the device says it wrote. */
export interface UsedBuffer {
  readonly id: number
  readonly writtenBytes: number
}

export type SpecifiedUsed =
  | { readonly kind: 'nothing' }
  | (UsedBuffer & {
      readonly kind: 'used'
      /** With IN_ORDER: the chains before it, which it stands for. */
      readonly skipped?: readonly UsedBuffer[]
      readonly slots?: number
    })
  | SpecifiedFault

/** Chains that are with the device, by id, in the order in which they were made available. */
export type BuffersOut = ReadonlyMap<number, { readonly slots: number; readonly writableBytes: number }>

export interface RingFormat<Ring extends RingShape, Place> {
  readonly name: 'split' | 'packed'
  /** Where the places and their arithmetic begin; only a split ring can begin at another index than 0. */
  start(index: number): Place
  advance(ring: Ring, place: Place, steps: number): Place
  /** By how far a side moves on for one chain, or for a fault that was given back. */
  steps(chain: { readonly slots?: number }): number
  /** Within so many steps a side must be asked whether it wants to notify; above, places cannot be told apart. */
  span(ring: Ring): number
  /** A place in words. */
  where(ring: Ring, place: Place): string

  /** Where a small ring lies when nobody cares; `end` is behind its tables. */
  layOut(wish: RingWish, base?: number): { ring: Ring; end: number }
  /** Writes what a ring holds at the start, over zeroed memory. */
  begin(memory: WritableRingMemory, ring: Ring, index: number): void
  /** What a driver zeroes before a ring is used again. */
  zeroed(ring: Ring): readonly ByteRange[]
  /** What `side` may not write, but for where `isOwn` says that it may. */
  foreign(ring: Ring, side: RingSide): readonly ByteRange[]
  /** The word at `address` is of the `owned` slots from `from` on. */
  isOwn(ring: Ring, address: number, from: Place, owned: number): boolean
  /** A foreign byte in words, and the clause that was broken by writing it. */
  foreignWrite(ring: Ring, side: RingSide, address: number): string

  /** What a device completed is free for the next chain at once, or when the driver can see that. */
  readonly freeWhen: 'completed' | 'shown'
  /** Every correct answer of a device at `at` that may know of `known` chains from an earlier look. */
  available(memory: RingMemory, ring: Ring, at: Place, held: BuffersOut, known: number): readonly SpecifiedAvailable[]
  /** Every correct answer of a driver at `at`. */
  used(memory: RingMemory, ring: Ring, at: Place, out: BuffersOut, known: number): readonly SpecifiedUsed[]
  /** How many chains, or used elements, a side may know of that looked now; 0 where no side can. */
  visible(memory: RingMemory, ring: Ring, side: RingSide, at: Place, out: BuffersOut): number
  /** Something that changes when the peer of `side` shows it more at `at`. */
  mark(memory: RingMemory, ring: Ring, side: RingSide, at: Place): number
  /** Must `side` notify its peer, having moved on by so many steps from `from`? */
  mustNotify(memory: RingMemory, ring: Ring, side: RingSide, from: Place, steps: number): boolean
  /** What is wrong with the way in which `side` asked to be notified, or not, of what comes at `next`; null: nothing. */
  wishFault(memory: RingMemory, ring: Ring, side: RingSide, on: boolean, next: Place): string | null

  /** Is it an id that a driver may give out? */
  isId(ring: Ring, id: number): boolean
  /** How many of `count` buffers a driver is asked to name in the ring when `direct` was drawn. */
  direct(ring: Ring, direct: number, count: number): number
  /** Descriptors of the ring that a chain names for itself; none where they follow one another. */
  descriptorsOf(memory: RingMemory, ring: Ring, id: number): readonly number[]
  /** For failure messages, from `at` on where the format has a beginning. */
  draw(memory: RingMemory, ring: Ring, at: Place | null): string
}

export function slotsOf(buffers: Iterable<{ readonly slots: number }>): number {
  let sum = 0
  for (const { slots } of buffers) sum += slots
  return sum
}

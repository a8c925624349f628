/**
 * The packed virtqueue as bytes (virtio 1.4 §2.8.1, §2.8.10, §2.8.13, §2.8.14), written down from the specification as
 * `split-ring-format.ts` is, whose descriptor flags and memory it shares. No rules here (`reference-packed-ring.ts`).
 *
 *     descriptorArea  size x { le64 addr, le32 len, le16 id, le16 flags }, aligned to 16, written by both sides
 *     driverArea      { le16 slot (bits 0-14) and wrap (bit 15), le16 flags }, aligned to 4: which interrupts are wanted
 *     deviceArea      the same: which kicks are wanted
 */
import {
  DESCRIPTOR_BYTES,
  type RingMemory,
  type WideAddress,
  type WritableRingMemory,
  writeAddress,
} from '../split/split-ring-format.ts'

export const VIRTQ_DESC_F_AVAIL = 1 << 7
export const VIRTQ_DESC_F_USED = 1 << 15
export const RING_EVENT_FLAGS_ENABLE = 0
export const RING_EVENT_FLAGS_DISABLE = 1
/** At one slot only; with EVENT_IDX. */
export const RING_EVENT_FLAGS_DESC = 2
export const EVENT_BYTES = 4

/** Where a ring lies and what was negotiated for it. Addresses are guest-physical. */
export interface PackedRing {
  /** 1 .. 32768, any number (IMP-VQP-15). */
  readonly size: number
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly inOrder: boolean
}

/** A place in the ring and the wrap counter there: what a side of a split ring has as its index. */
export interface RingPosition {
  readonly slot: number
  readonly wrap: 0 | 1
}

/** Wrap counters start at 1, also after a reset (IMP-VQP-01). */
export const RING_START: RingPosition = { slot: 0, wrap: 1 }

/** `count` slots on, at most once around; the counter flips behind the last slot (IMP-VQP-01). */
export function advance({ size }: PackedRing, { slot, wrap }: RingPosition, count: number): RingPosition {
  const next = slot + count
  return next < size ? { slot: next, wrap } : { slot: next - size, wrap: wrap === 1 ? 0 : 1 }
}

/** A descriptor of a packed ring, as it is written. */
export interface PackedDescriptor {
  /** Exact below 2^53; above, rounded, and out of any RAM in either case. */
  readonly address: number
  readonly length: number
  readonly id: number
  readonly flags: number
}

export const descriptorAt = (table: number, slot: number): number => table + DESCRIPTOR_BYTES * slot

/** Whose the descriptor is: to be read before the rest of it, and once. */
export function readFlags(memory: RingMemory, table: number, slot: number): number {
  return memory.readU16(descriptorAt(table, slot) + 14)
}

/** The descriptor in a slot of a table at address `table`. */
export function readPackedDescriptor(
  memory: RingMemory,
  table: number,
  slot: number,
  flags: number = readFlags(memory, table, slot),
): PackedDescriptor {
  const at = descriptorAt(table, slot)
  const address = memory.readU32(at + 4) * 2 ** 32 + memory.readU32(at)
  return { address, length: memory.readU32(at + 8), id: memory.readU16(at + 12), flags }
}

/** All but the flags, which hand the descriptor over: they are written last, by `writeFlags`. */
export function writeContents(
  memory: WritableRingMemory,
  table: number,
  slot: number,
  { address, length, id }: { readonly address: WideAddress; readonly length: number; readonly id: number },
): void {
  const at = descriptorAt(table, slot)
  writeAddress(memory, at, address)
  memory.writeU32(at + 8, length)
  memory.writeU16(at + 12, id)
}

/** Of a used descriptor, whose address says nothing. */
export function writeUsed(
  memory: WritableRingMemory,
  table: number,
  slot: number,
  { length, id }: { readonly length: number; readonly id: number },
): void {
  const at = descriptorAt(table, slot)
  memory.writeU32(at + 8, length)
  memory.writeU16(at + 12, id)
}

export function writeFlags(memory: WritableRingMemory, table: number, slot: number, flags: number): void {
  memory.writeU16(descriptorAt(table, slot) + 14, flags)
}

/** AVAIL is the driver's wrap counter, USED its inverse (IMP-VQP-02). */
export const availableFlags = (wrap: 0 | 1): number => (wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)
/** AVAIL and USED are the device's wrap counter (IMP-VQP-03). */
export const usedFlags = (wrap: 0 | 1): number => (wrap === 1 ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0)

const MARK = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
export const isAvailable = (flags: number, wrap: 0 | 1): boolean => (flags & MARK) === availableFlags(wrap)
export const isUsed = (flags: number, wrap: 0 | 1): boolean => (flags & MARK) === usedFlags(wrap)

export interface RingEvent extends RingPosition {
  /** `RING_EVENT_FLAGS_*`; 3 is reserved. */
  readonly flags: number
}

export function readEvent(memory: RingMemory, area: number): RingEvent {
  const position = memory.readU16(area)
  return { slot: position & 0x7fff, wrap: position & 0x8000 ? 1 : 0, flags: memory.readU16(area + 2) & 3 }
}

/** The position first: whoever sees the flags change finds it there. */
export function writeEvent(memory: WritableRingMemory, area: number, { slot, wrap, flags }: RingEvent): void {
  memory.writeU16(area, slot | (wrap << 15))
  memory.writeU16(area + 2, flags)
}

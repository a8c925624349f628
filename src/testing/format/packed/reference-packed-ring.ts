/**
 * What a correct device and a correct driver must conclude from the bytes of a packed ring: `reference-split-ring.ts` once
 * more, for the other format. Pure functions of bytes, of one position and of what is out; nothing is cached, nothing is
 * fast, nothing is written. Clause ids stand beside each rule.
 *
 * Follows virtio 1.4 §2.8. Where a split ring has indices, a packed one has a position, a slot and a wrap counter, on each
 * side; where it has heads, buffer ids; where it has chains, lists of slots that follow one another. As there: what the
 * driver may not do is a fault, unless the device is told to overlook it, and a chain is bytes, however they were cut.
 *
 * Not here: what is done about a fault (policy), data, and notification data (§2.9).
 */
import { type BuffersOut, slotsOf, type UsedBuffer } from '../ring-format.ts'
import { append, type ByteRange } from '../split/reference-split-ring.ts'
import {
  DESCRIPTOR_BYTES,
  type RingMemory,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '../split/split-ring-format.ts'
import {
  advance,
  isAvailable,
  isUsed,
  type PackedDescriptor,
  type PackedRing,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  type RingPosition,
  readEvent,
  readFlags,
  readPackedDescriptor,
} from './packed-ring-format.ts'

/** Every way in which a ring can be wrong, and the clause that the writer of the bytes broke. */
export const PACKED_RING_RULES = {
  // The list's slots: whose buffer it is cannot be said.
  'chain-too-long': 'VQP-SG-DRV-02',
  'slot-in-flight': 'VQP-DRV-02',
  'id-in-flight': 'IMP-VQP-04',
  // One buffer's.
  'readable-after-writable': 'VQP-SG-DRV-03',
  'buffer-outside-memory': 'RFB-DRV-05',
  'indirect-not-negotiated': 'VQP-IND-DRV-01',
  'indirect-in-list': 'VQP-IND-DRV-04',
  'indirect-length': 'IMP-VQP-10',
  'indirect-outside-memory': 'RFB-DRV-05',
  // Broken by the driver, and a device need not, or must not, mind.
  'list-not-available': 'VQP-SG-DRV-06',
  'indirect-entry-flags': 'VQP-IND-DRV-02',
  // The device's, seen by the driver.
  'used-id-not-outstanding': 'IMP-VQP-06',
  'used-length-too-large': 'IMP-VQP-08',
} as const

/** A rule of the packed ring that can be broken, by name. */
export type PackedRingRule = keyof typeof PACKED_RING_RULES

/** A buffer that the driver made available. */
export interface PackedChain {
  readonly kind: 'chain'
  /** The buffer id: what the used descriptor must name. */
  readonly id: number
  /** Ring slots that it takes: by so many both sides move on. */
  readonly slots: number
  /** Where its buffers are named if that is not in the ring. */
  readonly table: ByteRange | null
  /** Non-empty, in order, neighbours that touch merged into one. */
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
  readonly readableBytes: number
  readonly writableBytes: number
  /** A device may serve it, or answer that it is too much. */
  readonly mayRefuse: boolean
  /** What the driver did wrong and a device overlooks: the first it may refuse, the second it must not. */
  readonly overlooked: readonly PackedRingRule[]
}

/** What is wrong with what was made available or used. */
export interface PackedFault {
  readonly kind: 'fault'
  /** The buffer's id, or -1 when it cannot be said. */
  readonly id: number
  /** Of its list, by which a device that gives the buffer back moves on; 0 without an id. */
  readonly slots: number
  /** All that the list breaks. Which of them an implementation meets first, and names, is its own affair. */
  readonly rules: readonly PackedRingRule[]
}

/** What a device finds at its place in the ring. */
export type PackedAvailableAnswer = { readonly kind: 'nothing' } | PackedChain | PackedFault

/** Device side: what lies at `at`, the device's next position, given the buffers that it took and has not marked used. */
export function nextPackedAvailable(
  memory: RingMemory,
  ring: PackedRing,
  at: RingPosition,
  inFlight: BuffersOut,
): PackedAvailableAnswer {
  const free = ring.size - slotsOf(inFlight.values())
  const list: PackedDescriptor[] = []
  const broken: PackedRingRule[] = []
  const overlooked: PackedRingRule[] = []
  // VQP-DEV-01: in ring order.
  for (let position = at; ; position = advance(ring, position, 1)) {
    // VQP-DEV-06: AVAIL and USED, compared with the counter of this turn, say whose the slot is.
    const flags = readFlags(memory, ring.descriptorArea, position.slot)
    const available = isAvailable(flags, position.wrap)
    if (list.length === 0 && !available) return { kind: 'nothing' }
    if (list.length === ring.size) broken.push('chain-too-long') // VQP-SG-DRV-02
    // VQP-DRV-02, VQP-SG-DRV-05: not one slot more than the device has given back.
    if (list.length >= free) broken.push('slot-in-flight')
    if (broken.length > 0) break
    // VQP-SG-DRV-06: the head is marked last. IMP-VQP-05: behind the last slot, with the other counter. But a device may fetch
    // all of the list as soon as its head is there, and not look (VQP-DEV-08).
    if (!available) overlooked.push('list-not-available')
    list.push(readPackedDescriptor(memory, ring.descriptorArea, position.slot, flags))
    if ((flags & VIRTQ_DESC_F_NEXT) === 0) break
  }
  // IMP-VQP-04: the list's id is its last element's, and any 16 bits that are not out.
  const id = list.at(-1)?.id ?? -1
  if (broken.length === 0 && inFlight.has(id)) broken.push('id-in-flight')
  const named = broken.length === 0 ? { id, slots: list.length } : { id: -1, slots: 0 }
  const chain = readList(memory, ring, { ...named, table: null, overlooked }, list, broken)
  return broken.length === 0 ? chain : { kind: 'fault', ...named, rules: [...broken, ...overlooked] }
}

/** What is known of a chain before its buffers are. */
type ListInRing = Pick<PackedChain, 'id' | 'slots' | 'table' | 'overlooked'>

/** Adds to `broken` what is wrong with the list. */
function readList(
  memory: RingMemory,
  ring: PackedRing,
  of: ListInRing,
  list: readonly PackedDescriptor[],
  broken: PackedRingRule[],
): PackedChain {
  const table = list.find(({ flags }) => flags & VIRTQ_DESC_F_INDIRECT)
  if (table === undefined) return readBuffers(memory, ring, of, list, broken)
  const { address, length } = table
  if (!ring.indirect) broken.push('indirect-not-negotiated') // VQP-IND-DRV-01
  if (list.length > 1) broken.push('indirect-in-list') // VQP-IND-DRV-04
  // IMP-VQP-10. No alignment is asked of a table.
  if (length === 0 || length % DESCRIPTOR_BYTES !== 0) broken.push('indirect-length')
  if (!memory.contains(address, length)) broken.push('indirect-outside-memory')
  if (broken.length > 0) {
    const direct = list.filter(({ flags }) => (flags & VIRTQ_DESC_F_INDIRECT) === 0)
    return readBuffers(memory, ring, of, direct, broken)
  }
  // IMP-VQP-10: entries follow one another. IMP-VQP-09: WRITE means nothing on the descriptor that names them.
  const count = length / DESCRIPTOR_BYTES
  const entries = Array.from({ length: count }, (_, index) => readPackedDescriptor(memory, address, index))
  // IMP-VQP-09: and in them nothing but WRITE means anything, so that there is no table in a table either.
  const needless = entries.some(({ flags }) => flags & ~VIRTQ_DESC_F_WRITE)
  const overlooked: readonly PackedRingRule[] = needless ? ['indirect-entry-flags'] : []
  return readBuffers(memory, ring, { ...of, table: { address, length }, overlooked }, entries, broken)
}

function readBuffers(
  memory: RingMemory,
  ring: PackedRing,
  of: ListInRing,
  buffers: readonly PackedDescriptor[],
  broken: PackedRingRule[],
): PackedChain {
  const readable: ByteRange[] = []
  const writable: ByteRange[] = []
  let readableBytes = 0
  let writableBytes = 0
  let sawWritable = false
  // VQP-SG-DEV-01: in the order in which they stand.
  for (const { address, length, flags } of buffers) {
    const isWritable = (flags & VIRTQ_DESC_F_WRITE) !== 0
    if (!isWritable && sawWritable) broken.push('readable-after-writable') // VQP-SG-DRV-03
    // RFB-DRV-05: what is not memory was never offered. An empty buffer offers no byte, wherever it points.
    if (length > 0 && !memory.contains(address, length)) broken.push('buffer-outside-memory')
    append(isWritable ? writable : readable, address, length)
    sawWritable ||= isWritable
    if (isWritable) writableBytes += length
    else readableBytes += length
  }
  // VQP-SG-DEV-02, VQP-IND-DRV-03: a device may limit lists, to the queue's length say, or to what a le32 can count.
  const tooMuch = buffers.length > ring.size || readableBytes + writableBytes >= 2 ** 32
  const mayRefuse = tooMuch || of.overlooked.includes('list-not-available')
  return { kind: 'chain', ...of, readable, writable, readableBytes, writableBytes, mayRefuse }
}

/** What a driver finds at its place in the ring. */
export type PackedUsedAnswer =
  | { readonly kind: 'nothing' }
  | (UsedBuffer & {
      readonly kind: 'used'
      /** With IN_ORDER: the buffers before it, which it stands for. */
      readonly skipped: readonly UsedBuffer[]
      /** By which the driver moves on. */
      readonly slots: number
    })
  | PackedFault

/** Driver side: what lies at `at`, the driver's next used position. */
export function nextPackedUsed(
  memory: RingMemory,
  ring: PackedRing,
  at: RingPosition,
  outstanding: BuffersOut,
): PackedUsedAnswer {
  const flags = readFlags(memory, ring.descriptorArea, at.slot)
  if (!isUsed(flags, at.wrap)) return { kind: 'nothing' } // IMP-VQP-03
  const { id, length } = readPackedDescriptor(memory, ring.descriptorArea, at.slot, flags)
  // IMP-VQP-06: one descriptor a list, with its id. IMP-VQP-07: NEXT says nothing here; how long the list was, the driver knows.
  const buffer = outstanding.get(id)
  if (buffer === undefined) return fault(-1, 0, ['used-id-not-outstanding'])
  // IMP-VQP-08: without WRITE nothing was written, whatever stands in len.
  const writtenBytes = flags & VIRTQ_DESC_F_WRITE ? length : 0
  if (writtenBytes > buffer.writableBytes) return fault(id, buffer.slots, ['used-length-too-large'])
  // IMP-VQP-11: in order, the last one's id stands for all that came before it, and those were written to the full.
  const earlier = ring.inOrder ? [...outstanding].slice(0, [...outstanding.keys()].indexOf(id)) : []
  const skipped = earlier.map(([one, { writableBytes }]) => ({ id: one, writtenBytes: writableBytes }))
  const slots = buffer.slots + slotsOf(earlier.map(([, one]) => one))
  return { kind: 'used', id, writtenBytes, skipped, slots }
}

/** Must the device interrupt, having moved on by `count` slots from `from`? At most one turn: see `asksFor`. */
export function mustInterruptPacked(memory: RingMemory, ring: PackedRing, from: RingPosition, count: number): boolean {
  return asksFor(memory, ring, ring.driverArea, from, count)
}

/** Must the driver kick, having made `count` slots from `from` on available? */
export function mustKickPacked(memory: RingMemory, ring: PackedRing, from: RingPosition, count: number): boolean {
  return asksFor(memory, ring, ring.deviceArea, from, count)
}

/**
 * By definition, slot by slot: slow on purpose, so that it shares no arithmetic with what it checks (IMP-VQP-14). A position
 * comes again after two turns of the ring, so one asks at least once a turn.
 */
function asksFor(memory: RingMemory, ring: PackedRing, area: number, from: RingPosition, count: number): boolean {
  const { flags, slot, wrap } = readEvent(memory, area)
  if (flags === RING_EVENT_FLAGS_DISABLE || count === 0) return false
  // IMP-VQP-13: what is reserved, or was not negotiated, asks for silence least of all.
  if (flags !== RING_EVENT_FLAGS_DESC || !ring.eventIdx) return true
  let position = from
  for (let passed = 0; passed < count; passed++) {
    if (position.slot === slot && position.wrap === wrap) return true
    position = advance(ring, position, 1)
  }
  return false
}

function fault(id: number, slots: number, rules: readonly PackedRingRule[]): PackedFault {
  return { kind: 'fault', id, slots, rules }
}

/**
 * What a correct device and a correct driver must conclude from the bytes of a split ring: an executable specification,
 * meant to be read in one sitting and trusted because of it. Pure functions of bytes, of one index and of what is in
 * flight; nothing is cached, nothing is fast, nothing is written. Clause ids stand beside each rule.
 *
 * Follows virtio 1.4 §2.7. Where the specification only forbids something to the driver, the device's answer is a fault:
 * a device that goes on has guessed. Framing is left out of the answer on purpose (VQS-FRM-DEV-01): a chain is the bytes it
 * offers to read and the bytes it offers to write, in order, whatever descriptors they were cut into.
 *
 * Not here: what is done about a fault (policy), data, and the IN_ORDER feature.
 */
import {
  availElementAt,
  availEventAt,
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  type RingMemory,
  readDescriptor,
  type SplitRing,
  usedElementAt,
  usedEventAt,
  usedFlagsAt,
  usedIdxAt,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
} from './split-ring-format.ts'

/** Every way in which a ring can be wrong, and the clause that the writer of the bytes broke. */
export const RING_RULES = {
  // The available ring's own: no chain can be blamed.
  'available-index-jump': 'VQS-AVL-DRV-01',
  'head-out-of-range': 'IMP-VQS-02',
  'head-in-flight': 'IMP-VQS-09',
  // One chain's.
  'next-out-of-range': 'IMP-VQS-02',
  'chain-too-long': 'VQS-IND-DRV-03',
  'chain-too-large': 'VQS-DESC-DRV-01',
  'readable-after-writable': 'VQS-FRM-DRV-01',
  'buffer-outside-memory': 'IMP-VQS-09',
  'indirect-not-negotiated': 'VQS-IND-DRV-01',
  'indirect-nested': 'VQS-IND-DRV-02',
  'indirect-with-next': 'VQS-IND-DRV-04',
  'indirect-length': 'IMP-VQS-05',
  'indirect-too-long': 'VQS-IND-DRV-03',
  'indirect-outside-memory': 'IMP-VQS-09',
  'indirect-next-out-of-range': 'IMP-VQS-05',
  // The device's, seen by the driver.
  'used-index-jump': 'IMP-VQS-01',
  'used-id-out-of-range': 'IMP-VQS-03',
  'used-id-not-outstanding': 'IMP-VQS-03',
  'used-length-too-large': 'IMP-VQS-04',
} as const

/** A rule of the split ring that can be broken, by name. */
export type RingRule = keyof typeof RING_RULES

/** A run of guest-physical bytes. */
export interface ByteRange {
  readonly address: number
  readonly length: number
}

/** A chain that the driver made available. */
export interface ReferenceChain {
  readonly kind: 'chain'
  /** The head's index: what the used element must name. */
  readonly id: number
  /** Descriptors of the ring that it takes. */
  readonly slots: number
  /** Non-empty, in order, neighbours that touch merged into one. */
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
  readonly readableBytes: number
  readonly writableBytes: number
  /** Legal, and still a device may answer `chain-too-large`. */
  readonly mayRefuse: boolean
}

/** What is wrong with what was made available or used. */
export interface ReferenceFault {
  readonly kind: 'fault'
  /** The chain's head, or -1 when the fault is the ring's own and no chain can be blamed. */
  readonly id: number
  /**
   * The rules broken at the first faulty place, in the order of this file. Which one an implementation names when one
   * descriptor breaks several is its own affair.
   */
  readonly rules: readonly RingRule[]
}

/** What a device finds at its place in the available ring. */
export type AvailableAnswer = { readonly kind: 'nothing' } | ReferenceChain | ReferenceFault

/**
 * Device side: what lies at available index `nextAvail` (the device's own counter, modulo 2^16), given the heads that it
 * took and has not returned.
 */
export function nextAvailable(
  memory: RingMemory,
  ring: SplitRing,
  nextAvail: number,
  inFlight: HeadSet,
): AvailableAnswer {
  // IMP-VQS-01: idx is free-running; the distance to it, modulo 2^16, is how many heads wait.
  const waiting = (memory.readU16(availIdxAt(ring)) - nextAvail) & 0xffff
  if (waiting === 0) return { kind: 'nothing' }
  // VQS-AVL-DRV-01: idx only moves forward, and a ring of `size` slots cannot hold more than `size` heads.
  if (waiting > ring.size) return fault(-1, ['available-index-jump'])
  return offered(memory, ring, nextAvail, inFlight)
}

/**
 * Every answer that is correct for a device which remembers an earlier look at idx, when `known` heads waited from `nextAvail`
 * on. There is one answer while idx keeps moving forward. Once it went back or leapt, the device may still serve what it
 * knows of, or refuse the new idx, or not have noticed.
 */
export function availableAnswers(
  memory: RingMemory,
  ring: SplitRing,
  nextAvail: number,
  inFlight: HeadSet,
  known: number,
): readonly AvailableAnswer[] {
  const fresh = nextAvailable(memory, ring, nextAvail, inFlight)
  const waiting = (memory.readU16(availIdxAt(ring)) - nextAvail) & 0xffff
  if (known === 0 || (waiting >= known && waiting <= ring.size)) return [fresh]
  return [fresh, fault(-1, ['available-index-jump']), offered(memory, ring, nextAvail, inFlight)]
}

/** The heads that a device took and has not returned. */
export interface HeadSet {
  has(head: number): boolean
}

function offered(memory: RingMemory, ring: SplitRing, nextAvail: number, inFlight: HeadSet): AvailableAnswer {
  const head = memory.readU16(availElementAt(ring, nextAvail))
  if (head >= ring.size) return fault(-1, ['head-out-of-range'])
  // IMP-VQS-09: a head is the device's until it is returned; offered twice, its descriptors have two owners.
  if (inFlight.has(head)) return fault(-1, ['head-in-flight'])
  return walkChain(memory, ring, head)
}

/** VQS-DESC-DRV-01. */
const MAX_CHAIN_BYTES = 2 ** 32

function walkChain(memory: RingMemory, ring: SplitRing, head: number): ReferenceChain | ReferenceFault {
  const readable: ByteRange[] = []
  const writable: ByteRange[] = []
  let readableBytes = 0
  let writableBytes = 0
  let table = ring.descriptorArea
  let entries = ring.size
  let inTable = false
  let sawWritable = false
  let index = head
  let count = 0 // buffers taken so far
  let slots = 0 // descriptors of the ring, not of a table
  const seen = new Set<number>() // indices visited in this table

  for (;;) {
    const { address, length, flags, next } = readDescriptor(memory, table, index)
    const namesTable = (flags & VIRTQ_DESC_F_INDIRECT) !== 0
    const isWritable = (flags & VIRTQ_DESC_F_WRITE) !== 0
    const continues = (flags & VIRTQ_DESC_F_NEXT) !== 0
    const total = readableBytes + writableBytes + (namesTable ? 0 : length)
    const broken: RingRule[] = []
    if (!inTable) slots++

    // VQS-IND-DRV-03: no chain is longer than the queue; a loop would be, and would hold too many bytes besides.
    if (count === ring.size) broken.push('chain-too-long')
    if (seen.has(index)) broken.push('chain-too-long', 'chain-too-large')
    seen.add(index)

    if (namesTable) {
      if (!ring.indirect) broken.push('indirect-not-negotiated') // VQS-IND-DRV-01
      if (inTable) broken.push('indirect-nested') // VQS-IND-DRV-02
      if (continues) broken.push('indirect-with-next') // VQS-IND-DRV-04
      // IMP-VQS-05. No alignment is asked of a table: an odd address is a good address.
      if (length === 0 || length % DESCRIPTOR_BYTES !== 0) broken.push('indirect-length')
      if (length > ring.size * DESCRIPTOR_BYTES) broken.push('indirect-too-long') // VQS-IND-DRV-03
      if (!memory.contains(address, length)) broken.push('indirect-outside-memory')
    } else {
      // VQS-FRM-DRV-01: readable first, then writable.
      if (!isWritable && sawWritable) broken.push('readable-after-writable')
      // What is not memory was never offered. An empty buffer offers no byte and breaks nothing, wherever it points.
      if (length > 0 && !memory.contains(address, length)) broken.push('buffer-outside-memory')
      // IMP-VQS-05: in a table, `next` stays inside the table.
      if (continues && next >= entries) broken.push(inTable ? 'indirect-next-out-of-range' : 'next-out-of-range')
      // VQS-DESC-DRV-01, once the chain is complete.
      if (!continues && total > MAX_CHAIN_BYTES) broken.push('chain-too-large')
    }
    if (broken.length > 0) {
      // A sum is no one descriptor's fault: whoever adds up while walking has stopped here or before.
      if (total >= MAX_CHAIN_BYTES) broken.push('chain-too-large')
      return { kind: 'fault', id: head, rules: broken }
    }

    if (namesTable) {
      // VQS-IND-DEV-01: WRITE means nothing here. VQS-IND-DEV-02: a direct part before the table is fine.
      // IMP-VQS-05: the table starts at its entry 0.
      table = address
      entries = length / DESCRIPTOR_BYTES
      inTable = true
      index = 0
      seen.clear()
      continue
    }
    append(isWritable ? writable : readable, address, length)
    sawWritable ||= isWritable
    if (isWritable) writableBytes += length
    else readableBytes += length
    count++
    if (!continues) {
      // VQS-FRM-DEV-02: a device may cap chains; this sum, the only legal one that a le32 cannot hold, invites it to.
      const mayRefuse = total === MAX_CHAIN_BYTES
      return { kind: 'chain', id: head, slots, readable, writable, readableBytes, writableBytes, mayRefuse }
    }
    index = next
  }
}

/** VQS-FRM-DEV-01: two buffers that touch are one. */
export function append(ranges: ByteRange[], address: number, length: number): void {
  if (length === 0) return
  const last = ranges.at(-1)
  if (last && last.address + last.length === address) {
    ranges[ranges.length - 1] = { address: last.address, length: last.length + length }
  } else {
    ranges.push({ address, length })
  }
}

/** What a driver finds at its place in the used ring. */
export type UsedAnswer =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'used'; readonly id: number; readonly writtenBytes: number }
  | ReferenceFault

/**
 * Driver side: what lies at used index `nextUsed`. `outstanding` maps each head that was published and has not come back to
 * the bytes the device may write into it.
 */
export function nextUsed(memory: RingMemory, ring: SplitRing, nextUsed: number, outstanding: HeadSizes): UsedAnswer {
  // IMP-VQS-01
  const waiting = (memory.readU16(usedIdxAt(ring)) - nextUsed) & 0xffff
  if (waiting === 0) return { kind: 'nothing' }
  // IMP-VQS-03: each head returns once, so no more can have come back than are out.
  if (waiting > outstanding.size) return fault(-1, ['used-index-jump'])
  return usedElement(memory, ring, nextUsed, outstanding)
}

/** Every correct answer of a driver that knows of `known` elements from an earlier look; see `availableAnswers`. */
export function usedAnswers(
  memory: RingMemory,
  ring: SplitRing,
  index: number,
  outstanding: HeadSizes,
  known: number,
): readonly UsedAnswer[] {
  const fresh = nextUsed(memory, ring, index, outstanding)
  const waiting = (memory.readU16(usedIdxAt(ring)) - index) & 0xffff
  if (known === 0 || (waiting >= known && waiting <= outstanding.size)) return [fresh]
  return [fresh, fault(-1, ['used-index-jump']), usedElement(memory, ring, index, outstanding)]
}

/** Writable bytes of each head that is out. */
export interface HeadSizes {
  readonly size: number
  get(head: number): number | undefined
}

function usedElement(memory: RingMemory, ring: SplitRing, index: number, outstanding: HeadSizes): UsedAnswer {
  const id = memory.readU32(usedElementAt(ring, index))
  const writtenBytes = memory.readU32(usedElementAt(ring, index) + 4)
  // IMP-VQS-03: id is a le32, so 0x1_0000 + head is not head.
  if (id >= ring.size) return fault(-1, ['used-id-out-of-range'])
  const capacity = outstanding.get(id)
  if (capacity === undefined) return fault(-1, ['used-id-not-outstanding'])
  // IMP-VQS-04: len counts bytes of the writable part.
  if (writtenBytes > capacity) return fault(id, ['used-length-too-large'])
  return { kind: 'used', id, writtenBytes }
}

/**
 * Must the device interrupt, having moved used idx from `oldIdx` to `newIdx`? By definition, index by index: slow on
 * purpose, so that it shares no arithmetic with what it checks (IMP-VQS-08).
 */
export function mustInterrupt(memory: RingMemory, ring: SplitRing, oldIdx: number, newIdx: number): boolean {
  // VQS-NTF-DEV-04, -05: with EVENT_IDX the flags mean nothing and the entry written at used_event notifies.
  if (ring.eventIdx) return passes(memory.readU16(usedEventAt(ring)), oldIdx, newIdx)
  // VQS-NTF-DEV-01, -02, -03
  return oldIdx !== newIdx && (memory.readU16(availFlagsAt(ring)) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0
}

/** Must the driver kick, having moved available idx from `oldIdx` to `newIdx`? VQS-NTF-DRV-07 .. -12. */
export function mustKick(memory: RingMemory, ring: SplitRing, oldIdx: number, newIdx: number): boolean {
  if (ring.eventIdx) return passes(memory.readU16(availEventAt(ring)), oldIdx, newIdx)
  return oldIdx !== newIdx && (memory.readU16(usedFlagsAt(ring)) & VIRTQ_USED_F_NO_NOTIFY) === 0
}

/** Some entry written between the two indices had the number `event`. */
function passes(event: number, oldIdx: number, newIdx: number): boolean {
  for (let entry = oldIdx; entry !== newIdx; entry = (entry + 1) & 0xffff) if (entry === event) return true
  return false
}

function fault(id: number, rules: readonly RingRule[]): ReferenceFault {
  return { kind: 'fault', id, rules }
}

/**
 * Reads one descriptor list out of a packed ring (virtio 1.4 §2.8.5, §2.8.6, §2.8.7): the place where a driver is doubted most.
 *
 * Every descriptor is read once, checked and translated, and what the device gets is a private list of segments. The list is read to its
 * end even when a buffer of it is wrong: only there stands the id by which it can be given back. A walk ends within size ring
 * descriptors and size entries of a table, whatever the driver wrote.
 */
import { le64ToNumber } from '../../internal/little-endian.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import type { SegmentList } from '../../memory/segment-list.ts'
import { MAX_CHAIN_BYTES } from '../chain/descriptor.ts'
import type { DescriptorChain } from '../chain/descriptor-chain.ts'
import { IndirectTable } from '../chain/indirect-table.ts'
import type { ChainLimits } from '../ring-config.ts'
import type { PackedViolationRule } from '../violation.ts'

export class PackedChainWalker {
  /** Of the last walk: its buffer id, or -1 where the list has no end. */
  id = -1
  /** And the slots that it takes. */
  slots = 0
  /** Where the last walk found a fault, for messages: a slot of the ring, or an entry of a table. */
  index = 0
  readonly #memory: GuestMemory
  #descriptors: Uint32Array
  readonly #size: number
  readonly #indirect: boolean
  readonly #maxChainBytes: number
  readonly #maxChainBuffers: number
  readonly #table: IndirectTable

  /**
   * The region of the last buffer, as far as an offset into it is one subtraction of low words: linear, below the next multiple of 2^32,
   * and below 2 GiB. Most buffers lie in the window of the one before; the first finds an empty one. The low word is kept as an int32.
   */
  #region = 0
  #windowAddress = 0
  #windowHigh = 0
  #windowLow = 0
  #windowBytes = 0

  constructor(memory: GuestMemory, descriptors: Uint32Array, indirect: boolean, limits: ChainLimits) {
    this.#memory = memory
    this.#descriptors = descriptors
    this.#size = descriptors.length / 4
    this.#indirect = indirect
    this.#maxChainBytes = Math.min(limits.maxChainBytes ?? MAX_CHAIN_BYTES, MAX_CHAIN_BYTES)
    this.#maxChainBuffers = Math.max(1, Math.min(limits.maxChainBuffers ?? this.#size, this.#size))
    this.#table = new IndirectTable(memory)
  }

  /** The same ring, elsewhere in the host's memory. */
  rebind(descriptors: Uint32Array): void {
    this.#descriptors = descriptors
  }

  /**
   * Fills `chain` with the list whose head, in `slot`, has the flags `headFlags`; `free` slots are the driver's to use. Returns the rule
   * that it breaks, or null; `id` and `slots` say which list it is.
   *
   * Whether the slots behind the head are marked available is not looked at: the head is marked last (VQP-SG-DRV-06), so a device may
   * fetch all of the list when it sees the head (VQP-DEV-08).
   *
   * Written for the engine, as `ChainWalker.walk` of the split ring is: constants are the function's own.
   */
  walk(slot: number, headFlags: number, free: number, chain: DescriptorChain): PackedViolationRule | null {
    const NEXT = 1 // VIRTQ_DESC_F_NEXT
    const WRITE = 2 // VIRTQ_DESC_F_WRITE
    const INDIRECT = 4 // VIRTQ_DESC_F_INDIRECT

    const ring = this.#descriptors
    const size = this.#size | 0
    const most = this.#maxChainBuffers | 0
    const segments = chain.segments
    segments.clear()
    let rule: PackedViolationRule | null = null
    let at = slot | 0
    let flags = headFlags
    let slots = 0
    let control = 0
    let readableCount = -1
    let totalBytes = 0
    let writableBytes = 0
    let entries = 0

    for (;;) {
      // VQP-SG-DRV-02 and VQP-DRV-02: no list is longer than the ring, nor than what the device has given back.
      if (slots === free) return this.#lose(at, free === size ? 'chain-too-long' : 'slot-in-flight')
      const word = at << 2
      // The only look at this descriptor (museum 17).
      const low = ring[word]!
      const high = ring[word + 1]!
      const bytes = ring[word + 2]!
      control = ring[word + 3]!
      // The head's were read before, with its mark: they must not change in between.
      if (slots > 0) flags = control >>> 16
      slots++
      if (rule === null) {
        if ((flags & INDIRECT) !== 0) {
          if (!this.#indirect) rule = 'indirect-not-negotiated'
          // VQP-IND-DRV-04
          else if (slots > 1 || (flags & NEXT) !== 0) rule = 'indirect-in-list'
          else rule = this.#table.open(low, high, bytes, size)
          if (rule === null) entries = this.#table.entries
        } else {
          const writes = (flags & WRITE) !== 0
          if (writes) {
            if (readableCount < 0) readableCount = segments.count
            writableBytes += bytes
          } else if (readableCount >= 0) rule = 'readable-after-writable'
          totalBytes += bytes
          if (rule === null && bytes !== 0) rule = this.#append(low, high, bytes, totalBytes, segments)
          if (slots > most) rule ??= 'chain-too-long'
        }
        if (rule !== null) this.index = at
      }
      if ((flags & NEXT) === 0) break
      at = at + 1 === size ? 0 : at + 1
    }
    // IMP-VQP-04: the list's id is its last element's.
    this.id = control & 0xffff
    this.slots = slots
    if (rule !== null) return rule

    const { words, firstWord, piecewise } = this.#table
    if (entries > most) return this.#stop(0, 'indirect-too-long')
    // IMP-VQP-10: entries follow one another. IMP-VQP-09: of their flags only WRITE means anything, and nothing on the reference.
    for (let index = 0; index < entries; index++) {
      if (piecewise) this.#table.fetch(index)
      const word = piecewise ? 0 : firstWord + (index << 2)
      const low = words[word]!
      const high = words[word + 1]!
      const bytes = words[word + 2]!
      if ((words[word + 3]! & (WRITE << 16)) !== 0) {
        if (readableCount < 0) readableCount = segments.count
        writableBytes += bytes
      } else if (readableCount >= 0) return this.#stop(index, 'readable-after-writable')
      totalBytes += bytes
      if (bytes === 0) continue
      const fault = this.#append(low, high, bytes, totalBytes, segments)
      if (fault !== null) return this.#stop(index, fault)
    }

    chain.id = this.id
    chain.memory = this.#memory
    chain.readableCount = readableCount < 0 ? segments.count : readableCount
    chain.readableBytes = totalBytes - writableBytes
    chain.writableBytes = writableBytes
    chain.descriptorCount = slots + entries
    return null
  }

  /** Adds a buffer of at least one byte; the limit comes before the work that it limits. */
  #append(
    low: number,
    high: number,
    bytes: number,
    totalBytes: number,
    segments: SegmentList,
  ): 'chain-too-large' | 'buffer-outside-memory' | null {
    if (totalBytes > this.#maxChainBytes) return 'chain-too-large'
    // Inside the window: a position that does not fit 31 bits comes out negative.
    const position = ((low | 0) - this.#windowLow) | 0
    if ((high | 0) === this.#windowHigh && position >= 0 && position <= this.#windowBytes - bytes) {
      segments.append(this.#region, position, this.#windowAddress + position, bytes)
      return null
    }
    if (!this.#memory.translate(le64ToNumber(low, high), bytes, segments)) return 'buffer-outside-memory'
    this.#moveWindow(segments.region[segments.count - 1]!)
    return null
  }

  #moveWindow(index: number): void {
    const region = this.#memory.regions[index]!
    this.#region = index
    this.#windowAddress = region.base
    this.#windowHigh = Math.floor(region.base / 0x1_0000_0000)
    this.#windowLow = region.base | 0
    this.#windowBytes = Math.min(region.linearBytes, 0x1_0000_0000 - (region.base >>> 0), 0x7fff_ffff)
  }

  #stop(index: number, rule: PackedViolationRule): PackedViolationRule {
    this.index = index
    return rule
  }

  /** A list without an end that can be believed: whose buffer it is cannot be said. */
  #lose(index: number, rule: PackedViolationRule): PackedViolationRule {
    this.id = -1
    this.slots = 0
    return this.#stop(index, rule)
  }
}

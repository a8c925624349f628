/**
 * Reads one descriptor chain out of shared memory: the place where a driver is doubted most (virtio 1.4 §2.7.5).
 *
 * Every descriptor is read once, checked and translated, and what the device gets is a private list of segments. A walk ends
 * within size + 1 descriptors, whatever the driver wrote.
 */
import { le64ToNumber } from '../../internal/little-endian.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import type { SegmentList } from '../../memory/segment-list.ts'
import { MAX_CHAIN_BYTES } from '../chain/descriptor.ts'
import type { DescriptorChain } from '../chain/descriptor-chain.ts'
import { IndirectTable } from '../chain/indirect-table.ts'
import type { ChainLimits } from '../ring-config.ts'
import type { SplitViolationRule } from '../violation.ts'

export class ChainWalker {
  /** Where the last walk stopped, for messages: an index into the ring's table, or into the indirect one. */
  index = 0
  readonly #memory: GuestMemory
  #descriptors: Uint32Array
  readonly #size: number
  readonly #indirect: boolean
  readonly #maxChainBytes: number
  readonly #maxChainBuffers: number
  readonly #table: IndirectTable

  /**
   * The region of the last buffer, as far as an offset into it is one subtraction of low words: linear, below the next
   * multiple of 2^32, and below 2 GiB. Most buffers lie in the window of the one before; the first finds an empty one. The low
   * word is kept as an int32.
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

  /** The same table, elsewhere in the host's memory. */
  rebind(descriptors: Uint32Array): void {
    this.#descriptors = descriptors
  }

  /**
   * Fills `chain` with the chain at `head`, which is below the queue size; returns the rule that it breaks, or null.
   *
   * Written for the engine: the inner loop calls nothing; integers are pinned by `| 0`; constants are the function's own,
   * because a module's are loads after bundling. What needs a call leaves the inner loop and comes back.
   */
  walk(head: number, chain: DescriptorChain): SplitViolationRule | null {
    const NEXT = 1 // VIRTQ_DESC_F_NEXT
    const WRITE = 2 // VIRTQ_DESC_F_WRITE
    const INDIRECT = 4 // VIRTQ_DESC_F_INDIRECT

    const segments = chain.segments
    const size = this.#size | 0
    let table = this.#descriptors
    let firstWord = 0
    let entries = size
    let inTable = false
    let piecewise = false
    let index = head | 0
    // Buffers that the walk may still meet, in the ring and in a table together (VQS-IND-DRV-03): so a loop ends as well.
    const most = this.#maxChainBuffers | 0
    let budget = most
    let count = 0
    let totalBytes = 0
    let writableBytes = 0
    let readableCount = -1

    // Stryker disable next-line all: a mutant here would part the label from its loop.
    walk: for (;;) {
      const { region, offset, address, length } = segments
      const capacity = segments.capacity | 0
      const regionIndex = this.#region | 0
      const windowHigh = this.#windowHigh | 0
      const windowLow = this.#windowLow | 0
      const windowBytes = this.#windowBytes | 0
      const windowAddress = this.#windowAddress
      let low: number
      let high: number
      let bytes: number
      let control: number
      if (piecewise && index < entries) {
        this.#table.fetch(index)
        // So that entry `index` is found at word 0.
        firstWord = -(index << 2)
      }

      for (;;) {
        if (index >= entries) {
          return this.#stop(index, inTable ? 'indirect-next-out-of-range' : 'next-out-of-range')
        }
        if (budget === 0) return this.#stop(index, 'chain-too-long')
        const word = firstWord + (index << 2)
        // The only look at this descriptor (museum 17).
        low = table[word]!
        high = table[word + 1]!
        bytes = table[word + 2]!
        control = table[word + 3]!
        if ((control & INDIRECT) !== 0) break

        budget--
        if ((control & WRITE) !== 0) {
          if (readableCount < 0) readableCount = count
          writableBytes += bytes
        } else if (readableCount >= 0) {
          return this.#stop(index, 'readable-after-writable')
        }
        totalBytes += bytes

        // Inside the window and room in the list: no call. A position that does not fit 31 bits comes out negative.
        const position = ((low | 0) - windowLow) | 0
        if ((high | 0) !== windowHigh || position < 0 || position > windowBytes - bytes) break
        if (count === capacity) break
        if (bytes !== 0) {
          region[count] = regionIndex
          offset[count] = position
          address[count] = windowAddress + position
          length[count] = bytes
          count++
        }
        if ((control & NEXT) === 0) break walk
        index = control >>> 16
        if (piecewise) continue walk
      }

      if ((control & INDIRECT) !== 0) {
        if (!this.#indirect) return this.#stop(index, 'indirect-not-negotiated')
        if (inTable) return this.#stop(index, 'indirect-nested')
        // VQS-IND-DEV-01: WRITE on the reference means nothing.
        if ((control & NEXT) !== 0) return this.#stop(index, 'indirect-with-next')
        const rule = this.#table.open(low, high, bytes, size)
        if (rule !== null) return this.#stop(index, rule)
        inTable = true
        table = this.#table.words
        firstWord = this.#table.firstWord | 0
        entries = this.#table.entries | 0
        piecewise = this.#table.piecewise
        index = 0
        continue
      }
      // Another region, page-mapped memory, no bytes, or a full list. The limit comes before the work that it limits.
      if (bytes !== 0) {
        if (totalBytes > this.#maxChainBytes) return this.#stop(index, 'chain-too-large')
        segments.count = count
        if (!this.#translate(le64ToNumber(low, high), bytes, segments))
          return this.#stop(index, 'buffer-outside-memory')
        count = segments.count
      }
      if ((control & NEXT) === 0) break
      index = control >>> 16
    }
    if (totalBytes > this.#maxChainBytes) return this.#stop(index, 'chain-too-large')

    segments.count = count
    chain.id = head
    chain.memory = this.#memory
    chain.readableCount = readableCount < 0 ? count : readableCount
    chain.readableBytes = totalBytes - writableBytes
    chain.writableBytes = writableBytes
    chain.descriptorCount = most - budget + (inTable ? 1 : 0)
    return null
  }

  #stop(index: number, rule: SplitViolationRule): SplitViolationRule {
    this.index = index
    return rule
  }

  /** A buffer outside the window: the window follows it. */
  #translate(address: number, bytes: number, segments: SegmentList): boolean {
    if (!this.#memory.translate(address, bytes, segments)) return false
    this.#moveWindow(segments.region[segments.count - 1]!)
    return true
  }

  #moveWindow(index: number): void {
    const region = this.#memory.regions[index]!
    this.#region = index
    this.#windowAddress = region.base
    this.#windowHigh = Math.floor(region.base / 0x1_0000_0000)
    this.#windowLow = region.base | 0
    this.#windowBytes = Math.min(region.linearBytes, 0x1_0000_0000 - (region.base >>> 0), 0x7fff_ffff)
  }
}

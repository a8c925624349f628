/**
 * An indirect descriptor table (virtio 1.4 §2.7.5.3, §2.8.7), opened for one walk. A table may lie at any address and in several pieces
 * (museum 8): in one piece and on a word boundary it is read in place, else entry by entry into a private copy.
 */
import { le64ToNumber } from '../../internal/little-endian.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { DESCRIPTOR_BYTES } from './descriptor.ts'

/** What can be wrong with a reference to a table, in either format. */
export type IndirectTableRule = 'indirect-length' | 'indirect-too-long' | 'indirect-outside-memory'

export class IndirectTable {
  entries = 0
  /** Entry 0 is word `firstWord` of `words`; or, when `piecewise`, `fetch(i)` puts entry i at the start of `words`. */
  words: Uint32Array
  firstWord = 0
  piecewise = false
  #address = 0
  readonly #memory: GuestMemory
  readonly #entry = new Uint32Array(4)
  readonly #entryBytes = new Uint8Array(this.#entry.buffer)

  constructor(memory: GuestMemory) {
    this.#memory = memory
    this.words = this.#entry
  }

  /** Opens the table that a descriptor refers to; returns the rule that the reference breaks, or null. */
  open(low: number, high: number, bytes: number, queueSize: number): IndirectTableRule | null {
    if (bytes === 0 || (bytes & (DESCRIPTOR_BYTES - 1)) !== 0) return 'indirect-length'
    const entries = bytes / DESCRIPTOR_BYTES
    if (entries > queueSize) return 'indirect-too-long'
    const address = le64ToNumber(low, high)
    const region = this.#memory.regions[this.#memory.regionAt(address)]
    if (region === undefined) return 'indirect-outside-memory'
    // -1 for a page without memory, which `contains` then refuses.
    const offset = region.offsetOf(address)
    this.entries = entries
    this.piecewise = (offset & 3) !== 0 || region.runLength(address, offset, bytes) < bytes
    if (!this.piecewise) {
      this.words = region.u32
      this.firstWord = offset / 4
      return null
    }
    if (!this.#memory.contains(address, bytes)) return 'indirect-outside-memory'
    this.words = this.#entry
    this.#address = address
    return null
  }

  fetch(index: number): void {
    this.#memory.read(this.#address + index * DESCRIPTOR_BYTES, this.#entryBytes)
  }
}

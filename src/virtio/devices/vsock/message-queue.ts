/**
 * A bounded queue of messages: their bytes, one after the other in a ring, and where each of them ends. An end costs five bytes, so
 * that a peer with many short messages cannot make us keep much more than their bytes.
 */
import { ByteRing } from '../byte-ring.ts'
import type { VsockMessageEnd } from './state.ts'

const SMALLEST_RING = 16

export class MessageQueue {
  readonly bytes: ByteRing
  /** Bytes of whole messages; what lies behind them in the ring is part of one that is not whole. */
  wholeBytes = 0
  /** Whole messages. */
  count = 0
  /** Length of each message, and 1 where it ends a record: rings, whose oldest entry is `#first`. */
  #lengths = new Uint32Array(0)
  #endsRecord = new Uint8Array(0)
  #first = 0

  constructor(capacity: number) {
    this.bytes = new ByteRing(capacity)
  }

  /** Of the oldest message, what is left of it; 0 also when there is none. */
  get frontBytes(): number {
    return this.count === 0 ? 0 : this.#lengths[this.#first]!
  }

  get frontEndsRecord(): boolean {
    return this.count > 0 && this.#endsRecord[this.#first] === 1
  }

  /** The next `bytes` of the ring, which were in no message yet, are one. */
  end({ bytes, endOfRecord }: VsockMessageEnd): void {
    if (this.count === this.#lengths.length) this.#grow()
    const at = (this.#first + this.count) % this.#lengths.length
    this.#lengths[at] = bytes
    this.#endsRecord[at] = endOfRecord ? 1 : 0
    this.count++
    this.wholeBytes += bytes
  }

  /** The first `target.length` bytes of the oldest message, or what is left of it: fills `target`. */
  shift(target: Uint8Array): void {
    this.bytes.shift(target)
    this.wholeBytes -= target.length
    const left = this.frontBytes - target.length
    this.#lengths[this.#first] = left
    if (left > 0) return
    this.#first = (this.#first + 1) % this.#lengths.length
    this.count--
  }

  clear(): void {
    this.bytes.clear()
    this.wholeBytes = 0
    this.count = 0
  }

  /** Oldest first. */
  ends(): VsockMessageEnd[] {
    return Array.from({ length: this.count }, (_, i) => {
      const at = (this.#first + i) % this.#lengths.length
      return { bytes: this.#lengths[at]!, endOfRecord: this.#endsRecord[at] === 1 }
    })
  }

  #grow(): void {
    const ends = this.ends()
    const size = Math.max(SMALLEST_RING, 2 * ends.length)
    this.#lengths = new Uint32Array(size)
    this.#endsRecord = new Uint8Array(size)
    this.#first = 0
    for (const [i, { bytes, endOfRecord }] of ends.entries()) {
      this.#lengths[i] = bytes
      this.#endsRecord[i] = endOfRecord ? 1 : 0
    }
  }
}

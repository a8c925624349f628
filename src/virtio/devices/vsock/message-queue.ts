/** A bounded queue of messages: their bytes, one after the other in a ring, and where each of them ends. */
import { ByteRing } from './byte-ring.ts'
import type { VsockMessageEnd } from './state.ts'

export class MessageQueue {
  readonly bytes: ByteRing
  /** Bytes of whole messages; what lies behind them in the ring is part of one that is not whole. */
  wholeBytes = 0
  /** Oldest first, from `#first` on: what was taken is cut off now and then, not each time. */
  #ends: VsockMessageEnd[] = []
  #first = 0

  constructor(capacity: number) {
    this.bytes = new ByteRing(capacity)
  }

  /** Whole messages. */
  get count(): number {
    return this.#ends.length - this.#first
  }

  /** The oldest message that is whole. */
  get front(): VsockMessageEnd | undefined {
    return this.#ends[this.#first]
  }

  /** The next `message.bytes` of the ring, which were in no message yet, are one. */
  end(message: VsockMessageEnd): void {
    this.#ends.push(message)
    this.wholeBytes += message.bytes
  }

  /** The first `target.length` bytes of the oldest message, or what is left of it: fills `target`. */
  shift(target: Uint8Array): void {
    const { bytes, endOfRecord } = this.front!
    this.bytes.shift(target)
    this.wholeBytes -= target.length
    if (target.length < bytes) this.#ends[this.#first] = { bytes: bytes - target.length, endOfRecord }
    else if (++this.#first > 1024) {
      this.#ends = this.#ends.slice(this.#first)
      this.#first = 0
    }
  }

  clear(): void {
    this.bytes.clear()
    this.wholeBytes = 0
    this.#ends = []
    this.#first = 0
  }

  ends(): VsockMessageEnd[] {
    return this.#ends.slice(this.#first)
  }
}

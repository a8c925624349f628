/**
 * A bounded queue of bytes: what was received and not read yet, or written and not sent yet. Free-running positions over a
 * buffer that is allocated with the first byte.
 *
 *   0 ............ head ████████████ tail ............ capacity    (the used part may wrap)
 */
import { assert } from '../../../internal/assert.ts'

export class ByteRing {
  readonly capacity: number
  length = 0
  #buffer: Uint8Array | null = null
  #head = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get free(): number {
    return this.capacity - this.length
  }

  /** Appends as much of `source` as fits; says how much. */
  push(source: Uint8Array): number {
    const count = Math.min(source.length, this.free)
    if (count === 0) return 0
    this.#buffer ??= new Uint8Array(this.capacity)
    const tail = (this.#head + this.length) % this.capacity
    const first = Math.min(count, this.capacity - tail)
    this.#buffer.set(source.subarray(0, first), tail)
    this.#buffer.set(source.subarray(first, count), 0)
    this.length += count
    return count
  }

  /** Moves up to `target.length` bytes out; says how many. */
  shift(target: Uint8Array): number {
    const count = Math.min(target.length, this.length)
    if (count === 0) return 0
    assert(this.#buffer !== null, 'bytes have a buffer')
    const first = Math.min(count, this.capacity - this.#head)
    target.set(this.#buffer.subarray(this.#head, this.#head + first), 0)
    target.set(this.#buffer.subarray(0, count - first), first)
    this.#head = (this.#head + count) % this.capacity
    this.length -= count
    return count
  }

  clear(): void {
    this.length = 0
    this.#head = 0
  }
}

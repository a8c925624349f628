/**
 * A bounded queue of bytes: what was received and not read yet, or written and not sent yet. Its buffer grows with what it
 * holds, up to the capacity: a connection that is idle costs no memory.
 *
 *   0 ............ head ████████████ tail ............ capacity    (the used part may wrap)
 */
import type { PayloadSource } from './vsock/socket-base.ts'

const SMALLEST_BUFFER = 1024

export class ByteRing {
  readonly capacity: number
  length = 0
  #buffer = new Uint8Array(0)
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
    if (this.length + count > this.#buffer.length) this.#grow(this.length + count)
    const size = this.#buffer.length
    const tail = (this.#head + this.length) % size
    const first = Math.min(count, size - tail)
    this.#buffer.set(source.subarray(0, first), tail)
    this.#buffer.set(source.subarray(first, count), 0)
    this.length += count
    return count
  }

  /** Appends `length` bytes of `source`, for which there is room. */
  pushFrom(source: PayloadSource, length: number): void {
    if (length === 0) return
    if (this.length + length > this.#buffer.length) this.#grow(this.length + length)
    const size = this.#buffer.length
    const tail = (this.#head + this.length) % size
    const first = Math.min(length, size - tail)
    source.into(this.#buffer.subarray(tail, tail + first))
    source.into(this.#buffer.subarray(0, length - first))
    this.length += length
  }

  /** Moves up to `target.length` bytes out; says how many. */
  shift(target: Uint8Array): number {
    const count = Math.min(target.length, this.length)
    if (count === 0) return 0
    const size = this.#buffer.length
    const first = Math.min(count, size - this.#head)
    target.set(this.#buffer.subarray(this.#head, this.#head + first), 0)
    target.set(this.#buffer.subarray(0, count - first), first)
    this.#head = (this.#head + count) % size
    this.length -= count
    return count
  }

  clear(): void {
    this.length = 0
    this.#head = 0
  }

  /** A copy of what is in it, oldest byte first. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.length)
    const first = Math.min(this.length, this.#buffer.length - this.#head)
    bytes.set(this.#buffer.subarray(this.#head, this.#head + first), 0)
    bytes.set(this.#buffer.subarray(0, this.length - first), first)
    return bytes
  }

  /** Twice the size at least, so that bytes are copied a bounded number of times. */
  #grow(needed: number): void {
    const buffer = new Uint8Array(Math.min(this.capacity, Math.max(needed, 2 * this.#buffer.length, SMALLEST_BUFFER)))
    buffer.set(this.toBytes(), 0)
    this.#buffer = buffer
    this.#head = 0
  }
}

/**
 * Frames that wait for receive buffers, in one block of bytes: a bounded queue that costs nothing while it is unused, and no allocation a
 * frame. A record is its length, the header, and the frame, in one piece: what does not fit before the end begins at the start.
 *
 *   0 .... head [length|header|frame][length|header|frame] tail .... end     or     [..] tail .... head [..][..] wrapped at `top`
 */
import type { NetFrame } from './frame.ts'
import { NET_HEADER_BYTES, readNetHeader, writeNetHeader } from './header.ts'

const LENGTH_BYTES = 4
const SMALLEST = 4096

export class FrameQueue {
  readonly capacityBytes: number
  count = 0
  #bytes = new Uint8Array(0)
  #head = 0
  #tail = 0
  /** Where the records before the wrap end. */
  #top = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  clear(): void {
    this.count = 0
    this.#head = 0
    this.#tail = 0
    this.#top = 0
  }

  /** Copies a frame and its header. False: the queue is full. */
  push(frame: NetFrame): boolean {
    const record = LENGTH_BYTES + NET_HEADER_BYTES + frame.lengthBytes
    const at = this.#room(record)
    if (at < 0) return false
    const bytes = this.#bytes
    const { buffer, offset, lengthBytes } = frame
    for (let i = 0; i < LENGTH_BYTES; i++) bytes[at + i] = lengthBytes >>> (8 * i)
    writeNetHeader(bytes, at + LENGTH_BYTES, frame.header)
    const start = at + LENGTH_BYTES + NET_HEADER_BYTES
    if (lengthBytes <= 128) for (let i = 0; i < lengthBytes; i++) bytes[start + i] = buffer[offset + i]!
    else bytes.set(frame.bytes, start)
    this.#tail = at + record
    this.count++
    return true
  }

  /** Points `frame` at the oldest one, which stays in the queue. False: there is none. */
  peek(frame: NetFrame): boolean {
    if (this.count === 0) return false
    const bytes = this.#bytes
    const at = this.#head
    readNetHeader(bytes, at + LENGTH_BYTES, frame.header)
    frame.at(bytes, at + LENGTH_BYTES + NET_HEADER_BYTES, this.#lengthAt(at))
    return true
  }

  /** Drops the oldest one, which is there. */
  pop(): void {
    this.#head += LENGTH_BYTES + NET_HEADER_BYTES + this.#lengthAt(this.#head)
    this.count--
    if (this.count === 0) this.clear()
    else if (this.#head === this.#top) {
      this.#head = 0
      this.#top = 0
    }
  }

  #lengthAt(at: number): number {
    const bytes = this.#bytes
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  }

  /** Where a record of `length` bytes goes; -1: nowhere. */
  #room(length: number): number {
    for (;;) {
      const size = this.#bytes.length
      const isWrapped = this.#top > 0
      if (isWrapped) {
        if (this.#tail + length <= this.#head) return this.#tail
      } else if (this.#tail + length <= size) return this.#tail
      else if (length <= this.#head) {
        this.#top = this.#tail
        return 0
      }
      // Records in two pieces would have to be moved: it grows while they are in one.
      if (isWrapped || size === this.capacityBytes || this.#tail + length > this.capacityBytes) return -1
      this.#grow(this.#tail + length)
    }
  }

  #grow(least: number): void {
    let size = Math.max(SMALLEST, this.#bytes.length)
    while (size < least) size *= 2
    const bytes = new Uint8Array(Math.min(size, this.capacityBytes))
    bytes.set(this.#bytes.subarray(0, this.#tail))
    this.#bytes = bytes
  }
}

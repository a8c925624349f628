/**
 * A position in a list of segments: sequential scatter/gather copies whose result does not depend on how the bytes are split.
 *
 * Caller-owned and reused. Everything is clamped to the bytes that are left, and says how many it moved.
 */
import { copyBytes } from './copy.ts'
import type { GuestMemory } from './guest-memory.ts'
import type { MemoryRegion } from './memory-region.ts'
import type { SegmentList } from './segment-list.ts'

const NOTHING = new Uint8Array(0)

/**
 * Walks a list of segments of guest memory as one stream of bytes. It allocates nothing per step; what it shows is
 * valid until the next step.
 */
export class SegmentCursor {
  /** Bytes after the position. */
  remaining = 0
  /** The current run: `bytes[position..limit)`. Used up, `advance` brings the next. */
  bytes: Uint8Array = NOTHING
  position = 0
  limit = 0
  #regions: readonly MemoryRegion[] = []
  #segments: SegmentList | null = null
  #next = 0

  /** Starts at segment `first`; `totalBytes` is the sum of the segments from there to where the cursor has to stop. */
  attach(memory: GuestMemory, segments: SegmentList, first: number, totalBytes: number): void {
    this.#regions = memory.regions
    this.#segments = segments
    this.#next = first
    this.remaining = totalBytes
    this.position = 0
    this.limit = 0
    if (totalBytes > 0) this.advance()
  }

  /** Makes the current run non-empty; the caller has checked `remaining > 0`. */
  advance(): void {
    const segments = this.#segments!
    const index = this.#next++
    this.bytes = this.#regions[segments.region[index]!]!.u8
    this.position = segments.offset[index]!
    this.limit = this.position + segments.length[index]!
  }

  /** A region got another buffer: the current run is looked up anew. */
  rebind(): void {
    const segments = this.#segments
    if (segments === null || this.#next === 0 || this.limit === 0) return
    this.bytes = this.#regions[segments.region[this.#next - 1]!]!.u8
  }

  skip(length: number): number {
    const count = Math.min(length, this.remaining)
    for (let left = count; left > 0; ) {
      const run = this.#run(left)
      left -= run
      this.#consume(run)
    }
    return count
  }

  read(target: Uint8Array, targetOffset: number, length: number): number {
    const count = Math.min(length, this.remaining)
    for (let done = 0; done < count; ) {
      const run = this.#run(count - done)
      copyBytes(target, targetOffset + done, this.bytes, this.position, run)
      done += run
      this.#consume(run)
    }
    return count
  }

  write(source: Uint8Array, sourceOffset: number, length: number): number {
    const count = Math.min(length, this.remaining)
    for (let done = 0; done < count; ) {
      const run = this.#run(count - done)
      copyBytes(this.bytes, this.position, source, sourceOffset + done, run)
      done += run
      this.#consume(run)
    }
    return count
  }

  fill(byte: number, length: number): number {
    const count = Math.min(length, this.remaining)
    for (let left = count; left > 0; ) {
      const run = this.#run(left)
      this.bytes.fill(byte, this.position, this.position + run)
      left -= run
      this.#consume(run)
    }
    return count
  }

  /** Copies from another cursor, of this or another memory, until `length` bytes moved or either ends. */
  copyFrom(source: SegmentCursor, length: number): number {
    const count = Math.min(length, this.remaining, source.remaining)
    for (let done = 0; done < count; ) {
      const run = source.#run(this.#run(count - done))
      copyBytes(this.bytes, this.position, source.bytes, source.position, run)
      done += run
      this.#consume(run)
      source.#consume(run)
    }
    return count
  }

  /** How many of `wanted` bytes the current run has, after moving to the next segment if it is used up. */
  #run(wanted: number): number {
    if (this.position === this.limit) this.advance()
    return Math.min(wanted, this.limit - this.position)
  }

  #consume(count: number): void {
    this.position += count
    this.remaining -= count
  }
}

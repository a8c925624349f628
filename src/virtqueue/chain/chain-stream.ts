/**
 * A chain as two byte streams. Only positions count, never how the driver split its buffers into descriptors (VQS-FRM-DEV-01):
 * a header may be cut at every byte, and meet the payload in one descriptor.
 *
 * Running past the end is the peer's doing, so it does not throw: reads give zeros, writes are dropped, `overrun` stays set.
 * Look at it, or at `remaining`, before acting on what was read. Numbers are little-endian. Each byte is read once.
 */
import { checkBytes, checkLength, refuseOption } from '../../internal/check-option.ts'
import { SegmentCursor } from '../../memory/segment-cursor.ts'
import type { DescriptorChain } from './descriptor-chain.ts'

/** The device-readable part. */
export class ChainReader {
  readonly cursor = new SegmentCursor()
  /** More was asked for than the driver sent. */
  overrun = false

  /** Starts at the first readable byte of `chain`. */
  attach(chain: DescriptorChain): void {
    this.overrun = false
    this.cursor.attach(chain.memory!, chain.segments, 0, chain.readableBytes)
  }

  get remaining(): number {
    return this.cursor.remaining
  }

  u8(): number {
    return this.#number(1)
  }

  u16(): number {
    return this.#number(2)
  }

  u32(): number {
    const cursor = this.cursor
    const at = cursor.position
    if (cursor.limit - at < 4) return this.#number(4)
    const bytes = cursor.bytes
    cursor.position = at + 4
    cursor.remaining -= 4
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  }

  /** A bigint: le64 fields are identifiers and sectors, and off the hot path. */
  u64(): bigint {
    const low = this.u32()
    return (BigInt(this.u32()) << 32n) | BigInt(low)
  }

  /** The next `length` bytes as a copy of their own, or as many as there are. Allocates. */
  bytes(length: number = this.remaining): Uint8Array {
    checkLength(length)
    const target = new Uint8Array(Math.min(length, this.remaining))
    if (target.length < length) this.overrun = true
    this.cursor.read(target, 0, target.length)
    return target
  }

  /** Fills the front of `target`, and says how much. */
  into(target: Uint8Array): number {
    checkBytes('target', target)
    const count = this.cursor.read(target, 0, target.length)
    if (count < target.length) this.overrun = true
    return count
  }

  skip(length: number): void {
    checkLength(length)
    if (this.cursor.skip(length) < length) this.overrun = true
  }

  #number(size: number): number {
    const cursor = this.cursor
    let value = 0
    for (let i = 0; i < size; i++) {
      if (cursor.remaining === 0) {
        this.overrun = true
        break
      }
      if (cursor.position === cursor.limit) cursor.advance()
      value |= cursor.bytes[cursor.position++]! << (8 * i)
      cursor.remaining--
    }
    return value >>> 0
  }
}

/** The device-writable part: counts what it wrote, which is what the used element says (IMP-VQS-04). */
export class ChainWriter {
  readonly cursor = new SegmentCursor()
  /** More was written than the driver left room for; the rest was dropped. */
  overrun = false
  #capacity = 0

  /** Starts at the first writable byte of `chain`. */
  attach(chain: DescriptorChain): void {
    this.overrun = false
    this.#capacity = chain.writableBytes
    this.cursor.attach(chain.memory!, chain.segments, chain.readableCount, chain.writableBytes)
  }

  get remaining(): number {
    return this.cursor.remaining
  }

  /** Bytes written so far, without a gap from the start (VQS-USED-DEV-02). */
  get written(): number {
    return this.#capacity - this.cursor.remaining
  }

  /**
   * These take integers modulo 2^8, 2^16, 2^32 and 2^64, as the store instructions of a machine do: a sum of what a peer sent never
   * throws. What is no integer is refused with `VirtioError` INVALID_OPTION, and nothing is written.
   */
  u8(value: number): void {
    if (!Number.isSafeInteger(value)) refuseNumber(value)
    this.#number(value, 1)
  }

  u16(value: number): void {
    if (!Number.isSafeInteger(value)) refuseNumber(value)
    this.#number(value, 2)
  }

  u32(value: number): void {
    if (!Number.isSafeInteger(value)) refuseNumber(value)
    const cursor = this.cursor
    const at = cursor.position
    if (cursor.limit - at < 4) {
      this.#number(value, 4)
      return
    }
    const bytes = cursor.bytes
    bytes[at] = value
    bytes[at + 1] = value >>> 8
    bytes[at + 2] = value >>> 16
    bytes[at + 3] = value >>> 24
    cursor.position = at + 4
    cursor.remaining -= 4
  }

  u64(value: bigint): void {
    if (typeof value !== 'bigint') refuseOption('value', value, 'a bigint')
    this.u32(Number(value & 0xffff_ffffn))
    this.u32(Number((value >> 32n) & 0xffff_ffffn))
  }

  bytes(source: Uint8Array): void {
    checkBytes('source', source)
    if (this.cursor.write(source, 0, source.length) < source.length) this.overrun = true
  }

  fill(byte: number, length: number): void {
    checkLength(length)
    if (this.cursor.fill(byte, length) < length) this.overrun = true
  }

  /** Writes zeros: a gap would show the driver bytes that nobody wrote (VQS-USED-DEV-02). */
  skip(length: number): void {
    this.fill(0, length)
  }

  /** Up to `length` bytes straight from a reader, of this or another chain; says how many moved. */
  copyFrom(reader: ChainReader, length: number = reader.remaining): number {
    checkLength(length)
    const count = this.cursor.copyFrom(reader.cursor, length)
    if (count < length) {
      if (reader.remaining === 0) reader.overrun = true
      else this.overrun = true
    }
    return count
  }

  #number(value: number, size: number): void {
    const cursor = this.cursor
    for (let i = 0; i < size; i++) {
      if (cursor.remaining === 0) {
        this.overrun = true
        return
      }
      if (cursor.position === cursor.limit) cursor.advance()
      cursor.bytes[cursor.position++] = value >>> (8 * i)
      cursor.remaining--
    }
  }
}

function refuseNumber(value: unknown): never {
  refuseOption('value', value, 'an integer from -(2^53 - 1) to 2^53 - 1')
}

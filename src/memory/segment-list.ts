/**
 * Where some guest-physical bytes really are: runs of bytes, each contiguous in one region's `u8`.
 *
 * Caller-owned and reused: parallel typed arrays, no object a segment. The arrays are replaced when the list grows, so read
 * them from the list again after anything was appended.
 */
import { checkInteger } from '../internal/check-option.ts'

/** Room that a list may be made with; it grows beyond. */
const LARGEST_CAPACITY = 2 ** 24

/** Runs of bytes of guest memory, in arrays that are used again. */
export class SegmentList {
  /** How many segments are valid. */
  count = 0
  capacity: number
  /** Index into `GuestMemory.regions`. */
  region: Int32Array
  /** Of the first byte, into that region's `u8`. */
  offset: Uint32Array
  /** Guest-physical address of the first byte. */
  address: Float64Array
  /** Bytes, at least 1. */
  length: Uint32Array

  constructor(capacity = 64) {
    checkInteger('capacity', capacity, 1, LARGEST_CAPACITY, 'segments')
    this.capacity = capacity
    this.region = new Int32Array(capacity)
    this.offset = new Uint32Array(capacity)
    this.address = new Float64Array(capacity)
    this.length = new Uint32Array(capacity)
  }

  clear(): void {
    this.count = 0
  }

  append(region: number, offset: number, address: number, length: number): void {
    const index = this.count
    if (index === this.capacity) this.grow()
    this.region[index] = region
    this.offset[index] = offset
    this.address[index] = address
    this.length[index] = length
    this.count = index + 1
  }

  /** Doubles the capacity and keeps the content. Allocates. */
  grow(): void {
    const { region, offset, address, length } = this
    this.capacity *= 2
    this.region = new Int32Array(this.capacity)
    this.offset = new Uint32Array(this.capacity)
    this.address = new Float64Array(this.capacity)
    this.length = new Uint32Array(this.capacity)
    this.region.set(region)
    this.offset.set(offset)
    this.address.set(address)
    this.length.set(length)
  }
}

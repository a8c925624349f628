/**
 * Virtio is little-endian and so is every engine we run on: rings are read through typed arrays, not DataView. A
 * big-endian host is refused at load, once, instead of being slow everywhere.
 */
import { assert } from './assert.ts'

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'virtio-sdk needs a little-endian host')

/** First value that a le64 read as a Number cannot hold exactly: 2^53 / 2^32. A high word at or above it is refused. */
export const LE64_HIGH_LIMIT = 0x20_0000

/** A le64 from its two words as a Number; the caller has checked `high < LE64_HIGH_LIMIT`. */
export function le64ToNumber(low: number, high: number): number {
  return high * 2 ** 32 + low
}

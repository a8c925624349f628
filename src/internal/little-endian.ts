/**
 * Virtio is little-endian and so is every engine we run on: rings are read through typed arrays, not DataView. A
 * big-endian host is refused at load, once, instead of being slow everywhere.
 */
import { assert } from './assert.ts'

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'virtio-sdk needs a little-endian host')

/** First high word of a le64 that a Number cannot hold exactly: 2^53 / 2^32. */
export const LE64_HIGH_LIMIT = 0x20_0000

/** A le64 from its two words as a Number; from 2^53 on it is rounded, to something that is no address of any memory. */
export function le64ToNumber(low: number, high: number): number {
  return high * 2 ** 32 + low
}

/** Numbers as little-endian bytes, for requests that are built by hand. */
import { checkInteger, MAX_SAFE, MAX_U32 } from './check-option.ts'

/** A le32. Throws `VirtioError` INVALID_OPTION unless it is an integer from 0 to 2^32 - 1. */
export function u32le(value: number): Uint8Array {
  checkInteger('value', value, 0, MAX_U32)
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** A Number below 2^53 as a le64. Throws `VirtioError` INVALID_OPTION for what is none. */
export function u64le(value: number): Uint8Array {
  checkInteger('value', value, 0, MAX_SAFE)
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return bytes
}

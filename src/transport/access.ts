/** Accesses to registers: unsigned numbers of 1, 2 or 4 bytes at an offset. */
import { checkInteger, refuseOption } from '../internal/check-option.ts'

/** Bytes of an access. */
export type AccessWidth = 1 | 2 | 4

/** Throws `VirtioError` INVALID_OPTION for what is no access to a range of so many bytes. */
export function checkAccess(offset: number, width: number, bytes: number): void {
  if (width !== 1 && width !== 2 && width !== 4) refuseOption('width', width, '1, 2 or 4 bytes')
  checkInteger('offset', offset, 0, bytes - width, 'bytes')
}

/** Of a value that is written, the bytes of the access. */
export function lowBytes(value: number, width: AccessWidth): number {
  return width === 4 ? value : value & (2 ** (8 * width) - 1)
}

/** Reads bytes by accesses at their natural alignment: one for a field of 1, 2 or 4 bytes. */
export function readBytes(offset: number, target: Uint8Array, read: (at: number, width: AccessWidth) => number): void {
  inPieces(offset, target.length, (at, width) => {
    const value = read(at, width)
    for (let i = 0; i < width; i++) target[at - offset + i] = value >>> (8 * i)
  })
}

/** Writes bytes by accesses at their natural alignment. */
export function writeBytes(
  offset: number,
  source: Uint8Array,
  write: (at: number, width: AccessWidth, value: number) => void,
): void {
  inPieces(offset, source.length, (at, width) => write(at, width, wordOf(source.subarray(at - offset), width)))
}

/** The first `width` bytes as a number, little endian. */
export function wordOf(bytes: Uint8Array, width: AccessWidth): number {
  let value = 0
  for (let i = 0; i < width; i++) value += bytes[i]! * 2 ** (8 * i)
  return value
}

/** The low `width` bytes of a number, little endian. */
export function bytesOf(value: number, width: AccessWidth): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24).subarray(0, width)
}

function inPieces(offset: number, length: number, access: (at: number, width: AccessWidth) => void): void {
  for (let done = 0; done < length; ) {
    const at = offset + done
    const width = at % 4 === 0 && length - done >= 4 ? 4 : at % 2 === 0 && length - done >= 2 ? 2 : 1
    access(at, width)
    done += width
  }
}

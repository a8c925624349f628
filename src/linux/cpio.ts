/**
 * A cpio archive in the "new ASCII" format, as Linux unpacks it as its first root file system (the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst). Times and owners are 0: equal files give equal bytes.
 */

/** A file of an archive. Directories that it lies in come before it. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string
  /** Type and permissions as in `st_mode`; default: a regular file that anybody may read and run. */
  readonly mode?: number
  /** Content of a file, target of a link. */
  readonly bytes?: Uint8Array
  /** Major and minor number of a device node. */
  readonly device?: readonly [major: number, minor: number]
}

export const FILE_MODE = 0o100755
export const DIRECTORY_MODE = 0o040755
export const CHARACTER_DEVICE_MODE = 0o020600

const TRAILER = 'TRAILER!!!'
const ALIGNMENT = 4

/** The archive's bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [index, entry] of [...entries, { path: TRAILER, mode: 0 }].entries()) {
    const { path, mode = FILE_MODE, bytes = new Uint8Array(0), device = [0, 0] } = entry as CpioEntry
    const name = new TextEncoder().encode(`${path}\0`)
    const fields = [index + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, device[0], device[1], name.length, 0]
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
    parts.push(padded(new Uint8Array([...new TextEncoder().encode(head), ...name])), padded(bytes))
  }
  const archive = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    archive.set(part, at)
    at += part.length
  }
  return archive
}

function padded(bytes: Uint8Array): Uint8Array {
  const length = Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT
  if (length === bytes.length) return bytes
  const longer = new Uint8Array(length)
  longer.set(bytes)
  return longer
}

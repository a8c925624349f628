/**
 * Files that commands read. Each is a regular one, or is refused for what it is: a pipe would wait for ever, a device may have no
 * end. That is checked before it is opened, because to open a device may do something, and again on what was opened.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'

/** Of what people write by hand: scenarios, boards, calibrations, cases of a corpus. */
export const MOST_TEXT_BYTES = 16 * 1024 ** 2
/** Of what we write, and of payloads: what fits into one buffer of every supported Node. */
export const MOST_BYTES = 2 ** 31 - 1

/** Reads after `cannot read PATH: `. */
export class UnfitFile extends Error {
  override readonly name = 'UnfitFile'
}

/** The whole file. Throws `UnfitFile` when it is no regular file, or larger than `mostBytes`, else the file system's error. */
export function readRegularFile(path: string, mostBytes = MOST_TEXT_BYTES): Buffer {
  const file = openRegularFile(path)
  try {
    const { size } = fstatSync(file)
    if (size > mostBytes) throw new UnfitFile(`it has ${size} bytes, at most ${mostBytes} are read`)
    const pieces: Buffer[] = []
    // What /proc has says 0 bytes, and a file may grow: the size is where to begin, not where to end.
    for (let [total, room] = [0, size + 1]; ; room = 1 << 16) {
      const piece = Buffer.allocUnsafe(room)
      const bytes = readSync(file, piece)
      if (bytes === 0) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
      total += bytes
      if (total > mostBytes) throw new UnfitFile(`it has more than ${mostBytes} bytes, at most so many are read`)
      pieces.push(piece.subarray(0, bytes))
    }
  } finally {
    closeSync(file)
  }
}

/**
 * The text of a file; throws as `readRegularFile` does, and `UnfitFile` for what is not UTF-8: with other characters in the place of
 * those that were meant, names would change, and two of them might become one.
 */
export function readTextFile(path: string, mostBytes = MOST_TEXT_BYTES): string {
  const bytes = readRegularFile(path, mostBytes)
  const utf16 = UTF16_MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))
  if (utf16) throw new UnfitFile('its text is UTF-16; save it as UTF-8')
  try {
    return STRICT.decode(bytes)
  } catch {
    const { line, column } = firstWrong(bytes)
    throw new UnfitFile(`its text is not UTF-8, from line ${line}, column ${column} on; save it as UTF-8`)
  }
}

const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]
/** Keeps a byte order mark, as `Buffer.toString` does: who reads the text knows it. */
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The first place where the bytes are no UTF-8, counted from 1. */
function firstWrong(bytes: Buffer): { line: number; column: number } {
  const lenient = bytes.toString('utf8')
  let at = 0
  for (const character of lenient) {
    const own = Buffer.from(character)
    if (!own.equals(bytes.subarray(at, at + own.length))) break
    at += own.length
  }
  const lines = bytes.toString('utf8', 0, at).split('\n')
  return { line: lines.length, column: lines.at(-1)!.length + 1 }
}

/** A descriptor to read from, and with `flags` to write to; the caller closes it. Throws as `readRegularFile` does. */
export function openRegularFile(path: string, flags: number = constants.O_RDONLY): number {
  const there = statSync(path, { throwIfNoEntry: false })
  if (there !== undefined) mustBeRegular(there)
  // Another process may put a pipe there in between: do not wait for its writer.
  const file = openSync(path, flags | (constants.O_NONBLOCK ?? 0))
  try {
    mustBeRegular(fstatSync(file))
    return file
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function mustBeRegular(stats: Stats): void {
  const kind = kindOf(stats)
  if (kind !== null) throw new UnfitFile(`it is ${kind}, not a regular file`)
}

/** In words what is there instead of a regular file; null: it is one. */
export function kindOf(stats: Stats): string | null {
  if (stats.isFile()) return null
  if (stats.isDirectory()) return 'a directory'
  if (stats.isFIFO()) return 'a named pipe'
  if (stats.isSocket()) return 'a socket'
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : 'something else'
}

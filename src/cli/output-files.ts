/** What commands write, and where: folders, delivered payloads, traces. Errors are the file system's. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'
import type { Design } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { kindOf } from './input-files.ts'
import { UsageError } from './terminal.ts'

/** As `mkdir -p`. Node's own never returns where a folder says that what should be made in it does not exist, as /proc does. */
export function makeFolder(path: string): void {
  if (isFolder(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may have been quicker.
    if (!isFolder(path)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** A path as the user would write it: from the current folder, unless that leads out of it. */
export function shownPath(path: string, cwd: string): string {
  const below = relative(cwd, path) || '.'
  return below.startsWith('..') ? path : below
}

/** Every delivered payload as `FOLDER/FLOW/SEQUENCE.bin`. */
export function payloadWriter(folder: string, scenario: Scenario) {
  for (const { name } of scenario.flows) makeFolder(join(folder, name))
  return ({ flow, sequence, bytes }: { flow: string; sequence: number; bytes: Uint8Array }): void => {
    writeFile(join(folder, flow, `${String(sequence).padStart(6, '0')}.bin`), bytes)
  }
}

/** Writes piece by piece: a trace may be larger than the longest string. */
export function writePieces(file: number, pieces: Iterable<string>): void {
  for (const piece of pieces) writeAll(file, piece)
}

/** Creates or replaces a file, and makes its folder. Not at once: who reads meanwhile may find half of it. */
export function writeFile(path: string, content: string | Uint8Array): void {
  const file = openToWrite(path)
  try {
    writeAll(file, content)
  } finally {
    closeSync(file)
  }
}

/**
 * An empty file, in a folder made for it; the caller closes it. Throws `UsageError` for what is neither a file nor a device: a
 * pipe would wait for its reader.
 */
export function openToWrite(path: string): number {
  makeFolder(dirname(path))
  const there = statSync(path, { throwIfNoEntry: false })
  const kind = there === undefined || there.isCharacterDevice() ? null : kindOf(there)
  if (kind !== null) throw new UsageError(`cannot write ${path}: it is ${kind}, not a regular file`)
  return openSync(path, 'w')
}

/** Writes all of it, at the end or `at` a place: a full disk takes a part first, and says so only to who asks again. */
export function writeAll(file: number, content: string | Uint8Array, at: number | null = null): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, at === null ? null : at + done)
  }
}

/** Never half, not even after a power cut: a reader finds the old file or the new one. */
export function writeWhole(path: string, text: string): void {
  const file = openToWrite(`${path}.new`)
  try {
    writeAll(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
  syncFolder(dirname(path))
}

/** Makes the names in a folder last, where the system can: what was created, renamed or removed there. */
export function syncFolder(path: string): void {
  let folder: number
  try {
    folder = openSync(path, 'r')
  } catch {
    // Windows opens no folders.
    return
  }
  try {
    fsyncSync(folder)
  } catch {
    // Some file systems of other machines cannot.
  } finally {
    closeSync(folder)
  }
}

/** `run.json` of two designs becomes `run.dedicated.json` and `run.floating.json`. */
export function withDesign(path: string, design: Design): string {
  const ending = extname(path)
  return `${path.slice(0, path.length - ending.length)}.${design}${ending}`
}

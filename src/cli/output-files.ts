/** What commands write, and where: folders, delivered payloads, traces. What the file system refuses is a `UsageError`. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, type Stats, statSync, writeSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'
import type { Design } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { doing } from './file-error.ts'
import { kindOf } from './input-files.ts'
import { type Terminal, UsageError } from './terminal.ts'

/** As `mkdir -p`. Node's own never returns where a folder says that what should be made in it does not exist, as /proc does. */
export function makeFolder(path: string): void {
  if (isFolder(path)) return
  makeFolder(dirname(path))
  doing('write', path, () => {
    try {
      mkdirSync(path)
    } catch (error) {
      // Another process may have been quicker.
      if (isFolder(path)) return
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      throw new UsageError(`cannot write ${path}: it has to be a folder, and is none`, { cause: error })
    }
  })
}

function isFolder(path: string): boolean {
  return doing('write', path, () => statSync(path, { throwIfNoEntry: false }))?.isDirectory() === true
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

/** A file that is open for writing. What the system refuses is a `UsageError` with its path. */
export class OutputFile {
  readonly #path: string
  readonly #file: number

  /** Takes a descriptor over, of the file that messages call `path`. */
  constructor(path: string, file: number) {
    this.#path = path
    this.#file = file
  }

  /** Writes all of it, at the end or `at` a place: a full disk takes a part first, and says so only to who asks again. */
  write(content: string | Uint8Array, at: number | null = null): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    doing('write', this.#path, () => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#file, bytes, done, bytes.length - done, at === null ? null : at + done)
      }
    })
  }

  /** Returns when all of it is on the disk. */
  sync(): void {
    doing('write', this.#path, () => fsyncSync(this.#file))
  }

  close(): void {
    // Some file servers say only now that the disk is full.
    doing('write', this.#path, () => closeSync(this.#file))
  }
}

/** Throws `UsageError` when what is to be written would replace one of `inputs`, under whatever name, or a folder. */
export function mustBeOutput(path: string, inputs: readonly string[]): void {
  const there = statOf(path)
  if (there === undefined) return
  if (there.isDirectory()) throw new UsageError(`cannot write ${path}: it is a directory, not a regular file`)
  for (const input of inputs) {
    const other = statOf(input)
    if (there.isFile() && other?.dev === there.dev && other.ino === there.ino) {
      throw new UsageError(`cannot write ${path}: it is read in the same run, as ${input}`)
    }
  }
}

/** Undefined: there is nothing that could be looked at. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Creates or replaces a file, and makes its folder. Not at once: who reads meanwhile may find half of it. */
export function writeFile(path: string, content: string | Uint8Array): void {
  const file = openToWrite(path)
  try {
    file.write(content)
  } finally {
    file.close()
  }
}

/**
 * An empty file, in a folder made for it; the caller closes it. Throws `UsageError` for what is neither a file nor a device: a
 * pipe would wait for its reader.
 */
export function openToWrite(path: string): OutputFile {
  makeFolder(dirname(path))
  return doing('write', path, () => {
    const there = statSync(path, { throwIfNoEntry: false })
    const kind = there === undefined || there.isCharacterDevice() ? null : kindOf(there)
    if (kind !== null) throw new UsageError(`cannot write ${path}: it is ${kind}, not a regular file`)
    return new OutputFile(path, openSync(path, 'w'))
  })
}

/** Never half, not even after a power cut: a reader finds the old file or the new one. */
export function writeWhole(path: string, text: string): void {
  writeWholeInPieces(path, (file) => file.write(text))
}

/** The same for what comes in pieces: `write` writes them. */
export function writeWholeInPieces(path: string, write: (file: OutputFile) => void): void {
  const file = openToWrite(`${path}.new`)
  try {
    write(file)
    file.sync()
  } finally {
    file.close()
  }
  doing('write', path, () => renameSync(`${path}.new`, path))
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

/** The path that an option names; null: it is not there. Throws `UsageError` for more than one. */
export function destination(option: string, value: unknown, terminal: Terminal): string | null {
  if (value === undefined) return null
  if (Array.isArray(value) || value === '') throw new UsageError(`${option} takes one path`)
  return resolve(terminal.cwd, String(value))
}

/** What commands write, and where: folders, delivered payloads, traces. Errors are the file system's. */
import { closeSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'
import type { Design } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'

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
    writeFileSync(join(folder, flow, `${String(sequence).padStart(6, '0')}.bin`), bytes)
  }
}

/** Writes piece by piece: a trace may be larger than the longest string. */
export function writeTrace(path: string, pieces: Iterable<string>): void {
  makeFolder(dirname(path))
  const file = openSync(path, 'w')
  try {
    for (const piece of pieces) writeFileSync(file, piece)
  } finally {
    closeSync(file)
  }
}

/** `run.json` of two designs becomes `run.dedicated.json` and `run.floating.json`. */
export function withDesign(path: string, design: Design): string {
  const ending = extname(path)
  return `${path.slice(0, path.length - ending.length)}.${design}${ending}`
}

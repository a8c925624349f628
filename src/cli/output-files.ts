/** What `simulate` writes: delivered payloads and traces. Errors are the file system's. */
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import type { Design } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'

/** Every delivered payload as `FOLDER/FLOW/SEQUENCE.bin`. */
export function payloadWriter(folder: string, scenario: Scenario) {
  for (const { name } of scenario.flows) mkdirSync(join(folder, name), { recursive: true })
  return ({ flow, sequence, bytes }: { flow: string; sequence: number; bytes: Uint8Array }): void => {
    writeFileSync(join(folder, flow, `${String(sequence).padStart(6, '0')}.bin`), bytes)
  }
}

/** Writes piece by piece: a trace may be larger than the longest string. */
export function writeTrace(path: string, pieces: Iterable<string>): void {
  mkdirSync(dirname(path), { recursive: true })
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

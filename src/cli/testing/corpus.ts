/** A folder of cases that failed once, one file each: replayed before anything new is tried. */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FuzzCase } from '../../testing/fuzz.ts'
import { doing, reasonOf } from '../file-error.ts'
import { readTextFile } from '../input-files.ts'
import { writeWhole } from '../output-files.ts'
import { UsageError } from '../terminal.ts'
import { mistakeInCase } from './case-shape.ts'

export interface KeptCase {
  readonly file: string
  readonly case: FuzzCase
}

/** Oldest name first; an absent folder has none. */
export function readCorpus(folder: string): KeptCase[] {
  return doing('read', folder, () => namesIn(folder))
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((file) => ({ file, case: readCase(join(folder, file)) }))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function readCase(path: string): FuzzCase {
  try {
    const value: unknown = JSON.parse(readTextFile(path))
    const mistake = mistakeInCase(value)
    if (mistake !== null) throw new Error(mistake)
    return value as FuzzCase
  } catch (error) {
    throw new UsageError(`${path} is no case of a corpus: ${reasonOf(error)}`, { cause: error })
  }
}

/** Returns the name of the file: the same case always has the same. */
export function keep(folder: string, one: FuzzCase): string {
  const text = `${JSON.stringify(one, null, 2)}\n`
  const file = `${one.kind}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.json`
  writeWhole(join(folder, file), text)
  return file
}

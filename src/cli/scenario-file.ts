/** The scenario that a command names. */
import { resolve } from 'node:path'
import { parseScenario, type Scenario, withValues } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { reasonOf } from './file-error.ts'
import { repeatedFlag } from './flags.ts'
import { readTextFile } from './input-files.ts'
import { UsageError } from './terminal.ts'

/**
 * `sets`: what `--set` says over it. Throws `UsageError` for a file that cannot be read, `ScenarioError` for one that is wrong, `VirtioError` for a
 * `--set` that leads nowhere.
 */
export function readScenario(path: string, cwd: string, sets?: unknown): Scenario {
  return parseWith(readScenarioText(path, cwd), path, setsOf(sets))
}

/** Throws `UsageError` for a file that cannot be read. */
export function readScenarioText(path: string, cwd: string): string {
  if (path === '') throw new UsageError("the name of the scenario is ''; leave it out to take the default one")
  try {
    return readTextFile(resolve(cwd, path))
  } catch (error) {
    throw new UsageError(`cannot read the scenario ${oneLine(path)}: ${reasonOf(error)}`, { cause: error })
  }
}

/** What a scenario is called with the values that are said over it. */
export function nameWith(path: string, sets: readonly string[]): string {
  return [path, ...sets.map((set) => `--set ${set}`)].join(' ')
}

/** As if the values had been in the file: places in messages are those of the file with them. */
export function parseWith(text: string, path: string, sets: readonly string[]): Scenario {
  const format = path.toLowerCase().endsWith('.json') ? 'json' : 'yaml'
  const name = oneLine(nameWith(path, sets))
  return parseScenario(withValues(text, sets, { path, format }), { path: name, format })
}

/** Of `--set`, which may be repeated. Throws `UsageError` for an empty one. */
export function setsOf(flag: unknown): string[] {
  const sets = repeatedFlag(flag)
  if (sets.includes('')) throw new UsageError('--set says nothing; write PATH=VALUE, e.g. flows.log.length=64KiB')
  return sets
}

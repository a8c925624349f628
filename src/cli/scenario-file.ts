/** The scenario that a command names. */
import { resolve } from 'node:path'
import { parseScenario, type Scenario } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { reasonOf } from './file-error.ts'
import { readTextFile } from './input-files.ts'
import { UsageError } from './terminal.ts'

/** Throws `UsageError` for a file that cannot be read, `ScenarioError` for one that is wrong. */
export function readScenario(path: string, cwd: string): Scenario {
  if (path === '') throw new UsageError("the name of the scenario is ''; leave it out to take the default one")
  let text: string
  try {
    text = readTextFile(resolve(cwd, path))
  } catch (error) {
    throw new UsageError(`cannot read the scenario ${oneLine(path)}: ${reasonOf(error)}`, { cause: error })
  }
  return parseScenario(text, { path: oneLine(path) })
}

/** The scenario that a command names. */
import { resolve } from 'node:path'
import { parseScenario, type Scenario } from '../scenario/index.ts'
import { readTextFile } from './input-files.ts'
import { UsageError } from './terminal.ts'

/** Throws `UsageError` for a file that cannot be read, `ScenarioError` for one that is wrong. */
export function readScenario(path: string, cwd: string): Scenario {
  let text: string
  try {
    text = readTextFile(resolve(cwd, path))
  } catch (error) {
    throw new UsageError(`cannot read the scenario ${path}: ${(error as Error).message}`, { cause: error })
  }
  return parseScenario(text, { path })
}

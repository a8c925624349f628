/** Everything that is wrong with a scenario. */
import { InputError, type InputIssue } from './input-error.ts'

/** One thing that is wrong with a scenario. */
export type ScenarioIssue = InputIssue

/** `code` is `SCENARIO`. */
export class ScenarioError extends InputError {
  override readonly name = 'ScenarioError'

  constructor(file: string, issues: readonly ScenarioIssue[], options?: ErrorOptions) {
    super('SCENARIO', file, issues, options)
  }
}

/** Options as the parser has them: checked, and in the shape that a command works with. */
import { UsageError } from './terminal.ts'

/** One of `choices`. Throws `UsageError`. */
export function choiceFlag<T extends string>(option: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new UsageError(`${option} ${value}: use ${choices.join(' or ')}`)
  return found
}

/** Every value of an option that may be repeated. */
export function repeatedFlag(value: unknown): string[] {
  return value === undefined ? [] : (Array.isArray(value) ? value : [value]).map(String)
}

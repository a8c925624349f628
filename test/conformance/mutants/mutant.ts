/** What a row of the map is proved by: a fault in the product that the row's tests find. */
import type { Change } from '../../../adversary/power/faults.ts'

export interface Mutant extends Change {
  /** The clauses that are broken then: of each, a test that cites it fails. */
  readonly rows: readonly string[]
  /** What the product does then, for people. */
  readonly name: string
}

/** Clauses, separated by spaces; what is wrong; text that stands once in the file; and what stands there instead. */
export type MutantRow = readonly [rows: string, name: string, replace: string, by: string]

/** The mutants of one source file. */
export function mutantsOf(file: string, ...rows: readonly MutantRow[]): Mutant[] {
  return rows.map(([clauses, name, replace, by]) => ({ rows: clauses.split(' '), name, file, replace, by }))
}

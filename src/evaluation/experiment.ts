/**
 * An experiment is data-parallel and deterministic: a list of units, and a pure function from one unit to its rows. Whoever runs
 * it may spread the units over threads and machines in any order; the rows of all units in their order are the data.
 */

import type { BoardProfile } from '../platform-zcu102/index.ts'

/** Parameters of a campaign: with the board and the version of this package they determine every byte of the data. */
export interface Campaign {
  /** 0 <= seed < 2^53. */
  readonly seed: number
  /** Utilisations on an acceptance curve, evenly spaced up to 1. */
  readonly points: number
  /** Flow sets at each of them; what else is drawn at random is scaled by it too. */
  readonly sets: number
}

/** The default campaign: what `evaluate` runs when told nothing else. */
export const DEFAULT_CAMPAIGN: Campaign = { seed: 1, points: 20, sets: 1000 }

/** What travels to a worker and back: plain JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** One sample with all of its parameters. Every row of an experiment has the same keys. */
export type Row = Readonly<Record<string, string | number | boolean | null>>

/**
 * `Unit` is a JSON value, a `type` rather than an `interface`. A unit is worth 20 ms to 1 s: much less and handing it over costs
 * more than running it, much more and the last one keeps everybody waiting.
 */
export interface Experiment<Unit extends Json = Json, R extends Row = Row> {
  /** Of the file `data/<name>.ndjson` and of `--only`: lower case with dashes. */
  readonly name: string
  readonly title: string
  /** What each column means, with its unit: the data dictionary. Rows have exactly these keys, in this order. */
  readonly columns: Readonly<Record<keyof R & string, string>>
  /** What has to be believed for these rows to mean anything. */
  readonly assumptions: readonly string[]
  /** In a fixed order, from these two alone. */
  units(campaign: Campaign, profile: BoardProfile): readonly Unit[]
  /** Pure: the same rows for the same unit and board, wherever and whenever. Chance comes from seeds in the unit. */
  run(unit: Unit, profile: BoardProfile): readonly R[]
  /** Starts a summary of all rows, which then come in order: a table of its own, for reports and for people. */
  summarize?(): Summary<R>
  /** What this row proves wrong, as a sentence with all that is needed to repeat it; null: nothing. Any sentence fails the run. */
  refutes?(row: R): string | null
}

/** Sees every row once, so that a campaign of any size can be summarised. Written to `data/<name>-summary.ndjson`. */
export interface Summary<R extends Row = Row> {
  readonly columns: Readonly<Record<string, string>>
  add(row: R): void
  rows(): readonly Row[]
  /** What to tell a person at the end of a run; short lines. */
  headline?(): readonly string[]
}

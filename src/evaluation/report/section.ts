/**
 * What a section of the report is made of. Texts are plain text; the page escapes them. A finding, a tile or a verdict says what the
 * rows say and nothing else: words as well as figures are chosen by them, and test/evaluation/claims computes each once more.
 */

import { count, type Figure, figure, type Provenance, type Table } from '../../page/index.ts'
import type { Row } from '../experiment.ts'
import type { ManifestExperiment } from '../manifest.ts'
import type { ReportData } from '../report-data.ts'

/** Either one figure or a small table of them. */
export interface KeyFigure {
  readonly id: string
  readonly value?: string
  readonly grid?: Table
  readonly text: string
  readonly provenance: Provenance
}

/** `holds: null`: the data do not decide. */
export interface Verdict {
  readonly id: string
  readonly claim: string
  readonly holds: boolean | null
  readonly evidence: string
}

export type { Figure, Provenance, Table }

export interface Section {
  readonly id: string
  readonly title: string
  readonly paragraphs: readonly string[]
  readonly figures: readonly Figure[]
  readonly keys: readonly KeyFigure[]
  readonly verdicts: readonly Verdict[]
}

/** What a section sees of one experiment. */
export interface Data {
  readonly rows: readonly Row[]
  readonly entry: ManifestExperiment
  /** The file that the rows come from. */
  readonly file: string
}

/** The summary of an experiment, or its rows where it has none; null: it was not run. */
export function dataOf({ manifest, rows }: ReportData, name: string): Data | null {
  const entry = manifest.experiments.find((candidate) => candidate.name === name)
  if (entry === undefined) return null
  const found = rows.get(entry.summary === null ? name : `${name}-summary`)
  if (found === undefined || found.length === 0) return null
  return { rows: found, entry, file: entry.summary?.file ?? entry.file }
}

/** Values of a column in order of appearance. */
export function distinct<T extends Row[string]>(rows: readonly Row[], column: string): T[] {
  return [...new Set(rows.map((row) => row[column] as T))]
}

export function where(rows: readonly Row[], match: Row): Row[] {
  const entries = Object.entries(match)
  return rows.filter((row) => entries.every(([key, value]) => row[key] === value))
}

/** Smallest and largest of what is a number; null: nothing is. */
export function extremes(values: readonly number[]): { readonly least: number; readonly most: number } | null {
  const known = values.filter(Number.isFinite)
  return known.length === 0 ? null : { least: Math.min(...known), most: Math.max(...known) }
}

/** `300 messages`, or `4 to 200 messages`: of all rows, in a column. */
export function countsOf(rows: readonly Row[], column: string, noun: string): string {
  const sizes = extremes(rows.map((row) => number(row, column)))
  if (sizes === null) return `no ${noun}s`
  return sizes.least === sizes.most ? count(sizes.most, noun) : `${figure(sizes.least)} to ${count(sizes.most, noun)}`
}

/** The number in a column, or NaN where there is none: a chart leaves it out, and says so in its table. */
export function number(row: Row | undefined, column: string): number {
  const value = row?.[column]
  return typeof value === 'number' ? value : Number.NaN
}

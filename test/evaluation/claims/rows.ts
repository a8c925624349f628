/** Rows as experiments give them, sentences as the report says them, and how both are looked at. */
import type { ReportData, Row } from 'virtio-sdk/evaluation'
import type { Chart } from '../../../src/page/chart.ts'

/** Rows as the experiments gave them, before any summary. */
export type Raw = Readonly<Record<string, readonly Row[]>>

export interface Said {
  /** `key:…`, `verdict:…` or `figure:…`. */
  readonly id: string
  /** Title, text of a tile, or evidence. */
  readonly text: string
  /** Of a tile; of a verdict its claim. */
  readonly head: string
  readonly grid: readonly (readonly unknown[])[] | null
  readonly holds: boolean | null | undefined
  readonly chart: Chart | null
}

export type Oracle = (said: Said, raw: Raw, manifest: ReportData['manifest']) => void

export const num = (row: Row | undefined, column: string) =>
  typeof row?.[column] === 'number' ? (row[column] as number) : NaN
export const all = (rows: readonly Row[] | undefined, match: Row): Row[] =>
  (rows ?? []).filter((row) => Object.keys(match).every((key) => row[key] === match[key]))
export const values = <T>(rows: readonly Row[], column: string) => [...new Set(rows.map((row) => row[column] as T))]
export const top = (list: readonly number[]) => Math.max(...list.filter(Number.isFinite))
export const bottom = (list: readonly number[]) => Math.min(...list.filter(Number.isFinite))
export const refuted = (manifest: ReportData['manifest'], name: string) =>
  manifest.experiments.find((experiment) => experiment.name === name)!.refuted

export const DESIGNS: Readonly<Record<string, string>> = {
  dedicated: 'dedicated',
  floating: 'floating',
  'floating-look-ahead': 'floating + look-ahead',
  'zero-copy': 'zero-copy mix',
  'floating-plain': 'floating, plain',
  'floating-minimum': 'floating, minimum',
}
export const SCHEDULERS: Readonly<Record<string, string>> = {
  'fp-dm': 'FP, deadline-monotonic',
  'fp-optimal': 'FP, optimal priorities',
  edf: 'EDF',
}

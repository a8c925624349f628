/** `manifest.json`: what a folder of data is, enough to get the same again and to tell whether two folders belong together. */
import type { BoardProfile } from '../platform-zcu102/index.ts'
import type { Campaign } from './experiment.ts'

/** Changes whenever files written before cannot be merged with files written now. */
export const MANIFEST_FORMAT = 2

/** What `manifest.json` holds. */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT
  /** Of this package: another version may draw other sets. */
  readonly version: string
  readonly campaign: Campaign
  /** Units u with u mod count = index - 1, of every experiment; {1, 1}: all. */
  readonly shard: Shard
  /** Where the costs come from: the whole board profile, with the status and source of every figure. */
  readonly platform: BoardProfile
  readonly experiments: readonly ManifestExperiment[]
}

/** One part of a campaign, counted from 1. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** An experiment of a finished folder: its files, and what their columns mean. */
export interface ManifestExperiment {
  readonly name: string
  readonly title: string
  readonly file: string
  /** Of the bytes of `file`, in hexadecimal. */
  readonly sha256: string
  readonly rows: number
  /** Rows that prove something wrong: 0 unless a bound, or a simulation, is faulty. */
  readonly refuted: number
  /** How many rows each unit of this shard has: where to interleave the others. */
  readonly rowsOfUnits: readonly number[]
  readonly columns: Readonly<Record<string, string>>
  readonly assumptions: readonly string[]
  /** Its summary; null where it has none, and in a shard. */
  readonly summary: { readonly file: string; readonly columns: Readonly<Record<string, string>> } | null
}

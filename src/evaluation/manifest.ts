/** `manifest.json`: what a folder of data is, enough to get the same again and to tell whether two folders belong together. */
import type { Campaign } from './experiment.ts'

/** Changes whenever files written before cannot be merged with files written now. */
export const MANIFEST_FORMAT = 1

export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT
  /** Of this package: another version may draw other sets. */
  readonly version: string
  readonly campaign: Campaign
  /** Units u with u mod count = index - 1, of every experiment; {1, 1}: all. */
  readonly shard: Shard
  /** Where the costs come from: the name of the board profile. */
  readonly platform: string
  readonly experiments: readonly ManifestExperiment[]
}

export interface Shard {
  readonly index: number
  readonly count: number
}

export interface ManifestExperiment {
  readonly name: string
  readonly title: string
  readonly file: string
  readonly rows: number
  /** How many rows each unit of this shard has: where to interleave the others. */
  readonly rowsOfUnits: readonly number[]
  readonly columns: Readonly<Record<string, string>>
  readonly assumptions: readonly string[]
}

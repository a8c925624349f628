/** What a report is made of: the manifest and the rows, nothing else, so that it can be drawn again from the files. */
import type { Row } from './experiment.ts'
import type { Manifest } from './manifest.ts'

/** What a report is made of: the manifest, and the rows of every table. */
export interface ReportData {
  readonly manifest: Manifest
  /**
   * By table, in the registry's order: `<name>-summary` of an experiment that has a summary (its own rows may be too many to
   * hold), `<name>` of another. Experiments that were not run are missing.
   */
  readonly rows: ReadonlyMap<string, readonly Row[]>
}

/** Draws one self-contained HTML page. Pure. */
export type RenderReport = (data: ReportData) => string

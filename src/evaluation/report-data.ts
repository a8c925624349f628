/** What a report is made of: the manifest and the rows, nothing else, so that it can be drawn again from the files. */
import type { Row } from './experiment.ts'
import type { Manifest } from './manifest.ts'

export interface ReportData {
  readonly manifest: Manifest
  /** By name of the experiment, in the registry's order; experiments that were not run are missing. */
  readonly rows: ReadonlyMap<string, readonly Row[]>
}

/** Draws one self-contained HTML page. Pure. */
export type RenderReport = (data: ReportData) => string

/** Campaigns over many flow sets: generators, experiments, statistics, and the report. See docs/evaluation.md. */
export { type Campaign, DEFAULT_CAMPAIGN, type Experiment, type Json, type Row } from './experiment.ts'
export { EXPERIMENTS } from './experiments/index.ts'
export { MANIFEST_FORMAT, type Manifest, type ManifestExperiment, type Shard } from './manifest.ts'
export type { RenderReport, ReportData } from './report-data.ts'

/** Campaigns over many flow sets: generators, experiments, statistics, and the report. See docs/evaluation.md. */
export { ChunkMachine, type OverheadChoice, type RunOptions, type SchedulerName } from './chunk-machine.ts'
export { type Campaign, DEFAULT_CAMPAIGN, type Experiment, type Json, type Row } from './experiment.ts'
export { EXPERIMENTS } from './experiments/index.ts'
export { type DeadlineKind, drawFlows, type FlowSetParameters, type GeneratorName, seedOf } from './flow-sets.ts'
export { MANIFEST_FORMAT, type Manifest, type ManifestExperiment, type Shard } from './manifest.ts'
export { Releases } from './releases.ts'
export type { RenderReport, ReportData } from './report-data.ts'
export { dirichletRescale, uunifast } from './utilizations.ts'

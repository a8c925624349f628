/** Campaigns over many flow sets: generators, experiments, statistics, and the report. See docs/evaluation.md. */
export { ChunkMachine, type OverheadChoice, type RunOptions, type SchedulerName } from './chunk-machine.ts'
export { type CostLevel, DESIGN_NAMES, type DesignName, designOverheads, longRunLoad, underDesign } from './designs.ts'
export { type Campaign, DEFAULT_CAMPAIGN, type Experiment, type Json, type Row, type Summary } from './experiment.ts'
export { EXPERIMENTS } from './experiments/index.ts'
export { type DeadlineKind, drawFlows, type FlowSetParameters, type GeneratorName, seedOf } from './flow-sets.ts'
export { MANIFEST_FORMAT, type Manifest, type ManifestExperiment, type Shard } from './manifest.ts'
export { Releases } from './releases.ts'
export { renderReport } from './report/index.ts'
export type { RenderReport, ReportData } from './report-data.ts'
export { wilsonInterval } from './statistics.ts'
export { dirichletRescale, uunifast } from './utilizations.ts'
export {
  DEFAULT_EFFORT,
  replayWitness,
  type SearchEffort,
  type Witness,
  type Worst,
  WorstCaseSearch,
} from './worst-case.ts'

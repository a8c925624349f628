/** What a user writes: scenario files, read and checked. Knows no board and builds nothing. Public as `virtio-sdk/scenario`. */
export { type FittedReleases, fitReleases, mostWithin } from './fit-releases.ts'
export { InputError, type InputIssue } from './input-error.ts'
export { parseScenario } from './parse-scenario.ts'
export type { ParseOptions } from './read-input.ts'
export { parseReleases, type ReleaseTrace, releaseIssues } from './release-trace.ts'
export {
  type BrokerSpec,
  type ChainSpec,
  type FlowSpec,
  INTERRUPT_PRESETS,
  type InterruptSpec,
  type MemguardSpec,
  type Overrides,
  type PayloadSpec,
  type RegulatorSpec,
  type Scenario,
  type TaskSpec,
  type VmSpec,
  vmOnDedicatedCore,
} from './scenario.ts'
export { ScenarioError, type ScenarioIssue } from './scenario-error.ts'
export { formatTime, parseSize, parseTime, type Refusal } from './units.ts'
export { withValues } from './with-values.ts'

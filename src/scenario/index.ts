export {
  anything,
  bestTypicalWorst,
  integer,
  name,
  nullable,
  rate,
  show,
  text,
} from './fields.ts'
export { InputError, type InputIssue } from './input-error.ts'
export { parseScenario } from './parse-scenario.ts'
export { type Fields, type Report, readFields, readValue, type Shape } from './read-fields.ts'
export { type InputKind, type ParseOptions, readInput } from './read-input.ts'
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

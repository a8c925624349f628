/** The simulated ZCU102: GIC, GDMA, MemGuard, cores, and whole machines on it. Public as `virtio-sdk/platform-zcu102`. */
export type { BoardProfile, CostTriple, Fact } from '../boards/index.ts'
export {
  BOARD_PROFILES,
  builtInProfile,
  type Calibration,
  COST_MEANINGS,
  calibrated,
  calibrationTemplate,
  formatBoardProfile,
  parseBoardProfile,
  parseCalibration,
  profileOf,
  type RateControl,
  type RateSetting,
  rateSetting,
  zcu102,
} from '../boards/index.ts'
export type { ColorReport, Delivery, FlowResult, ResponseTimes, SharedColors, VmColors } from '../machine/index.ts'
export type { Design } from '../plan/index.ts'
export {
  assumptionsOf,
  type ColorPlan,
  type ColorWish,
  dmaBytesPerNs,
  longestThrottleNs,
  planColors,
  remapCharges,
} from '../plan/index.ts'
export type { TaskPrediction } from '../prediction/index.ts'
export {
  ANALYSES,
  CHANGE_KINDS,
  type ChainPrediction,
  type ChangeKind,
  type ChangeOptions,
  type CorePrediction,
  type Dominance,
  type FittingChange,
  type FittingChanges,
  type FlowPrediction,
  fittingChanges,
  overloadLines,
  type PredictedSensitivity,
  type Prediction,
  type PredictionOptions,
  predict,
  predictedDominance,
  predictedSensitivity,
  predictionAssumptions,
  predictUntrusted,
  type ResourceUse,
  searchPriorities,
  type UntrustedFlow,
  type Without,
} from '../prediction/index.ts'
export type { BoardHardware } from './board-hardware.ts'
export { PhysicalInterrupt } from './gic.ts'
export type { Intruder } from './intruder.ts'
export { type LongestResponse, longestResponses, type SearchOptions } from './longest-responses.ts'
export type { BehindBoard } from './machine.ts'
export { MessageTimes } from './message-times.ts'
export { type PlannedRun, plannedRun, type RunPlan } from './planned-run.ts'
export { type DesignResult, type SimulationOptions, simulate } from './simulate.ts'
export { chromeTrace } from './trace-names.ts'

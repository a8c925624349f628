/** The simulated ZCU102 and whole machines on it. Public as `virtio-sdk/platform-zcu102`. */
export { assumptionsOf } from './assumptions.ts'
export { remapCharges } from './board-charges.ts'
export type { BoardProfile, CostTriple, Fact } from './board-profile.ts'
export { BOARD_PROFILES, builtInProfile, profileOf } from './boards.ts'
export { type Calibration, calibrated, calibrationTemplate, parseCalibration } from './calibration.ts'
export type { ColorReport, SharedColors, VmColors } from './color-report.ts'
export { type ColorPlan, type ColorWish, planColors } from './colors.ts'
export type { Design } from './design.ts'
export type { Intruder } from './intruder.ts'
export { type LongestResponse, longestResponses, type SearchOptions } from './longest-responses.ts'
export type { Delivery, FlowResult, ResponseTimes } from './message-ledger.ts'
export { type PlannedRun, plannedRun, type RunPlan } from './planned-run.ts'
export {
  ANALYSES,
  type ChainPrediction,
  type CorePrediction,
  type FlowPrediction,
  type Prediction,
  type PredictionOptions,
  predict,
} from './predict.ts'
export { predictionAssumptions } from './predict-assumptions.ts'
export { searchPriorities } from './predict-priorities.ts'
export { type PredictedSensitivity, predictedSensitivity } from './predict-sensitivity.ts'
export type { TaskPrediction } from './predict-tasks.ts'
export { predictUntrusted, type UntrustedFlow } from './predict-untrusted.ts'
export { overloadLines, type ResourceUse } from './predict-utilization.ts'
export { formatBoardProfile, parseBoardProfile } from './profile-file.ts'
export { type RateControl, type RateSetting, rateSetting } from './rate-control.ts'
export { longestThrottleNs } from './refill-budgets.ts'
export { dmaBytesPerNs } from './regulation.ts'
export { type DesignResult, type SimulationOptions, simulate } from './simulate.ts'
export { chromeTrace } from './trace-names.ts'
export { zcu102 } from './zcu102.ts'

/** Bounds of a whole scenario, from the plan and the theorems (docs/prediction.md). Knows no machine. */
export { predictionAssumptions } from './assumptions.ts'
export { CHANGE_KINDS, type ChangeKind } from './change-candidates.ts'
export { type Dominance, predictedDominance, type Without } from './dominance.ts'
export { type ChangeOptions, type FittingChange, type FittingChanges, fittingChanges } from './fitting-change.ts'
export {
  ANALYSES,
  type ChainPrediction,
  type CorePrediction,
  everythingFits,
  type FlowPrediction,
  type Prediction,
  type PredictionOptions,
  predict,
} from './predict.ts'
export { searchPriorities } from './priorities.ts'
export { type PredictedSensitivity, predictedSensitivity } from './sensitivity.ts'
export type { TaskPrediction } from './tasks.ts'
export { predictUntrusted, type UntrustedFlow } from './untrusted.ts'
export { overloadLines, type ResourceUse } from './utilization.ts'

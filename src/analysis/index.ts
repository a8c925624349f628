/** Schedulability of regulated DMA: pure functions in exact integers, independent of any simulation. See docs/analysis.md. */
export { type Chain, type ChainBound, type ChainOptions, chainBounds, type Hop } from './chain.ts'
export {
  type DeadlineVerdict,
  type DemandTerms,
  DemandTest,
  earliestDeadlineSchedulable,
  earliestDeadlineVerdict,
} from './earliest-deadline.ts'
export { DeadlineResponseTest, earliestDeadlineBounds } from './earliest-deadline-response.ts'
export {
  coalescingDelayNs,
  type DedicatedPath,
  type EndToEndTerms,
  endToEnd,
  type FloatingPath,
  remapTimeNs,
  zeroCopyEndToEnd,
} from './end-to-end.ts'
export {
  deadlineMonotonic,
  fixedPriorityBounds,
  fixedPrioritySchedulable,
  ranksOf,
} from './fixed-priority.ts'
export { FixedPriorityTest } from './fixed-priority-test.ts'
export {
  type BudgetRegulator,
  budgetCycleNs,
  chunkCount,
  type DmaModel,
  effectiveBytesPerNs,
  type Flow,
  type FlowSet,
  lastChunkBytes,
  type Regulator,
  type Stall,
  validateFlowSet,
} from './flow.ts'
export { type CoreInterference, type GuestTask, type GuestTerms, guestResponseTimes } from './guest-task.ts'
export {
  guestTimeOfRefills,
  type MemoryBudget,
  type ThrottleCosts,
  type ThrottleTerms,
  throttleDelayNs,
  throttledTimeNs,
  throttling,
  type WhenThrottled,
} from './memory-throttling.ts'
export { type AnalysisModel, deriveModel, finishOf, startAfter } from './model.ts'
export { limitedPriorities, optimalPriorities } from './priority-assignment.ts'
export type { ResponseTerms } from './response-terms.ts'
export { type Scheduler, schedulable, type TestOptions } from './schedulable.ts'
export {
  type FlowSensitivity,
  failing,
  type GridPoint,
  greatestWhere,
  largestLength,
  leastDeadlines,
  leastWhere,
  lengthPermille,
  type Sensitivity,
  sensitivity,
  smallestBudget,
  tryChunkOverheads,
  tryChunkSizes,
} from './sensitivity.ts'
export {
  type DedicatedCosts,
  type FloatingCosts,
  type FreedCapacity,
  freedCapacity,
  type Route,
  type StolenTerms,
  StolenTime,
  type StolenTimeOptions,
} from './stolen-time.ts'
export { Supply, transferTimeNs } from './supply.ts'
export { type AnalysisName, TIGHTEST, TIGHTNESS, type Tightness } from './tightness.ts'

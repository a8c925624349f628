/** What the command line needs of a platform that simulates. `main.ts` hands in the ZCU102; tests hand in a fake. */
import type {
  BoardProfile,
  DesignResult,
  LongestResponse,
  PlannedRun,
  Prediction,
  PredictionOptions,
  RunPlan,
  SearchOptions,
  SimulationOptions,
} from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { TraceRecorder } from '../sim/index.ts'

export interface Simulator {
  simulate(scenario: Scenario, options: SimulationOptions): DesignResult
  /** What no run may exceed. */
  predict(scenario: Scenario, options: PredictionOptions): Pick<Prediction, 'flows' | 'chains'>
  longestResponses(scenario: Scenario, options: SearchOptions): readonly LongestResponse[]
  plannedRun(scenario: Scenario, profile: BoardProfile, plan: RunPlan): PlannedRun
  /** Chrome trace-event JSON, in pieces. */
  chromeTrace(recorder: TraceRecorder, scenario: Scenario): Iterable<string>
  assumptionsOf(scenario: Scenario, profile: BoardProfile): readonly string[]
}

/**
 * From a scenario to its bounds: the abstract model of the machine that `simulate` runs, the bounds of its DMA stage under every
 * analysis, and what comes before and after it. Each depends on the others, so they are iterated from below until nothing
 * changes; docs/prediction.md says why that is sound, and what is assumed.
 */

import type { AnalysisName, FlowSet, ResponseTerms } from '../analysis/index.ts'
import type { BoardProfile } from '../boards/index.ts'
import { builtInProfile } from '../boards/index.ts'
import { assert } from '../internal/assert.ts'
import type { Design } from '../plan/index.ts'
import { prioritiesOf, refuseImpossible } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { checkPrediction } from './check-prediction.ts'
import { longestHoldNs } from './hold.ts'
import { LIMIT_NS } from './least-fixed-point.ts'
import { creditObstaclesOf, vmObstaclesOf } from './obstacles.ts'
import { pathBestNs } from './parts.ts'
import { reasonsOf } from './reasons.ts'
import { type State, settle, wholeNs } from './rounds.ts'
import { longestStepNs } from './software.ts'
import { sparedOf } from './spared.ts'
import { type System, systemOf } from './system.ts'
import { type TaskPrediction, tasksOf } from './tasks.ts'
import { type ResourceUse, utilizationOf } from './utilization.ts'
import type { WindowTerms } from './window.ts'

/** The analyses that `predict` runs. */
export const ANALYSES = ['A0', 'A3', 'A4'] as const satisfies readonly AnalysisName[]

/** Options of `predict`. */
export interface PredictionOptions {
  readonly design: Design
  /** Default: the built-in profile that the scenario names. */
  readonly profile?: BoardProfile
  /** Default: the scenario's. */
  readonly scheduler?: 'fp' | 'edf'
  /** Fixed priority, smaller is more urgent; default: the scenario's priorities, deadline-monotonic where it has none. */
  readonly ranks?: readonly number[]
  /** False: bounds are the sums of their stages, as if nothing could be charged once for all of them. Default true. */
  readonly oneWindow?: boolean
}

/** Times in ns. `null`: there is no bound. */
export interface FlowPrediction {
  readonly name: string
  readonly deadlineNs: number
  readonly rank: number
  /** From nominal release to the end of the last piece: that of `terms`, or the `window` where that is shorter. */
  readonly bounds: Readonly<Record<AnalysisName, number | null>>
  readonly terms: Readonly<Record<AnalysisName, ResponseTerms | null>>
  /** From nominal release to the receiving guest having read the message: A4; the shortest of `parts` together, `window` and `drainedNs`. */
  readonly endToEndNs: number | null
  /** Stage by stage: until queued (within the jitter of the DMA stage), the rest of the DMA stage, until read. */
  readonly parts: { readonly beforeNs: number; readonly stageNs: number; readonly afterNs: number } | null
  /** All of it as one window; null where the stages are one already, or are those of the abstract model alone. */
  readonly window: WindowTerms | null
  /** As part of a window in which all that was under way is done, whatever waits for whatever; A4. */
  readonly drainedNs: number | null
  readonly schedulable: Readonly<Record<AnalysisName, boolean>>
}

/** How much of a core the broker takes, as a rate and within any interval. */
export interface CorePrediction {
  readonly core: number
  /** VMs that run there. */
  readonly vms: readonly string[]
  /** Share that the hypervisor layer takes in the long run; null without bounds. */
  readonly stolenRate: number | null
  /** Most that it takes in any window; Infinity without bounds. */
  stolenWithin(windowNs: number): number
}

/** The bound of a chain of flows, from its first arrival to its last delivery. */
export interface ChainPrediction {
  readonly name: string
  readonly flows: readonly string[]
  readonly deadlineNs: number
  /** From the nominal release of the first flow to the last arrival; A4. */
  readonly endToEndNs: number | null
  readonly schedulable: boolean
}

/** Bounds of a scenario under one design and scheduler. Times are ns; null: no bound. */
export interface Prediction {
  readonly design: Design
  readonly scheduler: 'fp' | 'edf'
  readonly ranks: readonly number[]
  /** Overheads are pinned: the bounds are those of the abstract model alone. */
  readonly pinned: boolean
  /** The DMA stage's flows, pieces and software around pieces. Software beside them is not in it, unless `pinned`. */
  readonly flowSet: FlowSet
  readonly flows: readonly FlowPrediction[]
  readonly schedulable: Readonly<Record<AnalysisName, boolean>>
  readonly cores: readonly CorePrediction[]
  readonly tasks: readonly TaskPrediction[]
  readonly chains: readonly ChainPrediction[]
  /** w: longest hold of the broker's lock, whatever VMs do that are not `trusted`; null where there is no lock. */
  readonly lockHoldNs: number | null
  /** Why a flow may have to wait for something that no analysis here bounds; such flows have no bound. */
  readonly obstacles: readonly string[]
  /** What share of each resource is asked for in the long run; above 1 something has no bound. */
  readonly utilization: readonly ResourceUse[]
}

/** Throws `VirtioError` where the scenario cannot run under this design, or nothing could ever serve it. */
export function predict(scenario: Scenario, options: PredictionOptions): Prediction {
  checkPrediction(options)
  const { design, profile = builtInProfile(scenario), oneWindow: asWindow = true } = options
  refuseImpossible(scenario, design, profile.cores.value)
  const regulated = systemOf(scenario, design, profile)
  const scheduler = options.scheduler ?? scenario.broker.scheduler
  const ranks = options.ranks ?? prioritiesOf(scenario.flows)
  const rounds = { scheduler, ranks, asWindow }
  const { system, drain } = sparedOf(regulated, rounds)
  const ofVms = vmObstaclesOf(system)
  const statics = [...creditObstaclesOf(system), ...ofVms]
  const state = settle(system, rounds, drain === null ? {} : { drain })
  const { set, software, loads, spans } = state
  // Pinned bounds are those of the theorems: what the machine waits for besides the DMA is in its end to end only.
  const { pinned } = system
  // Software of every flow may delay every other, so that one whose time under way is not known leaves nothing but the drain.
  const known = state.known && statics.length === 0
  const drains = ofVms.length === 0
  const staged = known || pinned

  const stages = ANALYSES.map((name) => (name === 'A4' ? state.stage : state.stageOf(name)))
  const windows = ANALYSES.map((name) => (name === 'A4' || !known ? state.windows : state.windowsOf(name)))
  const drained = ANALYSES.map((name) => (name === 'A4' || !drains ? state.drained : state.drainedOf(name)))
  const flows = system.flows.map((flow, i): FlowPrediction => {
    const record = <T>(of: (terms: ResponseTerms | null, analysis: number) => T) =>
      Object.fromEntries(ANALYSES.map((name, k) => [name, of(staged ? stages[k]![i]! : null, k)])) as Record<
        AnalysisName,
        T
      >
    const { beforeNs: before, afterNs: after } = state
    const drainedNs = (analysis: number) =>
      drains ? (drained[analysis]![i] ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
    const total = (analysis: number) =>
      finite(
        known
          ? wholeNs(stages[analysis]![i]!, after[i]!, windows[analysis]![i]!, drainedNs(analysis))
          : drainedNs(analysis),
      )
    const a4 = known ? stages[2]![i]! : null
    const stagesNs = a4 === null ? null : finite(a4.responseNs + after[i]!)
    return {
      name: flow.name,
      deadlineNs: flow.deadlineNs,
      rank: ranks[i]!,
      // Who has read a message has had its last piece.
      bounds: record((_, k) =>
        finite(staged ? wholeNs(stages[k]![i]!, 0, known ? windows[k]![i]! : null, drainedNs(k)) : drainedNs(k)),
      ),
      terms: record((terms) => terms),
      endToEndNs: total(2),
      parts:
        stagesNs === null
          ? null
          : { beforeNs: before[i]!, stageNs: stagesNs - before[i]! - after[i]!, afterNs: after[i]! },
      window: known ? windows[2]![i]! : null,
      drainedNs: finite(drainedNs(2)),
      schedulable: record((terms, k) => {
        // The abstract model knows nothing but the DMA stage.
        const responseNs = system.pinned ? (terms?.responseNs ?? null) : total(k)
        return responseNs !== null && responseNs <= flow.deadlineNs
      }),
    }
  })
  const chains = chainsOf(scenario, system, drains ? { ...state, known } : null)
  const bounded = flows.every(({ endToEndNs }) => endToEndNs !== null)
  const utilization = utilizationOf(regulated)
  const obstacles = bounded ? [] : reasonsOf(system, state, utilization, statics)
  assert(bounded || obstacles.length > 0, 'a bound that is missing has a reason')
  return {
    design,
    scheduler,
    ranks,
    pinned: system.pinned,
    flowSet: { ...set, regulator: regulated.regulator },
    flows,
    schedulable: Object.fromEntries(
      ANALYSES.map((name) => [name, flows.every((flow) => flow.schedulable[name])]),
    ) as Record<AnalysisName, boolean>,
    cores: system.cores.map((core) => ({
      core,
      vms: scenario.vms.filter((vm) => vm.core === core).map((vm) => vm.name),
      stolenRate: known ? Math.min(1, loads.get(core)!.rate) : null,
      stolenWithin: (windowNs: number) => (known ? Math.min(windowNs, loads.get(core)!.within(windowNs)) : windowNs),
    })),
    tasks: tasksOf(system, software, known ? loads : null, spans),
    chains,
    lockHoldNs: design === 'floating' ? holdNs(system, known ? software.stepNs : longestStepNs(system)) : null,
    obstacles,
    utilization,
  }
}

/** `honestNs`: while all guests keep to their flows. */
function holdNs(system: System, honestNs: number): number {
  const believed = system.pinned || system.scenario.vms.every(({ trusted }) => trusted)
  return believed ? honestNs : Math.max(honestNs, longestHoldNs(system))
}

/** `state`: null: nothing is known. */
export function chainsOf(scenario: Scenario, system: System, state: State | null): ChainPrediction[] {
  return scenario.chains.map(({ name, flows: hops, deadlineNs }) => {
    const last = system.flows.findIndex((flow) => flow.name === hops.at(-1))
    const endToEndNs = state === null ? null : finite(chainNs(system, state, last))
    return { name, flows: hops, deadlineNs, endToEndNs, schedulable: endToEndNs !== null && endToEndNs <= deadlineNs }
  })
}

/** Every flow, chain and task is shown to meet its deadline, under A4. */
export function everythingFits({ schedulable, chains, tasks }: Prediction): boolean {
  return schedulable.A4 && [...chains, ...tasks].every((part) => part.schedulable)
}

/** From the nominal release of the first flow of a chain to the arrival of the last: at best until there, and what is more. */
function chainNs(system: System, state: State, last: number): number {
  const { stage, afterNs, inheritedNs, windows, drained, known } = state
  const ownNs = known
    ? inheritedNs[last]! + wholeNs(stage[last]!, afterNs[last]!, windows[last]!)
    : Number.POSITIVE_INFINITY
  return pathBestNs(system, system.flows[last]!) + Math.min(ownNs, drained[last] ?? Number.POSITIVE_INFINITY)
}

/** null: beyond any time that matters. */
export function finite(timeNs: number): number | null {
  return timeNs < LIMIT_NS ? timeNs : null
}

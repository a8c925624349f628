/**
 * From a scenario to its bounds: the abstract model of the machine that `simulate` runs, the bounds of its DMA stage under every
 * analysis, and what comes before and after it. Each depends on the others, so they are iterated from below until nothing
 * changes; docs/prediction.md says why that is sound, and what is assumed.
 */
import {
  type AnalysisName,
  earliestDeadlineSchedulable,
  type FlowSet,
  type ResponseTerms,
  TIGHTNESS,
} from '../analysis/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { BoardProfile } from './board-profile.ts'
import { builtInProfile } from './boards.ts'
import type { Design } from './machine.ts'
import { CoreLoad } from './predict-cores.ts'
import { flowSetOf, modelOf, stageBounds } from './predict-dma.ts'
import { obstaclesOf } from './predict-obstacles.ts'
import { afterNs, beforeNs, computedNs, trailNs } from './predict-path.ts'
import { type SoftwareCosts, softwareOf } from './predict-software.ts'
import { type System, type SystemFlow, systemOf } from './predict-system.ts'
import { prioritiesOf } from './priorities.ts'

export const ANALYSES = ['A0', 'A3', 'A4'] as const satisfies readonly AnalysisName[]

export interface PredictionOptions {
  readonly design: Design
  /** Default: the built-in profile that the scenario names. */
  readonly profile?: BoardProfile
  /** Default: the scenario's. */
  readonly scheduler?: 'fp' | 'edf'
  /** Fixed priority, smaller is more urgent; default: the scenario's priorities, deadline-monotonic where it has none. */
  readonly ranks?: readonly number[]
}

/** Times in ns. `null`: there is no bound. */
export interface FlowPrediction {
  readonly name: string
  readonly deadlineNs: number
  readonly rank: number
  /** From nominal release to the end of the last piece. */
  readonly bounds: Readonly<Record<AnalysisName, number | null>>
  readonly terms: Readonly<Record<AnalysisName, ResponseTerms | null>>
  /** From nominal release to the receiving guest having read the message: A4, with what is before and after. */
  readonly endToEndNs: number | null
  /** Its parts: until queued (within the jitter of the DMA stage), the rest of the DMA stage, until read. */
  readonly parts: { readonly beforeNs: number; readonly stageNs: number; readonly afterNs: number } | null
  readonly schedulable: Readonly<Record<AnalysisName, boolean>>
}

export interface CorePrediction {
  readonly core: number
  /** VMs that run there. */
  readonly vms: readonly string[]
  /** Share that the hypervisor layer takes in the long run; null without bounds. */
  readonly stolenRate: number | null
  /** Most that it takes in any window; Infinity without bounds. */
  stolenWithin(windowNs: number): number
}

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
  /** w: longest hold of the broker's lock; null where there is none. */
  readonly lockHoldNs: number | null
  /** Why a flow may have to wait for something that no analysis here bounds; such flows have no bound. */
  readonly obstacles: readonly string[]
}

/** Throws `VirtioError` where the scenario cannot run under this design, or nothing could ever serve it. */
export function predict(scenario: Scenario, options: PredictionOptions): Prediction {
  const { design, profile = builtInProfile(scenario) } = options
  const system = systemOf(scenario, design, profile)
  const scheduler = options.scheduler ?? scenario.broker.scheduler
  const ranks = options.ranks ?? prioritiesOf(scenario.flows)
  const state = iterate(system, scheduler, ranks)
  const { set, software, loads, blocked } = state

  const stages = ANALYSES.map((name) => {
    if (name === 'A4') return state.stage
    return stageBounds(modelOf(system, set, software, state.spans, TIGHTNESS[name]), set, scheduler, ranks)
  })
  const wholeSet = system.pinned && scheduler === 'edf'
  const accepts = ANALYSES.map((name) => wholeSet && earliestDeadlineSchedulable(set, TIGHTNESS[name]))
  const flows = system.flows.map((flow, i): FlowPrediction => {
    const record = <T>(of: (terms: ResponseTerms | null, analysis: number) => T) =>
      Object.fromEntries(ANALYSES.map((name, k) => [name, of(blocked[i] ? null : stages[k]![i]!, k)])) as Record<
        AnalysisName,
        T
      >
    const { beforeNs: before, afterNs: after } = state
    const total = (terms: ResponseTerms | null) =>
      terms === null || after[i] === Number.POSITIVE_INFINITY ? null : ownNs(state, i, terms) + after[i]!
    const a4 = blocked[i] ? null : stages[2]![i]!
    const endToEndNs = total(a4)
    return {
      name: flow.name,
      deadlineNs: flow.deadlineNs,
      rank: ranks[i]!,
      bounds: record((terms) => (terms === null ? null : ownNs(state, i, terms))),
      terms: record((terms) => terms),
      endToEndNs,
      parts:
        endToEndNs === null
          ? null
          : { beforeNs: before[i]!, stageNs: endToEndNs - before[i]! - after[i]!, afterNs: after[i]! },
      schedulable: record((terms, k) => {
        if (wholeSet) return accepts[k]!
        // The abstract model knows nothing but the DMA stage.
        const responseNs = system.pinned ? terms && ownNs(state, i, terms) : total(terms)
        return responseNs !== null && responseNs <= flow.deadlineNs
      }),
    }
  })
  return {
    design,
    scheduler,
    ranks,
    pinned: system.pinned,
    flowSet: set,
    flows,
    schedulable: Object.fromEntries(
      ANALYSES.map((name) => [name, flows.every((flow) => flow.schedulable[name])]),
    ) as Record<AnalysisName, boolean>,
    cores: system.cores.map((core) => ({
      core,
      vms: scenario.vms.filter((vm) => vm.core === core).map((vm) => vm.name),
      stolenRate: loads.get(core)!.rate,
      stolenWithin: (windowNs: number) => loads.get(core)!.within(windowNs),
    })),
    lockHoldNs: design === 'floating' ? software.stepNs : null,
    obstacles: state.obstacles,
  }
}

interface State {
  readonly set: FlowSet
  readonly software: SoftwareCosts
  readonly loads: ReadonlyMap<number, CoreLoad>
  readonly spans: readonly number[]
  readonly stage: readonly (ResponseTerms | null)[]
  readonly beforeNs: readonly number[]
  readonly afterNs: readonly number[]
  /** What a flow's releases inherit of jitter from those that cause them. */
  readonly inheritedNs: readonly number[]
  readonly blocked: readonly boolean[]
  readonly obstacles: readonly string[]
}

/** The bound counts from the flow's own release: of a flow after another, from its computation's end at best. */
function ownNs({ inheritedNs }: State, i: number, terms: ResponseTerms): number {
  return terms.instances === 1 ? terms.responseNs - inheritedNs[i]! : terms.responseNs
}

/** More rounds than that: something grows without end, and is taken for it. */
const ROUNDS = 100
const LIMIT_NS = 2 ** 42

function iterate(system: System, scheduler: 'fp' | 'edf', ranks: readonly number[]): State {
  const { flows } = system
  let spans = flows.map(() => 0)
  for (let round = 0; ; round++) {
    const next = step(system, scheduler, ranks, spans)
    const grown = next.spans.map((span, i) =>
      round > ROUNDS && span > spans[i]! ? Number.POSITIVE_INFINITY : Math.max(span, spans[i]!),
    )
    if (grown.every((span, i) => span === spans[i])) return next
    spans = grown
  }
}

/** One round: everything from how long messages are under way, and from that how long they are. */
function step(system: System, scheduler: 'fp' | 'edf', ranks: readonly number[], spans: readonly number[]): State {
  const { flows } = system
  const underWay = (flow: SystemFlow) => {
    const span = spans[flow.index]!
    return span < Number.POSITIVE_INFINITY ? Math.floor(span / flow.periodNs) + 1 : Number.POSITIVE_INFINITY
  }
  const software = softwareOf(system, (flow) => Math.min(4, underWay(flow)))
  const loads = new Map(system.cores.map((core) => [core, new CoreLoad(system, core, software, spans)]))
  const loadOf = (core: number) => loads.get(core)!

  // With pinned overheads nothing takes time but the preparation of pieces, and a message that comes meanwhile is seen before
  // that piece has been copied: as if it had come to the abstract server at once.
  const before = flows.map((flow) =>
    system.pinned ? 0 : beforeNs(system, flow, loadOf(flow.sourceCore), software, spans),
  )
  const after = flows.map((flow) => afterNs(system, flow, loadOf(flow.destinationCore), software, spans))
  const trail = trailNs(system, software)
  const inherited = flows.map((flow) => {
    if (flow.after < 0) return 0
    const computed = computedNs(system, flow, loadOf(flow.sourceCore), software, spans)
    return spans[flow.after]! + computed
  })
  const jitterNs = flows.map((flow, i) => flow.jitterNs + inherited[i]! + before[i]!)
  const finite = jitterNs.every((jitter) => jitter < LIMIT_NS)
  const set = flowSetOf(
    system,
    software,
    jitterNs.map((jitter) => (jitter < LIMIT_NS ? jitter : 0)),
  )
  const model = modelOf(system, set, software, spans, TIGHTNESS.A4)
  const stage = finite ? stageBounds(model, set, scheduler, ranks) : flows.map(() => null)
  const { blocked, obstacles } = obstaclesOf(system, underWay)
  return {
    set,
    software,
    loads,
    spans: flows.map((_, i) => {
      const terms = stage[i]
      if (!terms || blocked[i]) return Number.POSITIVE_INFINITY
      const span = terms.responseNs + after[i]! + trail
      return span < LIMIT_NS ? span : Number.POSITIVE_INFINITY
    }),
    stage,
    beforeNs: before,
    afterNs: after,
    inheritedNs: inherited,
    blocked,
    obstacles,
  }
}

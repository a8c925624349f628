/**
 * From a scenario to its bounds: the abstract model of the machine that `simulate` runs, the bounds of its DMA stage under every
 * analysis, and what comes before and after it. Each depends on the others, so they are iterated from below until nothing
 * changes; docs/prediction.md says why that is sound, and what is assumed.
 */
import { type AnalysisName, type FlowSet, type ResponseTerms, TIGHTNESS } from '../analysis/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { CostOp, chargedNs } from '../platform/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { moveCharges, TransferWay } from '../zero-copy/index.ts'
import type { BoardProfile } from './board-profile.ts'
import { builtInProfile } from './boards.ts'
import type { Design } from './design.ts'
import { arrivalToleranceNs } from './hops.ts'
import { LIMIT_NS } from './least-fixed-point.ts'
import { CoreLoad } from './predict-cores.ts'
import { flowSetOf, modelOf, softwareWithin, stageBounds } from './predict-dma.ts'
import { obstaclesOf } from './predict-obstacles.ts'
import { afterNs, beforeNs, computedNs, movedNs, pagesNs, trailNs } from './predict-path.ts'
import { type SoftwareCosts, softwareOf } from './predict-software.ts'
import { MOST_UNDER_WAY, type System, type SystemFlow, systemOf } from './predict-system.ts'
import { type TaskPrediction, tasksOf } from './predict-tasks.ts'
import { type ResourceUse, utilizationOf } from './predict-utilization.ts'
import { oneWindow, type WindowTerms } from './predict-window.ts'
import { prioritiesOf } from './priorities.ts'
import { refuseImpossible } from './refuse-impossible.ts'

export const ANALYSES = ['A0', 'A3', 'A4'] as const satisfies readonly AnalysisName[]

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
  /** From nominal release to the receiving guest having read the message: A4; the shorter one of `parts` together and `window`. */
  readonly endToEndNs: number | null
  /** Stage by stage: until queued (within the jitter of the DMA stage), the rest of the DMA stage, until read. */
  readonly parts: { readonly beforeNs: number; readonly stageNs: number; readonly afterNs: number } | null
  /** All of it as one window; null where the stages are one already, or are those of the abstract model alone. */
  readonly window: WindowTerms | null
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

export interface ChainPrediction {
  readonly name: string
  readonly flows: readonly string[]
  readonly deadlineNs: number
  /** From the nominal release of the first flow to the last arrival; A4. */
  readonly endToEndNs: number | null
  readonly schedulable: boolean
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
  readonly tasks: readonly TaskPrediction[]
  readonly chains: readonly ChainPrediction[]
  /** w: longest hold of the broker's lock; null where there is none. */
  readonly lockHoldNs: number | null
  /** Why a flow may have to wait for something that no analysis here bounds; such flows have no bound. */
  readonly obstacles: readonly string[]
  /** What share of each resource is asked for in the long run; above 1 something has no bound. */
  readonly utilization: readonly ResourceUse[]
}

/** Throws `VirtioError` where the scenario cannot run under this design, or nothing could ever serve it. */
export function predict(scenario: Scenario, options: PredictionOptions): Prediction {
  const { design, profile = builtInProfile(scenario), oneWindow: asWindow = true } = options
  refuseImpossible(scenario, design, profile.cores.value)
  const system = systemOf(scenario, design, profile)
  const scheduler = options.scheduler ?? scenario.broker.scheduler
  const ranks = options.ranks ?? prioritiesOf(scenario.flows)
  const state = iterate(system, scheduler, ranks, asWindow)
  const { set, software, loads, blocked } = state
  // Pinned bounds are those of the theorems: what the machine waits for besides the DMA is in its end to end only.
  const { pinned } = system
  const stageless = blocked.map((isBlocked) => isBlocked && !pinned)

  const stages = ANALYSES.map((name) => (name === 'A4' ? state.stage : state.stageOf(name)))
  const windows = ANALYSES.map((name) => (name === 'A4' ? state.windows : state.windowsOf(name)))
  const flows = system.flows.map((flow, i): FlowPrediction => {
    const record = <T>(of: (terms: ResponseTerms | null, analysis: number) => T) =>
      Object.fromEntries(ANALYSES.map((name, k) => [name, of(stageless[i] ? null : stages[k]![i]!, k)])) as Record<
        AnalysisName,
        T
      >
    const { beforeNs: before, afterNs: after } = state
    const total = (analysis: number) =>
      blocked[i] ? null : finite(wholeNs(stages[analysis]![i]!, after[i]!, windows[analysis]![i]!))
    const a4 = blocked[i] ? null : stages[2]![i]!
    const stagesNs = a4 === null ? null : finite(a4.responseNs + after[i]!)
    return {
      name: flow.name,
      deadlineNs: flow.deadlineNs,
      rank: ranks[i]!,
      // Who has read a message has had its last piece.
      bounds: record((_, k) => (stageless[i] ? null : finite(wholeNs(stages[k]![i]!, 0, windows[k]![i]!)))),
      terms: record((terms) => terms),
      endToEndNs: total(2),
      parts:
        stagesNs === null
          ? null
          : { beforeNs: before[i]!, stageNs: stagesNs - before[i]! - after[i]!, afterNs: after[i]! },
      window: blocked[i] ? null : windows[2]![i]!,
      schedulable: record((terms, k) => {
        // The abstract model knows nothing but the DMA stage.
        const responseNs = system.pinned ? (terms?.responseNs ?? null) : total(k)
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
      stolenRate: state.spans.every((span) => span < Number.POSITIVE_INFINITY) ? loads.get(core)!.rate : null,
      stolenWithin: (windowNs: number) => loads.get(core)!.within(windowNs),
    })),
    tasks: tasksOf(system, software, loads, state.spans),
    chains: scenario.chains.map(({ name, flows: hops, deadlineNs }): ChainPrediction => {
      const last = system.flows.findIndex((flow) => flow.name === hops.at(-1))
      const endToEndNs = blocked[last] ? null : finite(chainNs(system, state, last))
      return { name, flows: hops, deadlineNs, endToEndNs, schedulable: endToEndNs !== null && endToEndNs <= deadlineNs }
    }),
    lockHoldNs: design === 'floating' ? software.stepNs : null,
    obstacles: state.obstacles,
    utilization: utilizationOf(system),
  }
}

/** From the nominal release of the first flow of a chain to the arrival of the last: at best until there, and what is more. */
function chainNs(system: System, { stage, afterNs, inheritedNs, windows }: State, last: number): number {
  let startNs = 0
  for (let hop = system.flows[last]!; hop.after >= 0; hop = system.flows[hop.after]!) {
    startNs += bestNs(system, system.flows[hop.after]!) + hop.computeNs
  }
  return startNs + inheritedNs[last]! + wholeNs(stage[last]!, afterNs[last]!, windows[last]!)
}

function finite(timeNs: number): number | null {
  return timeNs < LIMIT_NS ? timeNs : null
}

interface State {
  readonly set: FlowSet
  readonly software: SoftwareCosts
  readonly loads: ReadonlyMap<number, CoreLoad>
  /** How long messages are under way, from nominal release until nothing is done for them any more; Infinity: not known. */
  readonly spans: readonly number[]
  /** From when a loan is due until its pages are back. */
  readonly settledNs: number
  /** Bounds of the DMA stage under A4, and under another analysis. */
  readonly stage: readonly (ResponseTerms | null)[]
  stageOf(name: AnalysisName): readonly (ResponseTerms | null)[]
  /** The whole way as one window, under A4, and under another analysis. */
  readonly windows: readonly (WindowTerms | null)[]
  windowsOf(name: AnalysisName): readonly (WindowTerms | null)[]
  readonly beforeNs: readonly number[]
  readonly afterNs: readonly number[]
  /** What a flow's releases inherit of jitter from those that cause them. */
  readonly inheritedNs: readonly number[]
  readonly blocked: readonly boolean[]
  readonly obstacles: readonly string[]
}

/** More rounds than that: something grows without end, and is taken for it. */
const ROUNDS = 100

function iterate(system: System, scheduler: 'fp' | 'edf', ranks: readonly number[], asWindow: boolean): State {
  let [spans, settled] = [system.flows.map(() => 0), 0]
  for (let round = 0; ; round++) {
    const next = step(system, scheduler, ranks, asWindow, spans, settled)
    const grow = (nowNs: number, nextNs: number) =>
      round > ROUNDS && nextNs > nowNs ? Number.POSITIVE_INFINITY : Math.max(nowNs, nextNs)
    const grown = next.spans.map((span, i) => grow(spans[i]!, span))
    const settledNow = grow(settled, next.settledNs)
    if (settledNow === settled && grown.every((span, i) => span === spans[i])) return next
    spans = grown
    settled = settledNow
  }
}

/** One round: everything from how long messages, and then their loans, are under way, and from that how long they are. */
function step(
  system: System,
  scheduler: 'fp' | 'edf',
  ranks: readonly number[],
  asWindow: boolean,
  spans: readonly number[],
  settled: number,
): State {
  const { flows, lends, pinned } = system
  const within = (flow: SystemFlow, spanNs: number) =>
    spanNs < Number.POSITIVE_INFINITY ? Math.floor(spanNs / flow.periodNs) + 1 : Number.POSITIVE_INFINITY
  const underWay = (flow: SystemFlow) => within(flow, spans[flow.index]!)
  // A loan begins before its message arrives, and is due a period later.
  const loanSpanNs = (flow: SystemFlow) =>
    lends && flow.pages !== 'copied' ? spans[flow.index]! + flow.periodNs + settled : spans[flow.index]!
  const software = softwareOf(system, {
    messages: (flow) => Math.min(MOST_UNDER_WAY, underWay(flow)),
    handedBackNs: (flow) => spans[flow.index]!,
    loanSpanNs,
  })
  const loads = new Map(system.cores.map((core) => [core, new CoreLoad(system, core, software, spans)]))
  const loadOf = (core: number) => loads.get(core)!

  // With pinned overheads nothing takes time but the preparation of pieces, and a message that comes meanwhile is seen before
  // that piece has been copied: as if it had come to the abstract server at once.
  const everything = softwareWithin(system, software, spans)
  const sent = flows.map((flow) =>
    pinned && system.throttles.size === 0 ? 0 : beforeNs(system, flow, loadOf(flow.sourceCore), software, spans),
  )
  const tries = (flow: SystemFlow) => !pinned && flow.pages === 'tried'
  const pages = lends || flows.some(tries) ? pagesNs(system, software, spans, everything) : 0
  // Of a flow after another: how much later than at best its release comes.
  const inherited = flows.map((flow) => {
    if (flow.after < 0) return 0
    const computed = computedNs(system, flow, loadOf(flow.sourceCore), software, spans)
    return Math.max(0, spans[flow.after]! - bestNs(system, flows[flow.after]!) + computed - flow.computeNs)
  })
  // A message that comes early, because the one before was late, may have to wait for its time.
  const early = flows.map((flow, i) =>
    Math.max(0, flow.jitterNs + inherited[i]! + sent[i]! - arrivalToleranceNs(system.scenario, i)),
  )
  const before = flows.map((flow, i) => {
    if (flow.pages !== 'moved') return sent[i]! + (tries(flow) ? pages : 0)
    return Math.max(0, early[i]! - flow.jitterNs) + movedNs(system, flow, software, spans, everything)
  })
  const after = flows.map((flow) =>
    flow.pages === 'moved' ? 0 : afterNs(system, flow, loadOf(flow.destinationCore), software, spans, everything),
  )
  const trail = trailNs(system, software)
  const own = flows.map((flow, i) => flow.jitterNs + before[i]!)
  const jitter = own.map((ownNs, i) => ownNs + inherited[i]!)
  const known = jitter.every((jitterNs) => jitterNs < LIMIT_NS)
  const set = flowSetOf(system, software, known ? jitter : flows.map(() => 0))
  const model = (name: AnalysisName) => modelOf(system, set, software, spans, TIGHTNESS[name])
  const stageOf = (name: AnalysisName) =>
    known
      ? stageBounds(model(name), scheduler, ranks, own).map((terms, i) =>
          flows[i]!.pages === 'moved' && terms !== null ? withoutDma(own[i]!) : terms,
        )
      : flows.map(() => null)
  const stage = stageOf('A4')
  const parts = { system, software, spans, loads, scheduler, ranks, softwareWithin: everything }
  const windowsOf = (name: AnalysisName) => {
    // Where the sum of the stages has no bound jitter is not known: the windows need it for deadlines only, and take all flows for due.
    const ofDma = model(name)
    return flows.map((flow, i) =>
      pinned || !asWindow || flow.pages === 'moved'
        ? null
        : oneWindow(parts, ofDma, flow, Math.max(flow.jitterNs, early[i]!), known ? jitter[i]! : LIMIT_NS),
    )
  }
  const windows = windowsOf('A4')
  const { blocked, obstacles } = obstaclesOf(system, underWay, (flow) => within(flow, loanSpanNs(flow)))
  return {
    set,
    software,
    loads,
    stage,
    stageOf,
    windows,
    windowsOf,
    // From the release that the flow's first one would have had: inherited jitter is part of it.
    spans: stage.map((terms, i) =>
      blocked[i] ? Number.POSITIVE_INFINITY : limited(inherited[i]! + wholeNs(terms, after[i]!, windows[i]!) + trail),
    ),
    settledNs: lends ? limited(pages) : 0,
    beforeNs: before,
    afterNs: after,
    inheritedNs: inherited,
    blocked,
    obstacles,
  }
}

/** From nominal release until read: the sum of the stages, or one window, whichever is shorter; Infinity: no bound. */
function wholeNs(terms: ResponseTerms | null, afterNs: number, window: WindowTerms | null): number {
  const stagesNs = terms === null ? Number.POSITIVE_INFINITY : terms.responseNs + afterNs
  return Math.min(stagesNs, window?.totalNs ?? Number.POSITIVE_INFINITY)
}

/** A message that is exchanged is through when the CPU is, which is in its jitter. */
function withoutDma(jitterNs: number): ResponseTerms {
  const nothing = { ownWorkNs: 0, interferenceNs: 0, blockingNs: 0, overheadNs: 0, supplyNs: 0, releaseNs: 0 }
  return { ...nothing, responseNs: jitterNs, jitterNs, instance: 1, instances: 1 }
}

function limited(timeNs: number): number {
  return timeNs < LIMIT_NS ? timeNs : Number.POSITIVE_INFINITY
}

/** From nominal release to arrival at best. */
function bestNs({ best, interrupts, design, flushPages, lends }: System, flow: SystemFlow): number {
  const guestNs = best(CostOp.guestSend) + best(CostOp.guestIsr)
  const waitsNs = interrupts.pollingNs > 0 || design === 'dedicated' ? 0 : best(CostOp.irqEntryAck)
  const inNs = best(CostOp.mmioTrap) + best(CostOp.fetchDescriptor)
  const copiedNs = best(CostOp.pick) + best(CostOp.dmaSetup) + flow.workNs
  if (flow.pages === 'copied') return guestNs + inNs + copiedNs + waitsNs
  // As many whole pages as it surely has, and all of them scrubbed later.
  const way = lends ? TransferWay.lend : TransferWay.exchange
  const pages = Math.max(1, Math.floor(flow.lengthBytes / PAGE_SIZE) - 1)
  const { arrival } = moveCharges({ way, pages, flushPages, smmu: true, spares: pages })
  const movedNs = chargedNs({ ...arrival, tlbRefill: 0 }, (op) => best(CostOp[op]))
  return guestNs + inNs + Math.min(copiedNs, movedNs)
}

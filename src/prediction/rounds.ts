/**
 * How long messages are under way depends on how much the machine does meanwhile, and that on how long messages are under way. Here
 * both are found: in rounds from below, until nothing changes. A time that is not known stays so, and whatever may depend on it
 * is not known either (docs/prediction.md §3, "Around and around").
 */
import { type AnalysisModel, type FlowSet, type ResponseTerms, TIGHTNESS } from '../analysis/index.ts'
import { assert } from '../internal/assert.ts'
import { arrivalToleranceNs } from '../plan/index.ts'
import type { CoreLoad } from './cores.ts'
import { flowSetOf, modelOf, stageBoundsOf } from './dma.ts'
import { type Drain, type DrainShares, drainOf, NO_DRAIN, type SettledDrain } from './drain.ts'
import { LIMIT_NS, Starts } from './least-fixed-point.ts'
import { waitsForCredit } from './obstacles.ts'
import { interrupting, Parts, unforgivenOf } from './parts.ts'
import { afterNs, movedNs, pagesNs } from './path.ts'
import type { SoftwareCosts } from './software.ts'
import type { System, SystemFlow } from './system.ts'
import { oneWindow, type WindowParts, type WindowTerms } from './window.ts'

export type Tightening = keyof typeof TIGHTNESS

export interface Rounds {
  readonly scheduler: 'fp' | 'edf'
  readonly ranks: readonly number[]
  /** The whole way as one window is a bound too. */
  readonly asWindow: boolean
}

/** What is known of a system once nothing changes any more. */
export interface State {
  readonly set: FlowSet
  readonly software: SoftwareCosts
  readonly loads: ReadonlyMap<number, CoreLoad>
  /** How long messages are under way, from nominal release until nothing is done for them any more; Infinity: not known. */
  readonly spans: readonly number[]
  /** From when a loan is due until its pages are back. */
  readonly settledNs: number
  /** Bounds of the DMA stage under A4, and under another analysis. */
  readonly stage: readonly (ResponseTerms | null)[]
  stageOf(name: Tightening): readonly (ResponseTerms | null)[]
  /** The whole way as one window, under A4, and under another analysis. */
  readonly windows: readonly (WindowTerms | null)[]
  windowsOf(name: Tightening): readonly (WindowTerms | null)[]
  /** From nominal release until read, as part of a window in which everything that was under way is done; Infinity: none. */
  readonly drained: readonly number[]
  drainedOf(name: Tightening): readonly number[]
  /** How long that window is, Infinity: there is none; and the receive buffers that can be asked for in it at once, by VM. */
  readonly drainNs: number
  readonly drainNeeds: readonly number[]
  /** Why it has no end; null: it has one, or none was looked for. */
  readonly drainShares: DrainShares | null
  readonly beforeNs: readonly number[]
  readonly afterNs: readonly number[]
  /** What a flow's releases inherit of jitter from those that cause them. */
  readonly inheritedNs: readonly number[]
  /** Every span is known. Where it is not, nothing of the above means anything, but for the stage of pinned overheads. */
  readonly known: boolean
  /** Where a system may start that has as much of everything or more; null: it is not known how this one ends. */
  readonly settled: Settled | null
}

/** More rounds than that: something grows without end, and is taken for it. */
const MOST_ROUNDS = 100

/** A settled system: where one starts that has as much of everything, or more. */
export interface Settled {
  readonly system: System
  readonly spans: readonly number[]
  readonly settledNs: number
  readonly starts: Starts
  readonly drain: SettledDrain | null
}

/** Is a flow late that needs so long from its nominal release? */
export type Late = (flow: number, responseNs: number) => boolean

/** How rounds may begin and end; default: from nothing, until nothing changes. */
export interface Course {
  /** Of a system with as much of everything or less. */
  readonly from?: Settled | null
  /** Asked in every round, of bounds that can only grow; true: what is found later does not matter, and is not known. */
  readonly late?: Late
  /** What `drainOf` found. */
  readonly drain?: Drain
  /** The first round, if it has been looked at, of `from` as well. */
  readonly first?: FirstRound | null
}

/** Where a system may start that has as much of everything as one of which only the drain is known, or more. */
export function drainedFrom(system: System, from: Settled | null, drain: Drain): Settled {
  const { spans, settledNs, starts } = from ?? { spans: system.flows.map(() => 0), settledNs: 0, starts: new Starts() }
  return { system, spans, settledNs, starts, drain: drain.settled }
}

/** One round of a system with as much of everything as a settled one, or more. */
export interface FirstRound {
  /** No bound of it is above that of `settle`. */
  readonly round: Round
  readonly starts: Starts
  /** The first flow that is late in it; -1: none is. */
  readonly lateFlow: number
}

/** `suspect`: is looked at first. */
export function firstRoundOf(system: System, rounds: Rounds, from: Settled, late: Late, suspect: number): FirstRound {
  const { spans, settledNs, drain } = from
  const starts = from.starts.copy()
  const known = drain === null ? NO_DRAIN : { ...drain, settled: drain, readNsOf: () => drain.readNs, shares: null }
  const round = roundOf(system, rounds, known, spans, settledNs, starts)
  const isLate = (i: number) => {
    const flow = system.flows[i]!
    // The stage alone may do.
    const stage = round.stageOf('A4', flow)
    const stagedNs = wholeNs(stage, round.afterNs[i]!, null, known.readNs[i])
    return late(i, stagedNs) && late(i, wholeNs(stage, round.afterNs[i]!, round.windowOf('A4', flow), known.readNs[i]))
  }
  const lateFlow = isLate(suspect) ? suspect : system.flows.findIndex((_, i) => i !== suspect && isLate(i))
  return { round, starts, lateFlow }
}

/** Rounds until nothing changes. */
export function settle(system: System, rounds: Rounds, course: Course = {}): State {
  const { from = null, late = () => false, drain = drainOf(system, rounds, from?.drain), first = null } = course
  const starts = first?.starts ?? from?.starts.copy() ?? new Starts()
  let spans: readonly number[] = from?.spans ?? system.flows.map(() => 0)
  let settledNs = from?.settledNs ?? 0
  for (let round = 0; ; round++) {
    const known = round === 0 ? (first?.round ?? null) : null
    const state = step(system, rounds, drain, spans, settledNs, starts, known)
    const less = state.settledNs < settledNs || state.spans.some((span, i) => span < spans[i]!)
    // It does not have as much of everything after all.
    if (from !== null && less) return settle(system, rounds, { late, drain })
    const { stage, afterNs, windows, drained } = state
    if (stage.some((terms, i) => late(i, wholeNs(terms, afterNs[i]!, windows[i]!, drained[i])))) {
      return { ...state, known: false }
    }
    const grow = (nowNs: number, nextNs: number) => {
      const grownNs = round > MOST_ROUNDS && nextNs > nowNs ? Number.POSITIVE_INFINITY : Math.max(nowNs, nextNs)
      // One way: what is not known is never known again.
      assert(grownNs >= nowNs, 'times only grow from round to round')
      return grownNs
    }
    const grown = state.spans.map((span, i) => grow(spans[i]!, span))
    const settledNow = grow(settledNs, state.settledNs)
    if (grown.includes(Number.POSITIVE_INFINITY) || settledNow === Number.POSITIVE_INFINITY) {
      return system.pinned ? stageAlone(system, rounds, grown) : { ...state, spans: grown, known: false }
    }
    if (settledNow === settledNs && grown.every((span, i) => span === spans[i])) {
      return { ...state, settled: { system, spans, settledNs, starts, drain: drain.settled } }
    }
    spans = grown
    settledNs = settledNow
  }
}

/** By flow, from its nominal release: latest that a message is queued and has buffers, and that one that came early may compete. */
function earlyOf(parts: Parts, drain: Drain) {
  const { system, spans, scarcity, sentNs, inheritedNs } = parts
  const unforgiven = unforgivenOf(parts)
  return system.flows.map((flow, i) => {
    const toleranceNs = arrivalToleranceNs(system.scenario, i)
    const waits = scarcity.senders[i] || scarcity.receivers[flow.destination]
    const queuedNs = waits ? spans[i]! : flow.jitterNs + inheritedNs[i]! + sentNs[i]!
    const earlyNs = Math.max(0, Math.min(queuedNs, unforgiven[i]!) - toleranceNs)
    return { queuedNs, earlyNs: Math.min(earlyNs, drain.earlyNs[i] ?? Number.POSITIVE_INFINITY) }
  })
}

/** What of one round is asked for flow by flow. */
export interface Round {
  readonly parts: Parts
  readonly set: FlowSet
  readonly beforeNs: readonly number[]
  readonly afterNs: readonly number[]
  readonly pagesNs: number
  stageOf(name: Tightening, flow: SystemFlow): ResponseTerms | null
  /** What of a stage counts for how long messages are under way, beside what their flow inherits. */
  underWayOf(flow: SystemFlow, stage: ResponseTerms | null): ResponseTerms | null
  windowOf(name: Tightening, flow: SystemFlow): WindowTerms | null
  /** The same round beside another drain, where nothing but its windows depends on that. */
  withDrain(drain: Drain): Round
}

function roundOf(
  system: System,
  rounds: Rounds,
  drain: Drain,
  spans: readonly number[],
  settledNs: number,
  starts: Starts,
  known: Round | null = null,
): Round {
  const { flows, lends, pinned } = system
  const { scheduler, ranks, asWindow } = rounds
  const parts = new Parts(system, spans, settledNs, starts, interrupting(system, rounds), drain.received)
  // What is moved may come early as the drain says; of all else only the windows depend on it.
  const same = known?.parts.spans === spans && known.parts.software.events === parts.software.events
  if (known !== null && same && flows.every(({ pages }) => pages !== 'moved')) return known.withDrain(drain)
  const { software, scarcity, loads, everything, sentNs, inheritedNs } = parts
  const early = earlyOf(parts, drain)
  const tries = (flow: SystemFlow) => !pinned && flow.pages === 'tried'
  const pages = lends || flows.some(tries) ? pagesNs(system, software, spans, everything, starts) : 0
  const before = flows.map((flow, i) => {
    if (flow.pages !== 'moved') return sentNs[i]! + (tries(flow) ? pages : 0)
    const returns = scarcity.senders[i] ? parts.lentBefore[i]! : 0
    return (
      Math.max(0, early[i]!.earlyNs - flow.jitterNs) +
      movedNs(system, flow, software, spans, everything, returns, starts)
    )
  })
  // The same for all that one VM receives in the same way.
  const afterBy = new Map<number, number>()
  const after = flows.map((flow) => {
    if (flow.pages === 'moved') return 0
    const way = 2 * flow.destination + (flow.pages === 'copied' ? 0 : 1)
    const load = loads.get(flow.destinationCore)!
    const foundNs = afterBy.get(way) ?? afterNs(system, flow, load, software, spans, everything, starts)
    afterBy.set(way, foundNs)
    return foundNs
  })
  const own = flows.map((flow, i) => flow.jitterNs + before[i]!)
  // Pages are tried when the message before has been copied (docs/prediction.md §3, "One after the other").
  const queues = flows.map((flow, i) => tries(flow) && spans[i]! >= flow.periodNs)
  const jitter = own.map((ownNs, i) => Math.max(ownNs + inheritedNs[i]!, queues[i] ? spans[i]! : 0))
  // A release that another flow causes counts from when it comes, also if it is early and the rate test holds it back.
  const lateNs = (i: number) =>
    flows[i]!.jitterNs + inheritedNs[i]! + sentNs[i]! - arrivalToleranceNs(system.scenario, i)
  const held = scarcity.none ? own.map((ownNs, i) => Math.max(ownNs, lateNs(i))) : own
  const isHeld = held.some((heldNs, i) => heldNs > own[i]!)
  const finite = jitter.every((jitterNs) => jitterNs < LIMIT_NS)
  // The theorems are about messages that wait for the DMA and nothing else. Pinned bounds are theirs, whatever the machine waits for.
  const staged = finite && (pinned || scarcity.none)
  const set = flowSetOf(system, software, finite ? jitter : flows.map(() => 0))
  const models = new Map<Tightening, AnalysisModel>()
  const modelFor = (name: Tightening) => {
    const model = models.get(name) ?? modelOf(system, set, software, spans, TIGHTNESS[name])
    models.set(name, model)
    return model
  }
  const stages = new Map<Tightening, (flow: number) => ResponseTerms | null>()
  const stageFor = (name: Tightening) => {
    const stage = stages.get(name) ?? stageBoundsOf(modelFor(name), scheduler, ranks, held)
    stages.set(name, stage)
    return stage
  }
  const unheld = isHeld && staged ? stageBoundsOf(modelFor('A4'), scheduler, ranks, own) : null
  const inWindow: WindowParts = {
    system,
    software,
    scarcity,
    lentBefore: parts.lentBefore,
    spans,
    loads,
    scheduler,
    ranks,
    softwareWithin: everything,
  }
  const bounds = new Map<SystemFlow, ResponseTerms | null>()
  const stageOf = (name: Tightening, flow: SystemFlow) => {
    if (flow.pages === 'moved') return scarcity.receivers[flow.destination] ? null : withoutDma(own[flow.index]!)
    if (!staged || queues[flow.index]!) return null
    if (name !== 'A4') return stageFor(name)(flow.index)
    const bound = bounds.get(flow)
    if (bound !== undefined) return bound
    const terms = stageFor(name)(flow.index)
    bounds.set(flow, terms)
    return terms
  }
  const besides = (early: ReturnType<typeof earlyOf>): Round => ({
    parts,
    set,
    beforeNs: before,
    afterNs: after,
    pagesNs: pages,
    stageOf,
    underWayOf(flow, stage) {
      const { index, pages } = flow
      // From the nominal release of its chain it is no later for being held back: that time is inherited.
      return stage === null || pages === 'moved' || unheld === null || held[index] === own[index]
        ? stage
        : unheld(index)
    },
    windowOf(name, flow) {
      if (pinned || !asWindow || flow.pages === 'moved') return null
      const { earlyNs, queuedNs } = early[flow.index]!
      const startNs = Math.max(flow.jitterNs, earlyNs)
      return oneWindow(inWindow, modelFor(name), flow, startNs, queuedNs, name === 'A4' ? starts : new Starts())
    },
    withDrain: (other) => besides(earlyOf(parts, other)),
  })
  return besides(early)
}

/** One round: how long messages are under way, given how long they were. */
function step(
  system: System,
  rounds: Rounds,
  drain: Drain,
  spans: readonly number[],
  settledNs: number,
  starts: Starts,
  known: Round | null,
): State {
  const { flows, lends, pinned } = system
  const round = roundOf(system, rounds, drain, spans, settledNs, starts, known)
  const { parts, afterNs } = round
  const { software, scarcity, loads, inheritedNs } = parts
  const stageOf = (name: Tightening) => flows.map((flow) => round.stageOf(name, flow))
  const windowsOf = (name: Tightening) => flows.map((flow) => round.windowOf(name, flow))
  const [stage, windows] = [stageOf('A4'), windowsOf('A4')]
  // Pinned overheads have the theorems alone, which are about the DMA.
  const waits = pinned && !scarcity.none
  return {
    set: round.set,
    software,
    loads,
    stage,
    stageOf,
    windows,
    windowsOf,
    drained: drain.readNs,
    drainedOf: (name) => drain.readNsOf(name),
    drainNs: drain.lengthNs,
    drainNeeds: drain.needed,
    drainShares: drain.shares,
    // From the release that the flow's first one would have had: inherited jitter is part of it.
    spans: flows.map((flow, i) => {
      const readNs = wholeNs(round.underWayOf(flow, stage[i]!), afterNs[i]!, windows[i]!, Number.POSITIVE_INFINITY)
      const spanNs = limited(inheritedNs[i]! + readNs + parts.trailNs)
      const ownNs = waits || runsOutOfCredit(system, flow, spanNs) ? Number.POSITIVE_INFINITY : spanNs
      return Math.min(ownNs, drain.spans[i] ?? Number.POSITIVE_INFINITY)
    }),
    settledNs: lends ? limited(round.pagesNs) : 0,
    beforeNs: round.beforeNs,
    afterNs,
    inheritedNs,
    known: true,
    settled: null,
  }
}

/** A credit update is under way no longer than a message; meanwhile as many messages as in its own time may follow. */
function runsOutOfCredit(system: System, flow: SystemFlow, spanNs: number): boolean {
  return !system.pinned && waitsForCredit(system, flow, 2 * (Math.floor(spanNs / flow.periodNs) + 1))
}

/** Overheads are pinned, and how long some message is under way is not known: the stages of all are those of the theorems. */
function stageAlone(system: System, { scheduler, ranks }: Rounds, spans: readonly number[]): State {
  const { flows } = system
  // Nothing that the machine does costs anything, so that it does not matter for how many messages.
  const parts = new Parts(
    system,
    flows.map(() => 0),
    0,
    new Starts(),
  )
  const waits = (flow: SystemFlow) => flow.after >= 0 && !(spans[flow.after]! < Number.POSITIVE_INFINITY)
  const own = flows.map((flow, i) => flow.jitterNs + parts.sentNs[i]!)
  const inherits = flows.some(waits)
  const set = flowSetOf(system, parts.software, own)
  const none = flows.map(() => null)
  const stageOf = (name: Tightening) =>
    inherits
      ? none
      : own.map((_, i) =>
          stageBoundsOf(modelOf(system, set, parts.software, parts.spans, TIGHTNESS[name]), scheduler, ranks, own)(i),
        )
  return {
    set,
    software: parts.software,
    loads: parts.loads,
    spans,
    settledNs: 0,
    stage: stageOf('A4'),
    stageOf,
    windows: none,
    windowsOf: () => none,
    drained: [],
    drainedOf: () => [],
    drainNs: Number.POSITIVE_INFINITY,
    drainNeeds: [],
    drainShares: null,
    beforeNs: parts.sentNs,
    afterNs: flows.map(() => Number.POSITIVE_INFINITY),
    inheritedNs: parts.inheritedNs,
    known: false,
    settled: null,
  }
}

/** From nominal release until read: the sum of the stages, one window, or the one that drains the machine; Infinity: no bound. */
export function wholeNs(
  terms: ResponseTerms | null,
  afterNs: number,
  window: WindowTerms | null,
  drainedNs = Number.POSITIVE_INFINITY,
): number {
  const stagesNs = terms === null ? Number.POSITIVE_INFINITY : terms.responseNs + afterNs
  return Math.min(stagesNs, window?.totalNs ?? Number.POSITIVE_INFINITY, drainedNs)
}

/** A message that is exchanged is through when the CPU is, which is in its jitter. */
function withoutDma(jitterNs: number): ResponseTerms {
  const nothing = { ownWorkNs: 0, interferenceNs: 0, blockingNs: 0, overheadNs: 0, supplyNs: 0, releaseNs: 0 }
  return { ...nothing, responseNs: jitterNs, jitterNs, instance: 1, instances: 1 }
}

function limited(timeNs: number): number {
  return timeNs < LIMIT_NS ? timeNs : Number.POSITIVE_INFINITY
}

/**
 * The whole way of a message as one window, from its release until it has been read (docs/prediction.md §3): a second bound
 * beside the sum of its stages. In the sum every stage sees all that can happen while a message is in it at its worst; here
 * what happens is charged once, whichever stage it meets.
 */
import { type AnalysisModel, finishOf } from '../analysis/index.ts'
import { CostOp } from '../platform/index.ts'
import { LIMIT_NS, leastFixedPoint } from './least-fixed-point.ts'
import type { CoreLoad } from './predict-cores.ts'
import { deafNs, deviceWorkWithin, driversWithin } from './predict-path.ts'
import type { SoftwareCosts } from './predict-software.ts'
import { MOST_UNDER_WAY, messagesWithin, type System, type SystemFlow, throttledWithin } from './predict-system.ts'

export interface WindowParts {
  readonly system: System
  readonly software: SoftwareCosts
  readonly spans: readonly number[]
  readonly loads: ReadonlyMap<number, CoreLoad>
  readonly scheduler: 'fp' | 'edf'
  readonly ranks: readonly number[]
  /** All software of the broker in any window. */
  readonly softwareWithin: (windowNs: number) => number
}

/** What adds up to the window. Times in ns. */
export interface WindowTerms {
  /** Latest that the message is released, or may compete if it is early, after its nominal release. */
  readonly startNs: number
  /** DMA time of the message and of those of its flow before it, of more urgent ones, and of what was committed before. */
  readonly ownWorkNs: number
  readonly interferenceNs: number
  readonly blockingNs: number
  /** The broker's, and the guests' on both ends, throttled time included. */
  readonly softwareNs: number
  readonly guestsNs: number
  /** Without budget. */
  readonly supplyNs: number
  /** Interrupts under way, held back, or polled for. */
  readonly signalNs: number
  readonly totalNs: number
}

/**
 * From nominal release until read; null: no bound. `model`: of the DMA, under one analysis. `startNs`: as in the terms; `jitterNs`: of
 * the message when it is queued.
 */
export function oneWindow(
  parts: WindowParts,
  model: AnalysisModel,
  flow: SystemFlow,
  startNs: number,
  jitterNs: number,
): WindowTerms | null {
  const { system, spans, scheduler, ranks } = parts
  const { design, flows, interrupts, worst } = system
  const i = flow.index
  const goesFirst = (other: SystemFlow) => scheduler === 'edf' || ranks[other.index]! <= ranks[i]!
  // Under EDF only what is released early enough is due by the message's deadline, which the broker counts from its arrival.
  const reachNs = (other: SystemFlow) =>
    scheduler === 'edf' ? jitterNs + flow.deadlineNs - other.deadlineNs : Number.POSITIVE_INFINITY
  const others = flows.filter((other) => other !== flow)
  const before = Math.min(MOST_UNDER_WAY, Math.floor(spans[i]! / flow.periodNs))
  const ownWorkNs = (1 + before) * model.workNs[i]!
  const blockingNs = Math.max(
    0,
    ...others
      .filter((other) => scheduler === 'edf' || !goesFirst(other))
      .map((other) => model.longestChunkNs[other.index]!),
  )
  const interferenceNs = (windowNs: number) => {
    let workNs = 0
    for (const other of others) {
      if (!goesFirst(other)) continue
      const releasedNs = Math.min(windowNs, reachNs(other))
      workNs += Math.max(0, messagesWithin(other, spans[other.index]!, releasedNs)) * model.workNs[other.index]!
    }
    return workNs
  }
  const copyingNs = (windowNs: number) => ownWorkNs + blockingNs + interferenceNs(windowNs)
  const otherNs = (windowNs: number) => parts.softwareWithin(windowNs) + guestsWithin(parts, flow, windowNs)
  const windowNs = leastFixedPoint((nowNs) => {
    const [workNs, elseNs] = [copyingNs(nowNs), otherNs(nowNs)]
    return workNs + elseNs > LIMIT_NS ? Number.POSITIVE_INFINITY : finishOf(model, workNs, elseNs)
  })
  if (windowNs === Number.POSITIVE_INFINITY || startNs === Number.POSITIVE_INFINITY) return null
  const heldNs = interrupts.coalesceCount > 1 ? interrupts.coalesceDelayNs + worst(CostOp.sgi) + deafNs(system) : 0
  // The kick of a dedicated broker, and the receiver's interrupt where another core than its own sees to it.
  const signalNs = (design === 'dedicated' ? 2 : 1) * worst(CostOp.sgi) + heldNs + interrupts.pollingNs
  return {
    startNs,
    ownWorkNs,
    interferenceNs: interferenceNs(windowNs),
    blockingNs,
    softwareNs: parts.softwareWithin(windowNs),
    guestsNs: guestsWithin(parts, flow, windowNs),
    supplyNs: windowNs - copyingNs(windowNs) - otherNs(windowNs),
    signalNs,
    totalNs: startNs + windowNs + signalNs,
  }
}

/** What the guests at both ends do first, and when they may not run; of a dedicated broker's machine, EL2 on their cores as well. */
function guestsWithin({ system, software, spans, loads }: WindowParts, flow: SystemFlow, windowNs: number): number {
  const { design, worst } = system
  const cores = new Set([flow.sourceCore, flow.destinationCore])
  let guestsNs = worst(CostOp.guestIsr)
  for (const core of cores) {
    guestsNs += throttledWithin(system, core, windowNs)
    if (design === 'dedicated') guestsNs += loads.get(core)!.within(windowNs)
    if (flow.pages === 'copied') guestsNs += driversWithin(system, software, core, windowNs, spans)
  }
  // Whichever core moves pages leaves them for its guests.
  return flow.pages === 'copied' ? guestsNs : guestsNs + deviceWorkWithin(system, software, windowNs, spans)
}

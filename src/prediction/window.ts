/**
 * The whole way of a message as one window, from its release until it has been read (docs/prediction.md §3): a second bound
 * beside the sum of its stages. In the sum every stage sees all that can happen while a message is in it at its worst; here
 * what happens is charged once, whichever stage it meets.
 */
import { type AnalysisModel, finishOf } from '../analysis/index.ts'
import { CostOp } from '../platform/index.ts'
import type { CoreLoad } from './cores.ts'
import { deafCores } from './dma.ts'
import { driversOf } from './drivers.ts'
import { LIMIT_NS, type Starts } from './least-fixed-point.ts'
import { postedBuffers, type Scarcity } from './obstacles.ts'
import { heldBackNs } from './path.ts'
import type { SoftwareCosts } from './software.ts'
import { knownSpan, messagesWithin, type System, type SystemFlow, throttledWithin } from './system.ts'

export interface WindowParts {
  readonly system: System
  readonly software: SoftwareCosts
  readonly scarcity: Scarcity
  /** By flow: messages that may have buffers of their sender when the next one is released. */
  readonly lentBefore: readonly number[]
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

/** IPIs for one message besides that of its receiver: its sender gets a buffer back, and kicks a dedicated broker. */
export const SIGNALS_A_MESSAGE = 3

/** Of one window at a time: period, span, reach and work of each flow that goes first. */
let scratch = new Float64Array(0)
/** Of the window that was looked at last, which is the one that is found: work that goes first, software, guests, waits. */
const looked = new Float64Array(4)

/**
 * From nominal release until read; null: no bound. `model`: of the DMA, under one analysis. `startNs`: as in the terms; `queuedNs`: the latest
 * that the message is queued.
 */
export function oneWindow(
  parts: WindowParts,
  model: AnalysisModel,
  flow: SystemFlow,
  startNs: number,
  queuedNs: number,
  starts: Starts,
): WindowTerms | null {
  const { system, scarcity, spans, scheduler, ranks } = parts
  const { flows, worst } = system
  const i = flow.index
  // While a message waits for receive buffers, any that are on their way to the same receiver may have them.
  const starves = scarcity.receivers[flow.destination]!
  const byDeadline = scheduler === 'edf'
  const earlier = Math.floor(spans[i]! / flow.periodNs)
  const laterNs = scarcity.senders[i] ? queuedNs : 0
  const ownWorkNs = (1 + earlier) * model.workNs[i]!
  let blockerNs = 0
  if (scratch.length < 4 * flows.length) scratch = new Float64Array(4 * flows.length)
  const first = scratch
  let end = 0
  for (const other of flows) {
    if (other === flow) continue
    const goesFirst = starves || byDeadline || ranks[other.index]! <= ranks[i]!
    if (byDeadline || !goesFirst) blockerNs = Math.max(blockerNs, model.longestChunkNs[other.index]!)
    if (!goesFirst) continue
    first[end] = other.periodNs
    first[end + 1] = knownSpan(other, spans[other.index]!)
    // Under EDF only what is released early enough is due by the message's deadline. The broker counts both from when the message may compete,
    // and what matters is copied later than that; or, while it waits for a buffer of its sender, since one before it may compete.
    first[end + 2] = byDeadline && !starves ? laterNs + flow.deadlineNs - other.deadlineNs : Number.POSITIVE_INFINITY
    first[end + 3] = model.workNs[other.index]!
    end += 4
  }
  // Where the message waits for a buffer of its sender, its flow's queue may be empty when it comes, as it may at those before; and none goes
  // to the DMA before its pages have been tried, which is when the one before it has been copied.
  const blockingNs = (scarcity.senders[i] || flow.pages === 'tried' ? 1 + earlier : 1) * blockerNs
  const interferenceNs = (windowNs: number) => {
    let workNs = 0
    for (let at = 0; at < end; at += 4) {
      const releasedNs = Math.min(windowNs, first[at + 2]!)
      workNs += Math.max(0, Math.floor((releasedNs + first[at + 1]!) / first[at]!) + 1) * first[at + 3]!
    }
    return workNs
  }
  // Who polls gives back late what was lent to it.
  const returnNs =
    SIGNALS_A_MESSAGE * worst(CostOp.sgi) + (system.lends && flow.movable > 0 ? system.interrupts.pollingNs : 0)
  const waitsNs = (windowNs: number) =>
    (starves ? refillWaitsNs(system, flow.destination, windowNs, spans) : 0) +
    (scarcity.senders[i] ? parts.lentBefore[i]! * returnNs : 0)
  const guestsWithin = guestsOf(parts, flow)
  const signalNs = toldNs(system)
  // Once it has been copied nothing goes first any more. A dedicated broker's kick is under way before.
  const copiedNs = (nowNs: number) => Math.max(0, nowNs - signalNs + kickNs(system))
  const windowNs = starts.solve('window', i, (nowNs) => {
    const otherWorkNs = interferenceNs(copiedNs(nowNs))
    const softwareNs = parts.softwareWithin(nowNs)
    const guestsNs = guestsWithin(nowNs)
    const waitedNs = waitsNs(nowNs)
    looked[0] = otherWorkNs
    looked[1] = softwareNs
    looked[2] = guestsNs
    looked[3] = waitedNs
    return signalNs + finishNs(model, ownWorkNs + blockingNs + otherWorkNs, softwareNs + guestsNs + waitedNs)
  })
  const otherWorkNs = looked[0]!
  const softwareNs = looked[1]!
  const guestsNs = looked[2]!
  const waitedNs = looked[3]!
  if (windowNs === Number.POSITIVE_INFINITY || startNs === Number.POSITIVE_INFINITY) return null
  return {
    startNs,
    ownWorkNs,
    interferenceNs: otherWorkNs,
    blockingNs,
    softwareNs,
    guestsNs,
    supplyNs: windowNs - signalNs - ownWorkNs - blockingNs - otherWorkNs - softwareNs - guestsNs - waitedNs,
    signalNs: signalNs + waitedNs,
    totalNs: startNs + windowNs,
  }
}

/** inv- as far as it is looked at: Infinity beyond any window that matters, also where that is no exact integer any more. */
export function finishNs(model: AnalysisModel, workNs: number, elseNs: number): number {
  // That is not above what it stands for.
  return suppliedNs(model, workNs, elseNs) > LIMIT_NS ? Number.POSITIVE_INFINITY : finishOf(model, workNs, elseNs)
}

/** The same in the long run: as if there were budget, or tokens, at an even rate. */
export function suppliedNs(
  { supply, delayedSupply, tightness }: AnalysisModel,
  workNs: number,
  elseNs: number,
): number {
  const bothNs = workNs + elseNs
  const plainNs = tightness.overheadUncharged ? workNs * supply.stretch + elseNs : bothNs * supply.stretch
  const delayedNs = delayedSupply === null ? Number.POSITIVE_INFINITY : bothNs * delayedSupply.stretch
  return Math.min(plainNs, delayedNs)
}

/** A receiver is told later than at once, or asks now and then. */
export function waitsToBeTold({ interrupts }: System): boolean {
  return interrupts.coalesceCount > 1 || interrupts.pollingNs > 0
}

/** Of a message's way, when nothing runs for it: IPIs under way, an interrupt that is held back, a polling period. */
export function toldNs(system: System): number {
  const { interrupts, worst } = system
  // And the receiver's interrupt where another core than its own sees to it.
  return kickNs(system) + worst(CostOp.sgi) + heldBackNs(system) + interrupts.pollingNs
}

/** Until a dedicated broker notices what was sent: an IPI. */
function kickNs({ design, worst }: System): number {
  return design === 'dedicated' ? worst(CostOp.sgi) : 0
}

/**
 * Time in which all of a VM's receive buffers have been filled, and nothing runs to give them back: IPIs on their way to it and back, or
 * its polling period. Before each such wait but the first all of its buffers were filled anew. No interrupt is held back then.
 */
export function refillWaitsNs(system: System, vm: number, windowNs: number, spans: readonly number[]): number {
  let pieces = 0
  for (const flow of system.flows) {
    if (flow.destination === vm) pieces += messagesWithin(flow, spans[flow.index]!, windowNs) * (flow.pieces + 1)
  }
  const waits = 1 + Math.floor(pieces / postedBuffers(system, vm))
  return waits * (2 * system.worst(CostOp.sgi) + system.interrupts.pollingNs)
}

/** What the guests at both ends do first, and when they may not run; of a dedicated broker's machine, EL2 on their cores as well. */
function guestsOf({ system, software, scarcity, spans, loads }: WindowParts, flow: SystemFlow) {
  const { against, cores, design, flows, vmCores, worst } = system
  // A message of a guest that is not believed is under way for as long as the broker, and guests that are, have something to do for it.
  const believed = [flow.source, flow.destination].filter((vm) => !against?.vms.has(vm))
  const ends = [...new Set(believed.map((vm) => vmCores[vm]!))]
  const isrNs = believed.includes(flow.destination) ? worst(CostOp.guestIsr) : 0
  const copies =
    flow.pages === 'copied' && (!scarcity.receivers[flow.destination] || flows.every(({ pages }) => pages === 'copied'))
  // Whichever core moves pages leaves them for its guests.
  const drivers = (copies ? ends : cores).map((core) => driversOf(system, software, core, spans))
  return (windowNs: number): number => {
    let guestsNs = isrNs
    for (const core of ends) {
      if (!deafCores(system)) guestsNs += throttledWithin(system, core, windowNs)
      if (design === 'dedicated') guestsNs += loads.get(core)!.within(windowNs)
    }
    for (const driver of drivers) guestsNs += driver.timeWithin(windowNs)
    return guestsNs
  }
}

/**
 * Response times under earliest deadline first: the deadline busy periods of [Spuri 1996], with the start of the last
 * non-preemptive part as in [George Rivierre Spuri 1996], on the supply of this server (docs/analysis.md §6 has the proof).
 *
 * A message nominally released `a` after the start of a busy period in which nothing with a later deadline runs: only what has a
 * deadline by a + D_i goes first, and only what is queued before the last chunk is chosen.
 */
import { assert } from '../internal/assert.ts'
import { exact } from './exact.ts'
import type { ResponseTerms } from './fixed-priority.ts'
import type { FlowSet } from './flow.ts'
import { type AnalysisModel, finishOf, ReusableModel, startAfter } from './model.ts'
import { cappedStart, LONG_ITERATION } from './starting-point.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { converges, everyone } from './utilization.ts'

/**
 * Bounds of all flows, in their order; all null where demand outruns supply. A set that `earliestDeadlineSchedulable` accepts has
 * every bound within its deadline; the converse does not hold, the bounds may show more. Allocates.
 */
export function earliestDeadlineBounds(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): (ResponseTerms | null)[] {
  SCRATCH.load(set, tightness)
  const test = new DeadlineResponseTest(SCRATCH)
  return set.flows.map((_, flow) => test.bound(flow))
}

/** Words of a flow's costs. */
const WIDTH = 5

/** The bounds of one model. Holds scratch space. */
export class DeadlineResponseTest {
  readonly #model: AnalysisModel
  /** No busy period is longer; Infinity: there is no bound on them. */
  readonly #busyNs: number
  /** Of every flow, and then of every stall, side by side: T, J, Cd, Co, D. Stalls are in time without end, as if D were -Infinity. */
  readonly #costs: Float64Array
  /** Nothing has its first deadline later, so nothing blocks from there on. */
  #lastOffsetNs = 0
  /** The window that is looked at: its flow, until when a deadline goes first, and what is in it in any case. */
  #flow = 0
  #latestNs = 0
  #workNs = 0
  #softwareNs = 0
  #blockingNs = 0
  #blockingOverheadNs = 0

  constructor(model: AnalysisModel) {
    this.#model = model
    const { count, total, periodNs, jitterNs, workNs, overheadNs, deadlineNs } = model
    this.#costs = new Float64Array(WIDTH * total)
    for (let j = 0, at = 0; j < total; j++, at += WIDTH) {
      this.#costs[at] = periodNs[j]!
      this.#costs[at + 1] = jitterNs[j]!
      this.#costs[at + 2] = workNs[j]!
      this.#costs[at + 3] = overheadNs[j]!
      this.#costs[at + 4] = j < count ? deadlineNs[j]! : Number.NEGATIVE_INFINITY
      if (j < count) this.#lastOffsetNs = Math.max(this.#lastOffsetNs, deadlineNs[j]! - jitterNs[j]!)
    }
    this.#busyNs = this.#longestBusyPeriod()
  }

  /**
   * R_i = max over a >= -J_i of s(a) + h + c(l_i) - a. s never falls when a grows: where a flow stops blocking, a whole message of
   * its own joins the demand. So behind a known R* only releases a' < s(a) + h + c(l_i) - R* can be worse, and the search goes
   * down from the longest busy period in such steps [the idea of Zhang Burns 2009, for responses]. Between two releases at which
   * s jumps the response only falls, so those are all that is looked at. Where F(u) <= u for the start u that would be no worse
   * than R*, F being the right side of the equation, s is at most F(u), and that is all one needs to know of it.
   *
   * `ownJitterNs`: the part of the jitter that the response counts. A message of a chain counts from a release that itself is
   * late by the rest: that is not before a, nor earlier than this part before the window, and s never falls with a.
   */
  bound(flow: number, ownJitterNs = this.#model.jitterNs[flow]!): ResponseTerms | null {
    if (this.#busyNs === Number.POSITIVE_INFINITY) return null
    const earliestNs = 0 - ownJitterNs
    const tailNs = this.#tailWorkNs(flow) + this.#tailSoftwareNs()
    this.#open(flow, earliestNs)
    const firstStartNs = this.#startOfLast(0)
    let worstNs = firstStartNs + tailNs - earliestNs
    let worstReleaseNs = earliestNs
    let releaseNs = this.#lastReleaseBefore(flow, this.#busyNs, earliestNs)
    while (releaseNs > earliestNs) {
      this.#open(flow, releaseNs)
      const noWorseNs = releaseNs + worstNs - tailNs
      let startNs = this.#next(noWorseNs)
      if (startNs > noWorseNs) {
        startNs = this.#startOfLast(firstStartNs)
        if (startNs > noWorseNs) {
          worstNs = startNs + tailNs - releaseNs
          worstReleaseNs = releaseNs
        }
      }
      releaseNs = this.#lastReleaseBefore(flow, Math.min(releaseNs, startNs + tailNs - worstNs), earliestNs)
    }
    return this.#terms(flow, worstReleaseNs, worstNs, ownJitterNs)
  }

  /**
   * The window of a message released at `releaseNs`: Bd + q·Cd_i - c(l_i) and Bo + q·Co_i - h with q = floor((a+J_i)/T_i) + 1, or all of
   * q·Cd_i and q·Co_i without the switch; and until when a deadline goes first, a + D_i.
   */
  #open(flow: number, releaseNs: number): void {
    const model = this.#model
    this.#flow = flow
    this.#latestNs = releaseNs + model.deadlineNs[flow]!
    this.#block(this.#latestNs)
    const instance = this.#instance(flow, releaseNs)
    this.#workNs = this.#blockingNs + instance * model.workNs[flow]! - this.#tailWorkNs(flow)
    this.#softwareNs = this.#blockingOverheadNs + instance * model.overheadNs[flow]! - this.#tailSoftwareNs()
  }

  /**
   * Least s with s = inv(Wd + sum N_j·Cd_j, Wo + sum N_j·Co_j), N_j the messages of j queued within [0, s] that are in time. Without
   * the switch: least t with inv-, messages queued within [0, t). `atLeastNs` is known not to be above it.
   */
  #startOfLast(atLeastNs: number): number {
    let startNs = atLeastNs
    for (let round = 1; ; round++) {
      const nextNs = this.#next(startNs)
      if (nextNs <= startNs) return startNs
      startNs = nextNs
      if (round === LONG_ITERATION) {
        startNs = Math.max(startNs, cappedStart(this.#model, this.#workNs, this.#softwareNs, this.#caps()))
      }
    }
  }

  /** How many messages of each flow are in time. */
  #caps(): Float64Array {
    const { total, periodNs, jitterNs } = this.#model
    const caps = new Float64Array(total)
    for (let j = 0; j < total; j++) {
      const spanNs = this.#latestNs - this.#costs[WIDTH * j + 4]! + jitterNs[j]!
      caps[j] = j === this.#flow || spanNs < 0 ? 0 : Math.floor(spanNs / periodNs[j]!) + 1
    }
    return caps
  }

  /** F(s): the right side of the equation. */
  #next(startNs: number): number {
    const model = this.#model
    const costs = this.#costs
    const own = WIDTH * this.#flow
    const latestNs = this.#latestNs
    const queuedNs = startNs - model.openIntervalNs
    let workNs = this.#workNs
    let softwareNs = this.#softwareNs
    for (let j = 0; j < costs.length; j += WIDTH) {
      const inTimeNs = latestNs - costs[j + 4]!
      const spanNs = (queuedNs < inTimeNs ? queuedNs : inTimeNs) + costs[j + 1]!
      if (j === own || spanNs < 0) continue
      const messages = Math.floor(spanNs / costs[j]!) + 1
      workNs += messages * costs[j + 2]!
      softwareNs += messages * costs[j + 3]!
    }
    return model.tightness.nonPreemptiveLastChunk
      ? startAfter(model, workNs, softwareNs)
      : finishOf(model, workNs, softwareNs)
  }

  /** What can be ahead of a window: the longest chunk of a flow that can have a later deadline, or all that may be committed. */
  #block(deadlineNs: number): void {
    const model = this.#model
    let blockingNs = model.committedNs
    let blocked = blockingNs > 0
    if (!blocked && deadlineNs < this.#lastOffsetNs) {
      for (let j = 0; j < model.count; j++) {
        if (model.deadlineNs[j]! - model.jitterNs[j]! <= deadlineNs) continue
        blockingNs = Math.max(blockingNs, model.longestChunkNs[j]!)
        blocked = true
      }
    }
    this.#blockingNs = blockingNs
    this.#blockingOverheadNs = blocked ? model.blockingOverheadNs : 0
  }

  /** Least t > 0 with t = inv(Bd + sum eta_j(t)·Cd_j, Bo + sum eta_j(t)·Co_j) over all flows. */
  #longestBusyPeriod(): number {
    const model = this.#model
    const { count, total, periodNs, deadlineNs, jitterNs, workNs, overheadNs } = model
    let firstNs = Number.POSITIVE_INFINITY
    for (let j = 0; j < count; j++) firstNs = Math.min(firstNs, deadlineNs[j]! - jitterNs[j]!)
    this.#block(firstNs)
    if (!converges(model, everyone(model), total, this.#blockingNs + this.#blockingOverheadNs)) {
      return Number.POSITIVE_INFINITY
    }
    const uncapped = new Float64Array(total).fill(Number.POSITIVE_INFINITY)
    let lengthNs = Math.max(1, cappedStart(model, this.#blockingNs, this.#blockingOverheadNs, uncapped))
    for (;;) {
      let demandNs = this.#blockingNs
      let softwareNs = this.#blockingOverheadNs
      for (let j = 0; j < total; j++) {
        const messages = Math.floor((lengthNs - 1 + jitterNs[j]!) / periodNs[j]!) + 1
        demandNs += messages * workNs[j]!
        softwareNs += messages * overheadNs[j]!
      }
      const nextNs = model.tightness.nonPreemptiveLastChunk
        ? startAfter(model, demandNs, softwareNs)
        : finishOf(model, demandNs, softwareNs)
      if (nextNs <= lengthNs) return lengthNs
      lengthNs = nextNs
    }
  }

  /** The last release before `timeNs` at which the flow's own count jumps, or its deadline meets one of another flow. */
  #lastReleaseBefore(flow: number, timeNs: number, earliestNs: number): number {
    const { count, periodNs, deadlineNs, jitterNs, windowsAtEveryDeadline } = this.#model
    const ownDeadlineNs = deadlineNs[flow]!
    let lastNs = Number.NEGATIVE_INFINITY
    for (let j = 0; j < count; j++) {
      if (j !== flow && !windowsAtEveryDeadline) continue
      const firstNs = deadlineNs[j]! - jitterNs[j]! - ownDeadlineNs
      if (firstNs >= timeNs) continue
      const releaseNs = firstNs + Math.floor((timeNs - 1 - firstNs) / periodNs[j]!) * periodNs[j]!
      if (releaseNs > lastNs) lastNs = releaseNs
    }
    return lastNs < earliestNs ? Number.NEGATIVE_INFINITY : lastNs
  }

  #instance(flow: number, releaseNs: number): number {
    const model = this.#model
    const before = Math.floor((releaseNs + model.jitterNs[flow]!) / model.periodNs[flow]!)
    return Math.min(model.instanceLimit, before + 1)
  }

  #tailWorkNs(flow: number): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.lastChunkNs[flow]! : 0
  }

  #tailSoftwareNs(): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.chunkOverheadNs : 0
  }

  #terms(flow: number, releaseNs: number, responseNs: number, ownJitterNs: number): ResponseTerms {
    const model = this.#model
    this.#open(flow, releaseNs)
    const queuedNs = this.#startOfLast(0) - model.openIntervalNs
    const costs = this.#costs
    const instance = this.#instance(flow, releaseNs)
    let interferenceNs = 0
    let overheadNs = instance * model.overheadNs[flow]! + this.#blockingOverheadNs
    for (let j = 0; j < costs.length; j += WIDTH) {
      const spanNs = Math.min(queuedNs, this.#latestNs - costs[j + 4]!) + costs[j + 1]!
      if (j === WIDTH * flow || spanNs < 0) continue
      const messages = Math.floor(spanNs / costs[j]!) + 1
      interferenceNs += messages * costs[j + 2]!
      overheadNs += messages * costs[j + 3]!
    }
    const ownWorkNs = instance * model.workNs[flow]!
    const supplyNs = exact(responseNs + releaseNs) - ownWorkNs - interferenceNs - this.#blockingNs - overheadNs
    assert(supplyNs >= 0, 'terms exceed their sum')
    return {
      responseNs,
      ownWorkNs,
      interferenceNs,
      blockingNs: this.#blockingNs,
      overheadNs,
      supplyNs,
      jitterNs: ownJitterNs,
      releaseNs: releaseNs + ownJitterNs,
      instance,
      instances: Math.ceil((this.#busyNs + model.jitterNs[flow]!) / model.periodNs[flow]!),
    }
  }
}

const SCRATCH = new ReusableModel()

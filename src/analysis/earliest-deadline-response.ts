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
import { type AnalysisModel, deriveModel, finishOf, startAfter } from './model.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { converges } from './utilization.ts'

/**
 * Bounds of all flows, in their order; all null where demand outruns supply. A set that `earliestDeadlineSchedulable` accepts has
 * every bound within its deadline; the converse does not hold, the bounds may show more. Allocates.
 */
export function earliestDeadlineBounds(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): (ResponseTerms | null)[] {
  const test = new DeadlineResponseTest(deriveModel(set, tightness))
  return set.flows.map((_, flow) => test.bound(flow))
}

/** The bounds of one model. Holds scratch space. */
export class DeadlineResponseTest {
  readonly #model: AnalysisModel
  /** No busy period is longer; Infinity: there is no bound on them. */
  readonly #busyNs: number
  #workNs = 0
  #softwareNs = 0
  #blockingNs = 0
  #blockingOverheadNs = 0

  constructor(model: AnalysisModel) {
    this.#model = model
    this.#busyNs = this.#longestBusyPeriod()
  }

  /**
   * R_i = max over a >= -J_i of s(a) + h + c(l_i) - a. s never falls when a grows: where a flow stops blocking, a whole message of
   * its own joins the demand. So behind a known R* only releases a' < s(a) + h + c(l_i) - R* can be worse, and the search goes
   * down from the longest busy period in such steps [the idea of Zhang Burns 2009, for responses]. Between two releases at which
   * s jumps the response only falls, so those are all that is looked at.
   *
   * `ownJitterNs`: the part of the jitter that the response counts. A message of a chain counts from a release that itself is
   * late by the rest: that is not before a, nor earlier than this part before the window, and s never falls with a.
   */
  bound(flow: number, ownJitterNs = this.#model.jitterNs[flow]!): ResponseTerms | null {
    if (this.#busyNs === Number.POSITIVE_INFINITY) return null
    const earliestNs = 0 - ownJitterNs
    const tailNs = this.#tailWorkNs(flow) + this.#tailSoftwareNs()
    const firstStartNs = this.#startOfLast(flow, earliestNs, 0)
    let worstNs = firstStartNs + tailNs - earliestNs
    let worstReleaseNs = earliestNs
    let releaseNs = this.#lastReleaseBefore(flow, this.#busyNs, earliestNs)
    while (releaseNs > earliestNs) {
      const finishNs = this.#startOfLast(flow, releaseNs, firstStartNs) + tailNs
      if (finishNs - releaseNs > worstNs) {
        worstNs = finishNs - releaseNs
        worstReleaseNs = releaseNs
      }
      releaseNs = this.#lastReleaseBefore(flow, Math.min(releaseNs, finishNs - worstNs), earliestNs)
    }
    return this.#terms(flow, worstReleaseNs, worstNs, ownJitterNs)
  }

  /**
   * Least s with s = inv(Bd + q·Cd_i - c(l_i) + sum N_j·Cd_j, Bo + q·Co_i - h + sum N_j·Co_j), q = floor((a+J_i)/T_i) + 1 and N_j the
   * messages of j queued within [0, s] with a deadline by a + D_i. Without the switch: least t with inv- and the whole of q·Cd_i,
   * messages queued within [0, t). `atLeastNs` is known not to be above it.
   */
  #startOfLast(flow: number, releaseNs: number, atLeastNs: number): number {
    const model = this.#model
    const deadlineNs = releaseNs + model.deadlineNs[flow]!
    const instance = this.#instance(flow, releaseNs)
    this.#block(deadlineNs)
    const invert = model.tightness.nonPreemptiveLastChunk ? startAfter : finishOf
    const workNs = this.#blockingNs + instance * model.workNs[flow]! - this.#tailWorkNs(flow)
    const softwareNs = this.#blockingOverheadNs + instance * model.overheadNs[flow]! - this.#tailSoftwareNs()
    let startNs = atLeastNs
    for (;;) {
      this.#workNs = workNs
      this.#softwareNs = softwareNs
      this.#addUrgent(flow, startNs - model.openIntervalNs, deadlineNs)
      const nextNs = invert(model, this.#workNs, this.#softwareNs)
      if (nextNs <= startNs) return startNs
      startNs = nextNs
    }
  }

  /** What can be ahead of a window: the longest chunk of a flow that can have a later deadline, or all that may be committed. */
  #block(deadlineNs: number): void {
    const model = this.#model
    let blockingNs = model.committedNs
    let blocked = blockingNs > 0
    if (!blocked) {
      for (let j = 0; j < model.count; j++) {
        if (model.deadlineNs[j]! - model.jitterNs[j]! <= deadlineNs) continue
        blockingNs = Math.max(blockingNs, model.longestChunkNs[j]!)
        blocked = true
      }
    }
    this.#blockingNs = blockingNs
    this.#blockingOverheadNs = blocked ? model.blockingOverheadNs : 0
  }

  /** Messages of the other flows queued by `queuedNs` with a deadline by `deadlineNs`. */
  #addUrgent(flow: number, queuedNs: number, deadlineNs: number): void {
    const model = this.#model
    for (let j = 0; j < model.count; j++) {
      const spanNs = Math.min(queuedNs, deadlineNs - model.deadlineNs[j]!) + model.jitterNs[j]!
      if (j === flow || spanNs < 0) continue
      const messages = Math.floor(spanNs / model.periodNs[j]!) + 1
      this.#workNs += messages * model.workNs[j]!
      this.#softwareNs += messages * model.overheadNs[j]!
    }
    for (let stall = model.count; stall < model.total; stall++) {
      const stalls = Math.floor((queuedNs + model.jitterNs[stall]!) / model.periodNs[stall]!) + 1
      this.#softwareNs += stalls * model.overheadNs[stall]!
    }
  }

  /** Least t > 0 with t = inv(Bd + sum eta_j(t)·Cd_j, Bo + sum eta_j(t)·Co_j) over all flows. */
  #longestBusyPeriod(): number {
    const model = this.#model
    let firstNs = Number.POSITIVE_INFINITY
    for (let j = 0; j < model.count; j++) firstNs = Math.min(firstNs, model.deadlineNs[j]! - model.jitterNs[j]!)
    this.#block(firstNs)
    const all = Int32Array.from({ length: model.total }, (_, j) => j)
    if (!converges(model, all, model.total, this.#blockingNs + this.#blockingOverheadNs)) {
      return Number.POSITIVE_INFINITY
    }
    const invert = model.tightness.nonPreemptiveLastChunk ? startAfter : finishOf
    let lengthNs = 1
    for (;;) {
      this.#workNs = this.#blockingNs
      this.#softwareNs = this.#blockingOverheadNs
      this.#addUrgent(-1, lengthNs - 1, Number.POSITIVE_INFINITY)
      const nextNs = invert(model, this.#workNs, this.#softwareNs)
      if (nextNs <= lengthNs) return lengthNs
      lengthNs = nextNs
    }
  }

  /** The last release before `timeNs` at which the flow's own count jumps, or its deadline meets one of another flow. */
  #lastReleaseBefore(flow: number, timeNs: number, earliestNs: number): number {
    const model = this.#model
    let lastNs = Number.NEGATIVE_INFINITY
    for (let j = 0; j < model.count; j++) {
      if (j !== flow && !model.windowsAtEveryDeadline) continue
      const firstNs = model.deadlineNs[j]! - model.jitterNs[j]! - model.deadlineNs[flow]!
      if (firstNs >= timeNs) continue
      const periodNs = model.periodNs[j]!
      lastNs = Math.max(lastNs, firstNs + Math.floor((timeNs - 1 - firstNs) / periodNs) * periodNs)
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
    const startNs = this.#startOfLast(flow, releaseNs, 0)
    this.#workNs = 0
    this.#softwareNs = 0
    this.#addUrgent(flow, startNs - model.openIntervalNs, releaseNs + model.deadlineNs[flow]!)
    const instance = this.#instance(flow, releaseNs)
    const ownWorkNs = instance * model.workNs[flow]!
    const overheadNs = this.#softwareNs + instance * model.overheadNs[flow]! + this.#blockingOverheadNs
    const supplyNs = exact(responseNs + releaseNs) - ownWorkNs - this.#workNs - this.#blockingNs - overheadNs
    assert(supplyNs >= 0, 'terms exceed their sum')
    return {
      responseNs,
      ownWorkNs,
      interferenceNs: this.#workNs,
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

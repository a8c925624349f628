/**
 * Response times under earliest deadline first: the deadline busy periods of [Spuri 1996], with the start of the last
 * non-preemptive part as in [George Rivierre Spuri 1996], on the supply of this server (docs/analysis.md §6 has the proof).
 *
 * A message nominally released `a` after the start of a busy period in which nothing with a later deadline runs: only what has a
 * deadline by a + D_i goes first, and only what is queued before the last chunk is chosen.
 */
import { exactLoad } from './exact-load.ts'
import type { FlowSet } from './flow.ts'
import { Inversion } from './inversion.ts'
import { type AnalysisModel, ReusableModel, recordsOf } from './model.ts'
import { type ResponseTerms, responseTerms } from './response-terms.ts'
import { cappedStart, LONG_ITERATION } from './starting-point.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { everyone, outpaces } from './utilization.ts'

/**
 * Bounds of all flows, in their order; all null where demand outruns supply. A set that `earliestDeadlineSchedulable` accepts has
 * every bound within its deadline; the converse does not hold, the bounds may show more. Allocates.
 */
export function earliestDeadlineBounds(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): (ResponseTerms | null)[] {
  SCRATCH.load(set, tightness)
  const test = new DeadlineResponseTest(SCRATCH)
  return set.flows.map((_, flow) => test.bound(flow))
}

/** The bounds of one model (docs/analysis.md §6, Theorems 8 and 9). Holds scratch space. */
export class DeadlineResponseTest {
  readonly #model: AnalysisModel
  /** T, J, Cd, Co, D, longest chunk, last chunk, 1/T of every flow, and then of every stall. */
  readonly #records: Float64Array
  readonly #inversion = new Inversion()
  /** No release later than that after the start of a busy period has to be looked at; Infinity: there is no bound on them. */
  readonly #busyNs: number
  /** Nothing has its first deadline later, so nothing blocks from there on. */
  #lastOffsetNs = 0
  /** Of the others with a message in time in the window: T, J, Cd, Co, and how many more messages; how many words that are. */
  readonly #window: Float64Array
  #windowEnd = 0
  /** What is given, without those: Wd, Wo; with one message of each; and of these what is ahead of the window. */
  #givenNs = 0
  #givenSoftwareNs = 0
  #workNs = 0
  #softwareNs = 0
  #blockingNs = 0
  #blockingOverheadNs = 0
  /** The time that an equation is asked at, and which it answers with. */
  readonly #time = new Float64Array(1)

  constructor(given: AnalysisModel) {
    const records = recordsOf(given)
    const ends = outpaces(given, records, everyone(given.total), given.total)
    const exact =
      ends || !hasWork(given, records) ? null : exactLoad(given, records, everyone(given.total), given.total)
    const model = exact === null ? given : exact.model
    this.#model = model
    this.#records = records
    this.#window = new Float64Array(5 * model.total)
    this.#inversion.load(model, model.tightness.nonPreemptiveLastChunk)
    for (let j = 0; j < 8 * model.count; j += 8) {
      this.#lastOffsetNs = Math.max(this.#lastOffsetNs, records[j + 4]! - records[j + 1]!)
    }
    if (ends) this.#busyNs = this.#longestBusyPeriod()
    else this.#busyNs = exact === null ? Number.POSITIVE_INFINITY : exact.cycleNs
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
  bound(flow: number, mostJitterNs = Number.POSITIVE_INFINITY): ResponseTerms | null {
    if (this.#busyNs === Number.POSITIVE_INFINITY) return null
    const ownJitterNs = Math.min(mostJitterNs, this.#records[8 * flow + 1]!)
    const time = this.#time
    const earliestNs = 0 - ownJitterNs
    const tailNs = this.#tailWorkNs(flow) + this.#tailSoftwareNs()
    this.#open(flow, earliestNs)
    time[0] = 0
    this.#settle()
    const firstStartNs = time[0]!
    let worstNs = firstStartNs + tailNs - earliestNs
    let worstReleaseNs = earliestNs
    time[0] = this.#busyNs
    while (this.#toReleaseBefore(flow) && time[0]! > earliestNs) {
      const releaseNs = time[0]!
      this.#open(flow, releaseNs)
      const noWorseNs = releaseNs + worstNs - tailNs
      time[0] = noWorseNs
      this.#next()
      if (time[0]! > noWorseNs) {
        time[0] = firstStartNs
        this.#settle()
        if (time[0]! > noWorseNs) {
          worstNs = time[0]! + tailNs - releaseNs
          worstReleaseNs = releaseNs
        }
      }
      time[0] = Math.min(releaseNs, time[0]! + tailNs - worstNs)
    }
    return this.#terms(flow, worstReleaseNs, worstNs, ownJitterNs)
  }

  /**
   * The window of a message released at `releaseNs`: Bd + q·Cd_i - c(l_i) and Bo + q·Co_i - h with q = floor((a+J_i)/T_i) + 1, or all of
   * q·Cd_i and q·Co_i without the switch; and until when a deadline goes first, a + D_i.
   */
  #open(flow: number, releaseNs: number): void {
    const model = this.#model
    const records = this.#records
    const window = this.#window
    const own = 8 * flow
    const end = 8 * model.count
    const latestNs = releaseNs + records[own + 4]!
    this.#block(latestNs)
    const instance = this.#instance(flow, releaseNs)
    let to = 0
    let workNs = 0
    let softwareNs = 0
    for (let j = 0; j < 8 * model.total; j += 8) {
      if (j === own) continue
      let most = Number.POSITIVE_INFINITY
      if (j < end) {
        const spanNs = latestNs - records[j + 4]! + records[j + 1]!
        if (spanNs < 0) continue
        most = Math.floor(spanNs / records[j]!)
      }
      workNs += records[j + 2]!
      softwareNs += records[j + 3]!
      window[to] = records[j]!
      window[to + 1] = records[j + 1]!
      window[to + 2] = records[j + 2]!
      window[to + 3] = records[j + 3]!
      window[to + 4] = most
      to += 5
    }
    this.#windowEnd = to
    this.#givenNs = this.#blockingNs + instance * records[own + 2]! - this.#tailWorkNs(flow)
    this.#givenSoftwareNs = this.#blockingOverheadNs + instance * records[own + 3]! - this.#tailSoftwareNs()
    this.#workNs = this.#givenNs + workNs
    this.#softwareNs = this.#givenSoftwareNs + softwareNs
  }

  /**
   * To the least s with s = inv(Wd + sum N_j·Cd_j, Wo + sum N_j·Co_j), N_j the messages of j queued within [0, s] that are in time. Without
   * the switch: least t with inv-, messages queued within [0, t). The time set is known not to be above it.
   */
  #settle(): void {
    const time = this.#time
    for (let round = 1; ; round++) {
      const startNs = time[0]!
      this.#next()
      if (time[0]! <= startNs) {
        time[0] = startNs
        return
      }
      if (round === LONG_ITERATION) time[0] = Math.max(time[0]!, this.#surelyNs())
    }
  }

  /** Not above the least solution. */
  #surelyNs(): number {
    return cappedStart(this.#model, this.#givenNs, this.#givenSoftwareNs, this.#window, this.#windowEnd)
  }

  /** From s to F(s), the right side of the equation. */
  #next(): void {
    const time = this.#time
    const window = this.#window
    const end = this.#windowEnd
    const queuedNs = time[0]! - this.#model.openIntervalNs
    let workNs = 0
    let softwareNs = 0
    for (let j = 0; j < end; j += 5) {
      const queued = Math.floor((queuedNs + window[j + 1]!) / window[j]!)
      const messages = queued < window[j + 4]! ? queued : window[j + 4]!
      workNs += messages * window[j + 2]!
      softwareNs += messages * window[j + 3]!
    }
    const { demand } = this.#inversion
    demand[0] = this.#workNs + workNs
    demand[1] = this.#softwareNs + softwareNs
    this.#inversion.solve()
    time[0] = demand[2]!
  }

  /** What can be ahead of a window: the longest chunk of a flow that can have a later deadline, or all that may be committed. */
  #block(deadlineNs: number): void {
    const model = this.#model
    const records = this.#records
    let blockingNs = model.committedNs
    let blocked = blockingNs > 0
    if (!blocked && deadlineNs < this.#lastOffsetNs) {
      for (let j = 0; j < 8 * model.count; j += 8) {
        if (records[j + 4]! - records[j + 1]! <= deadlineNs) continue
        if (records[j + 5]! > blockingNs) blockingNs = records[j + 5]!
        blocked = true
      }
    }
    this.#blockingNs = blockingNs
    this.#blockingOverheadNs = blocked ? model.blockingOverheadNs : 0
  }

  /** Least t > 0 with t = inv(Bd + sum eta_j(t)·Cd_j, Bo + sum eta_j(t)·Co_j) over all flows. */
  #longestBusyPeriod(): number {
    const model = this.#model
    const records = this.#records
    const window = this.#window
    const time = this.#time
    const { count, total } = model
    let firstNs = Number.POSITIVE_INFINITY
    for (let j = 0; j < 8 * count; j += 8) firstNs = Math.min(firstNs, records[j + 4]! - records[j + 1]!)
    this.#block(firstNs)
    this.#givenNs = this.#blockingNs
    this.#givenSoftwareNs = this.#blockingOverheadNs
    this.#workNs = this.#blockingNs
    this.#softwareNs = this.#blockingOverheadNs
    for (let j = 0; j < total; j++) {
      for (let word = 0; word < 4; word++) window[5 * j + word] = records[8 * j + word]!
      window[5 * j + 4] = Number.POSITIVE_INFINITY
      this.#workNs += records[8 * j + 2]!
      this.#softwareNs += records[8 * j + 3]!
    }
    this.#windowEnd = 5 * total
    let lengthNs = Math.max(1, this.#surelyNs())
    for (;;) {
      // Messages queued before the end of it, whatever counts at the start of a chunk.
      time[0] = lengthNs - 1 + model.openIntervalNs
      this.#next()
      if (time[0]! <= lengthNs) return lengthNs
      lengthNs = time[0]!
    }
  }

  /**
   * From a time to the last release before it at which the flow's own count jumps, or its deadline meets one of another flow. False:
   * there is none.
   */
  #toReleaseBefore(flow: number): boolean {
    const { count, windowsAtEveryDeadline } = this.#model
    const records = this.#records
    const time = this.#time
    const own = 8 * flow
    const beforeNs = time[0]!
    const ownDeadlineNs = records[own + 4]!
    let lastNs = Number.NEGATIVE_INFINITY
    for (let j = 0; j < 8 * count; j += 8) {
      if (j !== own && !windowsAtEveryDeadline) continue
      const firstNs = records[j + 4]! - records[j + 1]! - ownDeadlineNs
      if (firstNs >= beforeNs) continue
      const releaseNs = firstNs + Math.floor((beforeNs - 1 - firstNs) / records[j]!) * records[j]!
      lastNs = Math.max(lastNs, releaseNs)
    }
    time[0] = lastNs
    return lastNs > Number.NEGATIVE_INFINITY
  }

  #instance(flow: number, releaseNs: number): number {
    const records = this.#records
    const before = Math.floor((releaseNs + records[8 * flow + 1]!) / records[8 * flow]!)
    return Math.min(this.#model.instanceLimit, before + 1)
  }

  #tailWorkNs(flow: number): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#records[8 * flow + 6]! : 0
  }

  #tailSoftwareNs(): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.chunkOverheadNs : 0
  }

  #terms(flow: number, releaseNs: number, responseNs: number, ownJitterNs: number): ResponseTerms {
    const model = this.#model
    const records = this.#records
    const window = this.#window
    const own = 8 * flow
    this.#open(flow, releaseNs)
    this.#time[0] = 0
    this.#settle()
    const queuedNs = this.#time[0]! - model.openIntervalNs
    const instance = this.#instance(flow, releaseNs)
    let interferenceNs = 0
    let overheadNs = instance * records[own + 3]! + this.#blockingOverheadNs
    for (let j = 0; j < this.#windowEnd; j += 5) {
      const messages = Math.min(Math.floor((queuedNs + window[j + 1]!) / window[j]!), window[j + 4]!) + 1
      interferenceNs += messages * window[j + 2]!
      overheadNs += messages * window[j + 3]!
    }
    return responseTerms({
      responseNs,
      ownWorkNs: instance * records[own + 2]!,
      interferenceNs,
      blockingNs: this.#blockingNs,
      overheadNs,
      jitterNs: ownJitterNs,
      releaseNs: releaseNs + ownJitterNs,
      instance,
      instances: Math.ceil((this.#busyNs + records[own + 1]!) / records[own]!),
    })
  }
}

/** Stalls alone would never be caught up with, if they were all of the demand. */
function hasWork({ count }: AnalysisModel, records: Float64Array): boolean {
  for (let j = 0; j < 8 * count; j += 8) if (records[j + 2]! + records[j + 3]! > 0) return true
  return false
}

const SCRATCH = new ReusableModel()

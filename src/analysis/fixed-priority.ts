/**
 * Response times under fixed priority: non-preemptive chunks, preemptible messages, a periodic budget. After
 * [Davis Burns Bril Lukkien 2007] (busy period, every instance, start of the last non-preemptive part) on the supply of
 * [Shin Lee 2003]; docs/analysis.md has the proof for this machine.
 */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { exact } from './exact.ts'
import type { Flow, FlowSet } from './flow.ts'
import { type AnalysisModel, finishOf, ReusableModel, startAfter } from './model.ts'
import { LONG_ITERATION, linearStart } from './starting-point.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { CLEAR, converges } from './utilization.ts'

/** What a bound is made of; `responseNs` is the sum of the first six less `releaseNs`. */
export interface ResponseTerms {
  /** From nominal release to the end of the last chunk. */
  readonly responseNs: number
  /** DMA time of the flow's own messages, the analysed one and those of its busy period before it. */
  readonly ownWorkNs: number
  /** DMA time of messages that may go first. */
  readonly interferenceNs: number
  /** DMA time of chunks that were started, or committed, before. */
  readonly blockingNs: number
  /** Software around all of those chunks. */
  readonly overheadNs: number
  /** Waiting for budget: blackouts and inherited debt. */
  readonly supplyNs: number
  readonly jitterNs: number
  /** Nominal release of the worst message, counted from the first one of its busy period. */
  readonly releaseNs: number
  /** Which message of the busy period is the worst, from 1, and how many there are. */
  readonly instance: number
  readonly instances: number
}

/**
 * Bounds of all flows, in their order; null: no bound exists (demand outruns supply). `ranks[i]`: smaller is more urgent, equal
 * ones in any order; default: the flows' `priority`, or deadline-monotonic where none has one. Allocates.
 */
export function fixedPriorityBounds(
  set: FlowSet,
  tightness: Tightness = TIGHTNESS.A4,
  ranks: ArrayLike<number> = ranksOf(set.flows),
): (ResponseTerms | null)[] {
  SCRATCH.load(set, tightness)
  return SCRATCH_TEST.bounds(ranks)
}

/** Do all flows meet their deadlines? The same verdict as from the bounds, and it stops at the first miss. */
export function fixedPrioritySchedulable(
  set: FlowSet,
  tightness: Tightness = TIGHTNESS.A4,
  ranks?: ArrayLike<number>,
): boolean {
  SCRATCH.load(set, tightness)
  return SCRATCH_TEST.meetsDeadlines(ranks ?? (givesPriorities(set.flows) ? ranksOf(set.flows) : null))
}

/** The flows' own priorities, or deadline-monotonic ranks where no flow has one. Some with and some without is refused. */
export function ranksOf(flows: readonly Flow[]): number[] {
  if (!givesPriorities(flows)) return deadlineMonotonic(flows)
  return flows.map((flow) => flow.priority!)
}

function givesPriorities(flows: readonly Flow[]): boolean {
  let given = 0
  for (let i = 0; i < flows.length; i++) if (flows[i]!.priority !== undefined) given++
  if (given !== 0 && given !== flows.length) throw new VirtioError('BAD_FLOW', 'give every flow a priority, or none')
  return given !== 0
}

/** Ranks by deadline less jitter, ties by position: [Leung Whitehead 1982], with jitter [Zuhily Burns 2007]. A heuristic here. */
export function deadlineMonotonic(flows: readonly Flow[]): number[] {
  const latitudes = flows.map(latitudeNs)
  const ranks: number[] = []
  for (let i = 0; i < latitudes.length; i++) {
    const own = latitudes[i]!
    let rank = 0
    for (let j = 0; j < i; j++) if (latitudes[j]! <= own) rank++
    for (let j = i + 1; j < latitudes.length; j++) if (latitudes[j]! < own) rank++
    ranks.push(rank)
  }
  return ranks
}

function latitudeNs({ deadlineNs, jitterNs = 0 }: Flow): number {
  return deadlineNs - jitterNs
}

const FOREVER = Number.POSITIVE_INFINITY

/** Words of a flow in the order of urgency. */
const WIDTH = 6

/** The test of one model under any ranks. Reused: holds scratch space, `meetsDeadline` does not allocate. */
export class FixedPriorityTest {
  readonly #model: AnalysisModel
  /** By urgency, stalls first, side by side: T, J, Cd, Co; then, of all up to and with this one, the rates of Cd and Co. */
  #ordered = new Float64Array(0)
  /** Who that is; and the longest chunk of those behind, with 0 behind the last. */
  #order = new Int32Array(0)
  #longestBehindNs = new Float64Array(0)
  #latitudeNs = new Float64Array(0)
  /** Where the analysed flow stands, and where those end that may go first. */
  #at = 0
  #end = 0
  #blockingNs = 0
  #blockingOverheadNs = 0
  #worstInstance = 0
  #worstStartNs = 0
  #instances = 0

  constructor(model: AnalysisModel) {
    this.#model = model
  }

  /** Of all flows; the least urgent first, which is the one most likely to miss. Ranks null: deadline-monotonic. */
  meetsDeadlines(ranks: ArrayLike<number> | null): boolean {
    const { deadlineNs, jitterNs, count, total } = this.#model
    if (ranks === null) {
      if (this.#latitudeNs.length < count) this.#latitudeNs = new Float64Array(count)
      for (let flow = 0; flow < count; flow++) this.#latitudeNs[flow] = deadlineNs[flow]! - jitterNs[flow]!
    }
    this.#arrange(ranks ?? this.#latitudeNs)
    for (let at = total - 1; at >= total - count; at--) {
      // Flows with equal ranks count as going first for each other; with equal latitudes the first of them goes first.
      this.#select(at, ranks)
      if (!this.#meets(at, deadlineNs[this.#order[at]!]!)) return false
    }
    return true
  }

  /** Of all flows, in their order. */
  bounds(ranks: ArrayLike<number>): (ResponseTerms | null)[] {
    const { count, total } = this.#model
    this.#arrange(ranks)
    const bounds = new Array<ResponseTerms | null>(count).fill(null)
    for (let at = total - count; at < total; at++) {
      const flow = this.#order[at]!
      bounds[flow] = this.#boundAt(at, ranks, this.#model.jitterNs[flow]!)
    }
    return bounds
  }

  /**
   * `ownJitterNs`: the part of the jitter that the response counts. A message of a chain counts from a release that itself is late
   * by the rest: that is neither before its nominal release, nor earlier than this part before the window.
   */
  bound(flow: number, ranks: ArrayLike<number>, ownJitterNs = this.#model.jitterNs[flow]!): ResponseTerms | null {
    this.#arrange(ranks)
    return this.#boundAt(this.#placeOf(flow), ranks, ownJitterNs)
  }

  meetsDeadline(flow: number, ranks: ArrayLike<number>): boolean {
    this.#arrange(ranks)
    const at = this.#placeOf(flow)
    this.#select(at, ranks)
    return this.#meets(at, this.#model.deadlineNs[flow]!)
  }

  #boundAt(at: number, ranks: ArrayLike<number>, ownJitterNs: number): ResponseTerms | null {
    this.#select(at, ranks)
    const responseNs = this.#respond(at, ownJitterNs)
    return responseNs === Number.POSITIVE_INFINITY ? null : this.#terms(this.#order[at]!, responseNs, ownJitterNs)
  }

  #placeOf(flow: number): number {
    return this.#order.indexOf(flow)
  }

  /** R = max over the K messages of the busy period of (s_q + h + c(l) - (q-1)T + J). Infinity without a bound. */
  #respond(at: number, ownJitterNs: number): number {
    if (!this.#converges()) return Number.POSITIVE_INFINITY
    const model = this.#model
    const flow = this.#order[at]!
    const periodNs = model.periodNs[flow]!
    const jitterNs = model.jitterNs[flow]!
    const tailWorkNs = this.#tailWorkNs(flow)
    const tailSoftwareNs = this.#tailSoftwareNs()
    const tailNs = tailWorkNs + tailSoftwareNs
    let worstNs = 0
    let startNs = 0
    for (let q = 1; ; q++) {
      const workNs = this.#blockingNs + q * model.workNs[flow]!
      const softwareNs = this.#blockingOverheadNs + q * model.overheadNs[flow]!
      const releaseNs = exact((q - 1) * periodNs)
      startNs = this.#settle(workNs - tailWorkNs, softwareNs - tailSoftwareNs, startNs, model.openIntervalNs, FOREVER)
      const responseNs = exact(startNs + tailNs) + Math.min(ownJitterNs, jitterNs - releaseNs)
      if (responseNs > worstNs) {
        worstNs = responseNs
        this.#worstInstance = q
        this.#worstStartNs = startNs
      }
      this.#instances = q
      if (q === model.instanceLimit) return worstNs
      // Is message q the last one of the level-i busy period? Its length L is the least t > 0 with
      // t = inv(Bd + sum eta_j(t)·Cd_j, Bo + sum eta_j(t)·Co_j) over the flow and its hp, and has K = eta_i(L) messages. With the
      // flow's own count held at q the least t is below L while q < K, and L itself at q = K: K is the first q with
      // eta_i(t) <= q. That t is not before the last chunk of message q is finished; and it is enough to know whether the next
      // message comes first.
      const nextNs = exact(releaseNs + periodNs) - jitterNs
      if (this.#isWithin(workNs, softwareNs, Math.max(1, startNs + tailNs), 1, nextNs)) return worstNs
    }
  }

  /** R <= `limitNs`: the same, but for each message only whether it starts in time. */
  #meets(at: number, limitNs: number): boolean {
    if (!this.#converges()) return false
    const model = this.#model
    const flow = this.#order[at]!
    const periodNs = model.periodNs[flow]!
    const jitterNs = model.jitterNs[flow]!
    const tailWorkNs = this.#tailWorkNs(flow)
    const tailSoftwareNs = this.#tailSoftwareNs()
    const latestNs = limitNs - jitterNs - tailWorkNs - tailSoftwareNs
    for (let q = 1; ; q++) {
      const workNs = this.#blockingNs + q * model.workNs[flow]!
      const softwareNs = this.#blockingOverheadNs + q * model.overheadNs[flow]!
      const releaseNs = exact((q - 1) * periodNs)
      const lastNs = latestNs + releaseNs
      if (!this.#isWithin(workNs - tailWorkNs, softwareNs - tailSoftwareNs, 0, model.openIntervalNs, lastNs))
        return false
      if (q === model.instanceLimit) return true
      if (this.#isWithin(workNs, softwareNs, 1, 1, exact(releaseNs + periodNs) - jitterNs)) return true
    }
  }

  /** Brings the flows into the order of their ranks. */
  #arrange(ranks: ArrayLike<number>): void {
    const { count, total, periodNs, jitterNs, workNs, overheadNs, longestChunkNs } = this.#model
    if (this.#longestBehindNs.length <= total) {
      this.#ordered = new Float64Array(WIDTH * total)
      this.#order = new Int32Array(total)
      this.#longestBehindNs = new Float64Array(total + 1)
    }
    const order = this.#order
    const stalls = total - count
    for (let stall = 0; stall < stalls; stall++) order[stall] = count + stall
    for (let flow = 0; flow < count; flow++) {
      const rank = ranks[flow]!
      let at = stalls + flow
      for (; at > stalls && ranks[order[at - 1]!]! > rank; at--) order[at] = order[at - 1]!
      order[at] = flow
    }
    const ordered = this.#ordered
    let rate = 0
    let softwareRate = 0
    for (let at = 0, word = 0; at < total; at++, word += WIDTH) {
      const j = order[at]!
      rate += workNs[j]! / periodNs[j]!
      softwareRate += overheadNs[j]! / periodNs[j]!
      ordered[word] = periodNs[j]!
      ordered[word + 1] = jitterNs[j]!
      ordered[word + 2] = workNs[j]!
      ordered[word + 3] = overheadNs[j]!
      ordered[word + 4] = rate
      ordered[word + 5] = softwareRate
    }
    const behind = this.#longestBehindNs
    behind[total] = 0
    for (let at = total - 1; at >= stalls; at--) {
      const chunkNs = longestChunkNs[order[at]!]!
      behind[at] = chunkNs > behind[at + 1]! ? chunkNs : behind[at + 1]!
    }
  }

  /** hp and lp of a flow: whom to wait for, and what can be ahead of its window. */
  #select(at: number, ranks: ArrayLike<number> | null): void {
    const model = this.#model
    const order = this.#order
    let end = at + 1
    if (ranks !== null) while (end < model.total && ranks[order[end]!]! <= ranks[order[at]!]!) end++
    this.#at = at
    this.#end = end
    const committed = model.committedNs > 0
    this.#blockingNs = committed ? model.committedNs : this.#longestBehindNs[end]!
    this.#blockingOverheadNs = committed || end < model.total ? model.blockingOverheadNs : 0
  }

  /** Does a busy period of the flow's level end? Clear in nearly all cases; else decided exactly. */
  #converges(): boolean {
    const model = this.#model
    const { supply, delayedSupply, tightness } = model
    const last = WIDTH * (this.#end - 1)
    const rate = this.#ordered[last + 4]!
    const softwareRate = this.#ordered[last + 5]!
    let slack = 1 - rate * supply.stretch - softwareRate * (tightness.overheadUncharged ? 1 : supply.stretch)
    if (delayedSupply !== null) slack = Math.max(slack, 1 - (rate + softwareRate) * delayedSupply.stretch)
    if (Math.abs(slack) > CLEAR) return slack > 0
    return converges(model, this.#order, this.#end, this.#blockingNs + this.#blockingOverheadNs)
  }

  /**
   * Least s with s = inv(Wd + sum eta_j(s)·Cd_j, Wo + sum eta_j(s)·Co_j) over hp, where eta_j(s) = ceil((s+J_j)/T_j) with `openNs` 1, and
   * eta+_j(s) = floor((s+J_j)/T_j) + 1 with 0. `atLeastNs` is known not to be above it. Stops beyond `latestNs`, which then says no
   * more than that s is beyond, too.
   */
  #settle(workNs: number, softwareNs: number, atLeastNs: number, openNs: number, latestNs: number): number {
    let startNs = atLeastNs
    for (let round = 1; startNs <= latestNs; round++) {
      const nextNs = this.#next(workNs, softwareNs, startNs - openNs)
      if (nextNs <= startNs) return startNs
      startNs = round === LONG_ITERATION ? Math.max(nextNs, this.#surelyNs(workNs, softwareNs)) : nextNs
    }
    return startNs
  }

  /** Is that s no more than `latestNs`? Surely if the right side of the equation is, there; else by iteration. */
  #isWithin(workNs: number, softwareNs: number, atLeastNs: number, openNs: number, latestNs: number): boolean {
    if (latestNs < atLeastNs) return false
    if (this.#next(workNs, softwareNs, latestNs - openNs) <= latestNs) return true
    return this.#settle(workNs, softwareNs, atLeastNs, openNs, latestNs) <= latestNs
  }

  /** The right side: inv of what is given and of all that the more urgent ones have queued by `seenNs`. */
  #next(workNs: number, softwareNs: number, seenNs: number): number {
    const model = this.#model
    const ordered = this.#ordered
    const own = WIDTH * this.#at
    const end = WIDTH * this.#end
    let demandNs = workNs
    let overheadNs = softwareNs
    for (let j = 0; j < end; j += WIDTH) {
      if (j === own) continue
      const messages = Math.floor((seenNs + ordered[j + 1]!) / ordered[j]!) + 1
      demandNs += messages * ordered[j + 2]!
      overheadNs += messages * ordered[j + 3]!
    }
    return model.tightness.nonPreemptiveLastChunk
      ? startAfter(model, demandNs, overheadNs)
      : finishOf(model, demandNs, overheadNs)
  }

  /** Not above the least solution. */
  #surelyNs(workNs: number, softwareNs: number): number {
    const { periodNs, jitterNs, workNs: messageNs, overheadNs } = this.#model
    let [aheadNs, aheadSoftwareNs, rate, softwareRate] = [workNs, softwareNs, 0, 0]
    for (let at = 0; at < this.#end; at++) {
      const j = this.#order[at]!
      if (at === this.#at) continue
      rate += messageNs[j]! / periodNs[j]!
      softwareRate += overheadNs[j]! / periodNs[j]!
      aheadNs += (jitterNs[j]! * messageNs[j]!) / periodNs[j]!
      aheadSoftwareNs += (jitterNs[j]! * overheadNs[j]!) / periodNs[j]!
    }
    return linearStart(this.#model, aheadNs, aheadSoftwareNs, rate, softwareRate)
  }

  #tailWorkNs(flow: number): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.lastChunkNs[flow]! : 0
  }

  #tailSoftwareNs(): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.chunkOverheadNs : 0
  }

  #terms(flow: number, responseNs: number, ownJitterNs: number): ResponseTerms {
    const model = this.#model
    const ordered = this.#ordered
    const q = this.#worstInstance
    let interferenceNs = 0
    let overheadNs = q * model.overheadNs[flow]! + this.#blockingOverheadNs
    for (let j = 0; j < WIDTH * this.#end; j += WIDTH) {
      if (j === WIDTH * this.#at) continue
      const seenNs = this.#worstStartNs - model.openIntervalNs
      const messages = Math.floor((seenNs + ordered[j + 1]!) / ordered[j]!) + 1
      interferenceNs += messages * ordered[j + 2]!
      overheadNs += messages * ordered[j + 3]!
    }
    const ownWorkNs = q * model.workNs[flow]!
    const jitterNs = ownJitterNs
    const releaseNs = Math.max(0, (q - 1) * model.periodNs[flow]! - (model.jitterNs[flow]! - ownJitterNs))
    const supplyNs = responseNs + releaseNs - jitterNs - ownWorkNs - interferenceNs - this.#blockingNs - overheadNs
    assert(supplyNs >= 0, 'terms exceed their sum')
    return {
      responseNs,
      ownWorkNs,
      interferenceNs,
      blockingNs: this.#blockingNs,
      overheadNs,
      supplyNs,
      jitterNs,
      releaseNs,
      instance: q,
      instances: this.#instances,
    }
  }
}

/** Of one set after another, so that verdicts allocate nothing. */
const SCRATCH = new ReusableModel()
const SCRATCH_TEST = new FixedPriorityTest(SCRATCH)

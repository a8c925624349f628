/**
 * Response times under fixed priority: non-preemptive chunks, preemptible messages, a periodic budget. After
 * [Davis Burns Bril Lukkien 2007] (busy period, every instance, start of the last non-preemptive part) on the supply of
 * [Shin Lee 2003]; docs/analysis.md has the proof for this machine.
 */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { exact } from './exact.ts'
import type { Flow, FlowSet } from './flow.ts'
import { type AnalysisModel, deriveModel, finishOf, startAfter } from './model.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { converges } from './utilization.ts'

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
  const test = new FixedPriorityTest(deriveModel(set, tightness))
  return set.flows.map((_, flow) => test.bound(flow, ranks))
}

/** Do all flows meet their deadlines? The same verdict as from the bounds, and it stops at the first miss. */
export function fixedPrioritySchedulable(
  set: FlowSet,
  tightness: Tightness = TIGHTNESS.A4,
  ranks: ArrayLike<number> = ranksOf(set.flows),
): boolean {
  const test = new FixedPriorityTest(deriveModel(set, tightness))
  for (let flow = 0; flow < set.flows.length; flow++) if (!test.meetsDeadline(flow, ranks)) return false
  return true
}

/** The flows' own priorities, or deadline-monotonic ranks where no flow has one. Some with and some without is refused. */
export function ranksOf(flows: readonly Flow[]): number[] {
  const given = flows.filter((flow) => flow.priority !== undefined).length
  if (given === 0) return deadlineMonotonic(flows)
  if (given !== flows.length) throw new VirtioError('BAD_FLOW', 'give every flow a priority, or none')
  return flows.map((flow) => flow.priority!)
}

/** Ranks by deadline less jitter, ties by position: [Leung Whitehead 1982], with jitter [Zuhily Burns 2007]. A heuristic here. */
export function deadlineMonotonic(flows: readonly Flow[]): number[] {
  const slackNs = (i: number) => flows[i]!.deadlineNs - (flows[i]!.jitterNs ?? 0)
  const order = flows.map((_, i) => i).sort((a, b) => slackNs(a) - slackNs(b) || a - b)
  const ranks = new Array<number>(flows.length)
  order.forEach((flow, rank) => {
    ranks[flow] = rank
  })
  return ranks
}

/** The test of one model under any ranks. Reused: holds scratch space, `meetsDeadline` does not allocate. */
export class FixedPriorityTest {
  readonly #model: AnalysisModel
  /** The analysed flow, then those that may go first, then the stalls. */
  readonly #members: Int32Array
  #memberCount = 0
  #blockingNs = 0
  #blockingOverheadNs = 0
  /** Sums of the last evaluation. */
  #workNs = 0
  #softwareNs = 0
  #worstInstance = 0
  #worstStartNs = 0
  #instances = 0

  constructor(model: AnalysisModel) {
    this.#model = model
    this.#members = new Int32Array(model.total)
  }

  /**
   * `ownJitterNs`: the part of the jitter that the response counts. A message of a chain counts from a release that itself is late
   * by the rest: that is neither before its nominal release, nor earlier than this part before the window.
   */
  bound(flow: number, ranks: ArrayLike<number>, ownJitterNs = this.#model.jitterNs[flow]!): ResponseTerms | null {
    const responseNs = this.#respond(flow, ranks, Number.POSITIVE_INFINITY, ownJitterNs)
    return responseNs === Number.POSITIVE_INFINITY ? null : this.#terms(flow, responseNs, ownJitterNs)
  }

  meetsDeadline(flow: number, ranks: ArrayLike<number>): boolean {
    const { deadlineNs, jitterNs } = this.#model
    return this.#respond(flow, ranks, deadlineNs[flow]!, jitterNs[flow]!) <= deadlineNs[flow]!
  }

  /**
   * R = max over the K messages of the busy period of (s_q + h + c(l) - (q-1)T + J). Infinity without a bound; may stop at a
   * response above `limitNs`, which then says no more than that it is above.
   */
  #respond(flow: number, ranks: ArrayLike<number>, limitNs: number, ownJitterNs: number): number {
    this.#select(flow, ranks)
    const aheadNs = this.#blockingNs + this.#blockingOverheadNs
    if (!converges(this.#model, this.#members, this.#memberCount, aheadNs)) return Number.POSITIVE_INFINITY
    const model = this.#model
    const periodNs = model.periodNs[flow]!
    const jitterNs = model.jitterNs[flow]!
    const tailNs = this.#tailWorkNs(flow) + this.#tailSoftwareNs()
    const openNs = model.openIntervalNs
    let worstNs = 0
    let startNs = 0
    for (let q = 1; ; q++) {
      const earlierNs = Math.min(ownJitterNs, jitterNs - exact((q - 1) * periodNs))
      const latestNs = limitNs - earlierNs - tailNs
      startNs = this.#settle(flow, q, this.#tailWorkNs(flow), this.#tailSoftwareNs(), startNs, openNs, latestNs)
      const responseNs = exact(startNs + tailNs) + earlierNs
      if (responseNs > worstNs) {
        worstNs = responseNs
        this.#worstInstance = q
        this.#worstStartNs = startNs
        if (responseNs > limitNs) return responseNs
      }
      this.#instances = q
      if (q === model.instanceLimit || this.#endsBusyPeriod(flow, q, startNs)) return worstNs
    }
  }

  /**
   * Is message q the last one of the level-i busy period? Its length L is the least t > 0 with
   * t = inv(Bd + sum eta_j(t)·Cd_j, Bo + sum eta_j(t)·Co_j) over the flow and its hp, and has K = eta_i(L) messages. With the
   * flow's own count held at q the least t is below L while q < K, and L itself at q = K: K is the first q with eta_i(t) <= q.
   */
  #endsBusyPeriod(flow: number, q: number, startNs: number): boolean {
    const model = this.#model
    // Not before the last chunk of message q has started; and it is enough to know whether the next message comes first.
    const nextNs = exact(q * model.periodNs[flow]!) - model.jitterNs[flow]!
    return this.#settle(flow, q, 0, 0, Math.max(1, startNs), 1, nextNs) <= nextNs
  }

  /** hp and lp of a flow: whom to wait for, and what can be ahead of its window. */
  #select(flow: number, ranks: ArrayLike<number>): void {
    const model = this.#model
    const rank = ranks[flow]!
    let count = 0
    this.#members[count++] = flow
    let blockingNs = 0
    let blocked = false
    for (let j = 0; j < model.count; j++) {
      if (j === flow) continue
      if (ranks[j]! <= rank) this.#members[count++] = j
      else {
        blocked = true
        blockingNs = Math.max(blockingNs, model.longestChunkNs[j]!)
      }
    }
    for (let stall = model.count; stall < model.total; stall++) this.#members[count++] = stall
    this.#memberCount = count
    const committed = model.committedNs > 0
    this.#blockingNs = committed ? model.committedNs : blockingNs
    this.#blockingOverheadNs = committed || blocked ? model.blockingOverheadNs : 0
  }

  /**
   * Least s with s = inv(Bd + q·Cd_i - tail + sum eta_j(s)·Cd_j, Bo + q·Co_i - tail + sum eta_j(s)·Co_j) over hp: the start of the
   * last chunk of message q, when that is the tail. `atLeastNs` is known not to be above it. Stops beyond `latestNs`, which
   * then says no more than that s is beyond, too.
   */
  #settle(
    flow: number,
    q: number,
    tailWorkNs: number,
    tailSoftwareNs: number,
    atLeastNs: number,
    openNs: number,
    latestNs: number,
  ): number {
    const model = this.#model
    const workNs = this.#blockingNs + q * model.workNs[flow]! - tailWorkNs
    const softwareNs = this.#blockingOverheadNs + q * model.overheadNs[flow]! - tailSoftwareNs
    let startNs = atLeastNs
    while (startNs <= latestNs) {
      this.#workNs = workNs
      this.#softwareNs = softwareNs
      this.#addReleases(1, startNs, openNs)
      const nextNs = this.#inverse()
      if (nextNs <= startNs) return startNs
      startNs = nextNs
    }
    return startNs
  }

  /** Messages released within `windowNs`: eta(t) = ceil((t+J)/T) with `openNs` 1, eta+(t) = floor((t+J)/T) + 1 with 0. */
  #addReleases(firstMember: number, windowNs: number, openNs: number): void {
    const { periodNs, jitterNs, workNs, overheadNs } = this.#model
    for (let k = firstMember; k < this.#memberCount; k++) {
      const j = this.#members[k]!
      const messages = Math.floor((windowNs + jitterNs[j]! - openNs) / periodNs[j]!) + 1
      this.#workNs += messages * workNs[j]!
      this.#softwareNs += messages * overheadNs[j]!
    }
  }

  #inverse(): number {
    const invert = this.#model.tightness.nonPreemptiveLastChunk ? startAfter : finishOf
    return invert(this.#model, this.#workNs, this.#softwareNs)
  }

  #tailWorkNs(flow: number): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.lastChunkNs[flow]! : 0
  }

  #tailSoftwareNs(): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.chunkOverheadNs : 0
  }

  #terms(flow: number, responseNs: number, ownJitterNs: number): ResponseTerms {
    const model = this.#model
    const q = this.#worstInstance
    this.#workNs = 0
    this.#softwareNs = 0
    this.#addReleases(1, this.#worstStartNs, model.openIntervalNs)
    const ownWorkNs = q * model.workNs[flow]!
    const overheadNs = this.#softwareNs + q * model.overheadNs[flow]! + this.#blockingOverheadNs
    const jitterNs = ownJitterNs
    const releaseNs = Math.max(0, (q - 1) * model.periodNs[flow]! - (model.jitterNs[flow]! - ownJitterNs))
    const supplyNs = responseNs + releaseNs - jitterNs - ownWorkNs - this.#workNs - this.#blockingNs - overheadNs
    assert(supplyNs >= 0, 'terms exceed their sum')
    return {
      responseNs,
      ownWorkNs,
      interferenceNs: this.#workNs,
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

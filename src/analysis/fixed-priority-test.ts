/**
 * The fixed-priority test of one model under any ranks: scratch space and the innermost loops. The equations are those of
 * docs/analysis.md §5. Two habits of V8 decide how they are written: it boxes doubles that are arguments or results of calls that it
 * does not inline, so they go through typed arrays; and it checks type and place of every array in every round of a loop, so what a
 * loop reads lies in one.
 */
import { EXACT_LIMIT, exact } from './exact.ts'
import { exactLoad } from './exact-load.ts'
import { Inversion } from './inversion.ts'
import { type AnalysisModel, ReusableModel, recordsOf } from './model.ts'
import { type ResponseTerms, responseTerms } from './response-terms.ts'
import { LONG_ITERATION, linearStart } from './starting-point.ts'
import { UrgencyOrder } from './urgency-order.ts'
import { CLEAR, outpaces } from './utilization.ts'

/** The bounds and verdicts of one model (Theorems 5 and 6). Holds scratch space: verdicts do not allocate. */
export class FixedPriorityTest {
  readonly #model: AnalysisModel
  /** Of a model that stays as it is; null: those of the set that is loaded. */
  readonly #records: Float64Array | null
  readonly #inversion = new Inversion()
  readonly #levels: UrgencyOrder
  /** Of s = inv(Wd + ..., Wo + ...): Wd, Wo, a time known not to be above s, and the latest that is of interest. */
  readonly #equation = new Float64Array(4)
  #worstInstance = 0
  #worstStartNs = 0
  #instances = 0
  /** The inversion is that of one supply: the other has less than the demand. */
  #oneSupply = false
  /** Of the first message of a busy period: does it surely start in time, and is it surely the last? */
  #startsFirst = false
  #endsFirst = false

  constructor(model: AnalysisModel) {
    this.#model = model
    this.#levels = new UrgencyOrder(model)
    this.#records = model instanceof ReusableModel ? null : recordsOf(model)
  }

  /** Of all flows; the least urgent first, which is the one most likely to miss. Ranks null: deadline-monotonic. */
  meetsDeadlines(ranks: ArrayLike<number> | null): boolean {
    const { count, total } = this.#model
    this.#arrange(ranks)
    const last = total - count
    for (let at = total - 1; at >= last; at--) {
      // Flows with equal ranks count as going first for each other; with equal latitudes the first of them goes first.
      if (ranks === null) at = this.#firstDoubtful(at, last)
      if (at < last) break
      this.#levels.select(at, ranks)
      if (!(ranks === null ? this.#everyStarts() : this.#meets())) return false
    }
    return true
  }

  /** Of all flows, in their order. */
  bounds(ranks: ArrayLike<number>): (ResponseTerms | null)[] {
    const { count, total } = this.#model
    this.#arrange(ranks)
    const bounds = new Array<ResponseTerms | null>(count).fill(null)
    for (let at = total - 1; at >= total - count; at--) {
      const flow = this.#levels.select(at, ranks)
      bounds[flow] = this.#bound(Number.POSITIVE_INFINITY)
    }
    return bounds
  }

  /**
   * `ownJitterNs`: the part of the jitter that the response counts, default all of it. A message of a chain counts from a release
   * that itself is late by the rest: that is neither before its nominal release, nor earlier than this part before the window.
   */
  bound(flow: number, ranks: ArrayLike<number>, ownJitterNs = Number.POSITIVE_INFINITY): ResponseTerms | null {
    this.#arrange(ranks)
    this.#levels.select(this.#levels.order.indexOf(flow), ranks)
    return this.#bound(ownJitterNs)
  }

  meetsDeadline(flow: number, ranks: ArrayLike<number>): boolean {
    this.#arrange(ranks)
    this.#levels.select(this.#levels.order.indexOf(flow), ranks)
    return this.#meets()
  }

  /** R = max over the K messages of the busy period of (s_q + h + c(l) - (q-1)T + J). Null without a bound. */
  #bound(mostJitterNs: number): ResponseTerms | null {
    const limit = this.#mostInstances(mostJitterNs)
    if (limit === 0) return null
    const model = this.#model
    const equation = this.#equation
    const ordered = this.#levels.ordered
    const own = 10 * (this.#levels.end - 1)
    const periodNs = ordered[own]!
    const jitterNs = ordered[own + 1]!
    const ownJitterNs = Math.min(mostJitterNs, jitterNs)
    const tailWorkNs = ordered[own + 9]!
    const tailSoftwareNs = this.#tailSoftwareNs()
    const tailNs = tailWorkNs + tailSoftwareNs
    let worstNs = 0
    equation[2] = 0
    for (let q = 1; ; q++) {
      const workNs = this.#levels.blockingNs + q * ordered[own + 2]!
      const softwareNs = this.#levels.blockingOverheadNs + q * ordered[own + 3]!
      const releaseNs = exact((q - 1) * periodNs)
      equation[0] = workNs - tailWorkNs
      equation[1] = softwareNs - tailSoftwareNs
      equation[3] = Number.POSITIVE_INFINITY
      this.#solve(model.openIntervalNs, false)
      const startNs = equation[2]!
      const responseNs = exact(startNs + tailNs) + Math.min(ownJitterNs, jitterNs - releaseNs)
      if (responseNs > worstNs) {
        worstNs = responseNs
        this.#worstInstance = q
        this.#worstStartNs = startNs
      }
      this.#instances = q
      if (q >= limit) break
      // Is message q the last one of the level-i busy period? Its length L is the least t > 0 with
      // t = inv(Bd + sum eta_j(t)·Cd_j, Bo + sum eta_j(t)·Co_j) over the flow and its hp, and has K = eta_i(L) messages. With the
      // flow's own count held at q the least t is below L while q < K, and L itself at q = K: K is the first q with
      // eta_i(t) <= q. That t is not before the last chunk of message q is finished; and it is enough to know whether the next
      // message comes first.
      equation[0] = workNs
      equation[1] = softwareNs
      equation[2] = Math.max(1, startNs + tailNs)
      equation[3] = exact(releaseNs + periodNs) - jitterNs
      if (this.#solve(1, true)) break
      equation[2] = startNs
    }
    this.#everySupply()
    return this.#terms(worstNs, ownJitterNs)
  }

  /** R <= D of the selected flow. */
  #meets(): boolean {
    const at = this.#levels.end - 1
    return this.#firstDoubtful(at, at) < at || this.#everyStarts()
  }

  /**
   * R <= D: the same as above, but for each message only whether it starts in time. Of nearly all flows the first message surely does,
   * and is surely the last of its busy period, because the right sides of both equations say so: one pass finds the two.
   *
   * From place `at` down to `last`, flows that only those before them may precede: the first of which this cannot be said.
   */
  #firstDoubtful(at: number, last: number): number {
    const model = this.#model
    const ordered = this.#levels.ordered
    const behind = this.#levels.longestBehindNs
    const { openIntervalNs, committedNs, total } = model
    const { words, exactSupply, delayed } = this.#inversion
    const step = words[0]!
    const gap = words[1]!
    const addedNs = words[2]!
    const phaseNs = words[3]!
    const charge = words[4]!
    const stretch = model.supply.stretch
    const softwareStretch = model.tightness.overheadUncharged ? 1 : stretch
    const delayedStretch = model.delayedSupply === null ? Number.POSITIVE_INFINITY : model.delayedSupply.stretch
    const tailSoftwareNs = this.#tailSoftwareNs()
    this.#startsFirst = false
    this.#endsFirst = false
    if (!exactSupply && delayed) return at
    for (; at >= last; at--) {
      const end = 10 * at
      const rate = ordered[end + 6]!
      const softwareRate = ordered[end + 7]!
      const slack = 1 - rate * stretch - softwareRate * softwareStretch
      if (slack <= CLEAR && 1 - (rate + softwareRate) * delayedStretch <= CLEAR) return at
      const startByNs = ordered[end + 8]!
      const nextNs = ordered[end]! - ordered[end + 1]!
      const seenNs = startByNs - openIntervalNs
      const busySeenNs = nextNs - 1
      // One message of each, and what is ahead: the loop adds the others.
      let busyWorkNs = ordered[end + 4]! + (committedNs > 0 ? committedNs : behind[at + 1]!)
      let busySoftwareNs = ordered[end + 5]! + (committedNs > 0 || at + 1 < total ? model.blockingOverheadNs : 0)
      let workNs = busyWorkNs - ordered[end + 9]!
      let softwareNs = busySoftwareNs - tailSoftwareNs
      for (let j = 0; j < end; j += 10) {
        const messages = Math.floor((seenNs + ordered[j + 1]!) / ordered[j]!)
        const busyMessages = Math.floor((busySeenNs + ordered[j + 1]!) / ordered[j]!)
        workNs += messages * ordered[j + 2]!
        softwareNs += messages * ordered[j + 3]!
        busyWorkNs += busyMessages * ordered[j + 2]!
        busySoftwareNs += busyMessages * ordered[j + 3]!
      }
      // inv, or inv-, of both: as in `Inversion`, which is too much of a call here.
      const demandNs = workNs + softwareNs * charge + phaseNs
      const busyDemandNs = busyWorkNs + busySoftwareNs * charge + phaseNs
      let blackouts = Math.floor(demandNs / step)
      let busyBlackouts = Math.floor(busyDemandNs / step)
      let startNs = workNs + softwareNs + addedNs + blackouts * gap
      let busyNs = busyWorkNs + busySoftwareNs + addedNs + busyBlackouts * gap
      if (delayed) {
        const bothNs = workNs + softwareNs
        const busyBothNs = busyWorkNs + busySoftwareNs
        blackouts = Math.floor((bothNs + words[8]!) / words[5]!)
        busyBlackouts = Math.floor((busyBothNs + words[8]!) / words[5]!)
        startNs = Math.min(startNs, bothNs + words[7]! + blackouts * words[6]!)
        busyNs = Math.min(busyNs, busyBothNs + words[7]! + busyBlackouts * words[6]!)
      }
      if (!exactSupply) {
        const rest = (demandNs - blackouts * step) * gap + step - 1
        const busyRest = (busyDemandNs - busyBlackouts * step) * gap + step - 1
        if (!(demandNs > 0 && rest <= EXACT_LIMIT && busyRest <= EXACT_LIMIT)) return at
        startNs = softwareNs * (1 - charge) + addedNs + blackouts * gap + Math.floor(rest / step)
        busyNs = busySoftwareNs * (1 - charge) + addedNs + busyBlackouts * gap + Math.floor(busyRest / step)
      }
      this.#startsFirst = startByNs >= 0 && startNs <= startByNs
      this.#endsFirst = nextNs >= 1 && busyNs <= nextNs
      if (!(this.#startsFirst && this.#endsFirst)) return at
    }
    return at
  }

  /** Does each message of the busy period start in time? What is known of the first is not looked at again. */
  #everyStarts(): boolean {
    const limit = this.#mostInstances(Number.POSITIVE_INFINITY)
    const starts = limit > 0 && this.#startInTime(limit)
    this.#everySupply()
    return starts
  }

  #startInTime(limit: number): boolean {
    const model = this.#model
    const equation = this.#equation
    const ordered = this.#levels.ordered
    const own = 10 * (this.#levels.end - 1)
    const tailWorkNs = ordered[own + 9]!
    const tailSoftwareNs = this.#tailSoftwareNs()
    for (let q = 1; ; q++) {
      const workNs = this.#levels.blockingNs + q * ordered[own + 2]!
      const softwareNs = this.#levels.blockingOverheadNs + q * ordered[own + 3]!
      const releaseNs = exact((q - 1) * ordered[own]!)
      equation[0] = workNs - tailWorkNs
      equation[1] = softwareNs - tailSoftwareNs
      equation[2] = 0
      equation[3] = ordered[own + 8]! + releaseNs
      if (!(q === 1 && this.#startsFirst) && !this.#solve(model.openIntervalNs, q > 1)) return false
      if (q >= limit || (q === 1 && this.#endsFirst)) return true
      equation[0] = workNs
      equation[1] = softwareNs
      equation[2] = 1
      equation[3] = exact(releaseNs + ordered[own]!) - ordered[own + 1]!
      if (this.#solve(1, q > 1)) return true
    }
  }

  #arrange(ranks: ArrayLike<number> | null): void {
    this.#inversion.load(this.#model, this.#model.tightness.nonPreemptiveLastChunk)
    this.#levels.arrange(ranks, this.#records ?? recordsOf(this.#model))
  }

  /**
   * Messages of the selected flow that have to be looked at, at most; 0: there is no bound. Where demand of its level equals a supply
   * exactly, those of one cycle, and from here on the inversion is that of this supply alone.
   */
  #mostInstances(mostJitterNs: number): number {
    const model = this.#model
    if (this.#levelEnds()) return model.instanceLimit
    const { end, order, ordered } = this.#levels
    const own = 10 * (end - 1)
    // A flow without any work leaves nothing that those above it could catch up with.
    if (ordered[own + 2]! + ordered[own + 3]! === 0) return 0
    const exact = exactLoad(model, this.#records ?? recordsOf(model), order, end)
    if (exact === null) return 0
    this.#inversion.load(exact.model, model.tightness.nonPreemptiveLastChunk)
    this.#oneSupply = true
    const inherited = Math.ceil(Math.max(0, ordered[own + 1]! - mostJitterNs) / ordered[own]!)
    return Math.min(model.instanceLimit, inherited + exact.cycleNs / ordered[own]!)
  }

  /** What the inversion is again, when a flow has been looked at. */
  #everySupply(): void {
    if (!this.#oneSupply) return
    this.#inversion.load(this.#model, this.#model.tightness.nonPreemptiveLastChunk)
    this.#oneSupply = false
  }

  /** Does a busy period of the flow's level end? Clear in nearly all cases; else decided exactly. */
  #levelEnds(): boolean {
    const model = this.#model
    const { supply, delayedSupply, tightness } = model
    const rate = this.#levels.ordered[10 * this.#levels.end - 4]!
    const softwareRate = this.#levels.ordered[10 * this.#levels.end - 3]!
    let slack = 1 - rate * supply.stretch - softwareRate * (tightness.overheadUncharged ? 1 : supply.stretch)
    if (delayedSupply !== null) slack = Math.max(slack, 1 - (rate + softwareRate) * delayedSupply.stretch)
    if (Math.abs(slack) > CLEAR) return slack > 0
    return outpaces(model, this.#records ?? recordsOf(model), this.#levels.order, this.#levels.end)
  }

  /**
   * Is the least s with s = inv(Wd + sum eta_j(s)·Cd_j, Wo + sum eta_j(s)·Co_j) over hp no later than `equation` says? If it is found by
   * iteration it is left there. eta_j(s) = ceil((s+J_j)/T_j) with `openNs` 1, and eta+_j(s) = floor((s+J_j)/T_j) + 1 with 0.
   *
   * `probe`: first ask whether the right side at the latest time is no later, for then s is not.
   */
  #solve(openNs: 0 | 1, probe: boolean): boolean {
    const equation = this.#equation
    const ordered = this.#levels.ordered
    const inversion = this.#inversion
    const end = 10 * (this.#levels.end - 1)
    const demand = inversion.demand
    const leastWorkNs = equation[0]! + (ordered[end + 4]! - ordered[end + 2]!)
    const leastSoftwareNs = equation[1]! + (ordered[end + 5]! - ordered[end + 3]!)
    const latestNs = equation[3]!
    if (latestNs < equation[2]!) return false
    let round = probe ? 0 : 1
    let timeNs = probe ? latestNs : equation[2]!
    for (; ; round++) {
      const seenNs = timeNs - openNs
      let workNs = leastWorkNs
      let softwareNs = leastSoftwareNs
      for (let j = 0; j < end; j += 10) {
        const messages = Math.floor((seenNs + ordered[j + 1]!) / ordered[j]!)
        workNs += messages * ordered[j + 2]!
        softwareNs += messages * ordered[j + 3]!
      }
      demand[0] = workNs
      demand[1] = softwareNs
      inversion.solve()
      const nextNs = demand[2]!
      if (nextNs <= timeNs) {
        if (round > 0) equation[2] = timeNs
        return true
      }
      timeNs = nextNs
      if (round === 0) timeNs = equation[2]!
      else if (round === LONG_ITERATION) timeNs = Math.max(nextNs, this.#surelyNs())
      if (timeNs > latestNs) return false
    }
  }

  /** Not above the least solution. */
  #surelyNs(): number {
    const ordered = this.#levels.ordered
    const equation = this.#equation
    const own = 10 * (this.#levels.end - 1)
    let workNs = equation[0]!
    let softwareNs = equation[1]!
    let rate = 0
    let softwareRate = 0
    for (let j = 0; j < own; j += 10) {
      const share = 1 / ordered[j]!
      rate += ordered[j + 2]! * share
      softwareRate += ordered[j + 3]! * share
      workNs += ordered[j + 1]! * ordered[j + 2]! * share
      softwareNs += ordered[j + 1]! * ordered[j + 3]! * share
    }
    return linearStart(this.#model, workNs, softwareNs, rate, softwareRate)
  }

  #tailSoftwareNs(): number {
    return this.#model.tightness.nonPreemptiveLastChunk ? this.#model.chunkOverheadNs : 0
  }

  #terms(responseNs: number, jitterNs: number): ResponseTerms {
    const ordered = this.#levels.ordered
    const own = 10 * (this.#levels.end - 1)
    const q = this.#worstInstance
    const seenNs = this.#worstStartNs - this.#model.openIntervalNs
    let interferenceNs = 0
    let overheadNs = q * ordered[own + 3]! + this.#levels.blockingOverheadNs
    for (let j = 0; j < own; j += 10) {
      const messages = Math.floor((seenNs + ordered[j + 1]!) / ordered[j]!) + 1
      interferenceNs += messages * ordered[j + 2]!
      overheadNs += messages * ordered[j + 3]!
    }
    return responseTerms({
      responseNs,
      ownWorkNs: q * ordered[own + 2]!,
      interferenceNs,
      blockingNs: this.#levels.blockingNs,
      overheadNs,
      jitterNs,
      releaseNs: Math.max(0, (q - 1) * ordered[own]! - (ordered[own + 1]! - jitterNs)),
      instance: q,
      instances: this.#instances,
    })
  }
}

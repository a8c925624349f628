/**
 * Response times under fixed priority of messages that cause messages, with dynamic offsets [Palencia Gonzalez Harbour 1998]: the
 * hops of one chain are released by one message, so they cannot all come at once. Chains here are sporadic, which the original is
 * not: that the releases of a hop are T apart says nothing of how far hops of *different* messages are, so the phases of
 * messages are not taken modulo T but chosen, at least T apart, by dynamic programming (docs/analysis.md §9 has the proof).
 *
 * A message of a chain, released at x before or after the start of a window, has hop j queued within [x + phi_j, x + phi_j + J_j]. That
 * can be within [0, s] for lo_j = -phi_j - J_j <= x <= s - phi_j.
 */
import { assert } from '../internal/assert.ts'
import { type AnalysisModel, finishOf, recordsOf, startAfter } from './model.ts'
import { type ResponseTerms, responseTerms } from './response-terms.ts'
import { converges } from './utilization.ts'

/** Where a flow stands in a chain. */
export interface ChainPlace {
  readonly chain: number
  /** 0 for the hop that starts the chain. */
  readonly hop: number
  /** phi: earliest release, counted from that of the chain. Its jitter, in the model, is how much later it may be. */
  readonly offsetNs: number
}

/** Which hops of a chain's message count, by what is known of when it came. */
type Role = 'earlier' | 'own' | 'later' | 'other'

export class ChainedPriorityTest {
  readonly #model: AnalysisModel
  /** By flow; null: in no chain. */
  readonly #places: readonly (ChainPlace | null)[]
  readonly #ranks: ArrayLike<number>
  readonly #chains: number

  constructor(model: AnalysisModel, places: readonly (ChainPlace | null)[], ranks: ArrayLike<number>) {
    this.#model = model
    this.#places = places
    this.#ranks = ranks
    this.#chains = 1 + Math.max(-1, ...places.map((place) => place?.chain ?? -1))
  }

  /** Counted from the flow's own earliest release; null without a bound. Of `ownWorkNs` only the analysed message's. */
  bound(flow: number): ResponseTerms | null {
    const model = this.#model
    const place = this.#places[flow] ?? { chain: -1, hop: 0, offsetNs: 0 }
    const level = new Level(model, this.#places, this.#ranks, flow, place, this.#chains)
    const busyNs = level.busyPeriod()
    if (busyNs === null) return null
    const tailNs = level.tailWorkNs + level.tailSoftwareNs
    const earliestNs = -place.offsetNs - model.jitterNs[flow]!
    let worst: { releaseNs: number; startNs: number; responseNs: number } | null = null
    for (const releaseNs of level.releases(earliestNs, busyNs - place.offsetNs)) {
      // No better than with every hop for itself: when that cannot be the longest, this is not.
      const messages = Math.floor((releaseNs - earliestNs) / model.periodNs[flow]!) + 1
      const mostNs = level.startOfLastApart(messages) + tailNs - releaseNs - place.offsetNs
      if (worst !== null && mostNs <= worst.responseNs) continue
      const startNs = level.startOfLast(releaseNs)
      const responseNs = startNs + tailNs - releaseNs - place.offsetNs
      if (worst === null || responseNs > worst.responseNs) worst = { releaseNs, startNs, responseNs }
    }
    assert(worst !== null, 'a busy period has a first message')
    const [workNs, softwareNs] = level.demand(worst.startNs, worst.releaseNs)
    const jitterNs = model.jitterNs[flow]!
    const sinceFirstNs = worst.releaseNs - earliestNs
    return responseTerms({
      responseNs: worst.responseNs,
      ownWorkNs: model.workNs[flow]!,
      interferenceNs: workNs - model.workNs[flow]! - level.blockingNs,
      blockingNs: level.blockingNs,
      overheadNs: softwareNs,
      jitterNs,
      releaseNs: sinceFirstNs,
      instance: Math.floor(sinceFirstNs / model.periodNs[flow]!) + 1,
      instances: Math.ceil((busyNs + jitterNs) / model.periodNs[flow]!),
    })
  }
}

/** One flow's level: who may go first, and how much of it there is. */
class Level {
  readonly blockingNs: number
  readonly tailWorkNs: number
  readonly tailSoftwareNs: number
  readonly #model: AnalysisModel
  readonly #places: readonly (ChainPlace | null)[]
  readonly #flow: number
  readonly #place: ChainPlace
  /** Of the flow's level: in no chain (stalls too), and by chain, without the flow itself. */
  readonly #free: readonly number[]
  readonly #chained: readonly (readonly number[])[]
  readonly #blockingOverheadNs: number
  /** All of these. */
  readonly #apart: readonly number[]
  /** Start of the last chunk of message 1, 2, ... with every hop for itself. */
  readonly #startsApart: number[] = []
  /** What is not of the flow's own chain, by how much of the window is seen. */
  readonly #others = new Map<number, readonly [number, number]>()

  constructor(
    model: AnalysisModel,
    places: readonly (ChainPlace | null)[],
    ranks: ArrayLike<number>,
    flow: number,
    place: ChainPlace,
    chains: number,
  ) {
    this.#model = model
    this.#places = places
    this.#flow = flow
    this.#place = place
    const others = Array.from({ length: model.total }, (_, j) => j).filter((j) => j !== flow)
    const urgent = others.filter((j) => j >= model.count || ranks[j]! <= ranks[flow]!)
    const lower = others.filter((j) => !urgent.includes(j))
    this.#free = urgent.filter((j) => (places[j] ?? null) === null)
    this.#chained = Array.from({ length: chains }, (_, chain) => urgent.filter((j) => places[j]?.chain === chain))
    this.#apart = urgent
    const committed = model.committedNs > 0
    const longestNs = lower.reduce((most, j) => Math.max(most, model.longestChunkNs[j]!), 0)
    this.blockingNs = committed ? model.committedNs : longestNs
    this.#blockingOverheadNs = committed || lower.length > 0 ? model.blockingOverheadNs : 0
    const apart = model.tightness.nonPreemptiveLastChunk
    this.tailWorkNs = apart ? model.lastChunkNs[flow]! : 0
    this.tailSoftwareNs = apart ? model.chunkOverheadNs : 0
  }

  /** Least t > 0 with t = inv(Bd + sum eta_j(t)·Cd_j, ...), every hop for itself, which is no less than together. */
  busyPeriod(): number | null {
    const members = [this.#flow, ...this.#apart]
    const aheadNs = this.blockingNs + this.#blockingOverheadNs
    if (!converges(this.#model, recordsOf(this.#model), Int32Array.from(members), members.length, aheadNs)) return null
    return this.#solve(members, this.blockingNs, this.#blockingOverheadNs, 1, 1)
  }

  /** The start of the last chunk of message `q` with every hop for itself. */
  startOfLastApart(q: number): number {
    const model = this.#model
    for (let next = this.#startsApart.length + 1; next <= q; next++) {
      const workNs = this.blockingNs + next * model.workNs[this.#flow]! - this.tailWorkNs
      const softwareNs = this.#blockingOverheadNs + next * model.overheadNs[this.#flow]! - this.tailSoftwareNs
      const atLeastNs = this.#startsApart.at(-1) ?? 0
      this.#startsApart.push(this.#solve(this.#apart, workNs, softwareNs, atLeastNs, model.openIntervalNs))
    }
    return this.#startsApart[q - 1]!
  }

  #solve(members: readonly number[], workNs: number, softwareNs: number, atLeastNs: number, openNs: number): number {
    const model = this.#model
    let timeNs = atLeastNs
    for (;;) {
      let demandNs = workNs
      let overheadNs = softwareNs
      for (const j of members) {
        const messages = Math.floor((timeNs - openNs + model.jitterNs[j]!) / model.periodNs[j]!) + 1
        demandNs += messages * model.workNs[j]!
        overheadNs += messages * model.overheadNs[j]!
      }
      const nextNs = this.#invert(demandNs, overheadNs)
      if (nextNs <= timeNs) return timeNs
      timeNs = nextNs
    }
  }

  /** Least s with s = inv(Wd(s) - c(l_i), Wo(s) - h) for a message whose chain was released at `releaseNs`. */
  startOfLast(releaseNs: number): number {
    let startNs = 0
    for (;;) {
      const [workNs, softwareNs] = this.demand(startNs, releaseNs)
      const nextNs = this.#invert(workNs - this.tailWorkNs, softwareNs - this.tailSoftwareNs)
      if (nextNs <= startNs) return startNs
      startNs = nextNs
    }
  }

  /** All that may be ahead of the end of the message, and itself: copying and software. */
  demand(startNs: number, releaseNs: number): [workNs: number, softwareNs: number] {
    const seenNs = startNs - this.#model.openIntervalNs
    const [othersNs, othersSoftwareNs] = this.#othersBy(seenNs)
    const [ownNs, ownSoftwareNs] = this.#ownChain(seenNs, releaseNs)
    return [othersNs + ownNs, othersSoftwareNs + ownSoftwareNs]
  }

  /** Blocking, flows in no chain, and other chains, whenever their messages came. */
  #othersBy(seenNs: number): readonly [number, number] {
    const known = this.#others.get(seenNs)
    if (known !== undefined) return known
    const model = this.#model
    let workNs = this.blockingNs
    let softwareNs = this.#blockingOverheadNs
    for (const j of this.#free) {
      const messages = Math.floor((seenNs + model.jitterNs[j]!) / model.periodNs[j]!) + 1
      workNs += messages * model.workNs[j]!
      softwareNs += messages * model.overheadNs[j]!
    }
    this.#chained.forEach((hops, chain) => {
      if (chain === this.#place.chain || hops.length === 0) return
      const [chainNs, chainSoftwareNs] = this.#heaviest(chain, 'other', seenNs, this.#releasesOf(chain, seenNs))
      workNs += chainNs
      softwareNs += chainSoftwareNs
    })
    const both = [workNs, softwareNs] as const
    this.#others.set(seenNs, both)
    return both
  }

  /** Releases of the flow's chain from `earliestNs` on and before `endNs` at which a response can be the longest, ascending. */
  releases(earliestNs: number, endNs: number): number[] {
    return this.#releasesOf(this.#place.chain, endNs - 1).filter((releaseNs) => releaseNs >= earliestNs)
  }

  /**
   * Messages of the flow's own chain: earlier ones, this one at `releaseNs`, and later ones, at least T apart. Of later ones, and of
   * this one, hops behind the flow's are not released before the flow's own message is finished.
   */
  #ownChain(seenNs: number, releaseNs: number): [workNs: number, softwareNs: number] {
    const { workNs, overheadNs, periodNs } = this.#model
    const { chain } = this.#place
    const releases = this.#releasesOf(chain, Math.max(seenNs, releaseNs))
    const earlier = releases.filter((x) => x <= releaseNs - periodNs[this.#flow]!)
    const later = releases.filter((x) => x >= releaseNs + periodNs[this.#flow]!)
    const [earlierNs, earlierSoftwareNs] = this.#heaviest(chain, 'earlier', seenNs, earlier)
    const [laterNs, laterSoftwareNs] = this.#heaviest(chain, 'later', seenNs, later)
    return [
      workNs[this.#flow]! + this.#weight(chain, 'own', seenNs, releaseNs, workNs) + earlierNs + laterNs,
      overheadNs[this.#flow]! +
        this.#weight(chain, 'own', seenNs, releaseNs, overheadNs) +
        earlierSoftwareNs +
        laterSoftwareNs,
    ]
  }

  /**
   * Every lo_j + k·T up to `latestNs`. Messages that come as early as they can without leaving a window, or T after the one before,
   * come at these, and count for no less at any s.
   */
  #releasesOf(chain: number, latestNs: number): number[] {
    const { periodNs, jitterNs } = this.#model
    const members = chain === this.#place.chain ? [this.#flow, ...(this.#chained[chain] ?? [])] : this.#chained[chain]!
    const releases = new Set<number>()
    for (const j of members) {
      const offsetNs = this.#places[j]?.offsetNs ?? 0
      for (let x = -offsetNs - jitterNs[j]!; x <= latestNs; x += periodNs[j]!) releases.add(x)
    }
    return [...releases].sort((a, b) => a - b)
  }

  /** The most that messages at some of `releases`, at least T apart, can add: of copying, and, perhaps others, of software. */
  #heaviest(
    chain: number,
    role: Role,
    seenNs: number,
    releases: readonly number[],
  ): [workNs: number, softwareNs: number] {
    const { workNs, overheadNs, periodNs: periods } = this.#model
    const periodNs = periods[this.#chained[chain]?.[0] ?? this.#flow]!
    // Of the first k releases. Behind: how many of them are at least T before this one.
    const work = [0]
    const software = [0]
    let behind = 0
    for (let k = 0; k < releases.length; k++) {
      const x = releases[k]!
      while (releases[behind]! <= x - periodNs) behind++
      work.push(Math.max(work[k]!, work[behind]! + this.#weight(chain, role, seenNs, x, workNs)))
      software.push(Math.max(software[k]!, software[behind]! + this.#weight(chain, role, seenNs, x, overheadNs)))
    }
    return [work.at(-1)!, software.at(-1)!]
  }

  /** What the message of a chain that was released at `x` adds to a window. */
  #weight(chain: number, role: Role, seenNs: number, x: number, costs: Float64Array): number {
    const { jitterNs } = this.#model
    let weightNs = 0
    for (const j of this.#chained[chain] ?? []) {
      const { hop, offsetNs } = this.#places[j]!
      if ((role === 'own' || role === 'later') && hop > this.#place.hop) continue
      if (x >= -offsetNs - jitterNs[j]! && x <= seenNs - offsetNs) weightNs += costs[j]!
    }
    // Earlier messages of the flow itself are served before this one, if they were not before the window.
    const counts = role === 'earlier' && x >= -this.#place.offsetNs - jitterNs[this.#flow]!
    return counts ? weightNs + costs[this.#flow]! : weightNs
  }

  #invert(workNs: number, softwareNs: number): number {
    return this.#model.tightness.nonPreemptiveLastChunk
      ? startAfter(this.#model, workNs, softwareNs)
      : finishOf(this.#model, workNs, softwareNs)
  }
}

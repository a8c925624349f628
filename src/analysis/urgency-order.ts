/** The flows of a model in the order of their urgency, and what the fixed-priority test reads of each level of it. */
import type { AnalysisModel } from './model.ts'

/** What is swapped with a flow, its sums apart: T, J, Cd, Co, latest start, last chunk. */
const MOVED_WORDS = [0, 1, 2, 3, 8, 9]

/** Reused: allocates only for a set that is larger than any before. */
export class UrgencyOrder {
  readonly #model: AnalysisModel
  /**
   * By urgency, stalls first, ten words each: T, J, Cd, Co; of all up to and with this one the sums of Cd, of Co, and of their rates; D - J less
   * what follows the start of the last chunk; and that chunk, 0 where it is not set apart.
   */
  ordered = new Float64Array(0)
  /** Who that is. */
  order = new Int32Array(0)
  /** The longest chunk of those from this place on; 0 behind the last. */
  longestBehindNs = new Float64Array(0)
  /** By place: what it is ordered by. */
  #keys = new Float64Array(0)
  /** Of the set before. */
  #count = -1
  #total = -1
  /** The selected flow stands before this place; the others before it may go first. What can be ahead of its window. */
  end = 0
  blockingNs = 0
  blockingOverheadNs = 0

  constructor(model: AnalysisModel) {
    this.#model = model
  }

  /** Brings the flows into the order of their ranks; null: deadline-monotonic. */
  arrange(ranks: ArrayLike<number> | null, records: Float64Array): void {
    const model = this.#model
    const { count, total } = model
    if (this.longestBehindNs.length <= total) {
      this.ordered = new Float64Array(10 * total)
      this.order = new Int32Array(total)
      this.#keys = new Float64Array(total)
      this.longestBehindNs = new Float64Array(total + 1)
    }
    const order = this.order
    const keys = this.#keys
    const stalls = total - count
    if (count !== this.#count || total !== this.#total) {
      for (let at = 0; at < total; at++) order[at] = at < stalls ? count + at : at - stalls
      this.#count = count
      this.#total = total
    }
    // From the order of the set before: a campaign asks about one set many times. Ties by position.
    for (let next = stalls; next < total; next++) {
      const flow = order[next]!
      const key = ranks === null ? records[8 * flow + 4]! - records[8 * flow + 1]! : ranks[flow]!
      let at = next
      for (; at > stalls && (keys[at - 1]! > key || (keys[at - 1]! === key && order[at - 1]! > flow)); at--) {
        keys[at] = keys[at - 1]!
        order[at] = order[at - 1]!
      }
      keys[at] = key
      order[at] = flow
    }
    const ordered = this.ordered
    const apart = model.tightness.nonPreemptiveLastChunk
    const tailSoftwareNs = apart ? model.chunkOverheadNs : 0
    let sumNs = 0
    let softwareSumNs = 0
    let rate = 0
    let softwareRate = 0
    for (let at = 0; at < total; at++) {
      const from = 8 * order[at]!
      const to = 10 * at
      const workNs = records[from + 2]!
      const softwareNs = records[from + 3]!
      sumNs += workNs
      softwareSumNs += softwareNs
      rate += workNs * records[from + 7]!
      softwareRate += softwareNs * records[from + 7]!
      ordered[to] = records[from]!
      ordered[to + 1] = records[from + 1]!
      ordered[to + 2] = workNs
      ordered[to + 3] = softwareNs
      ordered[to + 4] = sumNs
      ordered[to + 5] = softwareSumNs
      ordered[to + 6] = rate
      ordered[to + 7] = softwareRate
      ordered[to + 8] = records[from + 4]! - records[from + 1]! - tailSoftwareNs
      ordered[to + 9] = 0
      if (apart) {
        ordered[to + 8] -= records[from + 6]!
        ordered[to + 9] = records[from + 6]!
      }
    }
    const behind = this.longestBehindNs
    let longestNs = 0
    behind[total] = 0
    for (let at = total - 1; at >= stalls; at--) {
      const chunkNs = records[8 * order[at]! + 5]!
      if (chunkNs > longestNs) longestNs = chunkNs
      behind[at] = longestNs
    }
  }

  /**
   * The flow at `at`, its hp and lp: whom to wait for, and what can be ahead of its window. It moves to the end of those with its
   * rank, so that its hp are all before it; places before `at` stay as they are.
   */
  select(at: number, ranks: ArrayLike<number> | null): number {
    const model = this.#model
    const order = this.order
    const flow = order[at]!
    let end = at + 1
    if (ranks !== null) {
      while (end < model.total && this.#keys[end]! <= this.#keys[at]!) end++
      if (at !== end - 1) this.#swap(at, end - 1)
    }
    this.end = end
    const committed = model.committedNs > 0
    this.blockingNs = committed ? model.committedNs : this.longestBehindNs[end]!
    this.blockingOverheadNs = committed || end < model.total ? model.blockingOverheadNs : 0
    return flow
  }

  /** Of two with one rank: sums and rates up to the latter stay what they are. */
  #swap(a: number, b: number): void {
    const order = this.order
    const ordered = this.ordered
    const flow = order[a]!
    order[a] = order[b]!
    order[b] = flow
    for (const word of MOVED_WORDS) {
      const value = ordered[10 * a + word]!
      ordered[10 * a + word] = ordered[10 * b + word]!
      ordered[10 * b + word] = value
    }
  }
}

/**
 * The abstract machine that the analyses speak of, and nothing else of the system: flows, one serial DMA, its regulator, and the
 * software before each chunk (docs/analysis.md §1). Exact integer ns; event by event, where chunks of one message that nothing
 * can come between are one event. It shares no equation with src/analysis.
 *
 * At one instant, in this order: a chunk ends, the budget is refilled, messages are queued, the balance is tested and the best
 * message chosen, and last the messages queued `late`, which a choice at the same instant has not seen.
 */
import { effectiveBytesPerNs, type FlowSet } from '../analysis/index.ts'
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import type { Random } from '../internal/random.ts'
import type { Releases } from './releases.ts'

/** Fixed priority, or earliest deadline first. */
export type SchedulerName = 'fp' | 'edf'

/** How long the software before a chunk takes. */
export type OverheadChoice =
  /** The worst; of chunks started before `bestUntilNs` (default: none) the best. */
  | { readonly kind: 'worst'; readonly bestUntilNs?: number }
  | { readonly kind: 'best' }
  /** Anything between best and worst, drawn for each chunk. */
  | { readonly kind: 'mixed'; readonly random: Random }
  /** The best is the gap between chained descriptors: of a chunk committed behind one of its own message. Else the worst. */
  | { readonly kind: 'chained' }

/** How a run of the chunk machine begins, and what its software takes. */
export interface RunOptions {
  readonly overhead?: OverheadChoice
  /** Of the budget at time 0: its balance (negative: a debt), and when the next refill comes. Default: full, just refilled. */
  readonly balanceNs?: number
  readonly nextRefillNs?: number
  /** Fixed priority only: stop when, at or after `watchFromNs`, no message of this flow's rank or a higher one is left unfinished. */
  readonly watch?: number
  readonly watchFromNs?: number
  /** Receives when each chunk of each flow ended, in order. */
  readonly completions?: number[][]
  /** Receives when the last chunk before each exhaustion of the budget was chosen. */
  readonly lastChoices?: number[]
}

const WORST: OverheadChoice = { kind: 'worst' }
const NEVER = Number.POSITIVE_INFINITY

/** One flow set under one scheduler. Reused: a run allocates nothing but what it is asked to record. */
export class ChunkMachine {
  /** Of the last run: worst response of each flow, from nominal release to the end of the last chunk; 0 without messages. */
  readonly worstNs: Float64Array
  lateMessages = 0
  /** When the last run stopped. */
  timeNs = 0

  readonly #count: number
  readonly #edf: boolean
  readonly #ranks: ArrayLike<number>
  readonly #deadlineNs: Float64Array
  readonly #chunks: Int32Array
  readonly #fullNs: number
  readonly #lastNs: Float64Array
  readonly #bestOverheadNs: number
  readonly #worstOverheadNs: number
  readonly #messageOverheadNs: number
  readonly #lookAhead: number
  /** 0 without a budget. */
  readonly #budgetNs: number
  readonly #refillPeriodNs: number

  #releases!: Releases
  #overhead: OverheadChoice = WORST
  #bestUntilNs = 0
  #batching = false
  #balanceNs = 0
  #nextRefillNs = NEVER
  #nextQueuedNs = NEVER
  /** The running chunks: their flow (-1: none), how many, when copying starts, when they end. */
  #running = -1
  #batch = 1
  #copyFromNs = 0
  #endNs = NEVER
  /** When the last of them was, or will be, chosen. */
  #lastChoiceNs = 0
  /** Of each flow the next message to queue, to commit, to finish; and the chunks done of the latter two. */
  readonly #queued: Int32Array
  readonly #head: Int32Array
  readonly #chunk: Int32Array
  readonly #finished: Int32Array
  readonly #copied: Int32Array
  /** Flows of the chunks that are committed behind the running one, the oldest first. */
  readonly #committed: Int32Array
  #committedCount = 0
  /** Flow of the chunk before the running one. */
  #previous = -1

  /** `ranks`, under fixed priority: smaller is more urgent, equal ones by position. Kept by reference. */
  constructor(set: FlowSet, scheduler: SchedulerName, ranks: ArrayLike<number> = []) {
    const { flows, dma, regulator } = set
    if (regulator.kind === 'bucket') {
      throw new VirtioError('BAD_REGULATOR', 'the chunk machine has no token bucket: use none, rate or budget')
    }
    const beta = effectiveBytesPerNs(dma, regulator)
    this.#count = flows.length
    this.#edf = scheduler === 'edf'
    this.#ranks = ranks
    this.#deadlineNs = Float64Array.from(flows, (flow) => flow.deadlineNs)
    this.#chunks = Int32Array.from(flows, ({ lengthBytes }) => Math.ceil(lengthBytes / dma.chunkBytes))
    this.#fullNs = Math.ceil(dma.chunkBytes / beta)
    this.#lastNs = Float64Array.from(flows, ({ lengthBytes }, i) =>
      Math.ceil((lengthBytes - (this.#chunks[i]! - 1) * dma.chunkBytes) / beta),
    )
    this.#bestOverheadNs = dma.chunkOverheadNs[0]
    this.#worstOverheadNs = dma.chunkOverheadNs[1]
    this.#messageOverheadNs = dma.messageOverheadNs
    this.#lookAhead = dma.lookAhead ?? 0
    this.#budgetNs = regulator.kind === 'budget' ? regulator.budgetNs : 0
    this.#refillPeriodNs = regulator.kind === 'budget' ? regulator.periodNs : NEVER
    this.worstNs = new Float64Array(this.#count)
    this.#queued = new Int32Array(this.#count)
    this.#head = new Int32Array(this.#count)
    this.#chunk = new Int32Array(this.#count)
    this.#finished = new Int32Array(this.#count)
    this.#copied = new Int32Array(this.#count)
    this.#committed = new Int32Array(this.#lookAhead + 1)
  }

  /** Serves all messages of `releases`, or until nothing is left that the watched flow could wait for. */
  run(releases: Releases, options: RunOptions = {}): void {
    const { watch = -1, watchFromNs = 0 } = options
    assert(releases.count === this.#count, 'releases of another flow set')
    assert(watch < 0 || !this.#edf, 'only fixed priority has ranks to watch')
    this.#start(releases, options)
    while (this.#advance(options)) {
      this.#admit(false)
      if (watch >= 0 && this.timeNs >= watchFromNs && !this.#waits(watch)) return
      this.#dispatch()
      if (this.#nextQueuedNs <= this.timeNs) {
        this.#admit(true)
        this.#dispatch()
      }
    }
  }

  #start(releases: Releases, { overhead = WORST, balanceNs, nextRefillNs, completions }: RunOptions): void {
    this.#releases = releases
    this.#overhead = overhead
    this.#bestUntilNs =
      overhead.kind === 'worst' ? (overhead.bestUntilNs ?? -NEVER) : overhead.kind === 'best' ? NEVER : -NEVER
    this.#batching = this.#lookAhead === 0 && overhead.kind !== 'mixed' && completions === undefined
    const limited = this.#budgetNs > 0
    this.#balanceNs = limited ? (balanceNs ?? this.#budgetNs) : NEVER
    this.#nextRefillNs = limited ? (nextRefillNs ?? this.#refillPeriodNs) : NEVER
    this.#running = -1
    this.#endNs = NEVER
    this.#committedCount = 0
    this.#previous = -1
    this.timeNs = 0
    this.lateMessages = 0
    this.worstNs.fill(0)
    this.#queued.set(releases.start)
    this.#head.set(releases.start)
    this.#finished.set(releases.start)
    this.#chunk.fill(0)
    this.#copied.fill(0)
    this.#nextQueuedNs = NEVER
    for (let flow = 0; flow < this.#count; flow++) {
      const first = releases.start[flow]!
      if (first < releases.end[flow]!) this.#nextQueuedNs = Math.min(this.#nextQueuedNs, releases.queuedNs[first]!)
    }
  }

  /** To the next event: a chunk ends, a refill comes. False: all messages are served. */
  #advance({ completions, lastChoices }: RunOptions): boolean {
    const nextNs = Math.min(this.#endNs, this.#nextQueuedNs, this.#nextRefillNs)
    if (nextNs === NEVER || (this.#running < 0 && this.#nextQueuedNs === NEVER && !this.#pending())) return false
    const beforeNs = this.timeNs
    this.timeNs = nextNs
    if (this.#running >= 0 && this.#batch === 1) {
      this.#balanceNs -= Math.max(0, nextNs - Math.max(beforeNs, this.#copyFromNs))
    }
    if (nextNs === this.#endNs) {
      // Chunks of a batch end before the next refill: it is enough to charge them when they do.
      if (this.#batch > 1) this.#balanceNs -= this.#batch * this.#fullNs
      this.#complete(this.#running, this.#batch)
      if (completions !== undefined) completions[this.#running]!.push(nextNs)
      if (lastChoices !== undefined && this.#balanceNs <= 0) lastChoices.push(this.#lastChoiceNs)
      this.#running = -1
      this.#endNs = NEVER
    }
    if (nextNs === this.#nextRefillNs) {
      this.#balanceNs = Math.min(this.#budgetNs, this.#balanceNs + this.#budgetNs)
      this.#nextRefillNs += this.#refillPeriodNs
    }
    return true
  }

  #complete(flow: number, chunks: number): void {
    this.#copied[flow]! += chunks
    if (this.#copied[flow]! < this.#chunks[flow]!) return
    this.#copied[flow] = 0
    const responseNs = this.timeNs - this.#releases.nominalNs[this.#finished[flow]!]!
    this.#finished[flow]!++
    if (responseNs > this.worstNs[flow]!) this.worstNs[flow] = responseNs
    if (responseNs > this.#deadlineNs[flow]!) this.lateMessages++
  }

  /** Queues the messages that are due, with the late ones only those of before this instant. */
  #admit(late: boolean): void {
    const { timeNs } = this
    if (this.#nextQueuedNs > timeNs) return
    const { queuedNs, late: isLate, end } = this.#releases
    let nextNs = NEVER
    for (let flow = 0; flow < this.#count; flow++) {
      let message = this.#queued[flow]!
      while (message < end[flow]!) {
        const dueNs = queuedNs[message]!
        if (dueNs > timeNs || (dueNs === timeNs && !late && isLate[message] === 1)) {
          if (dueNs < nextNs) nextNs = dueNs
          break
        }
        message++
      }
      this.#queued[flow] = message
    }
    this.#nextQueuedNs = nextNs
  }

  /** Starts what is committed, and commits what may be: the best message, while the balance is positive. */
  #dispatch(): void {
    for (let ahead = true; ; ahead = false) {
      if (this.#running < 0 && this.#committedCount > 0) this.#startChunk(ahead)
      const room = this.#running < 0 ? 1 : this.#lookAhead - this.#committedCount
      if (room <= 0 || this.#balanceNs <= 0) return
      const flow = this.#choose()
      if (flow < 0) return
      this.#committed[this.#committedCount++] = flow
      this.#chunk[flow]!++
      if (this.#chunk[flow] === this.#chunks[flow]) {
        this.#chunk[flow] = 0
        this.#head[flow]!++
      }
    }
  }

  #choose(): number {
    const { nominalNs } = this.#releases
    let best = -1
    let bestKey = 0
    for (let flow = 0; flow < this.#count; flow++) {
      const message = this.#head[flow]!
      if (message === this.#queued[flow]) continue
      const key = this.#edf ? nominalNs[message]! + this.#deadlineNs[flow]! : this.#ranks[flow]!
      if (best >= 0 && key >= bestKey) continue
      best = flow
      bestKey = key
    }
    return best
  }

  /** `ahead`: the chunk was committed while another one ran. */
  #startChunk(ahead: boolean): void {
    const flow = this.#committed[0]!
    this.#committed.copyWithin(0, 1, this.#committedCount--)
    const first = this.#copied[flow] === 0
    const last = this.#copied[flow] === this.#chunks[flow]! - 1
    const overheadNs = this.#overheadNs(ahead && !first && flow === this.#previous)
    const messageNs = first ? this.#messageOverheadNs : 0
    this.#previous = flow
    this.#running = flow
    this.#copyFromNs = this.timeNs + messageNs + overheadNs
    this.#batch = this.#batching && !last ? this.#batchOf(flow, overheadNs, messageNs) : 1
    if (this.#batch > 1) {
      this.#chunk[flow]! += this.#batch - 1
      this.#endNs = this.timeNs + messageNs + this.#batch * (overheadNs + this.#fullNs)
      this.#lastChoiceNs = this.#endNs - overheadNs - this.#fullNs
    } else {
      this.#endNs = this.#copyFromNs + (last ? this.#lastNs[flow]! : this.#fullNs)
      this.#lastChoiceNs = this.timeNs
    }
  }

  #overheadNs(chained: boolean): number {
    const overhead = this.#overhead
    if (overhead.kind === 'mixed') return overhead.random.between(this.#bestOverheadNs, this.#worstOverheadNs)
    const best = this.timeNs < this.#bestUntilNs || (overhead.kind === 'chained' && chained)
    return best ? this.#bestOverheadNs : this.#worstOverheadNs
  }

  /**
   * How many full chunks of the message follow each other for sure: all end by the next refill, and at each start the balance is
   * positive, no other message has been queued, and the overhead is still the same.
   */
  #batchOf(flow: number, overheadNs: number, messageNs: number): number {
    const stepNs = overheadNs + this.#fullNs
    const fromNs = this.timeNs + messageNs
    const bestUntilNs = this.#bestUntilNs > this.timeNs ? this.#bestUntilNs : NEVER
    const startsBeforeNs = Math.min(this.#nextQueuedNs, bestUntilNs)
    return Math.max(
      1,
      Math.min(
        this.#chunks[flow]! - 1 - this.#copied[flow]!,
        Math.floor((this.#nextRefillNs - fromNs) / stepNs),
        Math.ceil(this.#balanceNs / this.#fullNs),
        // The first has started already; what is queued at the start of another may go first.
        startsBeforeNs === NEVER ? NEVER : Math.ceil((startsBeforeNs - fromNs) / stepNs),
      ),
    )
  }

  /** Does a flow have messages that wait or have begun? */
  #pending(): boolean {
    for (let flow = 0; flow < this.#count; flow++) if (this.#finished[flow]! < this.#queued[flow]!) return true
    return false
  }

  /** Is a message of this flow's rank or a higher one queued and unfinished? */
  #waits(watch: number): boolean {
    const rank = this.#ranks[watch]!
    for (let flow = 0; flow < this.#count; flow++) {
      if (this.#ranks[flow]! <= rank && this.#finished[flow]! < this.#queued[flow]!) return true
    }
    return false
  }
}

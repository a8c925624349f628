/**
 * Every behaviour of a small instance: all sporadic release patterns, refill phases, reachable regulator states, overheads and
 * ties, tick by tick, as a search of the state space. What random testing misses, this finds.
 *
 * A state is a vector of small integers: refill phase, balance, the running chunk (flow, overhead left, copy left), the phase of
 * the stall and whether a finished chunk waits for it to end, for each
 * flow the ticks since its last release, the chunks left of its oldest message and the age of each message under way, and
 * last the flows of the chunks that are committed behind the running one.
 */
import type { FlowSet, Stall } from 'virtio-sdk/analysis'

export interface SearchOptions {
  readonly set: FlowSet
  readonly scheduler: 'fp' | 'edf'
  readonly ranks: ArrayLike<number>
  /** Response times to refute, per flow. */
  readonly limits: readonly number[]
  /** By flow: the flow whose arrived messages release its own, at once; -1: released by itself. Default: all of them are. */
  readonly after?: readonly number[]
  /** Give up beyond this many states. */
  readonly maxStates: number
}

export interface SearchResult {
  /** A flow that exceeds its limit; -1: none does, in no behaviour at all. */
  readonly violator: number
  /** Worst responses seen: the true worst case when nothing is violated. */
  readonly worst: readonly number[]
  readonly states: number
  /** False when the search gave up. */
  readonly complete: boolean
}

const PHASE = 0
const BALANCE = 1
const RUNNING = 2
const OVERHEAD = 3
const COPY = 4
const STALL_PHASE = 5
const STALLED = 6
const FLOWS = 7
/**
 * Of a flow's slots: ticks since the last nominal release, chunks left of its oldest message, messages under way, the age (and 1) of
 * one that is queued now, behind the choice, and the ages of those under way.
 */
const SINCE = 0
const CHUNKS = 1
const COUNT = 2
const PENDING = 3
const AGES = 4
const MAX_MESSAGES = 6
const SLOTS = AGES + MAX_MESSAGES
/** Makes a negative balance a character code. */
const BIAS = 128

export function searchBehaviours(options: SearchOptions): SearchResult {
  return new StateSpace(options).search()
}

class StateSpace {
  readonly #options: SearchOptions
  readonly #count: number
  readonly #sizes: readonly (readonly number[])[]
  readonly #period: number
  readonly #budget: number
  readonly #lookAhead: number
  readonly #stall: Stall
  readonly #committed: number
  readonly #seen = new Set<string>()
  readonly #stack: Int16Array[] = []
  readonly #worst: number[]
  #violator = -1
  #outgrown = false

  constructor(options: SearchOptions) {
    const { flows, dma, regulator } = options.set
    this.#options = options
    this.#count = flows.length
    this.#sizes = flows.map(({ lengthBytes }) => {
      const sizes: number[] = []
      for (let left = lengthBytes; left > 0; left -= dma.chunkBytes) sizes.push(Math.min(left, dma.chunkBytes))
      return sizes
    })
    this.#period = regulator.kind === 'budget' ? regulator.periodNs : 1
    this.#budget = regulator.kind === 'budget' ? regulator.budgetNs : 1
    this.#lookAhead = dma.lookAhead ?? 0
    this.#stall = dma.stalls?.[0] ?? { periodNs: 1, stallNs: 0 }
    this.#committed = FLOWS + this.#count * SLOTS
    this.#worst = new Array<number>(this.#count).fill(0)
  }

  search(): SearchResult {
    for (let k = 0; k < this.#period * this.#stall.periodNs; k++) {
      const start = new Int16Array(this.#committed + this.#lookAhead + 1)
      start[PHASE] = k % this.#period
      start[STALL_PHASE] = Math.floor(k / this.#period)
      start[BALANCE] = this.#budget
      for (let flow = 0; flow < this.#count; flow++) start[slot(flow) + SINCE] = this.#rested(flow)
      this.#remember(start)
    }
    let complete = true
    while (this.#stack.length > 0 && this.#violator < 0 && complete) {
      complete = this.#seen.size <= this.#options.maxStates && !this.#outgrown
      this.#expand(this.#stack.pop()!)
    }
    return { violator: this.#violator, worst: this.#worst, states: this.#seen.size, complete }
  }

  /** One tick: refill, any releases, choices, any releases that the choices have not seen, then time passes. */
  #expand(state: Int16Array): void {
    if (state[STALL_PHASE] === 0) state[STALLED] = 0
    if (state[PHASE] === 0) state[BALANCE] = Math.min(this.#budget, state[BALANCE]! + this.#budget)
    const all = 2 ** this.#count - 1
    this.#release(state, 0, all, (early, unreleased) => {
      this.#settle(early, false, (settled, chosen) => {
        const pending = this.#flush(settled)
        if (!chosen && pending) this.#settle(settled, false, (next) => this.#advance(next))
        else if (!chosen) this.#advance(settled)
        else this.#release(settled, 0, unreleased, (late) => this.#settle(late, false, (next) => this.#advance(next)))
      })
    })
  }

  /**
   * Every choice of flows from `flow` on, within the mask `allowed`, that queue a message now. Jitter is an age that the message
   * already has; it is less than a period, so one message a tick is enough.
   */
  #release(
    state: Int16Array,
    flow: number,
    allowed: number,
    done: (state: Int16Array, unreleased: number) => void,
  ): void {
    if (flow === this.#count) {
      done(state.slice(), allowed)
      return
    }
    this.#release(state, flow + 1, allowed, done)
    if ((allowed & (1 << flow)) === 0 || (this.#options.after?.[flow] ?? -1) >= 0) return
    const { periodNs, jitterNs = 0 } = this.#options.set.flows[flow]!
    const at = slot(flow)
    const oldest = Math.min(jitterNs, state[at + SINCE]! - periodNs)
    for (let age = 0; age <= oldest; age++) {
      const next = state.slice()
      if (!this.#queue(next, flow, age)) continue
      next[at + SINCE] = age
      this.#release(next, flow + 1, allowed & ~(1 << flow), done)
    }
  }

  #queue(state: Int16Array, flow: number, age: number): boolean {
    const at = slot(flow)
    if (state[at + COUNT] === MAX_MESSAGES) {
      this.#outgrown = true
      return false
    }
    if (state[at + COUNT] === 0) state[at + CHUNKS] = this.#sizes[flow]!.length
    state[at + AGES + state[at + COUNT]!] = age
    state[at + COUNT]!++
    return true
  }

  /** Queues what the choice of this instant has not seen; true if there was any. */
  #flush(state: Int16Array): boolean {
    let any = false
    for (let flow = 0; flow < this.#count; flow++) {
      const at = slot(flow)
      if (state[at + PENDING] === 0) continue
      any = true
      this.#queue(state, flow, state[at + PENDING]! - 1)
      state[at + PENDING] = 0
    }
    return any
  }

  /** Starts and commits chunks, in every order that ties allow and with every overhead, until no more can be. */
  #settle(state: Int16Array, chosen: boolean, done: (state: Int16Array, chosen: boolean) => void): void {
    if (state[STALLED] === 1) {
      done(state, chosen)
      return
    }
    const idle = state[RUNNING] === 0
    if (idle && state[this.#committed] !== 0) {
      this.#start(state, (next) => this.#settle(next, chosen, done))
      return
    }
    const free = state.indexOf(0, this.#committed)
    const room = idle || (free >= 0 && free < this.#committed + this.#lookAhead)
    let least = Number.POSITIVE_INFINITY
    if (room && state[BALANCE]! > 0) {
      for (let flow = 0; flow < this.#count; flow++) least = Math.min(least, this.#key(state, flow))
    }
    if (least === Number.POSITIVE_INFINITY) {
      done(state, chosen)
      return
    }
    for (let flow = 0; flow < this.#count; flow++) {
      if (this.#key(state, flow) !== least) continue
      const next = state.slice()
      next[free] = flow + 1
      this.#settle(next, true, done)
    }
  }

  #start(state: Int16Array, done: (state: Int16Array) => void): void {
    const { chunkOverheadNs, messageOverheadNs } = this.#options.set.dma
    const flow = state[this.#committed]! - 1
    const sizes = this.#sizes[flow]!
    const index = sizes.length - state[slot(flow) + CHUNKS]!
    for (let overhead = chunkOverheadNs[0]; overhead <= chunkOverheadNs[1]; overhead++) {
      const next = state.slice()
      next.copyWithin(this.#committed, this.#committed + 1)
      next[next.length - 1] = 0
      next[RUNNING] = flow + 1
      next[OVERHEAD] = overhead + (index === 0 ? messageOverheadNs : 0)
      next[COPY] = sizes[index]!
      done(next)
    }
  }

  /** Urgency of a flow's first chunk that is neither running nor committed; Infinity without one. */
  #key(state: Int16Array, flow: number): number {
    const at = slot(flow)
    if (state[at + COUNT] === 0) return Number.POSITIVE_INFINITY
    let ahead = state[RUNNING] === flow + 1 ? 1 : 0
    for (let k = this.#committed; k < state.length; k++) if (state[k] === flow + 1) ahead++
    const beyondFirst = ahead - state[at + CHUNKS]!
    const message = beyondFirst < 0 ? 0 : 1 + Math.floor(beyondFirst / this.#sizes[flow]!.length)
    if (message >= state[at + COUNT]!) return Number.POSITIVE_INFINITY
    if (this.#options.scheduler === 'fp') return this.#options.ranks[flow]!
    return this.#options.set.flows[flow]!.deadlineNs - state[at + AGES + message]!
  }

  /** Ticks after a nominal release beyond which more of them make no difference. */
  #rested(flow: number): number {
    const { periodNs, jitterNs = 0 } = this.#options.set.flows[flow]!
    return periodNs + jitterNs
  }

  /** Lets one tick pass, in place, and remembers the state. */
  #advance(state: Int16Array): void {
    const { limits } = this.#options
    for (let flow = 0; flow < this.#count; flow++) {
      const at = slot(flow)
      if (state[at + SINCE]! < this.#rested(flow)) state[at + SINCE]!++
      for (let k = 0; k < state[at + COUNT]!; k++) state[at + AGES + k]!++
    }
    state[PHASE] = (state[PHASE]! + 1) % this.#period
    state[STALL_PHASE] = (state[STALL_PHASE]! + 1) % this.#stall.periodNs
    let completed = -1
    if (state[RUNNING] !== 0) {
      if (state[OVERHEAD]! > 0) state[OVERHEAD]!--
      else {
        state[COPY]!--
        state[BALANCE]!--
      }
      if (state[OVERHEAD] === 0 && state[COPY] === 0) {
        completed = state[RUNNING]! - 1
        this.#completeChunk(state)
      }
    }
    for (let flow = 0; flow < this.#count; flow++) {
      const at = slot(flow)
      if (state[at + COUNT]! > 0 && state[at + AGES]! > limits[flow]!) this.#observe(flow, state[at + AGES]!)
    }
    const next = completed < 0 ? -1 : (this.#options.after?.indexOf(completed) ?? -1)
    if (next >= 0 && state[slot(next) + PENDING]! > 0) {
      // The message that another has caused is queued at this instant, before the next choice or behind it.
      const before = state.slice()
      before[slot(next) + PENDING] = 0
      if (this.#queue(before, next, state[slot(next) + PENDING]! - 1)) this.#remember(before)
    }
    this.#remember(state)
    // The core that would take the interrupt is stopped until the end of the stall's period, or it is another core's.
    const { periodNs, stallNs } = this.#stall
    if (completed >= 0 && state[STALL_PHASE]! >= periodNs - stallNs) {
      const stalled = state.slice()
      stalled[STALLED] = 1
      this.#remember(stalled)
    }
  }

  #completeChunk(state: Int16Array): void {
    const flow = state[RUNNING]! - 1
    const at = slot(flow)
    state[RUNNING] = 0
    state[at + CHUNKS]!--
    if (state[at + CHUNKS]! > 0) return
    this.#observe(flow, state[at + AGES]!)
    const next = this.#options.after?.indexOf(flow) ?? -1
    if (next >= 0) state[slot(next) + PENDING] = state[at + AGES]! + 1
    state[at + COUNT]!--
    state.copyWithin(at + AGES, at + AGES + 1, at + SLOTS)
    state[at + AGES + state[at + COUNT]!] = 0
    if (state[at + COUNT]! > 0) state[at + CHUNKS] = this.#sizes[flow]!.length
  }

  #observe(flow: number, response: number): void {
    this.#worst[flow] = Math.max(this.#worst[flow]!, response)
    if (response > this.#options.limits[flow]!) this.#violator = flow
  }

  #remember(state: Int16Array): void {
    let key = ''
    for (let i = 0; i < state.length; i++) key += String.fromCharCode(state[i]! + BIAS)
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.#stack.push(state)
  }
}

function slot(flow: number): number {
  return FLOWS + flow * SLOTS
}

/**
 * All interleavings of two sides, as a depth-first search over states: where each side is, and what memory holds for each.
 *
 * States that are equal are joined. A side's local state is its whole history of values read, so joining loses nothing.
 *
 * Partial-order reduction by persistent sets of one side [Godefroid 1996, ch. 4], found while searching as in dynamic
 * partial-order reduction [Flanagan, Godefroid 2005]: a side whose next access is not known to *race* goes ahead alone. An
 * access races when the peer did a conflicting one later that nothing ordered behind it: the other order has to be tried too.
 * Races are kept by side, kind and place of the access, and a pass that meets a new one is begun anew, so the search ends with
 * a pass in which nothing went ahead alone that should not have. What a side is ordered after is part of a state, as far as it
 * decides whether something would be a new race, so that joining hides none. Sequences in which one side goes ahead alone are
 * not remembered, only states with a choice.
 */
import { Random } from '../../internal/random.ts'
import { type Access, DEVICE, DRIVER, other, type Side } from './access.ts'
import type { LocalState, SideCode } from './local-states.ts'
import type { Effect, Footprint, MemoryModel } from './model.ts'

export interface WorldState<State> {
  readonly local: readonly [LocalState, LocalState]
  readonly memory: State
  /** A notification is waiting for this side. */
  readonly pending: readonly [boolean, boolean]
  /** How many accesses of its peer each side is ordered after. */
  readonly known: readonly [number, number]
}

/** One step: who, and which of the possible effects of its next access. */
export interface ScheduleStep {
  readonly side: Side
  readonly choice: number
}

export type FailureKind = 'sleeps-for-ever' | 'threw' | 'outcome' | 'race'

export interface SearchFailure {
  readonly kind: FailureKind
  readonly side: Side | null
  readonly cause: unknown
  readonly steps: readonly ScheduleStep[]
}

export interface SearchCounts {
  /** Schedules followed to their end, each a different one to the reduction. */
  executions: number
  /** Schedules given up because their state was known, or, after the reduction, in favour of one that is equivalent. */
  pruned: number
  states: number
  steps: number
  passes: number
}

/** What is not followed twice: schedules that are equivalent, states that are equal, nothing. */
export type Reduction = 'persistent-sets' | 'states' | 'none'

export interface SearchOptions {
  /** Most states to visit, over all passes. */
  readonly limit: number
  readonly reduction: Reduction
  /** Throws when what both sides returned does not fit together. */
  readonly check: (driver: unknown, device: unknown) => void
}

/** The sample ends when so many schedules in a row met no new race. */
const SAMPLES_WITHOUT_NEWS = 30

export class InterleavingSearch<State> {
  readonly counts: SearchCounts = { executions: 0, pruned: 0, states: 0, steps: 0, passes: 0 }
  failure: SearchFailure | null = null
  limitReached = false
  /** A side that has more steps than may be followed: its schedules are cut short. */
  endless: Side | null = null
  readonly #sides: readonly [SideCode, SideCode]
  readonly #model: MemoryModel<State>
  readonly #options: SearchOptions
  readonly #reduces: boolean
  readonly #schedule: ScheduleStep[] = []
  readonly #visited = new Set<string>()
  /** Accesses, by side, kind and place, that were found to race. */
  readonly #racing = new Set<string>()
  readonly #places = new Map<LocalState, Place>()
  #again = false

  constructor(sides: readonly [SideCode, SideCode], model: MemoryModel<State>, options: SearchOptions) {
    this.#sides = sides
    this.#model = model
    this.#options = options
    this.#reduces = options.reduction === 'persistent-sets'
  }

  run(initial: State): void {
    if (this.#reduces) this.#sample(this.start(initial))
    do {
      this.#again = false
      this.#visited.clear()
      this.counts.passes++
      this.counts.executions = 0
      this.counts.pruned = 0
      this.#visit(this.start(initial), DRIVER)
    } while (this.#again && this.failure === null && !this.limitReached)
  }

  start(memory: State): WorldState<State> {
    const [driver, device] = this.#sides
    return { local: [driver.root, device.root], memory, pending: [false, false], known: [0, 0] }
  }

  /** What `side` may do now; empty when it sleeps or has ended. */
  effects(state: WorldState<State>, side: Side): readonly Effect<WorldState<State>>[] {
    const local = state.local[side]
    const { access } = local
    if (access === null || (access.kind === 'wait' && !state.pending[side])) return []
    const after = (memory: State, value: number, pending: readonly [boolean, boolean]): WorldState<State> => {
      const next = this.#sides[side].after(local, value)
      return {
        local: side === DRIVER ? [next, state.local[1]] : [state.local[0], next],
        memory,
        pending,
        known: state.known,
      }
    }
    if (access.kind === 'wait' || access.kind === 'notify') {
      const woken = access.kind === 'notify' ? other(side) : side
      const value = access.kind === 'notify'
      const pending = woken === DRIVER ? ([value, state.pending[1]] as const) : ([state.pending[0], value] as const)
      return [{ value: 0, state: after(state.memory, 0, pending) }]
    }
    return this.#model
      .perform(state.memory, side, local, access, state.local[other(side)])
      .map(({ state: memory, value, fault }) => {
        const next = { value, state: after(memory, value, state.pending) }
        return fault === undefined ? next : { ...next, fault }
      })
  }

  /** Why `state` is a failure by itself; null when it is none, or not an end. */
  verdictOf(state: WorldState<State>): Omit<SearchFailure, 'steps'> | null {
    for (const side of [DRIVER, DEVICE] as const) {
      const { end, result } = state.local[side]
      if (end === 'threw') return { kind: 'threw', side, cause: result }
    }
    // Cut short, so nothing can be said about how it ends.
    if (state.local.some(({ end }) => end === 'endless')) return null
    if (this.#mayMove(state, DRIVER) || this.#mayMove(state, DEVICE)) return null
    for (const side of [DRIVER, DEVICE] as const) {
      const { access } = state.local[side]
      if (access?.kind !== 'wait') continue
      // A server may rest when nobody else wants anything: the peer has ended, or rests too.
      const peer = state.local[other(side)]
      const peerRests = peer.end !== null || (peer.access?.kind === 'wait' && peer.access.mayRest)
      if (!access.mayRest || !peerRests) return { kind: 'sleeps-for-ever', side, cause: null }
    }
    const [driver, device] = state.local
    try {
      if (driver.end === 'done' && device.end === 'done') this.#options.check(driver.result, device.result)
    } catch (cause) {
      return { kind: 'outcome', side: null, cause }
    }
    return null
  }

  #mayMove({ local, pending }: WorldState<State>, side: Side): boolean {
    const { access } = local[side]
    return access !== null && (access.kind !== 'wait' || pending[side])
  }

  #stopped(): boolean {
    return this.failure !== null || this.limitReached || this.#again
  }

  /** Random schedules, only to meet the races that are met easily: each found later costs another pass. */
  #sample(initial: WorldState<State>): void {
    const random = new Random(1)
    for (let quiet = 0; quiet < SAMPLES_WITHOUT_NEWS; quiet++) {
      const before = this.#racing.size
      let state = initial
      while (this.verdictOf(state) === null) {
        const sides = ([DRIVER, DEVICE] as const).filter((side) => this.#mayMove(state, side))
        if (sides.length === 0) break
        const side = sides[random.between(0, sides.length - 1)]!
        const known = this.#observe(state, side)
        const effects = this.effects(state, side)
        state = { ...effects[random.between(0, effects.length - 1)]!.state, known }
      }
      if (this.#racing.size > before) quiet = 0
    }
  }

  #visit(state: WorldState<State>, last: Side): void {
    const order = [last, other(last)].filter((side) => this.#mayMove(state, side))
    const alone = this.#reduces ? order.find((side) => !this.#races(state.local[side], side)) : undefined
    // A state with one way on needs no memory: the next that has two is remembered.
    if (alone === undefined && this.#options.reduction !== 'none') {
      const key = this.#key(state)
      if (this.#visited.has(key)) {
        this.counts.pruned++
        return
      }
      this.#visited.add(key)
    }
    if (++this.counts.states > this.#options.limit) {
      this.limitReached = true
      return
    }
    for (const side of [DRIVER, DEVICE] as const) if (state.local[side].end === 'endless') this.endless = side
    const verdict = this.verdictOf(state)
    if (verdict !== null) {
      this.failure = { ...verdict, steps: [...this.#schedule] }
      return
    }
    if (order.length === 0) {
      this.counts.executions++
      return
    }
    if (alone !== undefined) {
      this.#step(state, alone)
      if (order.length > 1) this.counts.pruned++
      return
    }
    for (const side of order) {
      this.#step(state, side)
      if (this.#stopped()) return
    }
  }

  #step(state: WorldState<State>, side: Side): void {
    const known = this.#reduces ? this.#observe(state, side) : state.known
    for (const [choice, { state: next, fault }] of this.effects(state, side).entries()) {
      if (fault !== undefined) {
        const steps = [...this.#schedule, { side, choice }]
        this.failure = { kind: 'race', side, cause: fault, steps }
      } else this.#follow({ side, choice }, { ...next, known }, side)
      if (this.#stopped()) return
    }
  }

  #follow(step: ScheduleStep, next: WorldState<State>, last: Side): void {
    this.counts.steps++
    this.#schedule.push(step)
    this.#visit(next, last)
    this.#schedule.pop()
  }

  /** Finds the last access of the peer that conflicts with what `side` does now; unless it came before anyway, a race. */
  #observe(state: WorldState<State>, side: Side): readonly [number, number] {
    const mine = this.#placeOf(state.local[side], side).footprint
    const known = state.known[side]
    if (mine.reads.length + mine.writes.length === 0) return state.known
    for (let at = state.local[other(side)].parent; at !== null && at.depth >= known; at = at.parent) {
      const theirs = this.#placeOf(at, other(side))
      if (!conflict(mine, theirs.footprint)) continue
      if (!this.#racing.has(theirs.name)) {
        this.#racing.add(theirs.name)
        this.#again = true
      }
      return side === DRIVER ? [at.depth + 1, state.known[1]] : [state.known[0], at.depth + 1]
    }
    return state.known
  }

  #races(local: LocalState, side: Side): boolean {
    return this.#racing.has(this.#placeOf(local, side).name)
  }

  #placeOf(local: LocalState, side: Side): Place {
    let place = this.#places.get(local)
    if (place === undefined) {
      const access = local.access!
      const name = `${side}${access.kind}${'address' in access ? access.address : ''}`
      place = { name, footprint: this.#footprintOf(local, access, side) }
      this.#places.set(local, place)
    }
    return place
  }

  #footprintOf(local: LocalState, access: Access, side: Side): Footprint {
    // A notification is a place in the world as well: -1 the driver's, -2 the device's.
    if (access.kind === 'notify') return { reads: [], writes: [-1 - other(side)] }
    if (access.kind === 'wait') return { reads: [], writes: [-1 - side] }
    return this.#model.footprint(local, access)
  }

  #key(state: WorldState<State>): string {
    const { local, memory, pending } = state
    const awake = Number(pending[0]) + 2 * Number(pending[1])
    const known = this.#reduces ? `${this.#relevant(state, DRIVER)},${this.#relevant(state, DEVICE)}` : ''
    return `${local[0].id},${local[1].id},${awake},${known},${this.#model.key(memory)}`
  }

  /** `known`, as far as it still matters: how many accesses of the peer are ordered before `side`, or race anyway. */
  #relevant({ local, known }: WorldState<State>, side: Side): number {
    const peer = other(side)
    let relevant = local[peer].depth
    for (let at = local[peer].parent; at !== null && at.depth >= known[side]; at = at.parent) {
      if (!this.#races(at, peer)) relevant = at.depth
    }
    return relevant
  }
}

interface Place {
  readonly name: string
  readonly footprint: Footprint
}

function conflict(a: Footprint, b: Footprint): boolean {
  return a.writes.some((place) => b.writes.includes(place) || b.reads.includes(place)) || meets(a.reads, b.writes)
}

function meets(a: readonly number[], b: readonly number[]): boolean {
  return a.some((place) => b.includes(place))
}

/**
 * Looks for bad behaviours of the abstract machine: legal release patterns of a flow set, found from what makes a bound large,
 * then improved step by step. What it finds has happened in a simulation, so a bound below it is wrong;
 * what it does not find may exist all the same, so bound / found overstates the pessimism of a bound.
 *
 *   less urgent flows empty the budget           the flow and all that go first: together, just after a chunk was chosen
 *   │                                            │
 *   drain ── refill ── refill ── … ── last chunk ┴ exhausted ── refill ── …
 */
import { earliestDeadlineBounds, type FlowSet, fixedPriorityBounds, ranksOf } from '../analysis/index.ts'
import type { Random } from '../internal/random.ts'
import { ChunkMachine, type SchedulerName } from './chunk-machine.ts'
import { Releases } from './releases.ts'

/** A behaviour: each flow releases periodically from its first release on, without jitter, on a budget just refilled at 0. */
export type Witness = {
  readonly scheduler: SchedulerName
  readonly flow: number
  /** Of each flow; null: it stays silent. */
  readonly firstReleaseNs: readonly (number | null)[]
  /** Which first messages a choice at their very instant has not seen. */
  readonly late: readonly boolean[]
  /** Software before a chunk takes its best time until then, and its worst from then on; null: its worst throughout. */
  readonly bestUntilNs: number | null
  /** No message is released from here on. */
  readonly untilNs: number
}

/** The longest response that was found, and the behaviour that has it. */
export interface Worst {
  readonly responseNs: number
  readonly witness: Witness
}

/** How long to search for a bad behaviour. */
export interface SearchEffort {
  /** Refill periods over which less urgent flows may drain the budget, and starts of that relative to a refill. */
  readonly periods: number
  readonly phases: number
  /** Steps of the local search. */
  readonly steps: number
}

/** What is searched when nothing else is asked for. */
export const DEFAULT_EFFORT: SearchEffort = { periods: 4, phases: 4, steps: 60 }

/** Worst response of the witness's flow in its behaviour. */
export function replayWitness(set: FlowSet, witness: Witness, ranks: ArrayLike<number> = ranksOf(set.flows)): number {
  return new WorstCaseSearch(set, witness.scheduler, ranks).respond(witness)
}

/** Search in one flow set under one scheduler; reused for its flows. */
export class WorstCaseSearch {
  readonly #set: FlowSet
  readonly #scheduler: SchedulerName
  readonly #ranks: ArrayLike<number>
  readonly #machine: ChunkMachine
  readonly #releases: Releases
  /** 0 without a budget. */
  readonly #refillPeriodNs: number
  /** A full chunk with its worst overhead. */
  readonly #chunkNs: number
  readonly #overheadVaries: boolean
  /**
   * Of each flow, counted from the start of a busy period: the release of the message that its bound is of, and a time after which no
   * release matters to it; Infinity where there is no bound.
   */
  readonly #releaseNs: readonly number[]
  readonly #busyNs: readonly number[]
  simulations = 0

  /** `ranks` matter under fixed priority only. */
  constructor(set: FlowSet, scheduler: SchedulerName, ranks: ArrayLike<number> = ranksOf(set.flows)) {
    const { flows, dma, regulator } = set
    this.#set = set
    this.#scheduler = scheduler
    this.#ranks = ranks
    this.#machine = new ChunkMachine(set, scheduler, ranks)
    this.#releases = new Releases(flows.length)
    this.#refillPeriodNs =
      regulator.kind === 'budget' && regulator.budgetNs < regulator.periodNs ? regulator.periodNs : 0
    this.#chunkNs = Math.ceil(dma.chunkBytes / dma.dmaBytesPerNs) + dma.chunkOverheadNs[1]
    this.#overheadVaries = dma.chunkOverheadNs[0] < dma.chunkOverheadNs[1]
    const edf = scheduler === 'edf'
    const bounds = edf ? earliestDeadlineBounds(set) : fixedPriorityBounds(set, undefined, ranks)
    this.#releaseNs = bounds.map((terms) => (edf && terms !== null ? Math.max(0, terms.releaseNs) : 0))
    this.#busyNs = bounds.map((terms, i) => {
      if (terms === null) return Number.POSITIVE_INFINITY
      return edf ? this.#releaseNs[i]! + flows[i]!.deadlineNs : terms.instances * flows[i]!.periodNs
    })
  }

  /** The worst behaviour found for `flow`, which must have a bound: nobody else's busy periods surely end. */
  find(flow: number, random: Random, { periods, phases, steps }: SearchEffort = DEFAULT_EFFORT): Worst {
    let best = { responseNs: 0, witness: this.#behaviour(flow, 0, 0, this.#silent(), null) }
    const consider = (witness: Witness) => {
      const responseNs = this.respond(witness)
      if (responseNs > best.responseNs) best = { responseNs, witness }
    }
    // The bound's message has the deadline of another flow's, as a rule: 1 ns later it surely goes last.
    const boundNs = this.#releaseNs[flow]!
    for (const releaseNs of boundNs === 0 ? [0] : [0, boundNs, boundNs + 1]) {
      for (const witness of this.#undrained(flow, releaseNs)) consider(witness)
      for (const witness of this.#drained(flow, releaseNs, periods, phases)) consider(witness)
    }
    for (let step = 0; step < steps; step++) consider(this.#changed(best.witness, random))
    return best
  }

  respond({ flow, firstReleaseNs, late, bestUntilNs, untilNs }: Witness): number {
    const releases = this.#releases
    releases.clear()
    firstReleaseNs.forEach((firstNs, j) => {
      if (firstNs === null) return
      const { periodNs } = this.#set.flows[j]!
      for (let releaseNs = firstNs; releaseNs < untilNs; releaseNs += periodNs) {
        releases.add(j, releaseNs, releaseNs, late[j]! && releaseNs === firstNs)
      }
    })
    this.simulations++
    this.#machine.run(releases, {
      overhead: bestUntilNs === null ? { kind: 'worst' } : { kind: 'worst', bestUntilNs },
      ...(this.#scheduler === 'fp' ? { watch: flow, watchFromNs: firstReleaseNs[flow]! + 1 } : {}),
    })
    return this.#machine.worstNs[flow]!
  }

  #silent(): (number | null)[] {
    return this.#set.flows.map(() => null)
  }

  /** Can flow j go before the message of `flow` that is released `releaseNs` after the start of a busy period? */
  #goesFirst(j: number, flow: number, releaseNs: number): boolean {
    if (this.#scheduler === 'fp') return this.#ranks[j]! <= this.#ranks[flow]!
    const { flows } = this.#set
    return j === flow || flows[j]!.deadlineNs <= releaseNs + flows[flow]!.deadlineNs
  }

  /**
   * The flows that can go first release together at `timeNs`, late, and so does the flow if a message of it then comes
   * `releaseNs` later; the others as given.
   */
  #behaviour(
    flow: number,
    timeNs: number,
    releaseNs: number,
    others: readonly (number | null)[],
    bestUntilNs: number | null,
  ): Witness {
    const { flows } = this.#set
    const firstReleaseNs = flows.map((_, j) => (this.#goesFirst(j, flow, releaseNs) ? timeNs : others[j]!))
    firstReleaseNs[flow] = timeNs + (releaseNs % flows[flow]!.periodNs)
    return {
      scheduler: this.#scheduler,
      flow,
      firstReleaseNs,
      late: firstReleaseNs.map((ns, j) => ns === timeNs && this.#goesFirst(j, flow, releaseNs)),
      bestUntilNs,
      untilNs: timeNs + this.#busyNs[flow]!,
    }
  }

  /** A full budget, with or without the first chunk of a less urgent message ahead. */
  *#undrained(flow: number, releaseNs: number): Generator<Witness> {
    yield this.#behaviour(flow, 0, releaseNs, this.#silent(), null)
    for (let j = 0; j < this.#set.flows.length; j++) {
      if (this.#goesFirst(j, flow, releaseNs)) continue
      yield this.#behaviour(flow, 0, releaseNs, this.#silent().with(j, 0), null)
    }
  }

  /** A budget that less urgent flows exhaust, one of them possibly with the first chunk of a message. */
  *#drained(flow: number, releaseNs: number, periods: number, phases: number): Generator<Witness> {
    if (this.#refillPeriodNs === 0) return
    for (let phase = 0; phase < phases; phase++) {
      // Just before a refill, so that a chunk is under way when it comes: then its software is behind it, its copying is not.
      const drainNs = phase === 0 ? 0 : this.#refillPeriodNs - Math.ceil((phase * this.#chunkNs) / phases)
      const drain = this.#silent().map((_, j) => (this.#goesFirst(j, flow, releaseNs) ? null : drainNs))
      for (const fast of this.#overheadVaries ? [true, false] : [false]) {
        for (const timeNs of this.#lastChoices(drain, periods, fast)) {
          const bestUntilNs = fast ? timeNs : null
          yield this.#behaviour(flow, timeNs, releaseNs, drain, bestUntilNs)
          for (let j = 0; j < drain.length; j++) {
            if (drain[j] !== null) yield this.#behaviour(flow, timeNs, releaseNs, drain.with(j, timeNs), bestUntilNs)
          }
        }
      }
    }
  }

  /** When, in the first `periods` periods that exhaust the budget, the last chunk before that is chosen. */
  #lastChoices(drain: readonly (number | null)[], periods: number, fast: boolean): number[] {
    const releases = this.#releases
    releases.clear()
    drain.forEach((releaseNs, j) => {
      if (releaseNs !== null) releases.add(j, releaseNs)
    })
    const lastChoices: number[] = []
    this.simulations++
    this.#machine.run(releases, { overhead: { kind: fast ? 'best' : 'worst' }, lastChoices })
    return lastChoices.slice(0, periods)
  }

  /** A neighbour: all that go first a little earlier or later, or one flow alone. */
  #changed(witness: Witness, random: Random): Witness {
    const { flow, firstReleaseNs, late, bestUntilNs } = witness
    const reachNs = random.pick([100, this.#chunkNs, 10 * this.#chunkNs, this.#refillPeriodNs])
    const shiftNs = random.between(-reachNs, reachNs)
    const one = random.between(0, firstReleaseNs.length)
    const shifted = firstReleaseNs.map((releaseNs, j) => {
      const moves = one === firstReleaseNs.length ? late[j]! : j === one
      return releaseNs === null || !moves ? releaseNs : Math.max(0, releaseNs + shiftNs)
    })
    return {
      ...witness,
      firstReleaseNs: shifted,
      bestUntilNs: bestUntilNs === null ? null : Math.max(0, bestUntilNs + (random.chance(0.5) ? shiftNs : 0)),
      untilNs: Math.max(...shifted.map((releaseNs) => releaseNs ?? 0)) + this.#busyNs[flow]!,
    }
  }
}

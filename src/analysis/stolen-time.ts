/**
 * Processor time that the broker takes from each core (the interference a guest sees), and what a freed core is worth.
 *
 *   dedicated: a trap for every send; at the receiver an interrupt and a refill trap for every completion; plus one whole core
 *   floating:  the broker's own steps at sender and receiver, and spinning for its lock; no core of its own
 *
 * Costs are worst cases in ns, already summed over the steps of a platform.
 */
import { checkFlags, checkObject } from '../internal/check-option.ts'
import { ceilDivide } from './exact.ts'
import { chunkCount, effectiveBytesPerNs, type FlowSet, lastChunkBytes, validateFlowSet } from './flow.ts'
import { transferTimeNs } from './supply.ts'

/** Where a flow runs, and what the analysis of the DMA said about it. Same order as the flows. */
export interface Route {
  readonly sourceCore: number
  readonly destinationCore: number
  /** Worst and best time from nominal release to the last completion: together, the jitter of the completions. */
  readonly responseNs: number
  readonly bestResponseNs: number
  /** Completion interrupts of one message, when chaining needs fewer than one per chunk in the worst case too. */
  readonly completionsPerMessage?: number
}

/** What a core pays for a dedicated broker. Worst cases in ns. */
export interface DedicatedCosts {
  readonly placement: 'dedicated'
  /** e_trap: a doorbell trap on the sender. e_irq: taking one notification. e_rxkick: the trap of one refill. */
  readonly trapNs: number
  readonly irqNs: number
  readonly rxKickNs: number
}

/** What a core pays for being part of a floating one. Worst cases in ns. */
export interface FloatingCosts {
  readonly placement: 'floating'
  /** e_tx: a send, with the broker's step. e_cmp: a completion, with the broker's step. Without waiting for the lock. */
  readonly sendNs: number
  readonly completionNs: number
  /** w: longest time the broker's lock is held. */
  readonly lockHoldNs: number
}

/** Sources of tightness, each a switch; default on. */
export interface StolenTimeOptions {
  /** A serial regulated DMA cannot complete faster than it copies, nor than its budget allows. */
  readonly completionStream?: boolean
  /** A spin for another core needs an entry of that core too: min(N_k, N_k') spins each, instead of N_k·(m - 1). */
  readonly inflationFreeLock?: boolean
}

/** What EL2 takes from one core within a window: its sends, completions that it takes, and waiting for the lock. In ns. */
export interface StolenTerms {
  readonly sendNs: number
  readonly completionNs: number
  readonly spinNs: number
  readonly totalNs: number
}

/**
 * I_k(t): the most that the broker takes from core k in any window of length t (docs/analysis.md §9). Routes are in the order of the flows.
 * Throws as `validateFlowSet`.
 */
export class StolenTime {
  readonly #set: FlowSet
  readonly #routes: readonly Route[]
  readonly #cores: number
  readonly #costs: DedicatedCosts | FloatingCosts
  readonly #options: Required<StolenTimeOptions>
  readonly #spacing: readonly ChunkSpacing[]

  constructor(
    set: FlowSet,
    routes: readonly Route[],
    cores: number,
    costs: DedicatedCosts | FloatingCosts,
    options: StolenTimeOptions = {},
  ) {
    checkObject('options', options)
    checkFlags(options, 'completionStream', 'inflationFreeLock')
    const { completionStream = true, inflationFreeLock = true } = options
    validateFlowSet(set)
    this.#set = set
    this.#routes = routes
    this.#cores = cores
    this.#costs = costs
    this.#options = { completionStream, inflationFreeLock }
    this.#spacing = set.flows.map((_, i) => new ChunkSpacing(set, i))
  }

  /** I_k(t): most that `core` loses in any window of `windowNs`. */
  within(core: number, windowNs: number): StolenTerms {
    const sends = this.#sends(core, windowNs)
    const completions = this.#completions(core, windowNs)
    const costs = this.#costs
    if (costs.placement === 'dedicated') {
      const returns = this.#returns(core, windowNs)
      return total(sends * costs.trapNs + returns * costs.irqNs, completions * (costs.irqNs + costs.rxKickNs), 0)
    }
    const spinNs = this.#spins(core, sends + completions, windowNs) * costs.lockHoldNs
    return total(sends * costs.sendNs, completions * costs.completionNs, spinNs)
  }

  /** The share of `core` that is lost in the long run, without the dedicated broker's own core. */
  rate(core: number): number {
    const costs = this.#costs
    const [sends, completions] = this.#entryRates(core)
    if (costs.placement === 'dedicated') {
      return sends * (costs.trapNs + costs.irqNs) + completions * (costs.irqNs + costs.rxKickNs)
    }
    let spins = 0
    for (let other = 0; other < this.#cores; other++) {
      if (other === core) continue
      const [otherSends, otherCompletions] = this.#entryRates(other)
      const both = sends + completions
      spins += this.#options.inflationFreeLock ? Math.min(both, otherSends + otherCompletions) : both
    }
    return sends * costs.sendNs + completions * costs.completionNs + spins * costs.lockHoldNs
  }

  /** Completions of flow `i` in any window: by arrivals, by what the DMA can copy, and by what its budget allows. */
  completionsOf(i: number, windowNs: number): number {
    const route = this.#routes[i]!
    const flow = this.#set.flows[i]!
    const chunks = chunkCount(flow.lengthBytes, this.#set.dma.chunkBytes)
    const spanNs = windowNs + (flow.jitterNs ?? 0) + route.responseNs - route.bestResponseNs
    const arrivals = ceilDivide(spanNs, flow.periodNs) * (route.completionsPerMessage ?? chunks)
    return this.#options.completionStream ? Math.min(arrivals, this.#spacing[i]!.completions(windowNs)) : arrivals
  }

  #sends(core: number, windowNs: number): number {
    let sends = 0
    this.#set.flows.forEach((flow, i) => {
      if (this.#routes[i]!.sourceCore === core) sends += ceilDivide(windowNs + (flow.jitterNs ?? 0), flow.periodNs)
    })
    return sends
  }

  /** Buffers given back to senders: one a message, as late and as bunched as its completion. */
  #returns(core: number, windowNs: number): number {
    let returns = 0
    this.#set.flows.forEach((flow, i) => {
      const { sourceCore, responseNs, bestResponseNs } = this.#routes[i]!
      if (sourceCore !== core) return
      returns += ceilDivide(windowNs + (flow.jitterNs ?? 0) + responseNs - bestResponseNs, flow.periodNs)
    })
    return returns
  }

  #completions(core: number, windowNs: number): number {
    let completions = 0
    this.#routes.forEach((route, i) => {
      if (route.destinationCore === core) completions += this.completionsOf(i, windowNs)
    })
    return completions
  }

  /**
   * How often `core` waits for another's entry, with a FIFO lock: once per entry of its own and other core, and only for entries
   * that the other makes in the window or still has open at its start, so none older than all m turns of the lock.
   */
  #spins(core: number, entries: number, windowNs: number): number {
    const { lockHoldNs } = this.#costs as FloatingCosts
    let spins = 0
    for (let other = 0; other < this.#cores; other++) {
      if (other === core) continue
      if (!this.#options.inflationFreeLock) {
        spins += entries
        continue
      }
      const reachNs = windowNs + this.#cores * lockHoldNs
      spins += Math.min(entries, this.#sends(other, reachNs) + this.#completions(other, reachNs))
    }
    return spins
  }

  #entryRates(core: number): [sends: number, completions: number] {
    let sends = 0
    let completions = 0
    this.#set.flows.forEach((flow, i) => {
      const route = this.#routes[i]!
      const chunks = chunkCount(flow.lengthBytes, this.#set.dma.chunkBytes)
      if (route.sourceCore === core) sends += 1 / flow.periodNs
      if (route.destinationCore === core) completions += (route.completionsPerMessage ?? chunks) / flow.periodNs
    })
    return [sends, completions]
  }
}

/** How close the chunks of one flow can follow each other: S-sized ones, and one short one a message. */
class ChunkSpacing {
  readonly #chunks: number
  readonly #fullNs: number
  readonly #lastNs: number
  readonly #gapNs: number
  readonly #chunksPerPeriod: number
  readonly #periodNs: number

  constructor({ flows, dma, regulator }: FlowSet, i: number) {
    const beta = effectiveBytesPerNs(dma, regulator)
    const { lengthBytes } = flows[i]!
    this.#chunks = chunkCount(lengthBytes, dma.chunkBytes)
    this.#fullNs = transferTimeNs(dma.chunkBytes, beta)
    this.#lastNs = transferTimeNs(lastChunkBytes(lengthBytes, dma.chunkBytes), beta)
    this.#gapNs = dma.chunkOverheadNs[0]
    const budget = regulator.kind === 'budget' ? regulator : null
    this.#periodNs = budget?.periodNs ?? Number.POSITIVE_INFINITY
    // Starts in one period: while the balance is positive, so the chunks before the last start took less than Q.
    this.#chunksPerPeriod = budget === null ? Number.POSITIVE_INFINITY : this.#intervals(budget.budgetNs - 1, 0) + 1
  }

  /** min(serial DMA, budget): floor(t/(c + h-)) + 1 and (floor(t/P) + 2)·ceil(Q/c), for chunks that are not all of one size. */
  completions(windowNs: number): number {
    const serial = this.#intervals(windowNs, this.#gapNs) + 1
    if (this.#periodNs === Number.POSITIVE_INFINITY) return serial
    return Math.min(serial, (Math.floor(windowNs / this.#periodNs) + 2) * this.#chunksPerPeriod)
  }

  /** Most chunks of this flow, in the best order, that fit into `timeNs` with `gapNs` before each. */
  #intervals(timeNs: number, gapNs: number): number {
    const fullNs = this.#fullNs + gapNs
    const lastNs = this.#lastNs + gapNs
    const messageNs = (this.#chunks - 1) * fullNs + lastNs
    const messages = Math.floor(timeNs / messageNs)
    const restNs = timeNs - messages * messageNs
    return messages * this.#chunks + (restNs < lastNs ? 0 : 1 + Math.floor((restNs - lastNs) / fullNs))
  }
}

function total(sendNs: number, completionNs: number, spinNs: number): StolenTerms {
  return { sendNs, completionNs, spinNs, totalNs: sendNs + completionNs + spinNs }
}

/** In cores: 1 is all of one core's time. */
export interface FreedCapacity {
  /** Lost share per core. */
  readonly dedicated: readonly number[]
  readonly floating: readonly number[]
  /** 1 - sum(floating - dedicated): cores gained by giving the broker's own core back. */
  readonly freed: number
  /** Factor on all message rates at which floating costs as much as the core it frees; Infinity if it never does. */
  readonly breakEven: number
}

/** What the floating placement frees on `cores` cores; the two must describe the same flows. */
export function freedCapacity(dedicated: StolenTime, floating: StolenTime, cores: number): FreedCapacity {
  const shares = (stolen: StolenTime) => Array.from({ length: cores }, (_, core) => stolen.rate(core))
  const before = shares(dedicated)
  const after = shares(floating)
  const extra = sum(after) - sum(before)
  return {
    dedicated: before,
    floating: after,
    freed: 1 - extra,
    breakEven: extra > 0 ? 1 / extra : Number.POSITIVE_INFINITY,
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}

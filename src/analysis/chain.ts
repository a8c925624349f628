/**
 * Messages that cause messages: camera to perception to planner. The holistic analysis of [Tindell Clark 1994], for EDF with the
 * responses of [Spuri 1996]: what varies in one hop is release jitter of the next, so all bounds are iterated until none changes. Under
 * fixed priority with `offsets` the hops of a chain, which are released by one message, do not interfere as if all of them could
 * come at once.
 */

import { assert } from '../internal/assert.ts'
import { checkFlags, checkWord } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { ChainedPriorityTest, type ChainPlace } from './chained-priority.ts'
import { checkTestOptions } from './check-options.ts'
import { DeadlineResponseTest, earliestDeadlineBounds } from './earliest-deadline-response.ts'
import { fixedPriorityBounds, ranksOf } from './fixed-priority.ts'
import type { FlowSet } from './flow.ts'
import { deriveModel } from './model.ts'
import type { ResponseTerms } from './response-terms.ts'
import type { Scheduler } from './schedulable.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

/** One flow of a chain. Times are integer ns. */
export interface Hop {
  /** Index of the flow. All hops of a chain have the same period; the jitter of a flow is what it has of its own. */
  readonly flow: number
  /** Least time from nominal release to the last completion; default 0, which is always right. */
  readonly bestResponseNs?: number
  /** From there until the next hop's message is queued: interrupt, guest task, send. [best, worst]; the last hop's is not read. */
  readonly forwardNs?: readonly [best: number, worst: number]
}

/** Hops in their order, each released by the arrival of the one before it. */
export interface Chain {
  readonly hops: readonly Hop[]
  /** From the first nominal release to the last completion. */
  readonly deadlineNs: number
}

/** In ns. */
export interface ChainBound {
  /** From the first nominal release to the last completion. */
  readonly endToEndNs: number
  /** Each hop's, counted from its own earliest release. */
  readonly hops: readonly ResponseTerms[]
}

/** Which analysis of chains. */
export interface ChainOptions {
  /** Default fixed priority. */
  readonly scheduler?: Scheduler
  /** Fixed priority only; smaller is more urgent. Default: `ranksOf` the flows. */
  readonly ranks?: ArrayLike<number>
  /**
   * Fixed priority only: dynamic offsets between the hops of a chain, never worse than without. Default true. It needs that a hop's
   * message is queued after the one before it is complete, that messages are forwarded in order, and that flows are first-in
   * first-out.
   */
  readonly offsets?: boolean
  /**
   * EDF only: from when on the deadline of a hop's message counts for the server. Its nominal release, that of the chain and what the
   * hops before take at best (default: the message carries a time stamp), or when it is queued.
   */
  readonly deadlinesFrom?: 'release' | 'arrival'
}

/**
 * Bounds of all chains, or null: some chain is not shown to meet its deadline, and the jitter that it then passes on has no
 * bound either. Flows outside of the chains interfere as they are. Deadlines of hops count under EDF only, for what goes first. Throws
 * `VirtioError` BAD_CHAIN: a best case above its worst; and as `validateFlowSet`.
 */
export function chainBounds(
  set: FlowSet,
  chains: readonly Chain[],
  tightness: Tightness = TIGHTNESS.A4,
  options: ChainOptions = {},
): ChainBound[] | null {
  checkTestOptions(options)
  checkFlags(options, 'offsets')
  if (options.deadlinesFrom !== undefined) checkWord('deadlinesFrom', options.deadlinesFrom, ['release', 'arrival'])
  const places = placesOf(set, chains)
  // Of the jitter that the flows have of their own.
  const ranks = options.scheduler === 'edf' ? [] : (options.ranks ?? ranksOf(set.flows))
  const jitterNs = set.flows.map((flow) => flow.jitterNs ?? 0)
  for (;;) {
    const flows = set.flows.map((flow, i) => ({ ...flow, jitterNs: jitterNs[i]! }))
    const terms = boundsOf({ ...set, flows }, tightness, places, ranks, options)
    let stable = true
    const bounds: ChainBound[] = []
    for (const { hops, deadlineNs } of chains) {
      let earliestNs = 0
      let endToEndNs = 0
      for (const [k, hop] of hops.entries()) {
        const responseNs = terms[hop.flow]?.responseNs ?? Number.POSITIVE_INFINITY
        endToEndNs = earliestNs + responseNs
        if (endToEndNs > deadlineNs) return null
        const next = hops[k + 1]
        if (next === undefined) break
        const { bestResponseNs = 0, forwardNs = [0, 0] } = hop
        if (bestResponseNs > responseNs || forwardNs[0] > forwardNs[1]) {
          const flow = set.flows[hop.flow]!.name ?? `#${hop.flow}`
          const message = `hop ${flow}: a best response of ${bestResponseNs} ns, then ${forwardNs} ns, but at most ${responseNs} ns`
          throw new VirtioError('BAD_CHAIN', `${message}: the best cannot be above the worst`)
        }
        earliestNs += bestResponseNs + forwardNs[0]
        const passedOnNs = responseNs - bestResponseNs + forwardNs[1] - forwardNs[0]
        const nextJitterNs = (set.flows[next.flow]!.jitterNs ?? 0) + passedOnNs
        if (nextJitterNs !== jitterNs[next.flow]) stable = false
        jitterNs[next.flow] = nextJitterNs
      }
      bounds.push({ endToEndNs, hops: hops.map((hop) => terms[hop.flow]!) })
    }
    if (stable) return bounds
  }
}

function boundsOf(
  set: FlowSet,
  tightness: Tightness,
  places: readonly (ChainPlace | null)[],
  ranks: ArrayLike<number>,
  { scheduler = 'fp', offsets = true, deadlinesFrom = 'release' }: ChainOptions,
): (ResponseTerms | null)[] {
  if (scheduler === 'fp') {
    if (!offsets) return fixedPriorityBounds(set, tightness, ranks)
    const test = new ChainedPriorityTest(deriveModel(set, tightness), places, ranks)
    return set.flows.map((_, flow) => test.bound(flow))
  }
  if (deadlinesFrom === 'release') return earliestDeadlineBounds(set, tightness)
  // Others go first by their earliest deadlines, and before the latest of the analysed message's: as late as its jitter.
  const model = deriveModel(set, tightness)
  return set.flows.map((_, flow) => {
    const deadlineNs = Float64Array.from(model.deadlineNs)
    deadlineNs[flow]! += model.jitterNs[flow]!
    return new DeadlineResponseTest({ ...model, deadlineNs }).bound(flow)
  })
}

/** Where each flow stands, its offset being the sum of what takes least before it. */
function placesOf({ flows }: FlowSet, chains: readonly Chain[]): (ChainPlace | null)[] {
  const places = flows.map<ChainPlace | null>(() => null)
  chains.forEach(({ hops }, chain) => {
    let offsetNs = 0
    hops.forEach(({ flow, bestResponseNs = 0, forwardNs = [0, 0] }, hop) => {
      assert(flows[flow]!.periodNs === flows[hops[0]!.flow]!.periodNs, 'the hops of a chain have one period')
      assert(places[flow] === null, 'a flow is one hop of one chain')
      places[flow] = { chain, hop, offsetNs }
      offsetNs += bestResponseNs + forwardNs[0]
    })
  })
  return places
}

/**
 * What would make a set fit, or what breaks it first: sensitivity by search over the tests themselves, in the manner of
 * [Bini Di Natale Buttazzo 2008] but without their closed forms, so that it holds for every scheduler and switch.
 *
 * A knob is bisected only where the verdict is monotone in it, for every combination of switches (docs/analysis.md §12 has the
 * lemma): lengths, deadlines and the budget. The software around a chunk and the chunk size are not monotone, they are tried on
 * a grid, and the result says what was tried.
 */
import { checkTestOptions } from './check-options.ts'
import { DemandTest, earliestDeadlineVerdict } from './earliest-deadline.ts'
import { EXACT_LIMIT } from './exact.ts'
import { fixedPriorityBounds, ranksOf } from './fixed-priority.ts'
import { effectiveBytesPerNs, type FlowSet } from './flow.ts'
import { deriveModel } from './model.ts'
import { schedulable, type TestOptions } from './schedulable.ts'
import { TIGHTNESS } from './tightness.ts'

/** Ten hours: a later deadline is not looked for. */
const LATEST_DEADLINE_NS = 2 ** 45

const FAILURE_POINTS = 100_000

/** What would make one flow fit, and how far it is from not fitting. */
export interface FlowSensitivity {
  /**
   * Least deadline under which the test still accepts: the flow under fixed priority, the whole set under EDF. May exceed the
   * present one; null: no deadline of this flow helps. Exact.
   */
  readonly leastDeadlineNs: number | null
  /** D less that: how much the deadline could shrink; negative: how much is missing. */
  readonly slackNs: number | null
  /** Longest message with which the whole set is accepted, the other flows as they are; null: not even one byte. Exact. */
  readonly largestLengthBytes: number | null
}

/** How far a set is from being refused, or accepted, by the test chosen. */
export interface Sensitivity {
  /** As it is. */
  readonly schedulable: boolean
  /** In the order of the flows. */
  readonly flows: readonly FlowSensitivity[]
  /** Largest factor on all lengths, in thousandths, with which the set is accepted (lengths rounded up); 0: none. Exact. */
  readonly lengthPermille: number
  /** Flows not shown to meet their deadline one thousandth above that. EDF: the one of the deadline that fails first. */
  readonly failsFirst: readonly number[]
  /** Least budget Q with which the set is accepted, P as it is; null: none, or no budget regulator. Exact. */
  readonly smallestBudgetNs: number | null
}

/** Searches every knob. About 50 tests a flow; allocates. Throws as `validateFlowSet`. */
export function sensitivity(set: FlowSet, options: TestOptions = {}): Sensitivity {
  const fixed = withRanks(set, options)
  const factor = lengthPermille(set, fixed)
  return {
    schedulable: schedulable(set, fixed),
    flows: leastDeadlines(set, fixed).map((leastDeadlineNs, i) => ({
      leastDeadlineNs,
      slackNs: leastDeadlineNs === null ? null : set.flows[i]!.deadlineNs - leastDeadlineNs,
      largestLengthBytes: largestLength(set, i, fixed),
    })),
    lengthPermille: factor,
    failsFirst: failing(scaled(set, factor + 1), fixed),
    smallestBudgetNs: smallestBudget(set, fixed),
  }
}

/** Priorities are those of the given set while a knob turns: a deadline that shrinks does not reorder the flows. */
function withRanks(set: FlowSet, options: TestOptions) {
  checkTestOptions(options)
  const { scheduler = 'fp', tightness = TIGHTNESS.A4, ranks } = options
  return { scheduler, tightness, ranks: ranks ?? ranksOf(set.flows) } satisfies Required<TestOptions>
}

/**
 * Least deadline of each flow. Fixed priority: its bound, which no deadline enters. EDF: bisection. A deadline that grows by some
 * takes messages of its flow out of the demand at every t, and where the flow then blocks instead, by one chunk, at least one whole
 * message has left; so f(t) falls at every t, and no new t is looked at.
 */
export function leastDeadlines(set: FlowSet, options: TestOptions = {}): (number | null)[] {
  const fixed = withRanks(set, options)
  if (fixed.scheduler === 'fp') {
    return fixedPriorityBounds(set, fixed.tightness, fixed.ranks).map((terms) => terms?.responseNs ?? null)
  }
  return set.flows.map((flow, i) => {
    const accepts = (deadlineNs: number) => schedulable(withFlow(set, i, { deadlineNs }), fixed)
    let enoughNs = flow.deadlineNs
    while (!accepts(enoughNs)) {
      // Later than anything that fails now: when what fails is earlier than all of this flow's deadlines, none of them helps.
      const { failure } = earliestDeadlineVerdict(withFlow(set, i, { deadlineNs: enoughNs }), fixed.tightness)
      if (failure !== null && failure.deadlineNs < enoughNs - (flow.jitterNs ?? 0)) return null
      // No point fails where demand outruns supply, and none is known where it equals it: there later deadlines can still help.
      if (enoughNs > LATEST_DEADLINE_NS) return null
      enoughNs = Math.max(2 * enoughNs, failure?.deadlineNs ?? 0)
    }
    return leastWhere(1, enoughNs, accepts)
  })
}

/**
 * Longest message of flow `i`. Bisection: a byte more never lowers Cd, Co, the longest chunk, the debt or the overheads in any
 * demand, never raises Q'', and moves the end of the flow's own last chunk by no less than its start moves back.
 */
export function largestLength(set: FlowSet, i: number, options: TestOptions = {}): number | null {
  const fixed = withRanks(set, options)
  const accepts = (lengthBytes: number) => schedulable(withFlow(set, i, { lengthBytes }), fixed)
  return greatestWhere(1, longestThatFits(set, i), accepts)
}

/** Largest factor on all lengths, in thousandths. Bisection, as for each length; beyond the limit some flow alone does not fit. */
export function lengthPermille(set: FlowSet, options: TestOptions = {}): number {
  const fixed = withRanks(set, options)
  if (set.flows.length === 0) return 0
  const most = set.flows.map((flow, i) => Math.floor((1000 * longestThatFits(set, i)) / flow.lengthBytes) + 1)
  return greatestWhere(1, Math.max(1, Math.min(...most)), (permille) => schedulable(scaled(set, permille), fixed)) ?? 0
}

/**
 * Least budget. Bisection: with P fixed a larger Q shortens every blackout and lowers their number, in A3 as in A4 (Q'' grows with
 * Q), on the straight line too, and enters nothing else. What does *not* follow is that the real response is monotone in Q.
 */
export function smallestBudget(set: FlowSet, options: TestOptions = {}): number | null {
  const { regulator } = set
  const fixed = withRanks(set, options)
  if (regulator.kind !== 'budget') return null
  const accepts = (budgetNs: number) => schedulable({ ...set, regulator: { ...regulator, budgetNs } }, fixed)
  return accepts(regulator.periodNs) ? leastWhere(1, regulator.periodNs, accepts) : null
}

/**
 * Flows not shown to meet their deadlines. Under EDF the one whose deadline fails first, since what else fails depends on it; none where
 * demand so little outruns supply that no deadline of the first 10^5 fails.
 */
export function failing(set: FlowSet, options: TestOptions = {}): number[] {
  const { scheduler, tightness, ranks } = withRanks(set, options)
  if (scheduler === 'edf') {
    if (schedulable(set, { scheduler, tightness })) return []
    const failure = new DemandTest(deriveModel(set, tightness)).firstFailure(FAILURE_POINTS)
    return failure === null ? [] : [failure.flow]
  }
  const bounds = fixedPriorityBounds(set, tightness, ranks)
  return set.flows.map((_, i) => i).filter((i) => !(bounds[i] && bounds[i].responseNs <= set.flows[i]!.deadlineNs))
}

/** The verdict of one value of a knob that is not monotone. */
export interface GridPoint {
  readonly value: number
  readonly schedulable: boolean
}

/**
 * The verdict for each chunk size in `sizes`, in that order. NOT monotone: smaller chunks block less and cost more software. Says
 * nothing about sizes that are not in the list.
 */
export function tryChunkSizes(set: FlowSet, sizes: readonly number[], options: TestOptions = {}): GridPoint[] {
  const fixed = withRanks(set, options)
  return sizes.map((chunkBytes) => ({
    value: chunkBytes,
    schedulable: schedulable({ ...set, dma: { ...set.dma, chunkBytes } }, fixed),
  }))
}

/**
 * The verdict for software of `permille` thousandths around every chunk, h- and h alike. NOT monotone under a budget: less software
 * lets it run out earlier, so a faster broker can be the one that is refused (docs/analysis.md §3).
 */
export function tryChunkOverheads(set: FlowSet, permille: readonly number[], options: TestOptions = {}): GridPoint[] {
  const fixed = withRanks(set, options)
  const [best, worst] = set.dma.chunkOverheadNs
  return permille.map((value) => {
    const chunkOverheadNs = [Math.floor((best * value) / 1000), Math.ceil((worst * value) / 1000)] as const
    return { value, schedulable: schedulable({ ...set, dma: { ...set.dma, chunkOverheadNs } }, fixed) }
  })
}

function withFlow(set: FlowSet, i: number, change: { lengthBytes?: number; deadlineNs?: number }): FlowSet {
  return { ...set, flows: set.flows.map((flow, j) => (j === i ? { ...flow, ...change } : flow)) }
}

function scaled(set: FlowSet, permille: number): FlowSet {
  const scale = (bytes: number) =>
    // Split so that the product stays exact for every length.
    Math.floor(bytes / 1000) * permille + Math.ceil(((bytes % 1000) * permille) / 1000)
  return { ...set, flows: set.flows.map((flow) => ({ ...flow, lengthBytes: scale(flow.lengthBytes) })) }
}

/** A length that flow `i` could not exceed even alone: its copying and its software each fit its period. At least 1. */
function longestThatFits({ flows, dma, regulator }: FlowSet, i: number): number {
  const { periodNs } = flows[i]!
  const copied = Math.ceil(periodNs * effectiveBytesPerNs(dma, regulator)) + 1
  const chunkOverheadNs = dma.chunkOverheadNs[1]
  const handled = chunkOverheadNs === 0 ? copied : (Math.floor(periodNs / chunkOverheadNs) + 1) * dma.chunkBytes
  return Math.max(1, Math.min(copied, handled, EXACT_LIMIT))
}

/** Least integer in [low, high] that is accepted, when all above one that is are, too, and `high` is. */
export function leastWhere(low: number, high: number, accepts: (value: number) => boolean): number {
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2)
    if (accepts(middle)) high = middle
    else low = middle + 1
  }
  return high
}

/** Greatest integer in [low, high] that is accepted, when all below one that is are, too; null: not even `low`. */
export function greatestWhere(low: number, high: number, accepts: (value: number) => boolean): number | null {
  if (!accepts(low)) return null
  let refused = high + 1
  while (refused - low > 1) {
    const middle = low + Math.floor((refused - low) / 2)
    if (accepts(middle)) low = middle
    else refused = middle
  }
  return low
}

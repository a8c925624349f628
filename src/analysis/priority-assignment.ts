/**
 * Optimal fixed priorities [Audsley 1991] and the fewest levels that suffice.
 *
 * Why it applies here, for every combination of switches [Davis Burns 2011, conditions 1-3]: a bound depends on *which* flows may
 * go first and which may not, never on their order (the debt and c_max are over all flows); and moving a flow from the first to
 * the second set never lengthens the bound: at least one of its messages, software included, leaves the interference, and what
 * enters the blocking is one chunk of it. Flows of equal rank count as going first, so sharing a level with flows is as good as
 * being just below them, and the lowest level may take every flow that fits there.
 */
import { assert } from '../internal/assert.ts'
import { FixedPriorityTest } from './fixed-priority-test.ts'
import type { FlowSet } from './flow.ts'
import { deriveModel } from './model.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

/**
 * Ranks (0 is the most urgent) under which the test accepts, or null: no assignment is accepted. All ranks differ. Among flows
 * that fit a level the one with the latest deadline takes it. At most n(n+1)/2 tests [Audsley 1991]. Throws as `validateFlowSet`.
 */
export function optimalPriorities(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): number[] | null {
  return assign(set, tightness, set.flows.length, 1)
}

/**
 * Ranks on at most `levels` levels, as few as possible, or null. Flows on one level may be served in any order, so this suits
 * queues that are few in hardware or words. Throws as `validateFlowSet`.
 */
export function limitedPriorities(set: FlowSet, levels: number, tightness: Tightness = TIGHTNESS.A4): number[] | null {
  assert(Number.isInteger(levels) && levels > 0, `${levels} priority levels`)
  return assign(set, tightness, levels, set.flows.length)
}

/** Fills levels from the lowest up, each with up to `flowsPerLevel` of the flows that meet their deadlines there. */
function assign(set: FlowSet, tightness: Tightness, levels: number, flowsPerLevel: number): number[] | null {
  const test = new FixedPriorityTest(deriveModel(set, tightness))
  const { flows } = set
  const ranks = new Array<number>(flows.length).fill(0)
  let waiting = flows.map((_, i) => i).sort((a, b) => flows[b]!.deadlineNs - flows[a]!.deadlineNs || b - a)
  for (let level = levels - 1; waiting.length > 0; level--) {
    if (level < 0) return null
    for (const flow of waiting) ranks[flow] = level
    const fitting: number[] = []
    for (const flow of waiting) {
      if (fitting.length < flowsPerLevel && test.meetsDeadline(flow, ranks)) fitting.push(flow)
    }
    if (fitting.length === 0) return null
    waiting = waiting.filter((flow) => !fitting.includes(flow))
  }
  const lowest = Math.min(...ranks)
  return ranks.map((rank) => rank - lowest)
}

/**
 * Fixed priorities by search: Audsley's method, from the lowest level up, each step tested on the whole prediction. Optimal for
 * the DMA stage (docs/analysis.md §8). What comes before and after it depends a little on the order of the flows above, so what
 * is found is tested as a whole, and another assignment may exist where none is found.
 */

import { prioritiesOf } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { checkPrediction } from './check-prediction.ts'
import { type PredictionOptions, predict } from './predict.ts'

/** Ranks (0 is the most urgent) on at most `levels` levels with which everything fits under A4; null: none was found. */
export function searchPriorities(scenario: Scenario, options: PredictionOptions, levels: number): number[] | null {
  checkPrediction(options)
  const { flows } = scenario
  const monotonic = prioritiesOf(flows)
  const perLevel = levels < flows.length ? flows.length : 1
  const ranks: (number | null)[] = flows.map(() => null)
  const verdicts = (candidates: readonly (number | null)[]) =>
    // Above every level that is settled, in deadline-monotonic order.
    predict(scenario, {
      ...options,
      scheduler: 'fp',
      ranks: candidates.map((rank, i) => rank ?? monotonic[i]! - flows.length),
    }).flows.map(({ schedulable }) => schedulable.A4)

  let waiting = flows.map((_, i) => i).sort((a, b) => flows[b]!.deadlineNs - flows[a]!.deadlineNs || b - a)
  for (let level = levels - 1; waiting.length > 0; level--) {
    if (level < 0) return null
    const fitting: number[] = []
    for (const flow of waiting) {
      if (fitting.length === perLevel) break
      // Flows of one level may be served in any order, so each is tested with all of them beside it.
      const candidates = ranks.map((rank, i) => (i === flow || fitting.includes(i) ? level : rank))
      const fits = verdicts(candidates)
      if (fits[flow]! && fitting.every((other) => fits[other]!)) fitting.push(flow)
    }
    if (fitting.length === 0) return null
    for (const flow of fitting) ranks[flow] = level
    waiting = waiting.filter((flow) => !fitting.includes(flow))
  }
  const lowest = Math.min(...ranks.map((rank) => rank!))
  const found = ranks.map((rank) => rank! - lowest)
  return verdicts(found).every((fits) => fits) ? found : null
}

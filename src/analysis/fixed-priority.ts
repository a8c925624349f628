/**
 * Response times under fixed priority: non-preemptive chunks, preemptible messages, a periodic budget. After
 * [Davis Burns Bril Lukkien 2007] (busy period, every instance, start of the last non-preemptive part) on the supply of
 * [Shin Lee 2003]; docs/analysis.md has the proof for this machine.
 */
import { VirtioError } from '../internal/error.ts'
import { FixedPriorityTest } from './fixed-priority-test.ts'
import type { Flow, FlowSet } from './flow.ts'
import { ReusableModel } from './model.ts'
import type { ResponseTerms } from './response-terms.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

/**
 * Bounds of all flows, in their order; null: no bound exists (demand outruns supply). `ranks[i]`: smaller is more urgent, equal
 * ones in any order; default: the flows' `priority`, or deadline-monotonic where none has one. Throws as `validateFlowSet`, and
 * `VirtioError` BAD_FLOW as `ranksOf`. Allocates.
 */
export function fixedPriorityBounds(
  set: FlowSet,
  tightness: Tightness = TIGHTNESS.A4,
  ranks: ArrayLike<number> = ranksOf(set.flows),
): (ResponseTerms | null)[] {
  SCRATCH.load(set, tightness)
  return SCRATCH_TEST.bounds(ranks)
}

/** Do all flows meet their deadlines? The same verdict as from the bounds, and it stops at the first miss. Throws as those. */
export function fixedPrioritySchedulable(
  set: FlowSet,
  tightness: Tightness = TIGHTNESS.A4,
  ranks?: ArrayLike<number>,
): boolean {
  SCRATCH.load(set, tightness)
  return SCRATCH_TEST.meetsDeadlines(ranks ?? (givesPriorities(set.flows) ? ranksOf(set.flows) : null))
}

/** The flows' own priorities, or deadline-monotonic ranks where no flow has one. `VirtioError` BAD_FLOW: some with and some without. */
export function ranksOf(flows: readonly Flow[]): number[] {
  if (!givesPriorities(flows)) return deadlineMonotonic(flows)
  return flows.map((flow) => flow.priority!)
}

function givesPriorities(flows: readonly Flow[]): boolean {
  let given = 0
  for (let i = 0; i < flows.length; i++) if (flows[i]!.priority !== undefined) given++
  if (given !== 0 && given !== flows.length) throw new VirtioError('BAD_FLOW', 'give every flow a priority, or none')
  return given !== 0
}

/** Ranks by deadline less jitter, ties by position: [Leung Whitehead 1982], with jitter [Zuhily Burns 2007]. A heuristic here. */
export function deadlineMonotonic(flows: readonly Flow[]): number[] {
  const latitudes = flows.map(latitudeNs)
  const ranks: number[] = []
  for (let i = 0; i < latitudes.length; i++) {
    const own = latitudes[i]!
    let rank = 0
    for (let j = 0; j < i; j++) if (latitudes[j]! <= own) rank++
    for (let j = i + 1; j < latitudes.length; j++) if (latitudes[j]! < own) rank++
    ranks.push(rank)
  }
  return ranks
}

function latitudeNs({ deadlineNs, jitterNs = 0 }: Flow): number {
  return deadlineNs - jitterNs
}

/** Of one set after another, so that verdicts allocate nothing. */
const SCRATCH = new ReusableModel()
const SCRATCH_TEST = new FixedPriorityTest(SCRATCH)

/**
 * Messages that cause messages: camera to perception to planner. The holistic analysis of [Tindell Clark 1994] under fixed
 * priority: what varies in one hop is release jitter of the next, so all bounds are iterated until none changes. It knows
 * nothing of offsets between the hops; a message of one hop may interfere with another hop of its own chain.
 */
import { assert } from '../internal/assert.ts'
import { fixedPriorityBounds, type ResponseTerms, ranksOf } from './fixed-priority.ts'
import type { FlowSet } from './flow.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

export interface Hop {
  /** Index of the flow. All hops of a chain have the same period; the jitter of a flow is what it has of its own. */
  readonly flow: number
  /** Least time from nominal release to the last completion; default 0, which is always right. */
  readonly bestResponseNs?: number
  /** From there until the next hop's message is queued: interrupt, guest task, send. [best, worst]; the last hop's is not read. */
  readonly forwardNs?: readonly [best: number, worst: number]
}

export interface Chain {
  readonly hops: readonly Hop[]
  /** From the first nominal release to the last completion. */
  readonly deadlineNs: number
}

export interface ChainBound {
  readonly endToEndNs: number
  /** Each hop's, counted from its own earliest release. */
  readonly hops: readonly ResponseTerms[]
}

/**
 * Bounds of all chains, or null: some chain is not shown to meet its deadline, and the jitter that it then passes on has no
 * bound either. Flows outside of the chains interfere as they are.
 */
export function chainBounds(
  set: FlowSet,
  chains: readonly Chain[],
  tightness: Tightness = TIGHTNESS.A4,
  ranks: ArrayLike<number> = ranksOf(set.flows),
): ChainBound[] | null {
  for (const { hops } of chains) {
    const periods = new Set(hops.map((hop) => set.flows[hop.flow]!.periodNs))
    assert(periods.size === 1, 'the hops of a chain have one period')
  }
  const jitterNs = set.flows.map((flow) => flow.jitterNs ?? 0)
  for (;;) {
    const flows = set.flows.map((flow, i) => ({ ...flow, jitterNs: jitterNs[i]! }))
    const terms = fixedPriorityBounds({ ...set, flows }, tightness, ranks)
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

/** How much earlier than its period a message may reach the broker, which shapes what comes earlier. */
import type { Scenario } from '../scenario/index.ts'

/**
 * Variation of the path from a flow's release to the broker (P6 of the analysis): send, trap, preemption. A share of the flow's period,
 * and at least so many ns.
 */
export const ARRIVAL_TOLERANCE = 0.5
export const ARRIVAL_TOLERANCE_NS = 50_000

/**
 * How much earlier than its period a message of a flow may come to the broker. One that is released by arrivals inherits the
 * jitter of those, which is below the deadline of the flow before while that is met, and that of its computation, which waits
 * for the others of its VM.
 */
export function arrivalToleranceNs(scenario: Scenario, flow: number): number {
  const { broker, flows } = scenario
  const { after, from, jitterNs, periodNs } = flows[flow]!
  const shareNs = Math.min(Math.floor(ARRIVAL_TOLERANCE * periodNs), broker.toleranceNs ?? Number.POSITIVE_INFINITY)
  const own = jitterNs + Math.max(ARRIVAL_TOLERANCE_NS, shareNs)
  const before = after === null ? -1 : flows.findIndex(({ name }) => name === after)
  if (before < 0) return own
  const computationNs = flows.reduce((sum, other) => sum + (other.from === from ? other.computeNs : 0), 0)
  return own + arrivalToleranceNs(scenario, before) + flows[before]!.deadlineNs + computationNs
}

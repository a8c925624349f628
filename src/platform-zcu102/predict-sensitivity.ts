/**
 * What breaks a scenario first, and what would make it fit: by search over whole predictions, A4. Each search stands on the
 * verdict being monotone in what is searched, which docs/analysis.md §12 shows for the DMA stage; before and after it longer
 * messages and smaller budgets only lengthen.
 */
import { greatestWhere, leastWhere } from '../analysis/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { type PredictionOptions, predict } from './predict.ts'
import { prioritiesOf } from './priorities.ts'

export interface PredictedSensitivity {
  /** By flow: the longest message with which everything fits, the others as they are; null: none. */
  readonly largestLengthBytes: readonly (number | null)[]
  /** Largest factor on all lengths, in thousandths; 0: none. */
  readonly lengthPermille: number
  /** Flows that miss their deadlines one thousandth above that. */
  readonly failsFirst: readonly string[]
  /** Least budget with which everything fits; null: none, or no budget regulator. */
  readonly smallestBudgetNs: number | null
}

/** A message longer than this is not looked for: vsock and the queues have a GiB for one. */
const LONGEST_BYTES = 2 ** 30

/** `onFlow` hears how many flows have been searched: each takes some thirty predictions. */
export function predictedSensitivity(
  scenario: Scenario,
  options: PredictionOptions,
  onFlow: (searched: number) => void = () => {},
): PredictedSensitivity {
  // Deadlines do not change here, so neither do priorities.
  const fixed = { ranks: prioritiesOf(scenario.flows), ...options }
  const predicted = (changed: Scenario) => predict(changed, fixed)
  const fits = (changed: Scenario) => predicted(changed).schedulable.A4
  const withLengths = (of: (bytes: number, i: number) => number): Scenario => ({
    ...scenario,
    flows: scenario.flows.map((flow, i) => {
      const lengthBytes = of(flow.lengthBytes, i)
      // A receiver's window that holds as many messages as before.
      return { ...flow, lengthBytes, creditBytes: Math.max(flow.creditBytes, 16 * lengthBytes) }
    }),
  })
  const { regulator } = scenario.broker
  const withBudget = (budgetNs: number): Scenario =>
    regulator.kind === 'budget'
      ? { ...scenario, broker: { ...scenario.broker, regulator: { ...regulator, budgetNs } } }
      : scenario

  const largestLengthBytes = scenario.flows.map((flow, i) => {
    onFlow(i)
    // More than its whole period's worth of wire never fits.
    return greatestWhere(1, Math.min(LONGEST_BYTES, 16 * flow.periodNs), (bytes) =>
      fits(withLengths((own, j) => (j === i ? bytes : own))),
    )
  })
  const scaled = (permille: number) => withLengths((bytes) => Math.ceil((bytes * permille) / 1000))
  const longest = Math.max(...scenario.flows.map((flow) => flow.lengthBytes))
  const mostPermille = Math.max(1, Math.floor((1000 * LONGEST_BYTES) / longest))
  const lengthPermille = greatestWhere(1, Math.min(mostPermille, 1_000_000), (permille) => fits(scaled(permille))) ?? 0
  const failing = predicted(scaled(Math.max(1, lengthPermille + 1))).flows.filter(({ schedulable }) => !schedulable.A4)
  return {
    largestLengthBytes,
    lengthPermille,
    failsFirst: failing.map(({ name }) => name),
    smallestBudgetNs:
      regulator.kind === 'budget' && fits(withBudget(regulator.periodNs))
        ? leastWhere(1, regulator.periodNs, (budgetNs) => fits(withBudget(budgetNs)))
        : null,
  }
}

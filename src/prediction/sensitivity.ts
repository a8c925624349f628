/**
 * What breaks a scenario first, and what would make it fit: by search over whole predictions, A4.
 *
 * A longer message is not always worse. Where its pages can be exchanged or lent, it is from some length on; and receive buffers
 * are posted by the length of messages. So nothing here is taken for monotone over a whole range of lengths: the range is cut into
 * classes, within which every page goes the same way, each class is probed at both ends and every eight-fold from the present
 * length, and only between two neighbouring probes with different verdicts is a border looked for. The borders so found are
 * exact, X fits and X + 1 does not, or the other way about. That lengths between two probes with the same verdict have it too is
 * assumed; docs/analysis.md §12 shows it for the DMA stage of copied messages, and for budgets.
 *
 * A search asks about scenarios that differ little. Each starts its rounds where the nearest one ended that fits and has less of
 * everything, and stops at the first deadline that is missed.
 */

import { builtInProfile } from '../boards/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { prioritiesOf } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { checkPrediction } from './check-prediction.ts'
import { pageStepRuns } from './pages.ts'
import { type PredictionOptions, predict } from './predict.ts'
import { classesOf, type FittingRange, fittingIn } from './search.ts'
import { type SystemFlow, systemOf } from './system.ts'
import { type Verdict, verdictOf } from './verdict.ts'

/** Lengths of a message with which everything fits, in bytes, and which way its pages go then. */
export interface FittingLengths extends FittingRange {
  readonly pages: SystemFlow['pages']
}

/** What would just fit: the longest messages, the factor for all of them, the smallest budget; and what fails first. */
export interface PredictedSensitivity {
  /**
   * By flow: the longest message, up to which from the present length, or from where it begins to fit, everything fits, the others as they
   * are; null: none.
   */
  readonly largestLengthBytes: readonly (number | null)[]
  /** By flow: all lengths with which everything fits, ascending; a range ends at the latest where pages go another way. */
  readonly lengthsThatFit: readonly (readonly FittingLengths[])[]
  /** Largest factor on all lengths, in thousandths, up to which from the present ones everything fits; 0: none. */
  readonly lengthPermille: number
  /** All factors on all lengths with which everything fits, in thousandths, ascending. */
  readonly permilleThatFit: readonly FittingRange[]
  /** Flows, chains and tasks that miss their deadlines one thousandth above `lengthPermille`. */
  readonly failsFirst: readonly string[]
  /** Least budget with which everything fits; null: none, or no budget regulator. */
  readonly smallestBudgetNs: number | null
}

/**
 * Does everything fit? `like`: the verdict of a scenario that has as much of everything or less, and fits; null: there is none yet.
 * `suspect`: the flow that was late last.
 */
export type Judge = (scenario: Scenario, like: Verdict | null, suspect: number) => Verdict

/** A message longer than this is not looked for: vsock and the queues have a GiB for one. */
const LONGEST_BYTES = 2 ** 30
const MOST_PERMILLE = 1_000_000

/** `onFlow` hears how many flows have been searched. `judge`: for tests; default: with what is known of scenarios judged before. */
export function predictedSensitivity(
  scenario: Scenario,
  options: PredictionOptions,
  onFlow: (searched: number) => void = () => {},
  judge?: Judge,
): PredictedSensitivity {
  checkPrediction(options)
  // Deadlines do not change here, so neither do priorities.
  const fixed = { ranks: prioritiesOf(scenario.flows), ...options }
  const verdict: Judge = judge ?? ((changed, like, suspect) => verdictOf(changed, fixed, like?.settled, suspect))
  const profile = options.profile ?? builtInProfile(scenario)
  const waysOf = (changed: Scenario) => {
    const system = systemOf(changed, options.design, profile)
    return { flows: system.flows, key: `${system.flows.map(({ pages }) => pages)} ${pageStepRuns(system)}` }
  }

  let present: Verdict | null = null
  /** Of present lengths, which every search asks about. */
  const verdictAsIs: Judge = (scenario, like, suspect) => {
    present ??= verdict(scenario, like, suspect)
    return present
  }

  const grain = Math.min(PAGE_SIZE, scenario.broker.chunkBytes)
  const lengthsThatFit = scenario.flows.map((flow, i): FittingLengths[] => {
    onFlow(i)
    const withLength = (bytes: number) => withLengths(scenario, (own, j) => (j === i ? bytes : own))
    // More than its whole period's worth of wire never fits.
    const most = Math.min(LONGEST_BYTES, 16 * flow.periodNs)
    return classesOf(1, most, (bytes) => waysOf(withLength(bytes)).key).flatMap((ways) =>
      fittingIn(
        ways,
        flow.lengthBytes,
        (bytes, ...known) => (bytes === flow.lengthBytes ? verdictAsIs : verdict)(withLength(bytes), ...known),
        { grain },
      ).map((range) => ({
        ...range,
        pages: waysOf(withLength(range.from)).flows[i]!.pages,
      })),
    )
  })

  const scaled = (permille: number) => withLengths(scenario, (bytes) => Math.ceil((bytes * permille) / 1000))
  const longest = Math.max(...scenario.flows.map((flow) => flow.lengthBytes))
  const most = Math.min(MOST_PERMILLE, Math.max(1, Math.floor((1000 * LONGEST_BYTES) / longest)))
  const permilleThatFit = joined(
    classesOf(1, most, (permille) => waysOf(scaled(permille)).key).flatMap((ways) =>
      fittingIn(ways, 1000, (permille, ...known) =>
        (permille === 1000 ? verdictAsIs : verdict)(scaled(permille), ...known),
      ),
    ),
  )
  const lengthPermille = endFrom(permilleThatFit, 1000) ?? 0
  return {
    largestLengthBytes: lengthsThatFit.map((ranges, i) => endFrom(joined(ranges), scenario.flows[i]!.lengthBytes)),
    lengthsThatFit,
    lengthPermille,
    permilleThatFit,
    failsFirst: lateIn(scaled(lengthPermille + 1), fixed),
    smallestBudgetNs: smallestBudgetOf(scenario, verdict),
  }
}

function smallestBudgetOf(scenario: Scenario, verdict: Judge): number | null {
  const { regulator } = scenario.broker
  if (regulator.kind !== 'budget') return null
  const { periodNs } = regulator
  const withBudget = (budgetNs: number): Scenario => ({
    ...scenario,
    broker: { ...scenario.broker, regulator: { ...regulator, budgetNs } },
  })
  // Less of a budget is more of everything else.
  const budgets = fittingIn(
    { from: 1, to: periodNs },
    regulator.budgetNs,
    (budgetNs, ...known) => verdict(withBudget(budgetNs), ...known),
    { load: 'downwards' },
  )
  const last = budgets.at(-1)
  return last?.to === periodNs ? last.from : null
}

/** What may be late under A4: flows by their names, `chain NAME`, `task NAME of VM`. */
function lateIn(scenario: Scenario, options: PredictionOptions): string[] {
  const { flows, chains, tasks } = predict(scenario, options)
  return [
    ...flows.filter(({ schedulable }) => !schedulable.A4).map(({ name }) => name),
    ...chains.filter(({ schedulable }) => !schedulable).map(({ name }) => `chain ${name}`),
    ...tasks.filter(({ schedulable }) => !schedulable).map(({ vm, name }) => `task ${name} of ${vm}`),
  ]
}

function withLengths(scenario: Scenario, of: (bytes: number, i: number) => number): Scenario {
  return {
    ...scenario,
    flows: scenario.flows.map((flow, i) => {
      const lengthBytes = of(flow.lengthBytes, i)
      // A receiver's window that holds as many messages as before.
      return { ...flow, lengthBytes, creditBytes: Math.max(flow.creditBytes, 16 * lengthBytes) }
    }),
  }
}

/** Ranges that follow one another without a gap are one. */
function joined(ranges: readonly FittingRange[]): FittingRange[] {
  const all: FittingRange[] = []
  for (const { from, to } of ranges) {
    const last = all.at(-1)
    if (last !== undefined && last.to + 1 === from) all[all.length - 1] = { from: last.from, to }
    else all.push({ from, to })
  }
  return all
}

/** The end of the range that has `present`; else of the nearest one below it, else of the first one above. */
function endFrom(ranges: readonly FittingRange[], present: number): number | null {
  const holding = ranges.find(({ from, to }) => from <= present && present <= to)
  const below = ranges.filter(({ to }) => to < present).at(-1)
  return (holding ?? below ?? ranges[0])?.to ?? null
}

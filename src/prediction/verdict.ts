/**
 * The verdict of a prediction alone, for searches that ask about one scenario after another: without A0, A3 and all that only people
 * want to know, from where a scenario ended that has less of everything, and only as far as the first deadline that is missed. The
 * same verdict as that of `predict`.
 */

import { builtInProfile } from '../boards/index.ts'
import { prioritiesOf, refuseImpossible } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { type Drain, drainOf } from './drain.ts'
import { creditObstaclesOf, vmObstaclesOf } from './obstacles.ts'
import { takeOver } from './once.ts'
import { chainsOf, everythingFits, finite, type PredictionOptions, predict } from './predict.ts'
import { drainedFrom, type FirstRound, firstRoundOf, type Settled, settle, wholeNs } from './rounds.ts'
import { sparedOf } from './spared.ts'
import { type System, systemOf } from './system.ts'
import { tasksOf } from './tasks.ts'

export interface Verdict {
  /** Every flow, chain and task is shown to meet its deadline, under A4. */
  readonly fits: boolean
  /** Where a scenario may start that has as much of everything as this one, or more; null: this one does not fit, or nothing is known. */
  readonly settled: Settled | null
  /** A flow that was seen to be late; -1: none was looked for, or there is none. */
  readonly lateFlow: number
  /** How late that flow is at least. Infinity: it is not known. */
  readonly latenessNs: number
  /** Of what fits: how much earlier than its deadline, or than its next release, each flow is done at least. Empty: it is not known. */
  readonly slackNs: readonly number[]
}

const REFUSED: Verdict = {
  fits: false,
  settled: null,
  lateFlow: -1,
  latenessNs: Number.POSITIVE_INFINITY,
  slackNs: [],
}

/** A verdict of which nothing else is known. */
export function plainVerdict(fits: boolean): Verdict {
  return { ...REFUSED, fits }
}

/**
 * `like`: of a scenario that fits and has as much of everything or less. `suspect`: the flow that is looked at first. Throws as `predict`.
 */
export function verdictOf(
  scenario: Scenario,
  options: PredictionOptions,
  like: Settled | null = null,
  suspect = 0,
): Verdict {
  const { design, profile = builtInProfile(scenario), oneWindow: asWindow = true } = options
  refuseImpossible(scenario, design, profile.cores.value)
  const regulated = systemOf(scenario, design, profile)
  if (regulated.pinned) return plainVerdict(everythingFits(predict(scenario, options)))
  if (copiesTooMuch(regulated) || [...creditObstaclesOf(regulated), ...vmObstaclesOf(regulated)].length > 0)
    return REFUSED
  const scheduler = options.scheduler ?? scenario.broker.scheduler
  const ranks = options.ranks ?? prioritiesOf(scenario.flows)
  const rounds = { scheduler, ranks, asWindow }
  const { system, drain: spared } = sparedOf(regulated, rounds, like)
  // One that feels its regulator has more of everything than one that does not.
  const from = like !== null && (spared === null || like.system.regulator.kind === 'none') ? like : null
  if (from !== null) takeOver(system, from.system)

  let refused = REFUSED
  const late = (flow: number, timeNs: number) => {
    const latenessNs = (finite(timeNs) ?? Number.POSITIVE_INFINITY) - system.flows[flow]!.deadlineNs
    if (latenessNs > 0) refused = { ...REFUSED, lateFlow: flow, latenessNs }
    return latenessNs > 0
  }
  const slackOf = (responseNs: (flow: number) => number) =>
    system.flows.map(({ deadlineNs, index }) => deadlineNs - responseNs(index))
  const drainsInTime = ({ readNs }: Pick<Drain, 'readNs'>) =>
    system.flows.every(({ index: i, deadlineNs }) => (readNs[i] ?? Number.POSITIVE_INFINITY) <= deadlineNs)

  let first: FirstRound | null = null
  // Where even less is not drained in time the rounds decide, and mostly the first of them.
  if (from?.drain && !drainsInTime(from.drain)) {
    first = firstRoundOf(system, rounds, from, late, suspect)
    if (first.lateFlow >= 0) return refused
    // The stages of some flow may have been late, but its window was not.
    refused = REFUSED
  }
  const drain = spared ?? drainOf(system, rounds, from?.drain)
  // What one window drains in time fits, whatever else there is to know; of chains and tasks there is more.
  const flowsOnly = scenario.chains.length === 0 && scenario.vms.every(({ tasks }) => tasks.length === 0)
  if (flowsOnly && drainsInTime(drain)) {
    const slackNs = slackOf((flow) => drain.readNs[flow]!)
    return { ...plainVerdict(true), settled: drainedFrom(system, from, drain), slackNs }
  }

  const state = settle(system, rounds, { from, late, drain, first })
  // Where it is not known how long messages are under way the drain may do, but not for tasks.
  if (!state.known && (refused !== REFUSED || !drainsInTime(drain))) return refused
  const fits =
    chainsOf(scenario, system, state).every(({ schedulable }) => schedulable) &&
    tasksOf(system, state.software, state.known ? state.loads : null, state.spans).every(
      ({ schedulable }) => schedulable,
    )
  if (!fits) return REFUSED
  if (!state.known) return { ...plainVerdict(true), settled: drainedFrom(system, from, drain) }
  const { stage, afterNs, windows, drained, spans } = state
  const slackNs = slackOf((i) => wholeNs(stage[i]!, afterNs[i]!, windows[i]!, drained[i])).map((spareNs, i) => {
    // When a message is under way until the next of its flow is released, two of them are: that is a step, and mostly the end.
    const untilNextNs = system.flows[i]!.periodNs - spans[i]!
    return untilNextNs < 0 ? spareNs : Math.min(spareNs, untilNextNs)
  })
  return { ...plainVerdict(true), settled: state.settled, slackNs }
}

/** More of the time, or of the budget, than there is: then the least urgent flow has no bound, and so no flow has one. */
function copiesTooMuch({ flows, regulator }: System): boolean {
  const stretch = regulator.kind === 'budget' ? regulator.periodNs / regulator.budgetNs : 1
  let copying = 0
  for (const { pages, workNs, periodNs } of flows) if (pages !== 'moved') copying += (workNs / periodNs) * stretch
  // Doubles of such sums are off by less.
  return copying > 1 + 1e-9
}

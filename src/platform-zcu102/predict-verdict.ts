/**
 * The verdict of a prediction alone, for searches that ask about one scenario after another: without A0, A3 and all that only people
 * want to know, from where a scenario ended that has less of everything, and only as far as the first deadline that is missed. The
 * same verdict as that of `predict`.
 */
import type { Scenario } from '../scenario/index.ts'
import { builtInProfile } from './boards.ts'
import { chainsOf, everythingFits, finite, type PredictionOptions, predict } from './predict.ts'
import { type Drain, drainOf } from './predict-drain.ts'
import { obstaclesOf } from './predict-obstacles.ts'
import { takeOver } from './predict-once.ts'
import { drainedFrom, lateInFirstRound, type Settled, settle } from './predict-rounds.ts'
import { type System, systemOf } from './predict-system.ts'
import { tasksOf } from './predict-tasks.ts'
import { prioritiesOf } from './priorities.ts'
import { refuseImpossible } from './refuse-impossible.ts'

export interface Verdict {
  /** Every flow, chain and task is shown to meet its deadline, under A4. */
  readonly fits: boolean
  /** Where a scenario may start that has as much of everything as this one, or more; null: this one does not fit, or nothing is known. */
  readonly settled: Settled | null
  /** A flow that was seen to be late; -1: none was looked for, or there is none. */
  readonly lateFlow: number
}

const REFUSED: Verdict = { fits: false, settled: null, lateFlow: -1 }

/**
 * `from`: of a scenario that fits and has as much of everything or less. `suspect`: the flow that is looked at first. Throws as `predict`.
 */
export function verdictOf(
  scenario: Scenario,
  options: PredictionOptions,
  from: Settled | null = null,
  suspect = 0,
): Verdict {
  const { design, profile = builtInProfile(scenario), oneWindow: asWindow = true } = options
  refuseImpossible(scenario, design, profile.cores.value)
  const system = systemOf(scenario, design, profile)
  if (from !== null) takeOver(system, from.system)
  if (system.pinned) return { ...REFUSED, fits: everythingFits(predict(scenario, options)) }
  if (copiesTooMuch(system) || obstaclesOf(system).length > 0) return REFUSED
  const scheduler = options.scheduler ?? scenario.broker.scheduler
  const ranks = options.ranks ?? prioritiesOf(scenario.flows)
  const rounds = { scheduler, ranks, asWindow }

  const late = (flow: number, timeNs: number) => {
    const responseNs = finite(timeNs)
    return responseNs === null || responseNs > system.flows[flow]!.deadlineNs
  }
  const drainsInTime = ({ readNs }: Pick<Drain, 'readNs'>) =>
    system.flows.every(({ index: i, deadlineNs }) => (readNs[i] ?? Number.POSITIVE_INFINITY) <= deadlineNs)

  // Where even less is not drained in time the rounds decide, and mostly the first of them.
  if (from?.drain && !drainsInTime(from.drain)) {
    const lateFlow = lateInFirstRound(system, rounds, from, late, suspect)
    if (lateFlow >= 0) return { ...REFUSED, lateFlow }
  }
  const drain = drainOf(system, rounds, from?.drain)
  // What one window drains in time fits, whatever else there is to know; of chains and tasks there is more.
  const flowsOnly = scenario.chains.length === 0 && scenario.vms.every(({ tasks }) => tasks.length === 0)
  if (flowsOnly && drainsInTime(drain)) return { ...REFUSED, fits: true, settled: drainedFrom(system, from, drain) }

  const state = settle(system, rounds, { from, late, drain })
  if (!state.known) return REFUSED
  const fits =
    chainsOf(scenario, system, state).every(({ schedulable }) => schedulable) &&
    tasksOf(system, state.software, state.loads, state.spans).every(({ schedulable }) => schedulable)
  return fits ? { ...REFUSED, fits, settled: state.settled } : REFUSED
}

/** More of the time, or of the budget, than there is: then the least urgent flow has no bound, and so no flow has one. */
function copiesTooMuch({ flows, regulator }: System): boolean {
  const stretch = regulator.kind === 'budget' ? regulator.periodNs / regulator.budgetNs : 1
  let copying = 0
  for (const { pages, workNs, periodNs } of flows) if (pages !== 'moved') copying += (workNs / periodNs) * stretch
  // Doubles of such sums are off by less.
  return copying > 1 + 1e-9
}

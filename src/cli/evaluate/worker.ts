/** Runs one unit of an experiment in a thread of the pool: to its rows as text, which is all that the main thread needs. */
import { type Campaign, EXPERIMENTS, type Experiment, type Json } from '../../evaluation/index.ts'
import type { BoardProfile } from '../../platform-zcu102/index.ts'

export interface UnitTask {
  readonly experiment: string
  readonly unit: number
  readonly campaign: Campaign
  readonly profile: BoardProfile
}

export interface UnitResult {
  readonly rows: number
  /** One row a line, each ending in a newline. */
  readonly text: string
}

/** Units of the experiments that this thread has seen, of one campaign on one board. */
const planned = new Map<string, readonly Json[]>()
let plannedFor = ''

export default function runUnit({ experiment: name, unit, campaign, profile }: UnitTask): UnitResult {
  const experiment = EXPERIMENTS.find((candidate) => candidate.name === name) as Experiment
  const key = JSON.stringify([campaign, profile])
  if (key !== plannedFor) planned.clear()
  plannedFor = key
  let units = planned.get(name)
  if (units === undefined) {
    units = experiment.units(campaign, profile)
    planned.set(name, units)
  }
  const rows = experiment.run(units[unit]!, profile)
  return { rows: rows.length, text: rows.map((row) => `${JSON.stringify(row)}\n`).join('') }
}

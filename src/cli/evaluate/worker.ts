/** Runs one unit of an experiment in a thread of the pool: to its rows as text, which is all that the main thread needs. */
import { type Campaign, EXPERIMENTS, type Experiment, type Json } from '../../evaluation/index.ts'

export interface UnitTask {
  readonly experiment: string
  readonly unit: number
  readonly campaign: Campaign
}

export interface UnitResult {
  readonly rows: number
  /** One row a line, each ending in a newline. */
  readonly text: string
}

/** Units of the experiments that this thread has seen, of one campaign. */
const planned = new Map<string, readonly Json[]>()
let plannedFor = ''

export default function runUnit({ experiment: name, unit, campaign }: UnitTask): UnitResult {
  const experiment = EXPERIMENTS.find((candidate) => candidate.name === name) as Experiment
  const key = JSON.stringify(campaign)
  if (key !== plannedFor) planned.clear()
  plannedFor = key
  let units = planned.get(name)
  if (units === undefined) {
    units = experiment.units(campaign)
    planned.set(name, units)
  }
  const rows = experiment.run(units[unit]!)
  return { rows: rows.length, text: rows.map((row) => `${JSON.stringify(row)}\n`).join('') }
}

/** The registry: every experiment, in the order in which they are run, written and reported. */
import type { Experiment } from '../experiment.ts'
import { acceptanceExperiment, acceptanceVariantsExperiment } from './acceptance.ts'
import { pessimismExperiment } from './pessimism.ts'
import { priorityLevelsExperiment } from './priority-levels.ts'

export const EXPERIMENTS: readonly Experiment[] = [
  acceptanceExperiment,
  acceptanceVariantsExperiment,
  priorityLevelsExperiment,
  pessimismExperiment,
]

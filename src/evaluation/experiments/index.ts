/** The registry: every experiment, in the order in which they are run, written and reported. */
import type { Experiment } from '../experiment.ts'
import { acceptanceExperiment, acceptanceVariantsExperiment } from './acceptance.ts'
import { copyRemapExperiment } from './copy-remap.ts'
import { interruptCountsExperiment } from './interrupt-counts.ts'
import { latencyExperiment } from './latency.ts'
import { memguardExperiment } from './memguard.ts'
import { pessimismExperiment } from './pessimism.ts'
import { platformsExperiment } from './platforms.ts'
import { priorityLevelsExperiment } from './priority-levels.ts'
import { sensitivityExperiment } from './sensitivity.ts'
import { stolenTimeExperiment } from './stolen-time.ts'
import { throughputExperiment } from './throughput.ts'

/** Every experiment of a campaign, in the order in which they run and are reported. */
export const EXPERIMENTS: readonly Experiment[] = [
  acceptanceExperiment,
  acceptanceVariantsExperiment,
  priorityLevelsExperiment,
  pessimismExperiment,
  interruptCountsExperiment,
  stolenTimeExperiment,
  latencyExperiment,
  throughputExperiment,
  copyRemapExperiment,
  memguardExperiment,
  platformsExperiment,
  sensitivityExperiment,
]

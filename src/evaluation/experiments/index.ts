/** The registry: every experiment, in the order in which they are run, written and reported. */
import type { Experiment } from '../experiment.ts'

export const EXPERIMENTS: readonly Experiment[] = []

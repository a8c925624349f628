/** One question for both schedulers: does every message of every flow meet its deadline? */
import { checkTestOptions } from './check-options.ts'
import { earliestDeadlineSchedulable } from './earliest-deadline.ts'
import { fixedPrioritySchedulable } from './fixed-priority.ts'
import type { FlowSet } from './flow.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

/** fp: fixed priority; edf: earliest deadline first. Both between chunks, never within one. */
export type Scheduler = 'fp' | 'edf'

/** Which test. */
export interface TestOptions {
  /** Default fixed priority. */
  readonly scheduler?: Scheduler
  /** Default A4. */
  readonly tightness?: Tightness
  /** Fixed priority only; default: `ranksOf` the flows. */
  readonly ranks?: ArrayLike<number>
}

/** The verdict of the test that the options choose. Throws as `validateFlowSet`, and `VirtioError` INVALID_OPTION. */
export function schedulable(set: FlowSet, options: TestOptions = {}): boolean {
  checkTestOptions(options)
  const { scheduler = 'fp', tightness = TIGHTNESS.A4, ranks } = options
  if (scheduler === 'edf') return earliestDeadlineSchedulable(set, tightness)
  return fixedPrioritySchedulable(set, tightness, ranks)
}

/** The options of predictions. Scenarios and profiles are data, which were looked at when they were read. */
import { checkRanks } from '../analysis/check-options.ts'
import { checkArray, checkFlags, checkWord } from '../internal/check-option.ts'
import { checkBoard } from '../plan/index.ts'
import type { PredictionOptions } from './predict.ts'

/** Throws `VirtioError` INVALID_OPTION. */
export function checkPrediction(options: PredictionOptions): void {
  checkBoard(options)
  const { scheduler, ranks } = options
  if (scheduler !== undefined) checkWord('scheduler', scheduler, ['fp', 'edf'])
  if (ranks !== undefined) {
    checkArray('ranks', ranks, 'an array of numbers')
    checkRanks(ranks)
  }
  checkFlags(options, 'oneWindow')
}

/** The options of predictions and simulations. Scenarios and profiles are data, which were looked at when they were read. */
import { checkRanks } from '../analysis/check-options.ts'
import {
  checkArray,
  checkFlags,
  checkFunction,
  checkInteger,
  checkMethods,
  checkObject,
  checkWord,
  MAX_SAFE,
} from '../internal/check-option.ts'
import type { SearchOptions } from './longest-responses.ts'
import type { PredictionOptions } from './predict.ts'
import type { SimulationOptions } from './simulate.ts'

function checkBoard(options: Pick<PredictionOptions, 'design' | 'profile'>): void {
  checkObject('options', options)
  checkWord('design', options.design, ['dedicated', 'floating'])
  if (options.profile !== undefined) checkObject('profile', options.profile, 'a BoardProfile')
}

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

/** Throws `VirtioError` INVALID_OPTION. */
export function checkSimulation(options: SimulationOptions): void {
  checkBoard(options)
  checkFunction('payload', options.payload)
  for (const name of ['onProgress', 'onMessage', 'latenessNs'] as const) {
    if (options[name] !== undefined) checkFunction(name, options[name])
  }
  checkFlags(options, 'hashesRun')
  const { trace, intruder } = options
  if (trace !== undefined) checkMethods('trace', trace, 'a TraceRecorder', ['span', 'instant'])
  if (intruder === undefined) return
  for (const each of Array.isArray(intruder) ? intruder : [intruder]) checkObject('intruder', each, 'an Intruder')
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkSearch(options: SearchOptions): void {
  checkBoard(options)
  const { boundsNs, runs, seed } = options
  if (runs !== undefined) checkInteger('runs', runs, 1, MAX_SAFE)
  if (seed !== undefined) checkInteger('seed', seed, 0, MAX_SAFE)
  if (boundsNs !== undefined) checkArray('boundsNs', boundsNs, 'an array of numbers')
}

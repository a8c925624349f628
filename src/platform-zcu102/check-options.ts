/** The options of simulations and searches. Scenarios and profiles are data, which were looked at when they were read. */
import {
  checkArray,
  checkFlags,
  checkFunction,
  checkInteger,
  checkMethods,
  checkObject,
  MAX_SAFE,
  refuseOption,
} from '../internal/check-option.ts'
import { checkBoard } from '../plan/index.ts'
import type { SearchOptions } from './longest-responses.ts'
import type { SimulationOptions } from './simulate.ts'

/** Throws `VirtioError` INVALID_OPTION. */
export function checkSimulation(options: SimulationOptions): void {
  checkBoard(options)
  checkFunction('payload', options.payload)
  for (const name of ['onProgress', 'onMessage', 'latenessNs', 'releases', 'behind'] as const) {
    if (options[name] !== undefined) checkFunction(name, options[name])
  }
  checkFlags(options, 'hashesRun')
  const { trace, intruder, ram } = options
  if (ram !== undefined && !(ram instanceof ArrayBuffer)) refuseOption('ram', ram, 'an ArrayBuffer')
  if (trace !== undefined) checkMethods('trace', trace, 'a TraceRecorder', ['span', 'instant'])
  if (intruder === undefined) return
  for (const each of Array.isArray(intruder) ? intruder : [intruder]) checkObject('intruder', each, 'an Intruder')
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkSearch(options: SearchOptions): void {
  checkBoard(options)
  const { boundsNs, goesOn, runs, seed } = options
  if (runs !== undefined) checkInteger('runs', runs, 1, MAX_SAFE)
  if (seed !== undefined) checkInteger('seed', seed, 0, MAX_SAFE)
  if (boundsNs !== undefined) checkArray('boundsNs', boundsNs, 'an array of numbers')
  if (goesOn !== undefined) checkFunction('goesOn', goesOn)
}

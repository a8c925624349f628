/** Leads a target through the museum: every exhibit of its side, each over a ring of its own. */
import { checkArray, checkFunction, checkInteger, checkObject, MAX_SAFE, MAX_U32 } from '../../internal/check-option.ts'
import type { DeviceQueueTarget, DriverQueueTarget, PackedDeviceTarget, PackedDriverTarget } from '../queue-targets.ts'
import { CallTimeout, callWithin } from './bounded-call.ts'
import { explorationsOf } from './concurrency.ts'
import { CHAIN_EXHIBITS, type DeviceExhibit } from './device-chains.ts'
import { DEVICE_LIMITS } from './device-limits.ts'
import { RING_EXHIBITS } from './device-rings.ts'
import { DeviceStage, type StageOptions } from './device-stage.ts'
import { STATE_EXHIBITS } from './device-states.ts'
import { DRIVER_EXHIBITS, type DriverExhibit } from './driver-exhibits.ts'
import { DRIVER_LIMITS } from './driver-limits.ts'
import { DriverStage, type DriverStageOptions } from './driver-stage.ts'
import {
  type Exhibit,
  ExhibitFailure,
  type ExhibitResult,
  type MuseumReport,
  type Need,
  NotShown,
  type Verdict,
} from './exhibit.ts'
import { PACKED_DEVICE_EXHIBITS, type PackedDeviceExhibit } from './packed-device-exhibits.ts'
import { PackedDeviceStage, type PackedStageOptions } from './packed-device-stage.ts'
import { PACKED_DRIVER_EXHIBITS, type PackedDriverExhibit } from './packed-driver-exhibits.ts'
import { PackedDriverStage } from './packed-driver-stage.ts'
import { PACKED_DEVICE_LIMITS, PACKED_DRIVER_LIMITS } from './packed-limits.ts'
import type { WatchedMemory } from './watched-memory.ts'

/** Options of `runMuseum`. */
export interface MuseumOptions {
  /** Only these numbers. */
  readonly exhibits?: readonly number[]
  /** A long exhibit that takes longer is FAIL; of the others each call may take a second. Default 10 s; needs `node:vm`. */
  readonly exhibitMs?: number
  /** After so many exhibits that did not end in time the rest is not shown, but SKIP: each of them costs a second or more. Default 3. */
  readonly mostTimeouts?: number
  readonly onResult?: (result: ExhibitResult) => void
}

/** Whatever the museum can be shown to. */
export type MuseumTarget = DeviceQueueTarget | DriverQueueTarget | PackedDeviceTarget | PackedDriverTarget

/**
 * Shows every exhibit of its side to a target, in the order of their numbers. What a target does wrong is a verdict,
 * never an exception.
 */
export function runMuseum(target: MuseumTarget, options: MuseumOptions = {}): MuseumReport {
  checkObject('options', options)
  const { exhibits, exhibitMs = EXHIBIT_LIMIT_MS, onResult } = options
  checkInteger('exhibitMs', exhibitMs, 1, MAX_U32, 'ms')
  if (onResult !== undefined) checkFunction('onResult', onResult)
  if (exhibits !== undefined) {
    checkArray('exhibits', exhibits, 'an array of numbers')
    for (const number of exhibits) checkInteger('exhibits', number, 1)
  }
  const results = target.format === 'packed' ? leadPacked(target, options) : leadSplit(target, options)
  const counts: Record<Verdict, number> = { PASS: 0, REJECT: 0, WEDGED: 0, FAIL: 0, SKIP: 0 }
  for (const { verdict } of results) counts[verdict]++
  return {
    target: target.name,
    results,
    counts,
    notes: notesOn(target),
    passed: counts.FAIL === 0 && counts.WEDGED === 0,
  }
}

const ALL_DEVICE: readonly DeviceExhibit[] = [
  ...CHAIN_EXHIBITS,
  ...RING_EXHIBITS,
  ...STATE_EXHIBITS,
  ...DEVICE_LIMITS,
  ...explorationsOf('device', 'split'),
]
const ALL_DRIVER: readonly DriverExhibit[] = [
  ...DRIVER_EXHIBITS,
  ...DRIVER_LIMITS,
  ...explorationsOf('driver', 'split'),
]
/** What is of packed rings alone. */
const OF_PACKED_DEVICES = [...PACKED_DEVICE_EXHIBITS, ...PACKED_DEVICE_LIMITS]
const OF_PACKED_DRIVERS = [...PACKED_DRIVER_EXHIBITS, ...PACKED_DRIVER_LIMITS]
const ALL_PACKED_DEVICE: readonly PackedDeviceExhibit[] = [...OF_PACKED_DEVICES, ...explorationsOf('device', 'packed')]
const ALL_PACKED_DRIVER: readonly PackedDriverExhibit[] = [...OF_PACKED_DRIVERS, ...explorationsOf('driver', 'packed')]

/** Of a split ring: where programs that begin at 0 never come. */
export function notesOn(target: MuseumTarget): string[] {
  if (target.format === 'packed') return []
  if (target.createAt !== undefined) {
    const slow = target.side === 'device' && target.exhibitMs !== undefined
    return slow ? ['its calls are slow: exhibits 33, 34 and 37 turn the counters around 0, 32768 and 65535 only'] : []
  }
  return [
    'NO WRAP WAS CROSSED by any program: the target has no createAt, so its indices begin at 0; exhibits 33, 34 and 37, and 52 and 57 where calls are quick, ' +
      'cross 65535 the long way, a few times, and fuzz never does',
  ]
}

/** What is of the packed ring, a feature, is among the results all the same: SKIP. */
function leadSplit(target: DeviceQueueTarget | DriverQueueTarget, options: MuseumOptions): ExhibitResult[] {
  const results =
    target.side === 'device'
      ? lead(ALL_DEVICE, target, options, (show: StageOptions | undefined) => new DeviceStage(target, show))
      : lead(ALL_DRIVER, target, options, (show: DriverStageOptions | undefined) => new DriverStage(target, show))
  const packed = chosen<Exhibit<never>>(target.side === 'device' ? OF_PACKED_DEVICES : OF_PACKED_DRIVERS, options)
  const skipped = packed.map(({ number, side, title, clauses }): ExhibitResult => {
    const replay = String(number)
    return { number, side, title, verdict: 'SKIP', detail: 'the target has a split ring', replay, clauses, reads: null }
  })
  for (const result of skipped) options.onResult?.(result)
  return [...results, ...skipped].sort((a, b) => a.number - b.number)
}

function leadPacked(target: PackedDeviceTarget | PackedDriverTarget, options: MuseumOptions): ExhibitResult[] {
  return target.side === 'device'
    ? lead(ALL_PACKED_DEVICE, target, options, (show: PackedStageOptions | undefined) => {
        return new PackedDeviceStage(target, show)
      })
    : lead(ALL_PACKED_DRIVER, target, options, (show: PackedStageOptions | undefined) => {
        return new PackedDriverStage(target, show)
      })
}

function chosen<One extends Exhibit<never>>(exhibits: readonly One[], { exhibits: only }: MuseumOptions): One[] {
  return exhibits
    .filter(({ number }) => only === undefined || only.includes(number))
    .sort((a, b) => a.number - b.number)
}

/** Of an exhibit of 100 000 calls, ten times what our queue takes. */
const EXHIBIT_LIMIT_MS = 10_000
const MOST_TIMEOUTS = 3

function lead<Options, Stage extends { readonly ram: WatchedMemory }>(
  exhibits: readonly Exhibit<(options?: Options) => Stage>[],
  target: MuseumTarget,
  options: MuseumOptions,
  openStage: (options: Options | undefined) => Stage,
): ExhibitResult[] {
  const { exhibitMs = ('exhibitMs' in target && target.exhibitMs) || EXHIBIT_LIMIT_MS, onResult } = options
  const { mostTimeouts = MOST_TIMEOUTS } = options
  checkInteger('mostTimeouts', mostTimeouts, 1, MAX_SAFE)
  let timeouts = 0
  return chosen(exhibits, options).map((exhibit) => {
    const { number, side, title, clauses } = exhibit
    if (timeouts >= mostTimeouts) {
      const detail = `the target did not end in time ${timeouts} times: show this exhibit alone`
      const replay = String(number)
      const result: ExhibitResult = { number, side, title, verdict: 'SKIP', detail, replay, clauses, reads: null }
      onResult?.(result)
      return result
    }
    const stages: Stage[] = []
    const open = (show?: Options): Stage => {
      const stage = openStage(show)
      stages.push(stage)
      return stage
    }
    const { verdict, detail, timedOut = false, replay = '' } = judge(exhibit, target, open, exhibitMs)
    if (timedOut) timeouts++
    const watched = exhibit.explored ? [] : stages.filter(({ ram }) => ram.watched)
    const most = Math.max(0, ...watched.map(({ ram }) => ram.mostReads))
    const reads = most > 0 ? most : null
    const result = { number, side, title, verdict, detail, replay: replay || String(number), clauses, reads }
    onResult?.(result)
    return result
  })
}

function judge<Stage>(
  exhibit: Exhibit<Stage>,
  target: MuseumTarget,
  stage: Stage,
  limitMs: number,
): { verdict: Verdict; detail: string; timedOut?: boolean; replay?: string } {
  const missing = (exhibit.needs ?? []).filter((need) => lacks(target, need))
  if (missing.length > 0) return { verdict: 'SKIP', detail: `the target lacks: ${missing.join(', ')}` }
  try {
    const play = () => exhibit.play(stage)
    const verdict = (exhibit.long ? callWithin(play, limitMs) : play()) ?? 'PASS'
    if (typeof verdict === 'object') return verdict
    return { verdict, detail: verdict === 'SKIP' ? 'the target has no such function' : '' }
  } catch (error) {
    if (error instanceof ExhibitFailure || error instanceof CallTimeout) {
      const timedOut = error instanceof CallTimeout || error.cause instanceof CallTimeout
      const replay = error instanceof ExhibitFailure ? error.replay : ''
      return { verdict: 'FAIL', detail: error.message, timedOut, replay }
    }
    if (error instanceof NotShown) return { verdict: 'SKIP', detail: error.message }
    throw error
  }
}

function lacks(target: MuseumTarget, need: Need): boolean {
  const lacking: readonly Need[] = target.lacks ?? []
  if (lacking.includes(need)) return true
  if (need === 'watched') return target.format !== 'packed' && target.ownMemory !== undefined
  return need === 'caches' && (target.format === 'packed' || target.createCached === undefined)
}

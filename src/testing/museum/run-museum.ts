/** Leads a target through the museum: every exhibit of its side, each over a ring of its own. */
import type { DeviceQueueTarget, DriverQueueTarget } from '../queue-targets.ts'
import { CallTimeout, callWithin } from './bounded-call.ts'
import { CONCURRENCY_OF_DEVICES, CONCURRENCY_OF_DRIVERS } from './concurrency.ts'
import { CHAIN_EXHIBITS } from './device-chains.ts'
import { RING_EXHIBITS } from './device-rings.ts'
import { DeviceStage, type StageOptions } from './device-stage.ts'
import { STATE_EXHIBITS } from './device-states.ts'
import { DRIVER_EXHIBITS } from './driver-exhibits.ts'
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
import type { WatchedMemory } from './watched-memory.ts'

export interface MuseumOptions {
  /** Only these numbers. */
  readonly exhibits?: readonly number[]
  /** A long exhibit that takes longer is FAIL; of the others each call may take a second. Default 10 s; needs `node:vm`. */
  readonly exhibitMs?: number
  readonly onResult?: (result: ExhibitResult) => void
}

export function runMuseum(target: DeviceQueueTarget | DriverQueueTarget, options: MuseumOptions = {}): MuseumReport {
  const results =
    target.side === 'device'
      ? lead(
          [...CHAIN_EXHIBITS, ...RING_EXHIBITS, ...STATE_EXHIBITS, ...CONCURRENCY_OF_DEVICES],
          target,
          options,
          (show: StageOptions | undefined) => new DeviceStage(target, show),
        )
      : lead(
          [...DRIVER_EXHIBITS, ...CONCURRENCY_OF_DRIVERS],
          target,
          options,
          (show: DriverStageOptions | undefined) => new DriverStage(target, show),
        )
  const counts: Record<Verdict, number> = { PASS: 0, REJECT: 0, WEDGED: 0, FAIL: 0, SKIP: 0 }
  for (const { verdict } of results) counts[verdict]++
  return { target: target.name, results, counts, passed: counts.FAIL === 0 && counts.WEDGED === 0 }
}

/** Of an exhibit of 100 000 calls, ten times what our queue takes. */
const EXHIBIT_LIMIT_MS = 10_000

function lead<Options, Stage extends { readonly ram: WatchedMemory }>(
  exhibits: readonly Exhibit<(options?: Options) => Stage>[],
  target: DeviceQueueTarget | DriverQueueTarget,
  { exhibits: only, exhibitMs = EXHIBIT_LIMIT_MS, onResult }: MuseumOptions,
  openStage: (options: Options | undefined) => Stage,
): ExhibitResult[] {
  const chosen = exhibits.filter(({ number }) => only === undefined || only.includes(number))
  return [...chosen]
    .sort((a, b) => a.number - b.number)
    .map((exhibit) => {
      const { number, side, title, clauses } = exhibit
      const stages: Stage[] = []
      const open = (show?: Options): Stage => {
        const stage = openStage(show)
        stages.push(stage)
        return stage
      }
      const { verdict, detail } = judge(exhibit, target, open, exhibitMs)
      const watched = stages.filter(({ ram }) => ram.watched)
      const reads = watched.length > 0 ? Math.max(...watched.map(({ ram }) => ram.mostReads)) : null
      const result = { number, side, title, verdict, detail, clauses, reads }
      onResult?.(result)
      return result
    })
}

function judge<Stage>(
  exhibit: Exhibit<Stage>,
  target: DeviceQueueTarget | DriverQueueTarget,
  stage: Stage,
  limitMs: number,
): { verdict: Verdict; detail: string } {
  const missing = (exhibit.needs ?? []).filter((need) => lacks(target, need))
  if (missing.length > 0) return { verdict: 'SKIP', detail: `the target lacks: ${missing.join(', ')}` }
  try {
    const play = () => exhibit.play(stage)
    const verdict = (exhibit.long ? callWithin(play, limitMs) : play()) ?? 'PASS'
    return { verdict, detail: verdict === 'SKIP' ? 'the target has no such function' : '' }
  } catch (error) {
    if (error instanceof ExhibitFailure || error instanceof CallTimeout)
      return { verdict: 'FAIL', detail: error.message }
    if (error instanceof NotShown) return { verdict: 'SKIP', detail: error.message }
    throw error
  }
}

function lacks(target: DeviceQueueTarget | DriverQueueTarget, need: Need): boolean {
  if (need === 'watched') return target.ownMemory !== undefined
  if (need === 'caches') return target.createCached === undefined
  return target.lacks?.includes(need) ?? false
}

/**
 * What is explored in a museum: each play is one exchange under one memory model, with a code by which its failure is found again
 * (`60/wrap/EVENT_IDX/sc:d12v3`).
 */
import { VirtioError } from '../../internal/error.ts'
import { inWords } from '../../internal/in-words.ts'
import {
  exploreInterleavings,
  type InterleavingReplay,
  type InterleavingReport,
  type InterleavingTarget,
  replayInterleaving,
} from '../interleavings/explore-interleavings.ts'
import { packedExchange } from '../interleavings/packed-exchange.ts'
import { type AttachDevice, type AttachDriver, ringExchange } from '../interleavings/ring-exchange.ts'
import { STANDARD_EXCHANGES, type StandardExchange } from '../interleavings/standard-exchanges.ts'
import { ExhibitFailure, NotShown } from './exhibit.ts'
import type { MuseumTarget } from './run-museum.ts'

/** One exchange of an exhibit, and whether it is run with the target's cache maintenance. */
interface ExploredPlay extends StandardExchange {
  readonly cached?: boolean
}

const SEND: StandardExchange['driver'] = [{ op: 'add' }, { op: 'publish' }, { op: 'kick' }]

/** The one descriptor, and its line, changes hands twice. */
const USED_AGAIN: ExploredPlay = {
  id: 'line',
  name: 'one descriptor, used again',
  exhibit: 48,
  model: 'non-coherent',
  formats: ['split'],
  cached: true,
  size: 1,
  driver: [...SEND, ...SEND],
  device: [{ op: 'serve', count: 2 }],
}

const PLAYS: readonly ExploredPlay[] = [...STANDARD_EXCHANGES, USED_AGAIN]

/** Most states of an exchange that has more orders than the museum has time for. */
const MOST_STATES = 8_000

/**
 * Every play of an exhibit in every order, with and without EVENT_IDX. Throws `ExhibitFailure` for the first schedule that goes wrong, `NotShown`
 * where the target can be shown none. Returns what was not tried of it; empty: everything was.
 */
export function everyOrder(exhibit: number, target: MuseumTarget): string {
  const plays = PLAYS.filter((play) => play.exhibit === exhibit && concerns(play, target))
  const reasons = new Set<string>(plays.length > 0 ? [] : ['the target does not say rearmsWhenEmpty'])
  const cut = new Set<string>()
  let shown = 0
  for (const play of plays) {
    for (const eventIdx of eventIdxOf(play, target)) {
      const report = exploredOnce(play, target, eventIdx)
      if (typeof report === 'string') reasons.add(report)
      else {
        shown++
        if (report.verdict === 'incomplete') cut.add(play.name)
      }
    }
  }
  if (shown === 0) throw new NotShown([...reasons].join('; ') || 'the target lacks: eventIdx')
  return cut.size === 0 ? '' : `the first ${MOST_STATES} states of: ${[...cut].join('; ')}`
}

/** What a `code` of a museum's failure says once more. Throws `VirtioError` BAD_REPLAY for one that is none of this target. */
export function replayOrder(target: MuseumTarget, code: string): InterleavingReplay {
  const [number, id, features, ...schedule] = code.split('/')
  const play = PLAYS.find((one) => String(one.exhibit) === number && one.id === id)
  const eventIdx = features === EVENT_IDX
  if (play === undefined || schedule.length !== 1 || !(eventIdx || features === FLAGS) || !concerns(play, target)) {
    throw new VirtioError(
      'BAD_REPLAY',
      `${code} is no code of an exhibit for a ${target.side} with a ${target.format ?? 'split'} ring; it looks like 32/asleep/EVENT_IDX/tso:d15v21`,
    )
  }
  return replayInterleaving(exchangeOf(play, target, eventIdx), schedule[0]!)
}

const EVENT_IDX = 'EVENT_IDX'
const FLAGS = 'flags'

function concerns({ formats, only }: ExploredPlay, target: MuseumTarget): boolean {
  if (!formats.includes(target.format ?? 'split')) return false
  if (only === undefined) return true
  return only.side === target.side && (only.sleep !== 'pop' || target.rearmsWhenEmpty === true)
}

function eventIdxOf({ only }: ExploredPlay, { lacks }: MuseumTarget): readonly boolean[] {
  const lacking: readonly string[] = lacks ?? []
  // Without an index an interrupt is asked for at once, or never.
  const without = only?.sleep === 'delay' ? [] : [false]
  return lacking.includes('eventIdx') ? without : [...without, true]
}

/** A text: why the target cannot be explored in this way. */
function exploredOnce(play: ExploredPlay, target: MuseumTarget, eventIdx: boolean): InterleavingReport | string {
  const lacking: readonly string[] = target.lacks ?? []
  if (play.indirect && lacking.includes('indirect')) return 'the target lacks: indirect'
  if (play.startIndex !== undefined && target.format !== 'packed' && target.createAt === undefined)
    return 'the target has no createAt'
  let report: InterleavingReport
  try {
    const limit = play.large ? { limit: MOST_STATES } : {}
    report = exploreInterleavings(exchangeOf(play, target, eventIdx), { model: play.model, ...limit })
  } catch (error) {
    // Such as one without `setNotifications`, or with views of its own.
    if (error instanceof VirtioError) return error.message
    throw new ExhibitFailure(`threw ${inWords(error)}`)
  }
  if (report.failure !== null) {
    const { kind, message, schedule } = report.failure
    const features = eventIdx ? EVENT_IDX : FLAGS
    const code = `${play.exhibit}/${play.id}/${features}/${schedule}`
    throw new ExhibitFailure(`${play.name}, ${features}, ${play.model}: ${kind}: ${message}; replay: ${code}`, {
      replay: code,
    })
  }
  if (report.verdict === 'incomplete' && !play.large) return `cannot be explored: ${report.reason}`
  return report
}

function exchangeOf(play: ExploredPlay, target: MuseumTarget, eventIdx: boolean): InterleavingTarget {
  const exchange = { ...play, eventIdx }
  if (target.format === 'packed') {
    return packedExchange(target.side === 'device' ? { device: target } : { driver: target }, exchange)
  }
  if (target.side === 'device') {
    const cached: AttachDevice = (side, ring) => target.createCached!(side.memory, ring, side)
    return ringExchange({ device: play.cached ? cached : target }, exchange)
  }
  const cached: AttachDriver = (side, ring) => target.createCached!(side.memory, ring, side)
  return ringExchange({ driver: play.cached ? cached : target }, exchange)
}

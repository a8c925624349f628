/**
 * The smallest single change with which a scenario fits: candidates kind by kind (change-candidates.ts), each from the smallest on, until one of
 * the kind fits. Every candidate is judged by a whole prediction under A4, so that what is found is found; what is not may exist all the same,
 * between two candidates or as two changes together.
 */
import { builtInProfile } from '../boards/index.ts'
import { checkFunction, checkInteger } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import type { Scenario } from '../scenario/index.ts'
import {
  type Candidate,
  CHANGE_KINDS,
  type ChangeKind,
  candidatesOf,
  deadlinesFrom,
  prioritiesFrom,
} from './change-candidates.ts'
import { checkPrediction } from './check-prediction.ts'
import { type Prediction, type PredictionOptions, predict } from './predict.ts'
import { searchPriorities } from './priorities.ts'
import { verdictOf } from './verdict.ts'

/** Options of `fittingChanges`: those of the prediction, and how far to search. */
export interface ChangeOptions extends PredictionOptions {
  /** Most predictions, default 600. */
  readonly most?: number
  /** Asked before every prediction but the first, with how many there were; false: the search ends. For progress and time limits. */
  readonly goesOn?: (predictions: number) => boolean
}

/** One change, and what comes of it. */
export interface FittingChange {
  readonly kind: ChangeKind
  /** In words: `split recording into 25 messages of 335545 bytes every 8ms`. */
  readonly what: string
  /** As `withValues` and `--set` take it. */
  readonly set: readonly string[]
  readonly scenario: Scenario
  /** Of the changed scenario. */
  readonly prediction: Prediction
}

/** What was found, in the order of `CHANGE_KINDS`: at most one of each kind. */
export interface FittingChanges {
  /** The scenario fits as it is, and nothing was searched. */
  readonly fits: boolean
  /** The smallest first; empty: none of the candidates fits. */
  readonly changes: readonly FittingChange[]
  readonly predictions: number
  /** False: the search ended before every candidate was judged. */
  readonly complete: boolean
}

const DEFAULT_MOST = 600

/** Throws as `predict`, and `VirtioError` INVALID_OPTION. */
export function fittingChanges(scenario: Scenario, options: ChangeOptions): FittingChanges {
  checkPrediction(options)
  const { most = DEFAULT_MOST, goesOn = () => true, ...prediction } = options
  checkInteger('most', most, 1, Number.MAX_SAFE_INTEGER)
  checkFunction('goesOn', goesOn)
  const profile = prediction.profile ?? builtInProfile(scenario)
  const asIs: PredictionOptions = { ...prediction, profile }
  let predictions = 0
  let ended = false
  /** False: there may be no more of so many predictions. */
  const take = (count = 1): boolean => {
    ended ||= predictions >= most || (predictions > 0 && !goesOn(predictions))
    if (ended || predictions + count > most) return false
    predictions += count
    return true
  }
  take()
  if (fitsUnder(scenario, asIs)) return { fits: true, changes: [], predictions, complete: true }

  let complete = true
  /** What is asked for by options stays, unless that is what is changed. */
  const optionsOf = ({ design = asIs.design, scheduler, ranks }: Candidate): PredictionOptions => {
    const { ranks: own, ...others } = asIs
    const kept = ranks === undefined ? own : (ranks ?? undefined)
    return {
      ...others,
      design,
      ...(scheduler === undefined ? {} : { scheduler }),
      ...(kept === undefined ? {} : { ranks: kept }),
    }
  }
  const changes: FittingChange[] = []
  for (const kind of CHANGE_KINDS) {
    const found = firstOf(candidatesFor(kind))
    if (found === undefined) complete = false
    else if (found !== null) {
      const { what, set, scenario: changed } = found
      changes.push({ kind, what, set, scenario: changed, prediction: predict(changed, optionsOf(found)) })
    }
    if (ended) break
  }
  return { fits: false, changes, predictions, complete }

  /** null: none fits; undefined: it is not known, for the search has ended. */
  function firstOf(candidates: Iterable<Candidate>): Candidate | null | undefined {
    for (const candidate of candidates) {
      if (!take()) return undefined
      if (fitsUnder(candidate.scenario, optionsOf(candidate))) return candidate
    }
    return null
  }

  function* candidatesFor(kind: ChangeKind): Iterable<Candidate> {
    yield* candidatesOf(kind, scenario, asIs.design, profile)
    if (kind === 'priorities') {
      const { length } = scenario.flows
      const byPriority = { ...asIs, scheduler: 'fp' as const }
      // Audsley's method asks for as many predictions, at most.
      const needed = (length * (length + 1)) / 2 + 1
      if (length > 1 && !take(needed)) complete = false
      else if (length > 1) {
        const ranks = quietly(() => searchPriorities(scenario, byPriority, length))
        if (ranks) yield prioritiesFrom(scenario, ranks)
      }
    }
    if (kind === 'deadline') {
      // With other deadlines there may be other priorities, and so other bounds.
      let changed: Scenario = scenario
      for (let round = 0; round < MOST_ROUNDS; round++) {
        if (!take()) {
          complete = false
          return
        }
        const before = changed
        const late = quietly(() => predict(before, asIs))
        const candidate = late && deadlinesFrom(scenario, before, late)
        if (!candidate) return
        changed = candidate.scenario
        yield candidate
      }
    }
  }
}

const MOST_ROUNDS = 4

function fitsUnder(scenario: Scenario, options: PredictionOptions): boolean {
  return quietly(() => verdictOf(scenario, options).fits) ?? false
}

/** null: this board cannot do it. */
function quietly<T>(what: () => T): T | null {
  try {
    return what()
  } catch (error) {
    if (error instanceof VirtioError) return null
    throw error
  }
}

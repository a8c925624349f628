/**
 * A search for the longest response of each flow of a scenario. What it finds has happened in a simulated run that the scenario allows; what it
 * does not find may exist all the same, so that bound / found overstates how far a bound is from the truth.
 *
 *   other flows       ▌▌▌▌ ▌▌▌ ▌▌        come together, each as late as it may, and their next messages at once
 *   flow looked at      │←───────→       comes before them, with them, or while they are under way
 */

import type { BoardProfile } from '../boards/index.ts'
import { builtInProfile } from '../boards/index.ts'
import { Random } from '../internal/random.ts'
import type { Design } from '../plan/index.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { checkSearch } from './check-options.ts'
import { type RunPlan, responsesOf } from './planned-run.ts'

/** What to search, and for how long. */
export interface SearchOptions {
  readonly design: Design
  /** Default: the built-in one that the scenario names. */
  readonly profile?: BoardProfile
  /** Most runs of the machine, default 12. */
  readonly runs?: number
  /** Asked before every run but the first, with the runs so far; false: the search ends. For progress and time limits. */
  readonly goesOn?: (runs: number) => boolean
  /** What is drawn depends on it alone. Default: the scenario's. */
  readonly seed?: number
  /** By flow, ns: what no response exceeds; null: not known. The flow that is farthest below it is looked at next. Default: each in turn. */
  readonly boundsNs?: readonly (number | null)[]
}

/** The longest response of a flow that was found, ns, and the run that has it. */
export interface LongestResponse {
  readonly flow: string
  /** From nominal release until read; 0: the flow has no message in the duration. */
  readonly responseNs: number
  readonly plan: RunPlan
}

const DEFAULT_RUNS = 12

/** By flow. Throws `VirtioError` where the scenario cannot run under this design, INVALID_OPTION for options that are none. */
export function longestResponses(scenario: Scenario, options: SearchOptions): LongestResponse[] {
  checkSearch(options)
  const { design, profile = builtInProfile(scenario), runs = DEFAULT_RUNS, seed = scenario.seed, boundsNs } = options
  const goesOn = options.goesOn ?? (() => true)
  const random = new Random(seed, 41)
  const { flows } = scenario
  const first = together(scenario)
  const found = flows.map(() => ({ responseNs: 0, placing: first, tries: 0 }))
  for (let run = 0; run < runs && (run === 0 || goesOn(run)); run++) {
    const target = run === 0 ? -1 : leastTried(found, boundsNs)
    const placing = run === 0 ? first : moved(random, scenario, found[target]!.placing, target, found)
    responsesOf(scenario, design, profile, planOf(scenario, placing)).forEach((responseNs, flow) => {
      if (responseNs > found[flow]!.responseNs) Object.assign(found[flow]!, { responseNs, placing })
    })
    if (run > 0) found[target]!.tries++
  }
  return found.map(({ responseNs, placing }, i) => ({
    flow: flows[i]!.name,
    responseNs,
    plan: planOf(scenario, placing),
  }))
}

/** Where the messages lie that are to come together. Times in ns. */
interface Placing {
  readonly seed: number
  readonly clumpNs: number
  /** By flow: how much later than `clumpNs` a message of it is released. */
  readonly behindNs: readonly number[]
  /** The flow that is looked at: its messages are always late. Those of others come at once when one of theirs has come late; -1: all are late. */
  readonly target: number
  readonly best: readonly CostOpName[]
}

function planOf({ durationNs, flows }: Scenario, { best, behindNs, clumpNs, seed, target }: Placing): RunPlan {
  const nominal = flows.map(({ jitterNs }, i) => clumpNs + behindNs[i]! - jitterNs)
  return {
    seed,
    // A flow that is released less often than once a run has its message in the run.
    offsetsNs: flows.map(({ after, periodNs }, i) =>
      after === null ? Math.min(modulo(nominal[i]!, periodNs), durationNs - 1) : 0,
    ),
    promptNs: nominal.map((atNs, i) => (target < 0 || i === target ? [0, 0] : [atNs + 1, Number.POSITIVE_INFINITY])),
    best,
  }
}

/** All at one instant. */
function together({ flows, seed }: Scenario): Placing {
  const latestNs = Math.max(...flows.map(({ jitterNs }) => jitterNs))
  return { seed, clumpNs: latestNs, behindNs: flows.map(() => 0), target: -1, best: [] }
}

interface Found {
  responseNs: number
  placing: Placing
  tries: number
}

function leastTried(found: readonly Found[], boundsNs: SearchOptions['boundsNs']): number {
  const worth = found.map(({ responseNs, tries }, i) => {
    const boundNs = boundsNs?.[i] ?? null
    const gap = boundsNs === undefined ? 1 : boundNs === null ? 0 : boundNs / Math.max(1, responseNs)
    return gap / (1 + tries)
  })
  return worth.indexOf(Math.max(...worth))
}

/** One thing or another is changed. */
function moved(random: Random, scenario: Scenario, from: Placing, target: number, found: readonly Found[]): Placing {
  const { flows, broker } = scenario
  const busyNs = Math.max(1000, ...found.map(({ responseNs }, i) => responseNs - flows[i]!.jitterNs))
  const away = () => Math.round(busyNs * random.unit() ** 2)
  const behind = (flow: number, atNs: number) => from.behindNs.map((ns, i) => (i === flow ? atNs : ns))
  const tries = found[target]!.tries
  if (tries === 0) return { ...from, target, behindNs: behind(target, Math.round(busyNs / 100)) }
  const kind = random.unit()
  if (kind < 0.35) return { ...from, target, behindNs: behind(target, away()) }
  if (kind < 0.65) {
    const behindNs = from.behindNs.map((ns) => (random.chance(0.5) ? ns : random.chance(0.5) ? away() : -away()))
    return { ...from, target, behindNs }
  }
  if (kind < 0.9) {
    const beatNs = broker.regulator.kind === 'budget' ? broker.regulator.periodNs : 1_000_000
    return {
      ...from,
      target,
      clumpNs: from.clumpNs + random.between(0, beatNs),
      behindNs: random.chance(0.5) ? from.behindNs : behind(target, away()),
    }
  }
  if (kind < 0.95) return { ...from, target, seed: random.between(0, 1_000_000) }
  return { ...from, target, best: COST_OPS.filter(() => random.chance(0.3)) }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}

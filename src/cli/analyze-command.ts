/** `analyze`: bounds of a scenario, without simulating anything. */
import { basename, resolve } from 'node:path'
import {
  COST_MEANINGS,
  type Design,
  fittingChanges,
  type PredictedSensitivity,
  type Prediction,
  type PredictionOptions,
  predict,
  predictedDominance,
  predictedSensitivity,
  predictUntrusted,
  searchPriorities,
} from '../platform-zcu102/index.ts'
import { everythingFits } from '../prediction/index.ts'
import { type Scenario, vmOnDedicatedCore } from '../scenario/index.ts'
import { type Analysis, analysisObject, renderAnalysis } from './analyze-report.ts'
import { analysisPage } from './command-pages.ts'
import { oneLine } from './escape.ts'
import { choiceFlag } from './flags.ts'
import { type PageTools, pageFileOf, writePage } from './html-page.ts'
import { progress } from './progress.ts'
import { readReleases } from './release-files.ts'
import { readScenario } from './scenario-file.ts'
import { fileReader, type PlatformFlags, profileOfScenario, withPlatform } from './scenario-profile.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'

/** As they come from the command line, still to be checked. */
export interface AnalyzeFlags extends PlatformFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly design?: unknown
  readonly scheduler?: unknown
  readonly priorities?: unknown
  readonly set?: unknown
  readonly html?: unknown
}

export function analyzeCommand(path: string, flags: AnalyzeFlags, terminal: Terminal, tools: PageTools): number {
  const written = withPlatform(readScenario(path, terminal.cwd, flags.set), flags, terminal.cwd)
  const design = choiceFlag('--design', flags.design ?? written.broker.placement, ['floating', 'dedicated'] as const)
  const priorities = prioritiesFlag(flags.priorities)
  const asked = flags.scheduler ?? (priorities === null ? written.broker.scheduler : 'fp')
  const scheduler = choiceFlag('--scheduler', asked, ['fp', 'edf'] as const)
  if (priorities !== null && scheduler === 'edf') {
    throw new UsageError('--priorities are those of fixed priority: leave it out, or add --scheduler fp')
  }
  const scenario: Scenario = { ...written, broker: { ...written.broker, scheduler } }
  const profile = profileOfScenario(scenario, fileReader(resolve(terminal.cwd, path), terminal.cwd))
  // Bounds are about what the flows declare: a trace that does more is told before there are any.
  readReleases(scenario, path, terminal.cwd)
  const html = pageFileOf(flags.html, [{ scenario, path: resolve(terminal.cwd, path) }], terminal)
  const { ranks, how } = ranksFor(scenario, { design, profile }, priorities)
  const options: PredictionOptions = { design, profile, ...(ranks === null ? {} : { ranks }) }

  const prediction = predict(scenario, options)
  const exitCode = everythingFits(prediction) ? EXIT_OK : EXIT_NEGATIVE
  if (flags.quiet && !flags.json && html === null) return exitCode

  const line = progress(terminal, !flags.quiet)
  const sensitivity = predictedSensitivity(scenario, options, (searched) =>
    line.update('what would fit', searched, scenario.flows.length),
  )
  const dominance = predictedDominance(scenario, options, firstOf(sensitivity, prediction), (tried, total) =>
    line.update('what dominates', tried, total),
  )
  const most = Math.min(
    MOST_PREDICTIONS,
    Math.max(LEAST_PREDICTIONS, Math.floor(MOST_OF_FLOWS / scenario.flows.length)),
  )
  const change = fittingChanges(scenario, {
    ...options,
    most,
    goesOn: (predictions) => {
      line.update('what change fits', predictions, most)
      return true
    },
  })
  line.clear()
  const analysis: Analysis = {
    title: oneLine(basename(path)),
    scenario,
    profile,
    prediction,
    untrusted: predictUntrusted(scenario, prediction, options),
    priorities: how,
    sensitivity,
    dominance,
    change,
    meanings: COST_MEANINGS,
    other: predict(scenario, { design, profile, scheduler: scheduler === 'fp' ? 'edf' : 'fp' }),
    freed: freedOf(scenario, prediction, { design: other(design), profile, ...(ranks === null ? {} : { ranks }) }),
  }
  if (html !== null) writePage(html, analysisPage(analysis, tools.version), tools)
  if (flags.json) terminal.stdout.write(`${JSON.stringify(analysisObject(analysis), null, 2)}\n`)
  else if (!flags.quiet) terminal.stdout.write(renderAnalysis(analysis, painter(terminal.stdout, terminal.env)))
  return exitCode
}

/** Predictions of a search for a change: fewer of many flows, each of which takes longer. */
const MOST_PREDICTIONS = 600
const LEAST_PREDICTIONS = 60
const MOST_OF_FLOWS = 12_000

/** Of what fails first as all messages grow, what needs most of its deadline; undefined: nothing does, whatever their lengths. */
function firstOf({ failsFirst }: PredictedSensitivity, { flows, chains, tasks }: Prediction): string | undefined {
  const shares = new Map<string, number>([
    ...flows.map(({ name, endToEndNs, deadlineNs }) => [name, share(endToEndNs, deadlineNs)] as const),
    ...chains.map(({ name, endToEndNs, deadlineNs }) => [`chain ${name}`, share(endToEndNs, deadlineNs)] as const),
    ...tasks.map(
      ({ vm, name, responseNs, deadlineNs }) => [`task ${name} of ${vm}`, share(responseNs, deadlineNs)] as const,
    ),
  ])
  return [...failsFirst].sort((a, b) => shares.get(b)! - shares.get(a)! || 0)[0]
}

function share(boundNs: number | null, deadlineNs: number): number {
  return boundNs === null ? Number.MAX_VALUE : boundNs / deadlineNs
}

/** Cores that the floating design gains over the dedicated one; null where one of the two cannot run, or has no bounds. */
function freedOf(scenario: Scenario, prediction: Prediction, options: PredictionOptions): Analysis['freed'] {
  if (vmOnDedicatedCore(scenario) !== null || scenario.broker.dedicatedCore >= options.profile!.cores.value) return null
  const counterpart = predict(scenario, options)
  const [floating, dedicated] = options.design === 'dedicated' ? [prediction, counterpart] : [counterpart, prediction]
  const rates = [floating, dedicated].map(({ cores }) => cores.map(({ stolenRate }) => stolenRate))
  if (rates.flat().includes(null)) return null
  const [before, after] = [sum(rates[1]!), sum(rates[0]!)]
  return { cores: 1 - (after - before), breakEven: after > before ? 1 / (after - before) : null }
}

function sum(rates: readonly (number | null)[]): number {
  return rates.reduce<number>((total, rate) => total + rate!, 0)
}

function other(design: Design): Design {
  return design === 'floating' ? 'dedicated' : 'floating'
}

type Priorities = 'dm' | 'optimal' | number

function prioritiesFlag(flag: unknown): Priorities | null {
  if (flag === undefined) return null
  if (flag === 'dm' || flag === 'optimal') return flag
  const levels = /^levels=([1-9]\d{0,3})$/.exec(String(flag))
  if (levels !== null) return Number(levels[1])
  throw new UsageError(`--priorities ${flag}: use dm, optimal or levels=G, with G from 1 to 9999`)
}

function ranksFor(
  scenario: Scenario,
  options: PredictionOptions,
  priorities: Priorities | null,
): { ranks: readonly number[] | null; how: string } {
  const own = scenario.flows.some(({ priority }) => priority !== null)
    ? 'as the scenario gives them'
    : 'deadline-monotonic'
  if (priorities === null) return { ranks: null, how: own }
  if (priorities === 'dm') {
    const order = scenario.flows
      .map((_, i) => i)
      .sort((a, b) => scenario.flows[a]!.deadlineNs - scenario.flows[b]!.deadlineNs || a - b)
    return { ranks: scenario.flows.map((_, i) => order.indexOf(i)), how: 'deadline-monotonic' }
  }
  const levels = priorities === 'optimal' ? scenario.flows.length : priorities
  const ranks = searchPriorities(scenario, options, levels)
  const method =
    priorities === 'optimal' ? "by Audsley's method" : `by Audsley's method on at most ${priorities} levels`
  return ranks === null ? { ranks, how: `${own}; none found ${method}` } : { ranks, how: method }
}

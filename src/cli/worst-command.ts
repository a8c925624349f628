/** `simulate --worst`: a search for the longest response of each flow, beside its bound. What it finds can be looked at as a trace. */
import { basename, resolve } from 'node:path'
import {
  type BoardProfile,
  type Design,
  type LongestResponse,
  MessageTimes,
  type PlannedRun,
} from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { TraceRecorder } from '../sim/index.ts'
import { worstPage } from './command-pages.ts'
import { oneLine } from './escape.ts'
import { type PageTools, pageFileOf, writePage } from './html-page.ts'
import { progress } from './progress.ts'
import { readReleases } from './release-files.ts'
import { tellExceeded } from './report-parts.ts'
import { readScenario } from './scenario-file.ts'
import { fileReader, profileOfScenario, withPlatform } from './scenario-profile.ts'
import { boundsOf, designsOf, type SimulateFlags, seedAndDuration } from './simulate-flags.ts'
import type { Simulator } from './simulator.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'
import { openTrace, type TraceFile, traceFilesOf, writeTrace } from './trace-files.ts'
import { exceeding, nearest, renderWorst, type WorstRun, worstObject } from './worst-report.ts'

const DEFAULT_RUNS = 100

export function worstCommand(
  path: string,
  flags: SimulateFlags,
  terminal: Terminal,
  simulator: Simulator,
  tools: PageTools,
): number {
  const stray = (['payload', 'out'] as const).find((name) => flags[name] !== undefined)
  if (stray !== undefined) throw new UsageError(`--${stray} is for one run, not for a search: leave out --worst`)
  const scenarioPath = resolve(terminal.cwd, path)
  const written = { ...readScenario(path, terminal.cwd, flags.set), ...seedAndDuration(flags) }
  const scenario = withPlatform(written, flags, terminal.cwd)
  const note = (text: string) => flags.quiet || terminal.stderr.write(`note: ${text}\n`)
  const designs = designsOf(flags.design, scenario, note)
  const profile = profileOfScenario(scenario, fileReader(scenarioPath, terminal.cwd))
  const limit = limitOf(flags)
  const flow = flowOf(flags, scenario)
  const replayed = readReleases(scenario, scenarioPath, terminal.cwd)
  if (replayed.size > 0) note('a search takes all releases that period and jitter allow, whatever `releases` says')
  if (scenario.costs !== 'worst') note('a search takes costs at their best or worst, whatever `costs` says')

  const files = traceFilesOf(flags.trace, designs, scenario, scenarioPath, terminal)
  const html = pageFileOf(flags.html, [{ scenario, path: scenarioPath }], terminal)
  const traces = designs.map((_, i) =>
    files === null ? null : openTrace(files[i]!, new MessageTimes(scenario.flows.length)),
  )
  const times: MessageTimes[] = []
  const line = progress(terminal, !flags.quiet)
  const searches = designs.map((design, i): WorstRun => {
    const { flows } = boundsOf(simulator.predict(scenario, { design, profile }))
    const boundsNs = scenario.flows.map(({ name }) => flows.get(name) ?? null)
    const started = terminal.now()
    let runs = 1
    const found = simulator.longestResponses(scenario, {
      design,
      profile,
      boundsNs,
      runs: limit.runs,
      goesOn(done) {
        const passedMs = terminal.now() - started
        if (limit.ms === null) line.update(design.padEnd(9), done, limit.runs)
        else line.update(design.padEnd(9), passedMs, limit.ms)
        const on = limit.ms === null || passedMs < limit.ms
        if (on) runs = done + 1
        return on
      },
    })
    line.clear()
    const search = { design, found, boundsNs, runs }
    const trace = traces[i]!
    const kept = { scenario, design, profile, simulator, note }
    if (trace !== null) keep(trace, found[flow ?? nearest(search)]!, kept)
    if (html !== null) {
      const recorder = (trace?.recorder as MessageTimes) ?? new MessageTimes(scenario.flows.length, { keep: false })
      if (trace === null) runAgain(found[flow ?? nearest(search)]!, kept, recorder)
      times.push(recorder)
    }
    return search
  })

  const assumptions = simulator.assumptionsOf({ ...scenario, costs: 'worst' }, profile)
  const title = oneLine(basename(path))
  if (html !== null) writePage(html, worstPage(title, scenario, searches, times, assumptions, tools.version), tools)
  if (flags.json) {
    terminal.stdout.write(`${JSON.stringify(worstObject(scenario, profile, searches, assumptions), null, 2)}\n`)
  } else if (!flags.quiet) {
    const paint = painter(terminal.stdout, terminal.env)
    terminal.stdout.write(renderWorst(title, scenario, searches, assumptions, paint))
  }
  const exceeded = searches.flatMap(exceeding)
  tellExceeded(exceeded, scenario, terminal)
  return exceeded.length === 0 ? EXIT_OK : EXIT_NEGATIVE
}

interface Kept {
  readonly scenario: Scenario
  readonly design: Design
  readonly profile: BoardProfile
  readonly simulator: Simulator
  readonly note: (text: string) => void
}

/** Runs once more what was found, and writes its trace. */
function keep(trace: TraceFile, found: LongestResponse, kept: Kept): void {
  const { design, note, simulator } = kept
  const { scenario } = runAgain(found, kept, trace.recorder)
  writeTrace(trace, scenario, simulator, note)
  note(`${trace.path}: ${design}, the run with the longest response of flow ${found.flow} that was found`)
}

function runAgain({ plan }: LongestResponse, { design, ...kept }: Kept, trace: TraceRecorder): PlannedRun {
  const { profile, simulator } = kept
  const run = simulator.plannedRun(kept.scenario, profile, plan)
  simulator.simulate(run.scenario, {
    design,
    profile: run.profile,
    latenessNs: run.latenessNs,
    payload: () => null,
    trace,
  })
  return run
}

function limitOf({ runs, seconds }: SimulateFlags): { readonly runs: number; readonly ms: number | null } {
  if (runs !== undefined && seconds !== undefined) throw new UsageError('--runs and --seconds: use one of the two')
  if (runs !== undefined && (!Number.isSafeInteger(runs) || (runs as number) < 1))
    throw new UsageError(`--runs ${runs}: write one whole number from 1`)
  if (seconds === undefined) return { runs: (runs as number | undefined) ?? DEFAULT_RUNS, ms: null }
  if (typeof seconds !== 'number' || !(seconds > 0) || !Number.isFinite(seconds))
    throw new UsageError(`--seconds ${seconds}: write one number above 0`)
  return { runs: Number.MAX_SAFE_INTEGER, ms: seconds * 1000 }
}

/** By index; null: the one that is nearest to its bound. */
function flowOf({ flow, trace }: SimulateFlags, { flows }: Scenario): number | null {
  if (flow === undefined) return null
  if (trace === undefined) throw new UsageError('--flow names the flow whose run is traced: add --trace FILE')
  const index = flows.findIndex(({ name }) => name === String(flow))
  if (index < 0) throw new UsageError(`--flow ${flow}: the flows are ${flows.map(({ name }) => name).join(', ')}`)
  return index
}

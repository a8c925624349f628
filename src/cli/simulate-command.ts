/** `simulate`: the same flows through both designs, side by side. What `npm start` runs. */
import { basename, join, resolve } from 'node:path'
import { MessageTimes } from '../platform-zcu102/index.ts'
import { formatTime, type Scenario } from '../scenario/index.ts'
import { simulationPage } from './command-pages.ts'
import { oneLine } from './escape.ts'
import { repeatedFlag } from './flags.ts'
import { type PageTools, pageFileOf, writePage } from './html-page.ts'
import { destination, payloadWriter } from './output-files.ts'
import { readPayloads, withPayloads } from './payload-files.ts'
import { progress } from './progress.ts'
import { beyondEnd, readReleases } from './release-files.ts'
import { tellExceeded } from './report-parts.ts'
import { readScenario } from './scenario-file.ts'
import { fileReader, profileOfScenario, withPlatform } from './scenario-profile.ts'
import { boundsOf, designsOf, type SimulateFlags, seedAndDuration } from './simulate-flags.ts'
import { type DesignRun, exceededBounds, renderReport, reportObject } from './simulate-report.ts'
import type { Simulator } from './simulator.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'
import { openTrace, traceFilesOf, writeTrace } from './trace-files.ts'
import { worstCommand } from './worst-command.ts'

export function simulateCommand(
  path: string,
  flags: SimulateFlags,
  terminal: Terminal,
  simulator: Simulator,
  tools: PageTools,
): number {
  if (flags.worst) return worstCommand(path, flags, terminal, simulator, tools)
  const stray = (['flow', 'runs', 'seconds'] as const).find((name) => flags[name] !== undefined)
  if (stray !== undefined) throw new UsageError(`--${stray} is for a search: add --worst`)
  const scenarioPath = resolve(terminal.cwd, path)
  const written = { ...readScenario(path, terminal.cwd, flags.set), ...seedAndDuration(flags) }
  const scenario = withPlatform(withPayloads(written, repeatedFlag(flags.payload), terminal.cwd), flags, terminal.cwd)
  const note = (text: string) => flags.quiet || terminal.stderr.write(`note: ${text}\n`)
  const designs = designsOf(flags.design, scenario, note)
  const profile = profileOfScenario(scenario, fileReader(scenarioPath, terminal.cwd))
  const payloads = readPayloads(scenario, scenarioPath, terminal.cwd)
  const releases = readReleases(scenario, scenarioPath, terminal.cwd)
  for (const text of beyondEnd(scenario, releases)) note(text)
  const outFolder = destination('--out', flags.out, terminal)
  const traceFiles = traceFilesOf(flags.trace, designs, scenario, scenarioPath, terminal)
  const html = pageFileOf(flags.html, [{ scenario, path: scenarioPath }], terminal)
  noteLongDeadlines(scenario, note)

  // Before anything runs: what cannot be written is known at once.
  const outputs = designs.map((design, i) => ({
    onMessage: outFolder === null ? null : payloadWriter(join(outFolder, design), scenario),
    trace: traceFiles === null ? null : openTrace(traceFiles[i]!, new MessageTimes(scenario.flows.length)),
  }))
  // Without a trace a page needs no more of the run than its messages.
  const times = outputs.map(
    ({ trace }) => (trace?.recorder as MessageTimes) ?? new MessageTimes(scenario.flows.length, { keep: false }),
  )
  const line = progress(terminal, !flags.quiet)
  const runs = designs.map((design, i): DesignRun => {
    const { onMessage, trace } = outputs[i]!
    const started = terminal.now()
    const result = simulator.simulate(scenario, {
      design,
      profile,
      payload: (flow) => payloads.get(flow) ?? null,
      releases: (flow) => releases.get(flow) ?? null,
      onProgress: (simulatedNs, totalNs) => line.update(design.padEnd(9), simulatedNs, totalNs),
      ...(trace === null && html === null ? {} : { trace: times[i]! }),
      ...(onMessage === null ? {} : { onMessage }),
    })
    const wallMs = terminal.now() - started
    line.clear()
    if (trace !== null) writeTrace(trace, scenario, simulator, note)
    return { design, result, bounds: boundsOf(simulator.predict(scenario, { design, profile })), wallMs }
  })

  const assumptions = simulator.assumptionsOf(scenario, profile)
  const title = oneLine(basename(path))
  if (html !== null) writePage(html, simulationPage(title, scenario, runs, times, assumptions, tools.version), tools)
  if (flags.json)
    terminal.stdout.write(`${JSON.stringify(reportObject(scenario, profile, runs, assumptions), null, 2)}\n`)
  else if (!flags.quiet) {
    terminal.stdout.write(renderReport(title, scenario, runs, assumptions, painter(terminal.stdout, terminal.env)))
  }
  const exceeded = runs.flatMap(exceededBounds)
  tellExceeded(exceeded, scenario, terminal)
  const clean = runs.every(({ result }) => result.payloadMismatches === 0 && result.violations === 0)
  return clean && exceeded.length === 0 ? EXIT_OK : EXIT_NEGATIVE
}

/** Allowed, and worth a word: such a flow may have several messages waiting. */
function noteLongDeadlines(scenario: Scenario, note: (text: string) => void): void {
  for (const { name, deadlineNs, periodNs } of scenario.flows) {
    if (deadlineNs <= periodNs) continue
    note(`flow ${name} has a deadline (${formatTime(deadlineNs)}) beyond its period (${formatTime(periodNs)})`)
  }
}

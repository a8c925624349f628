/** `simulate`: the same flows through both designs, side by side. What `npm start` runs. */
import { basename, dirname, join, resolve } from 'node:path'
import type { Design, Prediction } from '../platform-zcu102/index.ts'
import { formatTime, type Scenario, vmOnDedicatedCore } from '../scenario/index.ts'
import { TraceRecorder } from '../sim/index.ts'
import { oneLine } from './escape.ts'
import { mustBeOutput, openToWrite, payloadWriter, withDesign } from './output-files.ts'
import { readPayloads, withPayloads } from './payload-files.ts'
import { progress } from './progress.ts'
import { readScenario } from './scenario-file.ts'
import { fileReader, type PlatformFlags, profileOfScenario, withPlatform } from './scenario-profile.ts'
import { type DesignRun, exceededBounds, renderReport, reportObject } from './simulate-report.ts'
import type { Simulator } from './simulator.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'
import { timeFlag } from './time-flag.ts'

/** As they come from the command line, still to be checked. */
export interface SimulateFlags extends PlatformFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly seed?: unknown
  readonly duration?: unknown
  readonly design?: unknown
  readonly payload?: unknown
  readonly out?: unknown
  readonly trace?: unknown
}

export function simulateCommand(path: string, flags: SimulateFlags, terminal: Terminal, simulator: Simulator): number {
  const scenarioPath = resolve(terminal.cwd, path)
  const written = { ...readScenario(path, terminal.cwd), ...seedAndDuration(flags) }
  const scenario = withPlatform(withPayloads(written, strings(flags.payload), terminal.cwd), flags, terminal.cwd)
  const note = (text: string) => flags.quiet || terminal.stderr.write(`note: ${text}\n`)
  const designs = designsOf(flags.design, scenario, note)
  const profile = profileOfScenario(scenario, fileReader(scenarioPath, terminal.cwd))
  const payloads = readPayloads(scenario, scenarioPath, terminal.cwd)
  const outFolder = destination('--out', flags.out, terminal)
  const traceFile = destination('--trace', flags.trace, terminal)
  const traceFiles = traceFile === null ? [] : designs.map((design) => traceOf(traceFile, design, designs))
  const inputs = inputsOf(scenario, scenarioPath, terminal.cwd)
  if (traceFile !== null) for (const path of [traceFile, ...traceFiles]) mustBeOutput(path, inputs)
  noteLongDeadlines(scenario, note)

  // Before anything runs: what cannot be written is known at once.
  const outputs = designs.map((design, i) => ({
    onMessage: outFolder === null ? null : payloadWriter(join(outFolder, design), scenario),
    trace: traceFile === null ? null : openTrace(traceFiles[i]!),
  }))
  const line = progress(terminal, !flags.quiet)
  const runs = designs.map((design, i): DesignRun => {
    const { onMessage, trace } = outputs[i]!
    const started = terminal.now()
    const result = simulator.simulate(scenario, {
      design,
      profile,
      payload: (flow) => payloads.get(flow) ?? null,
      onProgress: (simulatedNs, totalNs) => line.update(design.padEnd(9), simulatedNs, totalNs),
      ...(trace === null ? {} : { trace: trace.recorder }),
      ...(onMessage === null ? {} : { onMessage }),
    })
    const wallMs = terminal.now() - started
    line.clear()
    if (trace !== null) {
      const { path, file, recorder } = trace
      try {
        // A trace may be larger than the longest string.
        for (const piece of simulator.chromeTrace(recorder, scenario)) file.write(piece)
      } finally {
        file.close()
      }
      if (recorder.dropped > 0) note(`${path} is full: its last ${recorder.dropped} records are missing`)
    }
    return { design, result, bounds: boundsOf(simulator.predict(scenario, { design, profile })), wallMs }
  })

  const assumptions = simulator.assumptionsOf(scenario, profile)
  if (flags.json)
    terminal.stdout.write(`${JSON.stringify(reportObject(scenario, profile, runs, assumptions), null, 2)}\n`)
  else if (!flags.quiet) {
    terminal.stdout.write(
      renderReport(oneLine(basename(path)), scenario, runs, assumptions, painter(terminal.stdout, terminal.env)),
    )
  }
  const exceeded = runs.flatMap(exceededBounds)
  for (const what of exceeded) {
    terminal.stderr.write(`${what}: a bound is violated, a bug of ours; please report it with seed ${scenario.seed}\n`)
  }
  const clean = runs.every(({ result }) => result.payloadMismatches === 0 && result.violations === 0)
  return clean && exceeded.length === 0 ? EXIT_OK : EXIT_NEGATIVE
}

/** Of two designs each has a trace of its own. */
function traceOf(path: string, design: Design, designs: readonly Design[]): string {
  return designs.length === 1 ? path : withDesign(path, design)
}

/** Every file that the run reads, wherever it may be looked for. */
function inputsOf(scenario: Scenario, scenarioPath: string, cwd: string): string[] {
  const payloads = scenario.flows.flatMap(({ payload }) => (payload.kind === 'file' ? [payload.path] : []))
  const boards = [scenario.platform, scenario.calibration].flatMap(
    (named) => /^file:(.*)$/s.exec(named ?? '')?.[1] ?? [],
  )
  const places = [dirname(scenarioPath), cwd]
  return [scenarioPath, ...[...payloads, ...boards].flatMap((path) => places.map((place) => resolve(place, path)))]
}

function openTrace(path: string) {
  return { path, file: openToWrite(path), recorder: new TraceRecorder() }
}

function boundsOf({ flows, chains }: Pick<Prediction, 'flows' | 'chains'>): DesignRun['bounds'] {
  const byName = (parts: Prediction['flows'] | Prediction['chains']) =>
    new Map(parts.map(({ name, endToEndNs }) => [name, endToEndNs] as const))
  return { flows: byName(flows), chains: byName(chains) }
}

function seedAndDuration({ seed, duration }: SimulateFlags): { seed?: number; durationNs?: number } {
  const changes: { seed?: number; durationNs?: number } = {}
  if (seed !== undefined) {
    if (Array.isArray(seed)) throw new UsageError('--seed takes one value')
    if (!Number.isSafeInteger(seed) || (seed as number) < 0)
      throw new UsageError(`--seed ${seed}: write a whole number from 0`)
    changes.seed = seed as number
  }
  if (duration !== undefined) {
    const ns = timeFlag('--duration', duration)
    if (ns === 0) throw new UsageError('--duration 0 simulates nothing; write e.g. 100ms')
    changes.durationNs = ns
  }
  return changes
}

function destination(option: string, value: unknown, terminal: Terminal): string | null {
  if (value === undefined) return null
  if (Array.isArray(value) || value === '') throw new UsageError(`${option} takes one path`)
  return resolve(terminal.cwd, String(value))
}

/** Both, unless asked otherwise, or unless a VM has the core that the dedicated broker needs. */
function designsOf(flag: unknown, scenario: Scenario, note: (text: string) => void): readonly Design[] {
  const design = flag ?? 'both'
  if (design !== 'both' && design !== 'floating' && design !== 'dedicated') {
    throw new UsageError(`--design ${design}: use both, floating or dedicated`)
  }
  if (design === 'floating') return ['floating']
  const vm = vmOnDedicatedCore(scenario)
  if (vm) {
    const why = `core ${vm.core} belongs to the dedicated broker, and VM ${vm.name} runs there`
    if (flag === undefined) {
      note(`${why}: only the floating design is simulated`)
      return ['floating']
    }
    throw new UsageError(`${why}; move the VM, change broker.dedicatedCore, or use --design floating`)
  }
  return design === 'both' ? ['dedicated', 'floating'] : ['dedicated']
}

/** Allowed, and worth a word: such a flow may have several messages waiting. */
function noteLongDeadlines(scenario: Scenario, note: (text: string) => void): void {
  for (const { name, deadlineNs, periodNs } of scenario.flows) {
    if (deadlineNs <= periodNs) continue
    note(`flow ${name} has a deadline (${formatTime(deadlineNs)}) beyond its period (${formatTime(periodNs)})`)
  }
}

function strings(value: unknown): string[] {
  return value === undefined ? [] : (Array.isArray(value) ? value : [value]).map(String)
}

/** `simulate`: the same flows through both designs, side by side. What `npm start` runs. */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { formatTime, parseScenario, parseTime, type Scenario, vmOnDedicatedCore } from '../scenario/index.ts'
import { readPayloads, withPayloads } from './payload-files.ts'
import { type Progress, progress } from './progress.ts'
import { type DesignRun, renderReport, reportObject } from './simulate-report.ts'
import type { Design, Simulator } from './simulator.ts'
import { EXIT_NEGATIVE, EXIT_OK, painter, type Terminal, UsageError } from './terminal.ts'

/** As they come from the command line, still to be checked. */
export interface SimulateFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly seed?: unknown
  readonly duration?: unknown
  readonly design?: unknown
  readonly payload?: unknown
  readonly out?: unknown
  readonly trace?: unknown
}

export function simulateCommand<R>(
  path: string,
  flags: SimulateFlags,
  terminal: Terminal,
  simulator: Simulator<R>,
): number {
  const scenarioPath = resolve(terminal.cwd, path)
  const scenario = withPayloads(
    { ...parseScenario(readScenario(path, scenarioPath), { path }), ...seedAndDuration(flags) },
    strings(flags.payload),
    terminal.cwd,
  )
  const designs = designsOf(flags.design, scenario)
  const payloads = readPayloads(scenario, scenarioPath, terminal.cwd)
  const outFolder = destination('--out', flags.out, terminal)
  const traceFile = destination('--trace', flags.trace, terminal)
  if (!flags.quiet) noteLongDeadlines(scenario, terminal)

  const line = progress(terminal, !flags.quiet)
  const runs = designs.map((design): DesignRun => {
    const recorder = traceFile === null ? undefined : simulator.createRecorder()
    const started = terminal.now()
    const result = simulator.simulate(scenario, {
      design,
      payload: (flow) => payloads.get(flow) ?? null,
      onProgress: reporter(line, design),
      ...(recorder === undefined ? {} : { trace: recorder }),
      ...(outFolder === null ? {} : { onMessage: payloadWriter(join(outFolder, design), scenario) }),
    })
    const wallMs = terminal.now() - started
    line.clear()
    if (traceFile !== null && recorder !== undefined) {
      writeTrace(
        designs.length === 1 ? traceFile : withDesign(traceFile, design),
        simulator.chromeTrace(recorder, scenario),
      )
    }
    return { design, result, wallMs }
  })

  const assumptions = [...new Set(designs.flatMap((design) => simulator.assumptionsOf(scenario, design)))]
  if (flags.json) terminal.stdout.write(`${JSON.stringify(reportObject(scenario, runs, assumptions), null, 2)}\n`)
  else if (!flags.quiet) {
    terminal.stdout.write(
      renderReport(basename(path), scenario, runs, assumptions, painter(terminal.stdout, terminal.env)),
    )
  }
  const clean = runs.every(({ result }) => result.payloadMismatches === 0 && result.violations === 0)
  return clean ? EXIT_OK : EXIT_NEGATIVE
}

function readScenario(path: string, absolute: string): string {
  try {
    return readFileSync(absolute, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read the scenario ${path}: ${(error as Error).message}`, { cause: error })
  }
}

function seedAndDuration({ seed, duration }: SimulateFlags): { seed?: number; durationNs?: number } {
  const changes: { seed?: number; durationNs?: number } = {}
  if (seed !== undefined) {
    if (!Number.isSafeInteger(seed) || (seed as number) < 0)
      throw new UsageError(`--seed ${seed}: write a whole number from 0`)
    changes.seed = seed as number
  }
  if (duration !== undefined) {
    const ns = parseTime(duration)
    if (typeof ns !== 'number') throw new UsageError(`--duration ${duration} ${ns.message}; ${ns.fix}`)
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

function designsOf(flag: unknown, scenario: Scenario): readonly Design[] {
  const design = flag ?? 'both'
  if (design !== 'both' && design !== 'floating' && design !== 'dedicated') {
    throw new UsageError(`--design ${design}: use both, floating or dedicated`)
  }
  if (design === 'floating') return ['floating']
  const vm = vmOnDedicatedCore(scenario)
  if (vm) {
    const why = `core ${vm.core} belongs to the dedicated broker, and VM ${vm.name} runs there`
    throw new UsageError(`${why}; move the VM, change broker.dedicatedCore, or use --design floating`)
  }
  return design === 'both' ? ['dedicated', 'floating'] : ['dedicated']
}

/** Allowed, and worth a word: such a flow may have several messages waiting. */
function noteLongDeadlines(scenario: Scenario, terminal: Terminal): void {
  for (const { name, deadlineNs, periodNs } of scenario.flows) {
    if (deadlineNs <= periodNs) continue
    terminal.stderr.write(
      `note: flow ${name} has a deadline (${formatTime(deadlineNs)}) beyond its period (${formatTime(periodNs)})\n`,
    )
  }
}

function reporter(line: Progress, design: Design): (simulatedNs: number, totalNs: number) => void {
  return (simulatedNs, totalNs) => line.update(design.padEnd(9), simulatedNs, totalNs)
}

/** Every delivered payload as `FOLDER/FLOW/SEQUENCE.bin`. */
function payloadWriter(folder: string, scenario: Scenario) {
  for (const { name } of scenario.flows) mkdirSync(join(folder, name), { recursive: true })
  return ({ flow, sequence, bytes }: { flow: string; sequence: number; bytes: Uint8Array }): void => {
    writeFileSync(join(folder, flow, `${String(sequence).padStart(6, '0')}.bin`), bytes)
  }
}

function writeTrace(path: string, pieces: Iterable<string>): void {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'w')
  try {
    for (const piece of pieces) writeSync(file, piece)
  } finally {
    closeSync(file)
  }
}

/** `run.json` of two designs becomes `run.dedicated.json` and `run.floating.json`. */
function withDesign(path: string, design: Design): string {
  const ending = extname(path)
  return `${path.slice(0, path.length - ending.length)}.${design}${ending}`
}

function strings(value: unknown): string[] {
  return value === undefined ? [] : (Array.isArray(value) ? value : [value]).map(String)
}

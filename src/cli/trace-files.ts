/** Where `--trace` writes what a run did, for standard viewers. */
import { dirname, resolve } from 'node:path'
import type { Design } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { TraceRecorder } from '../sim/index.ts'
import { destination, mustBeOutput, type OutputFile, openToWrite, withDesign } from './output-files.ts'
import type { Simulator } from './simulator.ts'
import type { Terminal } from './terminal.ts'

export interface TraceFile {
  readonly path: string
  readonly file: OutputFile
  readonly recorder: TraceRecorder
}

/** By design, of two designs each its own; null: none is asked for. Throws `UsageError` where one would overwrite what the run reads. */
export function traceFilesOf(
  flag: unknown,
  designs: readonly Design[],
  scenario: Scenario,
  scenarioPath: string,
  terminal: Terminal,
): readonly string[] | null {
  const path = destination('--trace', flag, terminal)
  if (path === null) return null
  const paths = designs.length === 1 ? [path] : designs.map((design) => withDesign(path, design))
  const inputs = inputsOf(scenario, scenarioPath, terminal.cwd)
  for (const each of [path, ...paths]) mustBeOutput(each, inputs)
  return paths
}

/** Every file that the run reads, wherever it may be looked for. */
export function inputsOf(scenario: Scenario, scenarioPath: string, cwd: string): string[] {
  const payloads = scenario.flows.flatMap(({ payload }) => (payload.kind === 'file' ? [payload.path] : []))
  const boards = [scenario.platform, scenario.calibration].flatMap(
    (named) => /^file:(.*)$/s.exec(named ?? '')?.[1] ?? [],
  )
  const places = [dirname(scenarioPath), cwd]
  const releases = scenario.flows.flatMap((flow) => flow.releases ?? [])
  return [
    scenarioPath,
    ...[...payloads, ...boards, ...releases].flatMap((path) => places.map((place) => resolve(place, path))),
  ]
}

/** Before anything runs: what cannot be written is known at once. */
export function openTrace(path: string, recorder = new TraceRecorder()): TraceFile {
  return { path, file: openToWrite(path), recorder }
}

export function writeTrace(
  { path, file, recorder }: TraceFile,
  scenario: Scenario,
  simulator: Simulator,
  note: (text: string) => void,
): void {
  try {
    // A trace may be larger than the longest string.
    for (const piece of simulator.chromeTrace(recorder, scenario)) file.write(piece)
  } finally {
    file.close()
  }
  if (recorder.dropped > 0) note(`${path} is full: its last ${recorder.dropped} records are missing`)
}

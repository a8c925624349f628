/** `museum`: shows every historic fault to somebody's queue. */
import { resolve } from 'node:path'
import { VirtioError } from '../../internal/error.ts'
import type { MuseumReport } from '../../testing/museum/exhibit.ts'
import { museumJUnit, museumLines } from '../../testing/museum/render.ts'
import { replayExhibit } from '../../testing/museum/replay.ts'
import { runMuseum } from '../../testing/museum/run-museum.ts'
import { oneLine } from '../escape.ts'
import { mustBeOutput, writeFile } from '../output-files.ts'
import { progress } from '../progress.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Paint, painter, type Terminal, UsageError } from '../terminal.ts'
import { guarding, settled } from './target-guard.ts'
import { loadTargets } from './target-module.ts'

export interface MuseumFlags {
  readonly target?: unknown
  readonly exhibit?: unknown
  readonly json?: boolean
  readonly junit?: unknown
  readonly replay?: unknown
}

/** About so many are shown to a target: for the line that says how far it is. */
const EXHIBITS = 50

export async function museumCommand(flags: MuseumFlags, terminal: Terminal): Promise<number> {
  const exhibits = exhibitNumbers(flags.exhibit)
  if (flags.replay !== undefined) return replayCommand(flags, terminal)
  const junit = flags.junit === undefined ? null : fileName('--junit', flags.junit)
  if (junit !== null) mustBeOutput(resolve(terminal.cwd, junit), [resolve(terminal.cwd, String(flags.target))])
  const targets = await loadTargets(flags.target, terminal)
  const line = progress(terminal, true)
  const reports: MuseumReport[] = []
  for (const target of targets) {
    let shown = 0
    const onResult = () => line.update(target.name, ++shown, EXHIBITS)
    const options = { onResult, ...(exhibits === null ? {} : { exhibits }) }
    const whose = `the target ${target.name}`
    reports.push(await guarding(whose, { terminal }, () => runMuseum(target, options)))
    // What it has thrown meanwhile comes before any result is told.
    await settled(whose, terminal)
  }
  line.clear()
  if (reports.every(({ results }) => results.length === 0)) {
    throw new UsageError(`there is no exhibit ${String(flags.exhibit)} for a ${targets[0]!.side} queue`)
  }
  if (flags.json) terminal.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
  else for (const report of reports) terminal.stdout.write(renderReport(report, painter(terminal.stdout, terminal.env)))
  if (junit !== null) writeFile(resolve(terminal.cwd, junit), museumJUnit(reports))
  return reports.every(({ passed }) => passed) ? EXIT_OK : EXIT_NEGATIVE
}

/** `--replay`: what a report said of one exhibit, or one schedule of it, once more. */
async function replayCommand(flags: MuseumFlags, terminal: Terminal): Promise<number> {
  const stray = (['exhibit', 'json', 'junit'] as const).find((name) => flags[name] !== undefined)
  if (stray !== undefined) throw new UsageError(`--replay shows one thing, as text: leave out --${stray}`)
  const code = flags.replay
  if (typeof code !== 'string' || code === '')
    throw new UsageError('--replay takes one code of a report, e.g. 17 or 32/asleep/EVENT_IDX/tso:d15v21')
  const targets = await loadTargets(flags.target, terminal)
  let failed = false
  let refused: unknown = null
  let count = 0
  for (const target of targets) {
    const whose = `the target ${target.name}`
    const shown = await guarding(whose, { terminal }, () => {
      try {
        return replayExhibit(target, code)
      } catch (error) {
        // Of the other side, or ring format: another target of the module may have it.
        if (!(error instanceof VirtioError && error.code === 'BAD_REPLAY')) throw error
        refused ??= error
        return null
      }
    })
    await settled(whose, terminal)
    if (shown === null) continue
    count++
    failed ||= shown.failed
    terminal.stdout.write(`${oneLine(target.name)}\n${shown.text.split('\n').map(oneLine).join('\n')}\n`)
  }
  if (count === 0) throw refused
  return failed ? EXIT_NEGATIVE : EXIT_OK
}

const TONES = {
  PASS: 'good',
  REJECT: 'good',
  WEDGED: 'bad',
  FAIL: 'bad',
  SKIP: 'quiet',
  note: 'strong',
  head: 'strong',
} as const

function renderReport(report: MuseumReport, paint: Paint): string {
  const lines = museumLines(escaped(report), (text, tone) => paint(text, TONES[tone]))
  return `${lines.join('\n')}\n\n`
}

/** Names and messages are a stranger's. */
function escaped(report: MuseumReport): MuseumReport {
  const results = report.results.map((result) => ({ ...result, detail: oneLine(result.detail) }))
  return { ...report, target: oneLine(report.target), results }
}

function exhibitNumbers(flag: unknown): number[] | null {
  if (flag === undefined) return null
  const numbers = String(flag).split(',').map(Number)
  if (numbers.some((number) => !Number.isInteger(number) || number < 1)) {
    throw new UsageError(`--exhibit ${String(flag)}: write numbers with commas between, e.g. 4,10,17`)
  }
  return numbers
}

function fileName(flag: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new UsageError(`${flag} needs the name of a file`)
}

/** `museum`: shows every historic fault to somebody's queue. */
import { resolve } from 'node:path'
import type { MuseumReport } from '../../testing/museum/exhibit.ts'
import { museumJUnit, tally } from '../../testing/museum/render.ts'
import { runMuseum } from '../../testing/museum/run-museum.ts'
import { oneLine } from '../escape.ts'
import { mustBeOutput, writeFile } from '../output-files.ts'
import { progress } from '../progress.ts'
import { type Cell, renderTable } from '../table.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Paint, painter, type Terminal, UsageError } from '../terminal.ts'
import { guarding, settled } from './target-guard.ts'
import { loadTargets } from './target-module.ts'

export interface MuseumFlags {
  readonly target?: unknown
  readonly exhibit?: unknown
  readonly json?: boolean
  readonly junit?: unknown
}

/** About so many are shown to a target: for the line that says how far it is. */
const EXHIBITS = 50

export async function museumCommand(flags: MuseumFlags, terminal: Terminal): Promise<number> {
  const exhibits = exhibitNumbers(flags.exhibit)
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

const TONES = { PASS: 'good', REJECT: 'good', WEDGED: 'bad', FAIL: 'bad', SKIP: 'quiet' } as const

function renderReport(report: MuseumReport, paint: Paint): string {
  const rows: Cell[][] = report.results.map(({ number, title, verdict, clauses, reads }) => [
    `${String(number).padStart(2)}  ${title}`,
    { text: verdict, tone: TONES[verdict] },
    reads === null ? '' : `${reads} reads`,
    clauses.join(' '),
  ])
  const details = report.results
    .filter(({ detail, verdict }) => detail !== '' && verdict !== 'SKIP')
    .map(({ number, title, verdict, detail }) => `  ${number} ${title}: ${paint(oneLine(detail), TONES[verdict])}\n`)
  details.push(...report.notes.map((note) => `${paint(`  note: ${note}`, 'strong')}\n`))
  details.push(...skipped(report).map((line) => `${paint(`  ${oneLine(line)}`, TONES.SKIP)}\n`))
  return `${paint(oneLine(report.target), 'strong')}\n${renderTable(rows, paint)}${tally(report)}\n${details.join('')}\n`
}

/** `38, 39 skipped: the target has a split ring`: a line a reason. */
function skipped({ results }: MuseumReport): string[] {
  const reasons = new Map<string, Set<number>>()
  for (const { number, verdict, detail } of results) {
    if (verdict === 'SKIP') reasons.set(detail, (reasons.get(detail) ?? new Set()).add(number))
  }
  return [...reasons].map(([reason, numbers]) => `${[...numbers].join(', ')} skipped: ${reason}`)
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

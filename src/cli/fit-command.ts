/** `fit`: from a trace of releases to the period, jitter and length that a scenario takes. */
import { resolve } from 'node:path'
import {
  type FittedReleases,
  fitReleases,
  formatTime,
  mostWithin,
  parseReleases,
  type ReleaseTrace,
} from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { reasonOf } from './file-error.ts'
import { readTextFile } from './input-files.ts'
import { count, milliseconds } from './report-parts.ts'
import { type Cell, renderTable } from './table.ts'
import { EXIT_OK, type Paint, painter, type Terminal, UsageError } from './terminal.ts'

export function fitCommand(path: string | undefined, flags: { readonly json?: boolean }, terminal: Terminal): number {
  if (path === undefined || path === '') throw new UsageError('fit takes one file: fit releases.csv')
  const trace = parseReleases(textOf(path, terminal.cwd), oneLine(path))
  const fitted = fitReleases(trace)
  const windows = windowsOf(fitted, trace)
  if (flags.json) terminal.stdout.write(`${JSON.stringify({ ...fitted, windows }, null, 2)}\n`)
  else terminal.stdout.write(renderFit(oneLine(path), fitted, windows, painter(terminal.stdout, terminal.env)))
  return EXIT_OK
}

function textOf(path: string, cwd: string): string {
  try {
    return readTextFile(resolve(cwd, path), MOST_BYTES)
  } catch (error) {
    throw new UsageError(`cannot read ${oneLine(path)}: ${reasonOf(error)}`, { cause: error })
  }
}

/** Ten million messages. */
const MOST_BYTES = 256 * 1024 ** 2

/** Messages in a window: the most that the trace has, that the fit allows, and that the least gap alone would. */
interface Window {
  readonly windowNs: number
  readonly seen: number
  readonly allowed: number
  readonly sporadic: number
}

const PERIODS = [0, 1, 2, 5, 10, 20, 50, 100]

function windowsOf({ jitterNs, leastGapNs, messages, periodNs }: FittedReleases, trace: ReleaseTrace): Window[] {
  const spanNs = trace.timesNs[messages - 1]! - trace.timesNs[0]!
  return PERIODS.map((periods) => periods * periodNs)
    .filter((windowNs) => windowNs <= spanNs)
    .map((windowNs) => ({
      windowNs,
      seen: mostWithin(trace, windowNs),
      allowed: Math.floor((windowNs + jitterNs) / periodNs) + 1,
      sporadic: Math.floor(windowNs / leastGapNs) + 1,
    }))
}

function renderFit(path: string, fitted: FittedReleases, windows: readonly Window[], paint: Paint): string {
  const { jitterNs, leastGapNs, lengthBytes, longestGapNs, meanGapNs, messages, periodNs } = fitted
  const length = lengthBytes === null ? '' : `, length: ${lengthBytes}`
  const flow = `{ period: ${formatTime(periodNs)}, jitter: ${formatTime(jitterNs)}${length}, releases: ${path} }`
  const rows: Cell[][] = [
    ['window, ms', 'most seen', 'this period and jitter', `no jitter, ${formatTime(leastGapNs)}`],
    ...windows.map(({ windowNs, seen, allowed, sporadic }): Cell[] => [
      milliseconds(windowNs),
      count(seen),
      count(allowed),
      count(sporadic),
    ]),
  ]
  return [
    `${paint(`${path}: ${count(messages)} messages, from ${milliseconds(leastGapNs)} to ${milliseconds(longestGapNs)} ms apart, ${milliseconds(meanGapNs)} on the average`, 'strong')}\n`,
    `${flow}\n${jitterNs >= periodNs ? `The jitter is not below the period: give the flow a deadline above ${formatTime(jitterNs)}.\n` : ''}`,
    `${paint('Messages in a window', 'strong')}\n${renderTable(rows, paint)}`,
  ].join('\n')
}

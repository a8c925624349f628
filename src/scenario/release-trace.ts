/**
 * When somebody else's messages were released, as CSV: `time_ns`, or `time_ns,length_bytes`, and then a line for each message, rising. Read here,
 * and held against what a flow declares, by which its bounds are made.
 */
import { checkText } from '../internal/check-option.ts'
import { InputError, type InputIssue } from './input-error.ts'
import type { Scenario } from './scenario.ts'
import { formatTime } from './units.ts'

/** The messages of one flow, oldest first. */
export interface ReleaseTrace {
  /** ns from the start of the run, each later than the one before. */
  readonly timesNs: readonly number[]
  /** Bytes of each; null: all are as long as the flow says. */
  readonly lengthsBytes: readonly number[] | null
}

const HEADS = ['time_ns', 'time_ns,length_bytes']
const LONGEST_BYTES = 2 ** 30
/** As many mistakes are told at once. */
const MOST_ISSUES = 20

/** `path`: what the text is called in messages. Throws an `InputError` RELEASES with line and column of what is wrong; reads no file. */
export function parseReleases(source: string, path = 'releases'): ReleaseTrace {
  if (source !== '') checkText('source', source)
  checkText('path', path)
  const lines = source.replace(/^\uFEFF/, '').split(/\r?\n/)
  while (lines.length > 1 && lines.at(-1) === '') lines.pop()
  const issues: InputIssue[] = []
  const tell = (line: number, column: number, value: string, message: string, fix: string) =>
    issues.push({ path: '', line: line + 1, column: column + 1, value, message, fix })
  const head = lines[0]!.replaceAll(/\s/g, '')
  if (!HEADS.includes(head)) {
    const message = lines[0] === '' ? 'there is no header' : `${shown(lines[0]!)} is not the header`
    tell(0, 0, lines[0]!, message, `write ${HEADS.join(' or ')} into the first line`)
    throw new InputError('RELEASES', path, issues)
  }
  const columns = head.split(',').length
  const timesNs: number[] = []
  const lengths: number[] = []
  for (let at = 1; at < lines.length && issues.length < MOST_ISSUES; at++) {
    const line = lines[at]!
    const cells = line.split(',')
    if (cells.length !== columns) {
      const message = line.trim() === '' ? 'the line is empty' : `there are ${cells.length} values`
      tell(at, 0, line, message, `write ${head}`)
      continue
    }
    const timeNs = wholeOf(cells[0]!, Number.MAX_SAFE_INTEGER)
    if (timeNs === null) {
      tell(
        at,
        indent(cells[0]!),
        cells[0]!,
        `${shown(cells[0]!)} is not a time`,
        'write whole ns from the start of the run, e.g. 5000000',
      )
    } else if (timesNs.length > 0 && timeNs <= timesNs.at(-1)!) {
      tell(
        at,
        indent(cells[0]!),
        cells[0]!,
        `${timeNs} is not later than ${timesNs.at(-1)} before it`,
        'sort the lines by time, each time once',
      )
    } else timesNs.push(timeNs)
    if (columns === 1) continue
    const bytes = wholeOf(cells[1]!, LONGEST_BYTES)
    if (bytes === null || bytes === 0) {
      tell(
        at,
        cells[0]!.length + 1 + indent(cells[1]!),
        cells[1]!,
        `${shown(cells[1]!)} is not a length`,
        'write whole bytes from 1 to 1073741824',
      )
    } else lengths.push(bytes)
  }
  if (issues.length === 0 && timesNs.length === 0)
    tell(0, 0, '', 'there is no message', 'write a line for each release')
  if (issues.length > 0) throw new InputError('RELEASES', path, issues)
  return { timesNs, lengthsBytes: columns === 2 ? lengths : null }
}

/**
 * What of a trace the `period`, `jitter` and `length` of a flow, by index, do not allow: the first message that comes too early, and the first that
 * is too long, or where pages move of another length, because a shorter message may then take longer. Lines count from the header, 1. Empty: the
 * bounds of the flow hold for the trace.
 */
export function releaseIssues(
  { broker, flows }: Scenario,
  flow: number,
  { lengthsBytes, timesNs }: ReleaseTrace,
): InputIssue[] {
  const { jitterNs, lengthBytes, name, periodNs } = flows[flow]!
  const sameLength = broker.transfer !== 'copy'
  const issues: InputIssue[] = []
  const early = firstEarly(timesNs, periodNs, jitterNs)
  if (early !== null) {
    const { at, byNs } = early
    issues.push({
      path: '',
      line: at + 2,
      column: 1,
      value: timesNs[at],
      message: `the message at ${timesNs[at]} comes ${formatTime(byNs)} earlier than flow ${name} says, with a period of ${formatTime(periodNs)} and a jitter of ${formatTime(jitterNs)}`,
      fix: 'declare what the trace does; virtio-sdk fit proposes it',
    })
  }
  const long = (lengthsBytes ?? []).findIndex((bytes) => (sameLength ? bytes !== lengthBytes : bytes > lengthBytes))
  if (long >= 0) {
    const bytes = lengthsBytes![long]!
    issues.push({
      path: '',
      line: long + 2,
      column: String(timesNs[long]).length + 2,
      value: bytes,
      message: `${bytes} bytes are ${bytes > lengthBytes ? 'more' : 'less'} than the ${lengthBytes} that flow ${name} says${bytes < lengthBytes ? ', and where pages move a shorter message may take longer' : ''}`,
      fix: bytes > lengthBytes ? 'make its length at least that' : 'use transfer: copy, or messages of one length',
    })
  }
  return issues
}

/** The first message of which no nominal release a period after that of the one before is within the jitter before it. */
function firstEarly(
  timesNs: readonly number[],
  periodNs: number,
  jitterNs: number,
): { at: number; byNs: number } | null {
  let nominalNs = Number.NEGATIVE_INFINITY
  for (let at = 0; at < timesNs.length; at++) {
    // As early as the jitter lets it be, which leaves those behind it the most room.
    nominalNs = Math.max(nominalNs + periodNs, timesNs[at]! - jitterNs)
    if (nominalNs > timesNs[at]!) return { at, byNs: nominalNs - timesNs[at]! }
  }
  return null
}

function wholeOf(cell: string, most: number): number | null {
  const text = cell.trim()
  if (!/^\d{1,16}$/.test(text)) return null
  const value = Number(text)
  return value <= most ? value : null
}

function indent(cell: string): number {
  return cell.length - cell.trimStart().length
}

function shown(text: string): string {
  return JSON.stringify(text.length <= 40 ? text : `${text.slice(0, 37)}...`)
}

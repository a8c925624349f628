/** `fuzz`: programs and hostile rings against somebody's queue, until something is found or the time is over. */
import { resolve } from 'node:path'
import type { FuzzCase, FuzzFinding, FuzzTarget } from '../../testing/fuzz.ts'
import { notesOn } from '../../testing/museum/run-museum.ts'
import { oneLine } from '../escape.ts'
import { progress } from '../progress.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Terminal, UsageError } from '../terminal.ts'
import { timeFlag } from '../time-flag.ts'
import { type KeptCase, keep, readCorpus } from './corpus.ts'
import { guarding, settled } from './target-guard.ts'
import { loadTargets } from './target-module.ts'

export interface FuzzFlags {
  readonly target?: unknown
  readonly seed?: unknown
  readonly runs?: unknown
  readonly time?: unknown
  readonly corpus?: unknown
  readonly json?: boolean
  readonly keepGoing?: boolean
}

const DEFAULT_MS = 5_000

type Fuzzer = typeof import('../../testing/fuzz.ts')

export async function fuzzCommand(flags: FuzzFlags, terminal: Terminal): Promise<number> {
  const seed = flags.seed === undefined ? 1 : wholeNumber('--seed', flags.seed)
  const runs = flags.runs === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--runs', flags.runs, 1)
  const limitMs = flags.time === undefined ? (flags.runs === undefined ? DEFAULT_MS : Infinity) : timeMs(flags.time)
  const corpora = flags.corpus === undefined ? [] : folderNames(flags.corpus).map((name) => resolve(terminal.cwd, name))
  const targets = await loadTargets(flags.target, terminal)
  const fuzzer = await load()
  const { json = false, keepGoing = false } = flags
  const say = (text: string) => json || terminal.stdout.write(text)
  const reports: FuzzReport[] = []
  for (const target of targets) {
    const whose = `the target ${target.name}`
    const kept = await guarding(whose, { terminal }, () => replayCorpora(fuzzer, target, corpora, say))
    const limits = { seed, runs, limitMs: limitMs / targets.length, keepGoing }
    const found = await guarding(whose, { terminal }, () => search(fuzzer, target, limits, terminal))
    // What it has thrown meanwhile comes before the result is told.
    await settled(whose, terminal)
    const files = found.findings.map((finding) => {
      // Whatever becomes of the corpus, it has been told.
      say(`${failureOf(target, '', finding)}${finding.times > 1 ? `${finding.times} times the like\n` : ''}`)
      const file = corpora.length === 0 ? null : keptIn(corpora[0]!, finding.case)
      say(file === null ? `as a corpus file: ${JSON.stringify(finding.case)}\n` : `kept as ${file}\n`)
      return file
    })
    const report = { target: target.name, seed, ...found, files, kept, notes: notesOn(target) }
    reports.push(report)
    say(summaryOf(report, keepGoing))
  }
  if (json) terminal.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
  return reports.every(({ findings, kept }) => findings.length === 0 && kept.failed.length === 0)
    ? EXIT_OK
    : EXIT_NEGATIVE
}

/** What was tried of one target, and what was found: an element of the array of `--json`. */
interface FuzzReport extends Found {
  readonly target: string
  readonly seed: number
  /** By finding: the file of the corpus that has it; null: there is no corpus. */
  readonly files: readonly (string | null)[]
  readonly kept: Replayed
  readonly notes: readonly string[]
}

function summaryOf(
  { findings, notes, programs, rings, seconds, seed, target }: FuzzReport,
  keptGoing: boolean,
): string {
  const tried = `${programs} programs and ${rings} hostile rings, seed ${seed}, ${seconds.toFixed(1)} s`
  if (findings.length > 0)
    return keptGoing ? `${oneLine(target)}: ${findings.length} kinds of failure in ${tried}\n` : ''
  return `${oneLine(target)}: nothing found in ${tried}\n${notes.map((note) => `  note: ${note}\n`).join('')}`
}

/** The message has a drawing of the ring in lines of its own. */
function failureOf({ name }: FuzzTarget, file: string, { message }: FuzzFinding): string {
  return `${oneLine(`${name}: ${file}FAIL`)} ${message.replaceAll('\n', '\n  ')}\n`
}

/** Keeps a case, or, where the corpus cannot be written, tells it in the error. Returns the name of its file. */
function keptIn(corpus: string, one: FuzzCase): string {
  try {
    return keep(corpus, one)
  } catch (error) {
    const why = `cannot keep it: ${(error as Error).message}`
    throw new UsageError(`${why}; as a corpus file: ${JSON.stringify(one)}`, { cause: error })
  }
}

async function load(): Promise<Fuzzer> {
  try {
    return await import('../../testing/fuzz.ts')
  } catch (error) {
    if (!String((error as Error).message).includes('fast-check')) throw error
    throw new UsageError('fuzz needs fast-check: npm install --save-dev fast-check', { cause: error })
  }
}

/** What was kept, and what of it fails still. */
interface Replayed {
  readonly passed: number
  readonly failed: readonly FuzzFinding[]
}

/** Of several corpora each case once; what of the others fails is kept in the first as well. */
function replayCorpora(
  fuzzer: Fuzzer,
  target: FuzzTarget,
  folders: readonly string[],
  say: (text: string) => void,
): Replayed {
  const known = new Map<string, KeptCase>()
  for (const folder of folders) {
    for (const one of readCorpus(folder))
      if (fuzzer.isFor(target, one.case)) known.set(one.file, known.get(one.file) ?? one)
  }
  const failed: FuzzFinding[] = []
  for (const { file, case: one } of known.values()) {
    const finding = fuzzer.replay(target, one)
    if (finding === null) continue
    failed.push(finding)
    if (folders.length > 1) keptIn(folders[0]!, one)
    say(failureOf(target, `${file} `, finding))
  }
  const passed = known.size - failed.length
  if (folders.length > 0) say(`${oneLine(target.name)}: ${passed} of ${known.size} kept cases pass\n`)
  return { passed, failed }
}

interface Limits {
  readonly seed: number
  readonly runs: number
  readonly limitMs: number
  readonly keepGoing: boolean
}

/** What was tried, and of each kind of failure the first, with how many were like it. */
interface Found {
  readonly programs: number
  readonly rings: number
  readonly seconds: number
  readonly findings: readonly (FuzzFinding & { readonly times: number })[]
}

function search(fuzzer: Fuzzer, target: FuzzTarget, limits: Limits, terminal: Terminal): Found {
  const started = terminal.now()
  const line = progress(terminal, true)
  const kinds = new Map<string, FuzzFinding & { times: number }>()
  let found: Found = { programs: 0, rings: 0, seconds: 0, findings: [] }
  for (const { programs, rings, finding } of fuzzer.fuzz(target, limits.seed, { keepGoing: limits.keepGoing })) {
    const elapsed = terminal.now() - started
    line.update(target.name, ...share(programs + rings, elapsed, limits))
    if (finding !== null) {
      const kind = kindOf(finding)
      const known = kinds.get(kind)
      if (known === undefined) kinds.set(kind, { ...finding, times: 1 })
      else known.times++
    }
    found = { programs, rings, seconds: elapsed / 1000, findings: [...kinds.values()] }
    if (programs + rings >= limits.runs || elapsed >= limits.limitMs) break
  }
  line.clear()
  return found
}

/** Failures that differ in numbers alone are of one kind. */
function kindOf({ case: one, message }: FuzzFinding): string {
  return `${one.kind}: ${message.split('\n')[0]!.replaceAll(/0x[0-9a-f]+|\d+/g, '#')}`
}

/** Whichever limit is nearer. */
function share(done: number, elapsed: number, { runs, limitMs }: Limits): [number, number] {
  return done / runs > elapsed / limitMs ? [done, runs] : [elapsed, limitMs]
}

function wholeNumber(flag: string, value: unknown, least = 0): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
  if (Array.isArray(value)) throw new UsageError(`${flag} takes one value`)
  throw new UsageError(`${flag} ${String(value)}: write a whole number, ${least} or more, e.g. 1000`)
}

function folderNames(value: unknown): string[] {
  const names = Array.isArray(value) ? value : [value]
  if (names.every((name): name is string => typeof name === 'string' && name !== '')) return names
  throw new UsageError('--corpus needs the name of a folder')
}

function timeMs(value: unknown): number {
  const ns = timeFlag('--time', value)
  if (ns === 0) throw new UsageError('--time 0 tries nothing; write e.g. 30s')
  return ns / 1e6
}

/** `fuzz`: programs and hostile rings against somebody's queue, until something is found or the time is over. */
import { resolve } from 'node:path'
import type { FuzzCase, FuzzFinding, FuzzTarget } from '../../testing/fuzz.ts'
import { notesOn } from '../../testing/museum/run-museum.ts'
import { oneLine } from '../escape.ts'
import { progress } from '../progress.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Terminal, UsageError } from '../terminal.ts'
import { timeFlag } from '../time-flag.ts'
import { keep, readCorpus } from './corpus.ts'
import { guarding, settled } from './target-guard.ts'
import { loadTargets } from './target-module.ts'

export interface FuzzFlags {
  readonly target?: unknown
  readonly seed?: unknown
  readonly runs?: unknown
  readonly time?: unknown
  readonly corpus?: unknown
}

const DEFAULT_MS = 5_000

type Fuzzer = typeof import('../../testing/fuzz.ts')

export async function fuzzCommand(flags: FuzzFlags, terminal: Terminal): Promise<number> {
  const seed = flags.seed === undefined ? 1 : wholeNumber('--seed', flags.seed)
  const runs = flags.runs === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--runs', flags.runs, 1)
  const limitMs = flags.time === undefined ? (flags.runs === undefined ? DEFAULT_MS : Infinity) : timeMs(flags.time)
  const corpus = flags.corpus === undefined ? null : resolve(terminal.cwd, folderName(flags.corpus))
  const targets = await loadTargets(flags.target, terminal)
  const fuzzer = await load()
  let clean = true
  for (const target of targets) {
    const whose = `the target ${target.name}`
    const failing = await guarding(whose, { terminal }, () =>
      corpus === null ? [] : replayCorpus(fuzzer, target, corpus, terminal),
    )
    const { finding, tried } = await guarding(whose, { terminal }, () =>
      search(fuzzer, target, { seed, runs, limitMs: limitMs / targets.length }, terminal),
    )
    // What it has thrown meanwhile comes before the result is told.
    await settled(whose, terminal)
    if (finding === null) {
      terminal.stdout.write(`${oneLine(target.name)}: nothing found in ${tried}\n`)
      for (const note of notesOn(target)) terminal.stdout.write(`  note: ${note}\n`)
    } else {
      terminal.stdout.write(failureOf(target, '', finding))
      if (corpus === null) terminal.stdout.write(`as a corpus file: ${JSON.stringify(finding.case)}\n`)
      else terminal.stdout.write(`kept as ${kept(corpus, finding.case)}\n`)
    }
    clean &&= finding === null && failing.length === 0
  }
  return clean ? EXIT_OK : EXIT_NEGATIVE
}

/** The message has a drawing of the ring in lines of its own. */
function failureOf({ name }: FuzzTarget, file: string, { message }: FuzzFinding): string {
  return `${oneLine(`${name}: ${file}FAIL`)} ${message.replaceAll('\n', '\n  ')}\n`
}

/** Keeps a case, or, where the corpus cannot be written, tells it in the error. */
function kept(corpus: string, one: FuzzCase): string {
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

function replayCorpus(fuzzer: Fuzzer, target: FuzzTarget, folder: string, terminal: Terminal): FuzzFinding[] {
  const kept = readCorpus(folder).filter(({ case: one }) => fuzzer.isFor(target, one))
  const failed: FuzzFinding[] = []
  for (const { file, case: one } of kept) {
    const finding = fuzzer.replay(target, one)
    if (finding === null) continue
    failed.push(finding)
    terminal.stdout.write(failureOf(target, `${file} `, finding))
  }
  terminal.stdout.write(`${oneLine(target.name)}: ${kept.length - failed.length} of ${kept.length} kept cases pass\n`)
  return failed
}

interface Limits {
  readonly seed: number
  readonly runs: number
  readonly limitMs: number
}

/** What was found, and in words what was tried. */
interface Found {
  readonly finding: FuzzFinding | null
  readonly tried: string
}

function search(fuzzer: Fuzzer, target: FuzzTarget, limits: Limits, terminal: Terminal): Found {
  const started = terminal.now()
  const line = progress(terminal, true)
  for (const { programs, rings, finding } of fuzzer.fuzz(target, limits.seed)) {
    const elapsed = terminal.now() - started
    line.update(target.name, ...share(programs + rings, elapsed, limits))
    if (finding === null && programs + rings < limits.runs && elapsed < limits.limitMs) continue
    line.clear()
    const seconds = (elapsed / 1000).toFixed(1)
    return { finding, tried: `${programs} programs and ${rings} hostile rings, seed ${limits.seed}, ${seconds} s` }
  }
  return { finding: null, tried: 'nothing' }
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

function folderName(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new UsageError('--corpus needs the name of one folder')
}

function timeMs(value: unknown): number {
  const ns = timeFlag('--time', value)
  if (ns === 0) throw new UsageError('--time 0 tries nothing; write e.g. 30s')
  return ns / 1e6
}

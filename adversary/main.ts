/**
 * `npm run adversary`: scenarios drawn to break what `predict` promises, each attacked on the simulated machine. docs/adversary.md.
 * `--seconds N` or `--count N` scenarios of `--seed S`, on `--jobs N` threads; `--first` stops at the first failure; `--shrunk N` failures of
 * each kind are shrunk and written to `--keep DIR`; `--case N` examines one scenario of the seed, `--replay FILE` a written one.
 * Exit code 0: all held; 1: something did not, or too few flows had a bound; 2: misuse.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { Random } from '../src/internal/random.ts'
import { campaign, work } from './campaign.ts'
import { type Case, formatCase, parseCase } from './case.ts'
import { drawCase } from './draw-case.ts'
import { crashesBy, examine, examineCase, exceeds, type Record } from './examine.ts'
import { whole } from './misuse.ts'
import { shrink } from './shrink.ts'
import { formatCovered, LEAST_BOUNDED, Summary } from './summary.ts'
import { BOUND_KINDS, type Comparison } from './try-case.ts'

const MAX_TOLD = 20

if (isMainThread) process.exitCode = await main()
else await work(examine)

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      count: { type: 'string' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(Math.min(8, availableParallelism())) },
      json: { type: 'boolean', default: false },
      keep: { type: 'string', default: join('out', 'adversary') },
      shrunk: { type: 'string', default: '2' },
      first: { type: 'boolean', default: false },
      case: { type: 'string' },
      replay: { type: 'string' },
    },
  })
  const seed = whole('--seed', values.seed, 0)
  const jobs = whole('--jobs', values.jobs, 1)
  if (values.replay !== undefined) return report(parseCase(readFileSync(values.replay, 'utf8')), new Random(0))
  if (values.case !== undefined) {
    const index = whole('--case', values.case, 0)
    process.stdout.write(`${formatCase(plain(drawCase(seed, index)))}\n`)
    return reportRecord(examine(seed, index))
  }
  const count = values.count === undefined ? Number.POSITIVE_INFINITY : whole('--count', values.count, 1)
  const seconds = values.seconds === undefined ? null : whole('--seconds', values.seconds, 1)
  const limit = seconds ?? (count < Number.POSITIVE_INFINITY ? null : 60)
  const startedMs = performance.now()
  const summary = new Summary()
  await campaign<Record>(import.meta.url, { seed, count, jobs, seconds: limit, batch: 1 }, (record) => {
    summary.add(record)
    return values.first && summary.failures.length > 0
  })
  const elapsed = (performance.now() - startedMs) / 1000
  summary.failures.sort((a, b) => a.index - b.index)
  const kept = keepFailures(seed, summary, values.keep, whole('--shrunk', values.shrunk, 0))
  if (values.json) process.stdout.write(`${JSON.stringify(figures(seed, summary, elapsed, jobs, kept))}\n`)
  else print(seed, summary, elapsed, jobs, kept)
  return summary.holds ? 0 : 1
}

// ---- what is said

interface Kept {
  readonly index: number
  readonly path: string
  readonly found: Case
  readonly failure: string
}

/** Shrinks failures, the first of each kind, and writes them down. */
function keepFailures(seed: number, { failures }: Summary, folder: string, limit: number): Kept[] {
  const ofKind = new Map<string, number>()
  const chosen = failures.filter((record) => {
    const kind = worstOf(record)?.kind ?? 'crash'
    ofKind.set(kind, (ofKind.get(kind) ?? 0) + 1)
    return ofKind.get(kind)! <= limit
  })
  return chosen.map((record) => {
    const { found, failure } = shrunkFailure(seed, record)
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `${seed}-${record.index}.yaml`)
    writeFileSync(path, `# ${failure}\n${formatCase(found)}`)
    return { index: record.index, path, found, failure }
  })
}

/** What is told of a case that exceeds several bounds. */
function worstOf({ exceeded }: Record): Comparison | undefined {
  return BOUND_KINDS.flatMap((kind) => exceeded.filter((comparison) => comparison.kind === kind))[0]
}

function shrunkFailure(seed: number, record: Record): { found: Case; failure: string } {
  const worst = worstOf(record)
  const drawn = plain(drawCase(seed, record.index))
  if (worst === undefined) {
    const message = record.crashed!
    return { found: shrink(drawn, (candidate) => crashesBy(candidate, message)), failure: `crashed: ${message}` }
  }
  const found = shrink({ ...drawn, attack: worst.attack }, (candidate) => exceeds(candidate, worst.kind))
  const after = examineCase(found, new Random(0)).exceeded.find(({ kind }) => kind === worst.kind)
  return { found, failure: after === undefined ? describe(worst) : describe(after) }
}

/** Without what only the summary wants to know. */
function plain({ scenario, calibration, attack }: Case): Case {
  return { scenario, calibration, attack }
}

function describe({ kind, name, boundNs, observedNs }: Comparison): string {
  const share = (observedNs / boundNs).toFixed(4)
  return `${kind}${name === '' ? '' : ` of ${name}`}: ${observedNs} ns, bound ${boundNs} ns, ${share} of it`
}

function report(found: Case, random: Random): number {
  return reportRecord({ ...examineCase(found, random), index: 0, overload: false, ingredients: [] })
}

function reportRecord({ bounds, crashed, exceeded, flows, boundedFlows, nearest, runs }: Record): number {
  const lines = [
    `${bounds} bounds of ${boundedFlows} of ${flows} flows compared in ${runs} runs; ${exceeded.length} exceeded`,
  ]
  if (nearest !== null) lines.push(`nearest: ${describe(nearest)}`)
  for (const comparison of exceeded)
    lines.push(`EXCEEDED ${describe(comparison)}\n  under ${JSON.stringify(comparison.attack)}`)
  if (crashed !== null) lines.push(`CRASHED: ${crashed}`)
  process.stdout.write(`${lines.join('\n')}\n`)
  return exceeded.length > 0 || crashed !== null ? 1 : 0
}

function figures(seed: number, summary: Summary, elapsed: number, jobs: number, kept: readonly Kept[]): unknown {
  const { cases, bounds, runs, exceeded, crashed, flows, boundedFlows, boundedShare, nearest, covered } = summary
  return {
    seed,
    jobs,
    elapsedSeconds: elapsed,
    cases,
    runs,
    bounds,
    boundsPerSecond: bounds / elapsed,
    exceeded,
    crashed,
    flowsWithoutOverload: flows,
    boundedFlows,
    boundedShare,
    nearest: nearest && {
      case: nearest.index,
      share: nearest.comparison.observedNs / nearest.comparison.boundNs,
      ...nearest.comparison,
    },
    failures: kept.map(({ index, path, failure }) => ({ case: index, path, failure })),
    failing: summary.failures.map(({ index, exceeded, crashed: why }) => ({
      case: index,
      ...(why === null ? {} : { crashed: why }),
      exceeded: exceeded.map(describe),
    })),
    covered: Object.fromEntries([...covered].map(([option, values]) => [option, Object.fromEntries(values)])),
    holds: summary.holds,
  }
}

function print(seed: number, summary: Summary, elapsed: number, jobs: number, kept: readonly Kept[]): void {
  const { cases, bounds, runs, exceeded, crashed, flows, boundedFlows, boundedShare, nearest } = summary
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const lines = [
    `seed ${seed}: ${cases} scenarios, ${runs} runs, ${elapsed.toFixed(0)} s on ${jobs} threads`,
    `${bounds} bounds compared, ${(bounds / elapsed).toFixed(0)} a second; ${exceeded} exceeded${formatKinds(summary)}, ${crashed} scenarios crashed`,
    `${boundedFlows} of ${flows} flows drawn without overload have a bound: ${percent(boundedShare)}` +
      (boundedShare < LEAST_BOUNDED ? `; TOO FEW, at least ${percent(LEAST_BOUNDED)} must` : ''),
  ]
  if (nearest !== null) {
    lines.push(`nearest to its bound: ${describe(nearest.comparison)}; --seed ${seed} --case ${nearest.index}`)
  }
  lines.push('', 'scenarios with', formatCovered(summary))
  for (const { index, path, found, failure } of kept) {
    lines.push(
      '',
      `FAILED: case ${index}, shrunk: ${failure}`,
      '',
      formatCase(found),
      `replay: npm run adversary -- --replay ${path}`,
    )
    lines.push(`as drawn: npm run adversary -- --seed ${seed} --case ${index}`)
  }
  const told = new Set(kept.map(({ index }) => index))
  const rest = summary.failures.filter(({ index }) => !told.has(index))
  if (rest.length > 0) {
    const first = rest.slice(0, MAX_TOLD).map(({ index }) => index)
    lines.push('', `and ${rest.length} cases more: ${first.join(' ')}${rest.length > MAX_TOLD ? ' ...' : ''}`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}

function formatKinds({ failures }: Summary): string {
  const all = failures.flatMap(({ exceeded }) => exceeded)
  const counts = BOUND_KINDS.map((kind) => [kind, all.filter((comparison) => comparison.kind === kind).length] as const)
  const some = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`)
  return some.length === 0 ? '' : ` (${some.join(', ')})`
}

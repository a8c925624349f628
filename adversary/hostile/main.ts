/**
 * `npm run hostile`: hostile guests against the broker on the simulated machine, watched by a checker of its own. docs/hostile.md.
 * `--seconds N` or `--count N` runs of `--seed S`, on `--jobs N` threads; `--case N` is one run; `--kinds a,b` counts only breaks of these
 * kinds; `--first` stops at the first; `--json`. Exit code 0: nothing broke; 1: something did; 2: misuse.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import type { HostileStrategyName } from '../../src/testing/hostile-guest/index.ts'
import { campaign, work } from '../campaign.ts'
import { refuse, whole } from '../misuse.ts'
import { BREAK_KINDS, type BreakKind, OTHER_KINDS } from './isolation-checker.ts'
import { type HostileRun, runHostile } from './run-hostile.ts'

/** Runs next to each other share a scenario. */
const BATCH = 25
const MAX_TOLD = 6

if (isMainThread) process.exitCode = await main()
else await work(runHostile)

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      count: { type: 'string' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(Math.min(8, availableParallelism())) },
      kinds: { type: 'string', default: BREAK_KINDS.join(',') },
      case: { type: 'string' },
      first: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const seed = whole('--seed', values.seed, 0)
  const kinds = values.kinds.split(',') as BreakKind[]
  const all: readonly BreakKind[] = [...BREAK_KINDS, ...OTHER_KINDS]
  for (const kind of kinds) if (!all.includes(kind)) refuse(`--kinds are of ${all.join(', ')}, not "${kind}"`)
  const counts = ({ breaks }: HostileRun) => breaks.filter(({ kind }) => kinds.includes(kind))
  if (values.case !== undefined) {
    const index = whole('--case', values.case, 0)
    const run = runHostile(seed, index)
    const needed = counts(run).length === 0 ? run.strategies : fewestStrategies(seed, run, kinds)
    process.stdout.write(`${JSON.stringify({ ...run, needed }, null, 2)}\n`)
    return counts(run).length === 0 ? 0 : 1
  }
  const count = values.count === undefined ? Number.POSITIVE_INFINITY : whole('--count', values.count, 1)
  const seconds =
    values.seconds !== undefined ? whole('--seconds', values.seconds, 1) : values.count === undefined ? 60 : null
  const jobs = whole('--jobs', values.jobs, 1)
  const startedMs = performance.now()
  const [totals, failures, covered] = [
    { runs: 0, resets: 0, turns: 0, bounds: 0, nearest: 0, beside: 0, nearestBeside: 0, slow: 0 },
    [] as HostileRun[],
    new Map<string, number>(),
  ]
  await campaign<HostileRun>(import.meta.url, { seed, count, jobs, seconds, batch: BATCH }, (run) => {
    totals.runs++
    totals.resets += run.resets
    totals.turns += run.turns
    totals.bounds += run.bounds
    totals.nearest = Math.max(totals.nearest, run.nearest)
    totals.beside += run.beside
    totals.nearestBeside = Math.max(totals.nearestBeside, run.nearestBeside)
    totals.slow += run.breaks.filter(({ kind }) => kind === 'slow').length
    const parts = [...run.ingredients, ...run.strategies.map((name) => ['strategy', name] as const)]
    for (const [option, value] of parts) covered.set(`${option} ${value}`, (covered.get(`${option} ${value}`) ?? 0) + 1)
    if (counts(run).length > 0) failures.push(run)
    return failures.length > 0 && values.first
  })
  failures.sort((a, b) => a.index - b.index)
  const elapsedSeconds = (performance.now() - startedMs) / 1000
  const byKind = Object.fromEntries(
    kinds.map((kind) => [kind, failures.filter(({ breaks }) => breaks.some((found) => found.kind === kind)).length]),
  )
  if (values.json) {
    process.stdout.write(
      `${JSON.stringify({ seed, jobs, elapsedSeconds, ...totals, broken: byKind, failures, covered: Object.fromEntries(covered) })}\n`,
    )
  } else {
    process.stdout.write(
      `seed ${seed}: ${totals.runs} runs, ${totals.turns} turns of hostile guests, ${totals.resets} resets, ${elapsedSeconds.toFixed(0)} s on ${jobs} threads\n` +
        `${totals.bounds} bounds of honest flows and locks compared; largest observed / bound ${totals.nearest.toFixed(3)}\n` +
        `${totals.beside} flows without a bound whatever others do; ${totals.slow} took longer than beside honest guests, at most ${totals.nearestBeside.toFixed(3)} of that bound\n` +
        `runs with breaks: ${kinds.map((kind) => `${kind} ${byKind[kind]}`).join(', ')}\n\nruns with\n${table(covered)}\n`,
    )
    for (const run of failures.slice(0, MAX_TOLD)) {
      const strategies = fewestStrategies(seed, run, kinds)
      process.stdout.write(`\nBROKEN in run ${run.index}, by ${strategies.join(', ')}:\n`)
      for (const { kind, what } of counts(run)) process.stdout.write(`  ${kind}: ${what}\n`)
      process.stdout.write(`  again: npm run hostile -- --seed ${seed} --case ${run.index}\n`)
    }
  }
  return failures.length === 0 ? 0 : 1
}

/** Fewer strategies that break something of the kinds all the same. */
function fewestStrategies(seed: number, run: HostileRun, kinds: readonly BreakKind[]): readonly HostileStrategyName[] {
  let strategies = run.strategies
  for (const name of run.strategies) {
    const fewer = strategies.filter((other) => other !== name)
    if (fewer.length === 0) break
    if (runHostile(seed, run.index, fewer).breaks.some(({ kind }) => kinds.includes(kind))) strategies = fewer
  }
  return strategies
}

function table(covered: ReadonlyMap<string, number>): string {
  const options = new Map<string, string[]>()
  for (const [key, runs] of [...covered].sort(([a], [b]) => a.localeCompare(b))) {
    const [option, value] = key.split(' ') as [string, string]
    options.set(option, [...(options.get(option) ?? []), `${value} ${runs}`])
  }
  return [...options].map(([option, values]) => `  ${option.padEnd(10)} ${values.join(' · ')}`).join('\n')
}

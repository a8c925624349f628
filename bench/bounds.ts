/**
 * `npm run bounds`: how many flows of the random scenarios of the tests have a bound, why the others have none, and how far the bounds are
 * above the worst that simulated runs show: one as drawn, whose costs may be anywhere in their ranges; one with each at its worst, as in the
 * bounds; and those of a search for the longest responses (src/platform-zcu102/longest-responses.ts).
 * `-- --from N --to N --every N` choose the seeds (1, 400, 1), `--runs N` how many runs a search has (12), `--design floating|dedicated` the placement; `--seeds` tells each seed that has a flow without a bound, `--json` prints one object. Exit code 1: a bound is exceeded; 2: misuse.
 *
 * `--overload` runs each scenario that has a flow without a bound for 240 ms and for 480 ms, all costs at their worst, and counts the flows whose
 * longest response nearly doubles: their backlog grows without end, so that there is no bound to be found. What is left over is what the
 * analysis does not know.
 */
import { parseArgs } from 'node:util'
import { refuse, whole } from '../adversary/misuse.ts'
import { type Design, type FlowPrediction, longestResponses, predict, simulate } from '../src/platform-zcu102/index.ts'
import type { Scenario } from '../src/scenario/index.ts'
import { randomScenario } from '../test/prediction/random-scenarios.ts'

const { values: options } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: '400' },
    every: { type: 'string', default: '1' },
    runs: { type: 'string', default: '12' },
    design: { type: 'string', default: 'floating' },
    seeds: { type: 'boolean', default: false },
    overload: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

/** Of `--overload`: the shorter run; what the longest response grows by in one twice as long; and what it then exceeds. */
const OVERLOAD_RUN_NS = 240e6
const NEARLY_TWICE = 1.8
const MANY_PERIODS = 10

const [from, to, every, searched] = [
  whole('--from', options.from, 1),
  whole('--to', options.to, 1),
  whole('--every', options.every, 1),
  whole('--runs', options.runs, 1),
]
const { design } = options
if (design !== 'floating' && design !== 'dedicated') refuse(`--design is floating or dedicated, not "${design}"`)

let flows = 0
let exceeded = 0
/** Bound / found: by the run as drawn, by the larger of both, and by the largest of all. */
const drawn: number[] = []
const atWorst: number[] = []
const bySearch: number[] = []
/** Flows without a bound, by the first obstacle of their scenario; and those of them whose backlog was seen to grow without end. */
const reasons = new Map<string, number>()
const growing: string[] = []
for (let seed = from; seed <= to; seed += every) {
  const scenario = randomScenario(seed)
  const { flows: bounds, obstacles } = predict(scenario, { design })
  flows += bounds.length
  const without = bounds.filter(({ endToEndNs }) => endToEndNs === null).length
  if (without > 0) {
    const reason = kindOf(obstacles[0]!)
    reasons.set(reason, (reasons.get(reason) ?? 0) + without)
    if (options.overload) growing.push(...growingOf(scenario, bounds, design).map((name) => `seed ${seed}: ${name}`))
    if (options.seeds) process.stdout.write(`seed ${seed}: ${without} of ${bounds.length}: ${obstacles.join(' | ')}\n`)
  }
  if (without === bounds.length) continue
  const runs = [scenario, { ...scenario, costs: 'worst' as const }].map(
    (run) => simulate(run, { design, payload: () => null }).flows,
  )
  const boundsNs = bounds.map(({ endToEndNs }) => endToEndNs)
  const longest = longestResponses(scenario, { design, runs: searched, boundsNs })
  bounds.forEach(({ name, endToEndNs }, i) => {
    const foundNs = runs.map((found) => found[name]!.responseTimeNs?.max ?? 0)
    const mostNs = Math.max(...foundNs, longest[i]!.responseNs)
    if (endToEndNs === null || foundNs.includes(0)) return
    drawn.push(endToEndNs / foundNs[0]!)
    atWorst.push(endToEndNs / Math.max(...foundNs))
    bySearch.push(endToEndNs / mostNs)
    if (endToEndNs >= mostNs) return
    exceeded++
    process.stdout.write(`seed ${seed}: flow ${name} took ${mostNs} ns, its bound is ${endToEndNs} ns\n`)
  })
}

const without = [...reasons.values()].reduce((sum, count) => sum + count, 0)
const figures = {
  design,
  flows,
  without,
  reasons: Object.fromEntries([...reasons].sort((a, b) => b[1] - a[1])),
  ...(options.overload ? { growing } : {}),
  compared: drawn.length,
  exceeded,
  drawn: spreadOf(drawn),
  atWorst: spreadOf(atWorst),
  bySearch: spreadOf(bySearch),
}
if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`)
else {
  process.stdout.write(
    `${design}, seeds ${from} to ${to}, every ${every}: ${without} of ${flows} flows have no bound\n`,
  )
  for (const [reason, count] of Object.entries(figures.reasons))
    process.stdout.write(`  ${String(count).padStart(5)}  ${reason}\n`)
  if (options.overload) {
    process.stdout.write(
      `${growing.length} of these are seen to have a backlog that grows without end at worst costs\n`,
    )
    for (const flow of growing) process.stdout.write(`         ${flow}\n`)
  }
  process.stdout.write(`bound / worst found, over ${figures.compared} flows; ${exceeded} exceeded\n`)
  process.stdout.write(`  one run as drawn      ${spreadLine(figures.drawn)}\n`)
  process.stdout.write(`  and one at worst costs ${spreadLine(figures.atWorst)}\n`)
  process.stdout.write(`  and a search           ${spreadLine(figures.bySearch)}\n`)
}
process.exitCode = exceeded > 0 ? 1 : 0

/** What an obstacle is of, without names and figures. */
function kindOf(obstacle: string): string {
  const [kind] = obstacle.split(':')
  if (kind === 'overload' || kind === 'overload at worst costs') return kind
  if (/credit;/.test(obstacle)) return 'waits for credit'
  if (/credit updates/.test(obstacle)) return 'buffers for credit updates'
  if (/descriptors/.test(obstacle)) return 'descriptors of a transmit queue'
  if (/receive buffers/.test(obstacle)) return 'its receiver may run out of buffers'
  if (/hold it back/.test(obstacle)) return 'all that may be under way takes longer than its four buffers last'
  return 'no overload, but no end of the backlog when all is counted'
}

/**
 * Flows without a bound whose longest response nearly doubles when the run is twice as long, and is then longer than many periods. In a run that
 * keeps up it stays what it was, or grows by little.
 */
function growingOf(scenario: Scenario, bounds: readonly FlowPrediction[], design: Design): string[] {
  const [short, long] = [1, 2].map(
    (lengths) =>
      simulate(
        { ...scenario, costs: 'worst', durationNs: lengths * OVERLOAD_RUN_NS },
        { design, payload: () => null, hashesRun: false },
      ).flows,
  )
  return bounds.flatMap(({ name, endToEndNs }, i) => {
    const shortNs = short![name]!.responseTimeNs?.max ?? 0
    const longNs = long![name]!.responseTimeNs?.max ?? 0
    const grows = longNs > NEARLY_TWICE * shortNs && longNs > MANY_PERIODS * scenario.flows[i]!.periodNs
    return endToEndNs === null && grows ? [name] : []
  })
}

interface Spread {
  readonly mean: number
  readonly median: number
  readonly nineOfTen: number
  readonly largest: number
}

function spreadOf(ratios: number[]): Spread {
  const sorted = ratios.sort((a, b) => a - b)
  const mean = sorted.reduce((sum, ratio) => sum + ratio, 0) / Math.max(1, sorted.length)
  const at = (share: number) => rounded(sorted[Math.floor(share * sorted.length)] ?? 0)
  return { mean: rounded(mean), median: at(0.5), nineOfTen: at(0.9), largest: rounded(sorted.at(-1) ?? 0) }
}

function spreadLine({ mean, median, nineOfTen, largest }: Spread): string {
  return `mean ${mean}, median ${median}, nine of ten at most ${nineOfTen}, largest ${largest}`
}

function rounded(ratio: number): number {
  return Math.round(10 * ratio) / 10
}

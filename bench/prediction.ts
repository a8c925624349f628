/**
 * `analyze` of scenarios with many flows, in processor seconds: what a keystroke in an editor would cost. With `--against COMMIT` the same
 * of that commit, which is built in a temporary worktree; the two take turns, so that both see the same machine.
 */
import { Random } from '../src/internal/random.ts'
import type * as Platform from '../src/platform-zcu102/index.ts'
import type * as Scenarios from '../src/scenario/index.ts'
import { ofCommit, ofWorkingTree } from './against.ts'
import { type BenchRatio, type BenchResult, type BenchSuite, benchResult, median } from './suite.ts'

type Side = Pick<typeof Platform, 'predict' | 'predictedSensitivity'> & Pick<typeof Scenarios, 'parseScenario'>

const ENTRY = `
export { predict, predictedSensitivity } from './src/platform-zcu102/index.ts'
export { parseScenario } from './src/scenario/index.ts'
`

/**
 * How often each side runs, in a full run; of 200 flows the old side would take a quarter of an hour. `before`: runs that are left out, in which
 * the compiler sees what it needs; of 50 and 200 flows none, since they come behind those of 20.
 */
const ANALYSES = [
  { flows: 20, before: 4, runs: 5, against: true, atLeast: 10, atMostSeconds: undefined },
  { flows: 50, before: 0, runs: 1, against: true, atLeast: 10, atMostSeconds: undefined },
  { flows: 200, before: 0, runs: 1, against: false, atLeast: undefined, atMostSeconds: 60 },
] as const
/** A prediction takes a few ms, so a sample is of some. */
const PREDICTIONS = { flows: 20, runs: 15, aSample: 20, before: 600 }

/** Sporadic flows between VMs on four cores under a budget, and a load with which all of them fit. */
export function manyFlows(flows: number, seed: number): string {
  const random = new Random(seed, 41)
  // A sender has buffers for some thirty flows.
  const vms = flows <= 100 ? 4 : 8
  const lines = Array.from({ length: flows }, (_, i) => {
    const from = i % vms
    const to = (from + random.between(1, vms - 1)) % vms
    const periodUs = Math.round(20_000 * 10 ** random.unit())
    const length = random.between(64, Math.max(128, Math.floor((2 * periodUs) / flows)))
    return `  - { name: f${i}, from: v${from}, to: v${to}, period: ${periodUs}us, length: ${length} }`
  })
  return `
vms: [${Array.from({ length: vms }, (_, vm) => `{ name: v${vm}, core: ${vm % 4}, cid: ${3 + vm} }`).join(', ')}]
flows:
${lines.join('\n')}
broker: { scheduler: fp, regulator: { kind: budget, budget: 500us, period: 1ms } }
`
}

/** All that `analyze` computes. */
function analyse({ predict, predictedSensitivity, parseScenario }: Side, text: string): unknown {
  const scenario = parseScenario(text)
  return [
    predict(scenario, { design: 'floating' }).schedulable,
    predictedSensitivity(scenario, { design: 'floating' }),
    predict(scenario, { design: 'floating', scheduler: 'edf' }).schedulable,
  ]
}

function cpuNs(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) * 1000
}

export const suite: BenchSuite = {
  name: 'prediction',
  async run({ seed, effort, against, progress }) {
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    const here = await ofWorkingTree<Side>(ENTRY, 'bench-prediction')
    const there = against === undefined ? null : await ofCommit<Side>(ENTRY, 'bench-prediction', against)

    const measure = (name: string, runs: number, other: Side | null, work: (side: Side) => void, operations = 1) => {
      const samples: { here: number[]; there: number[] } = { here: [], there: [] }
      for (let run = 0; run < runs; run++) {
        progress(`${name}, run ${run + 1} of ${runs}`)
        samples.here.push(cpuNs(() => work(here)) / operations)
        if (other !== null) samples.there.push(cpuNs(() => work(other)) / operations)
        // Long runs say what they have, in case nobody waits for their end.
        const seconds = [samples.here, samples.there].map((own) => (own.at(-1) ?? Number.NaN) / 1e9)
        progress(`${name}: here ${seconds[0]!.toFixed(3)} CPU s, there ${seconds[1]!.toFixed(3)}`)
      }
      results.push(benchResult(name, 'here', samples.here))
      if (other !== null) results.push(benchResult(name, against!, samples.there))
      return other === null ? null : median(samples.there) / median(samples.here)
    }

    const text = manyFlows(PREDICTIONS.flows, seed)
    const predictionsOf = (side: Side, count: number) => {
      const scenario = side.parseScenario(text)
      return () => {
        for (let k = 0; k < count; k++) side.predict(scenario, { design: 'floating' })
      }
    }
    const sides = new Map(
      [here, ...(there === null ? [] : [there])].map((side) => [side, predictionsOf(side, PREDICTIONS.aSample)]),
    )
    // Both warm.
    for (const side of sides.keys()) predictionsOf(side, Math.ceil(PREDICTIONS.before * Math.min(1, effort)))()
    const runs = Math.max(1, Math.round(PREDICTIONS.runs * effort))
    const name = `a prediction, ${PREDICTIONS.flows} flows`
    const factor = measure(name, runs, there, (side) => sides.get(side)!(), PREDICTIONS.aSample)
    if (factor !== null) {
      ratios.push({
        name: `a prediction, ${PREDICTIONS.flows} flows: ${against} / here`,
        value: factor,
        unit: 'x',
        atLeast: 2,
      })
    }
    for (const { flows, before, runs, against: compared, atLeast, atMostSeconds } of ANALYSES) {
      if (effort * runs < 0.5 && flows > 20) continue
      const text = manyFlows(flows, seed)
      const name = `analyze with its tables, ${flows} flows`
      const other = compared ? there : null
      for (let run = 0; run < Math.round(before * Math.min(1, effort)); run++) {
        for (const side of other === null ? [here] : [here, other]) analyse(side, text)
      }
      const factor = measure(name, Math.max(1, Math.round(runs * effort)), other, (side) => void analyse(side, text))
      if (factor !== null)
        ratios.push({
          name: `${name}: ${against} / here`,
          value: factor,
          unit: 'x',
          ...(atLeast === undefined ? {} : { atLeast }),
        })
      if (atMostSeconds !== undefined) {
        ratios.push({ name, value: results.at(-1)!.nsPerOp / 1e9, unit: 'CPU s', atMost: atMostSeconds })
      }
    }
    return { results, ratios }
  },
}

/**
 * The whole simulated machine: the default scenario under both designs, with every payload byte moved and checked, and with
 * payloads reduced to their lengths. The operation is one simulated second.
 */
import { readFileSync } from 'node:fs'
import { type Design, simulate } from '../src/platform-zcu102/index.ts'
import { type PayloadSpec, parseScenario, type Scenario } from '../src/scenario/index.ts'
import { type BenchRatio, type BenchResult, type BenchSuite, benchResult, median } from './suite.ts'

const SCENARIO = 'examples/scenarios/default.yaml'
const RUNS = 5
const PAYLOADS: readonly { readonly what: string; readonly payload: PayloadSpec; readonly timesRealTime: number }[] = [
  { what: 'payload moved and checked', payload: { kind: 'random' }, timesRealTime: 1 },
  { what: 'payload none', payload: { kind: 'none' }, timesRealTime: 10 },
]
const DESIGNS: readonly Design[] = ['dedicated', 'floating']

/** Processor ns of one simulated second: wall time when nobody else computes, and about the same when others do. */
function nsPerSecond(scenario: Scenario, design: Design): number {
  const start = process.cpuUsage()
  const { simulatedNs, payloadMismatches } = simulate(scenario, { design, payload: () => null })
  const { user, system } = process.cpuUsage(start)
  if (payloadMismatches > 0) throw new Error(`${design}: ${payloadMismatches} messages arrived damaged`)
  return ((user + system) * 1000) / (simulatedNs / 1e9)
}

export const suite: BenchSuite = {
  name: 'machine',
  async run({ seed, effort, progress }) {
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    const parsed = parseScenario(readFileSync(SCENARIO, 'utf8'))
    const durationNs = Math.max(1e8, Math.round(2e9 * effort))
    for (const { what, payload, timesRealTime } of PAYLOADS) {
      const scenario = { ...parsed, seed, durationNs, flows: parsed.flows.map((flow) => ({ ...flow, payload })) }
      const samples = DESIGNS.map((): number[] => [])
      // Run 0 warms up; designs take turns, so that both see the same machine.
      for (let run = 0; run <= RUNS; run++) {
        progress(`${what}, run ${run} of ${RUNS}`)
        for (const [i, design] of DESIGNS.entries()) {
          const ns = nsPerSecond(scenario, design)
          if (run > 0) samples[i]!.push(ns)
        }
      }
      for (const [i, design] of DESIGNS.entries()) {
        const name = `a simulated second, ${what}`
        results.push(benchResult(name, design, samples[i]!))
        ratios.push({
          name: `${name}, ${design}: simulated / processor time`,
          value: 1e9 / median(samples[i]!),
          unit: 'x',
          atLeast: timesRealTime,
        })
      }
    }
    return { results, ratios }
  },
}

/**
 * The whole simulated machine: the default scenario under both designs, with every payload byte moved and checked, and with
 * payloads reduced to their lengths; the operation is one simulated second. And one message as the number of flows grows: a message
 * costs the same, however many flows there are.
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

const FLOW_COUNTS = [20, 100, 1000]
/** Between two messages, whichever flows they are of. */
const MESSAGE_EVERY_US = 40

/** Eight VMs on four cores, `flows` flows between them, and of all together a message of one page every 40 us. */
function manyFlows(flows: number, messages: number, seed: number): Scenario {
  const vms = Array.from({ length: 8 }, (_, vm) => `  - { name: v${vm}, core: ${vm % 4}, cid: ${vm + 3} }`)
  const lines = Array.from({ length: flows }, (_, i) => {
    const to = (i + 1 + (Math.floor(i / 8) % 7)) % 8
    const times = `period: ${flows * MESSAGE_EVERY_US}us, offset: ${i * MESSAGE_EVERY_US}us`
    return `  - { name: f${i}, from: v${i % 8}, to: v${to}, ${times}, length: 4000, payload: none }`
  })
  const duration = `${messages * MESSAGE_EVERY_US}us`
  return parseScenario(`seed: ${seed}\nduration: ${duration}\nvms:\n${vms.join('\n')}\nflows:\n${lines.join('\n')}\n`)
}

/** Of the second half of the run, when connections are up and every flow has sent. */
function nsPerMessage(scenario: Scenario): number {
  let start: NodeJS.CpuUsage | undefined
  const { messagesDelivered } = simulate(scenario, {
    design: 'floating',
    payload: () => null,
    onProgress(simulatedNs) {
      if (simulatedNs >= scenario.durationNs / 2) start ??= process.cpuUsage()
    },
  })
  const { user, system } = process.cpuUsage(start)
  return ((user + system) * 1000) / (messagesDelivered / 2)
}

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
    const scenarios = FLOW_COUNTS.map((flows) => manyFlows(flows, Math.max(4000, Math.round(20_000 * effort)), seed))
    const samples = FLOW_COUNTS.map((): number[] => [])
    for (let run = 0; run <= RUNS; run++) {
      progress(`many flows, run ${run} of ${RUNS}`)
      for (const [i, scenario] of scenarios.entries()) {
        const ns = nsPerMessage(scenario)
        if (run > 0) samples[i]!.push(ns)
      }
    }
    for (const [i, flows] of FLOW_COUNTS.entries()) {
      results.push(benchResult(`a message, ${flows} flows`, 'floating', samples[i]!))
    }
    const [few, , many] = samples.map(median) as [number, number, number]
    ratios.push({ name: 'a message, 1000 flows', value: many / 1000, unit: 'us', atMost: 60 })
    ratios.push({ name: 'a message, 1000 flows / 20 flows', value: many / few, unit: 'x', atMost: 1.5 })
    return { results, ratios }
  },
}

/**
 * The full machine (rings, traps, interrupts, regulator, DMA) with pinned overheads is the abstract machine of docs/analysis.md: every
 * chunk of every message ends at the same nanosecond. The abstract one knows no rings, the full one no flow sets.
 */
import { describe, expect, it } from 'vitest'
import { ChunkMachine, Releases } from '../../src/evaluation/index.ts'
import { Random } from '../../src/internal/random.ts'
import type { Design } from '../../src/plan/design.ts'
import { zcu102 } from '../../src/platform-zcu102/index.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'
import { TraceKind } from '../../src/platform-zcu102/trace-names.ts'
import { predict } from '../../src/prediction/predict.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'

/** How many times the usual number of runs: PREDICTION_CAMPAIGN=20 npx vitest run test/platform-zcu102. */
const CAMPAIGN = Number(process.env.PREDICTION_CAMPAIGN ?? 1)

const REGULATORS = [
  'none',
  '{ kind: budget, budget: 500us, period: 1ms }',
  '{ kind: budget, budget: 30us, period: 100us }',
  '{ kind: budget, budget: 7us, period: 20us }',
  '{ kind: rate, bytesPerNs: 0.5 }',
]

/** Periods, offsets and lengths of odd ns and bytes: nothing happens at the same moment, so no tie has to be broken alike. */
function drawn(seed: number, scheduler: 'fp' | 'edf', regulator: string): Scenario {
  const random = new Random(seed, 5)
  const flows = ['a>b', 'b>c', 'c>a', 'a>c'].map((ends, i) => {
    const [from, to] = ends.split('>')
    const period = random.between(900_000, 9_000_000)
    const length = random.between(1, 90_000)
    return `  - { name: f${i}, from: ${from}, to: ${to}, period: ${period}, length: ${length}, offset: ${random.between(1, 999_999)}, payload: none }`
  })
  return parseScenario(`
duration: 40ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
${flows.join('\n')}
broker: { scheduler: ${scheduler}, chunk: ${[512, 2048, 4096][seed % 3]}, regulator: ${regulator} }
overrides: { dmaBytesPerNs: 0.75, chunkOverheadNs: [${3000 + (seed % 7)}, ${3000 + (seed % 7)}], messageOverheadNs: 1001 }
`)
}

/** When each chunk of each flow ended, in the full machine. */
function machineEnds(scenario: Scenario, design: Design): number[][] {
  const trace = new TraceRecorder()
  const machine = new Machine(scenario, { design, profile: zcu102, payload: () => null, trace })
  machine.start()
  while (machine.run(100 * scenario.durationNs));
  const ends: number[][] = scenario.flows.map(() => [])
  const { kind, startNs, durationNs, a } = trace.columns
  for (let row = 0; row < trace.count; row++) {
    if (kind[row] === TraceKind.dma) ends[a[row]! >> 1]!.push(startNs[row]! + durationNs[row]! - machine.epochNs)
  }
  return ends
}

/** The same of the abstract machine. */
function modelEnds(scenario: Scenario, design: Design): number[][] {
  const { flowSet, ranks, scheduler } = predict(scenario, { design })
  const releases = new Releases(flowSet.flows.length)
  releases.clear()
  scenario.flows.forEach(({ offsetNs, periodNs }, flow) => {
    for (let atNs = offsetNs; atNs < scenario.durationNs; atNs += periodNs) releases.add(flow, atNs)
  })
  const completions: number[][] = scenario.flows.map(() => [])
  new ChunkMachine(flowSet, scheduler, ranks).run(releases, { completions })
  return completions
}

describe.each(['floating', 'dedicated'] as const)('%s', (design) => {
  describe.each(['fp', 'edf'] as const)('%s', (scheduler) => {
    it.each(REGULATORS)('ends every chunk when the abstract machine does, regulator %s', (regulator) => {
      for (let seed = 1; seed <= 4 * CAMPAIGN; seed++) {
        const scenario = drawn(seed, scheduler, regulator)
        expect({ seed, ends: machineEnds(scenario, design) }).toEqual({ seed, ends: modelEnds(scenario, design) })
      }
    })
  })
})

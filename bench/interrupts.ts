/** `npm run interrupts` prints the tables of docs/interrupts.md: what each technique costs and saves, simulated. */
import { readFileSync } from 'node:fs'
import { type MachineDesign, machineScenario, rank } from '../src/evaluation/experiments/machine-runs.ts'
import { standardLoad } from '../src/evaluation/experiments/standard-load.ts'
import { type Design, type DesignResult, simulate } from '../src/platform-zcu102/index.ts'
import { type BrokerSpec, type InterruptSpec, parseScenario, type Scenario } from '../src/scenario/index.ts'

type Row = readonly [
  label: string,
  design: Design,
  broker: Partial<Omit<BrokerSpec, 'interrupts'>>,
  interrupts?: Partial<InterruptSpec>,
]

const DEFAULT = readFileSync('examples/scenarios/default.yaml', 'utf8')

const SMALL = `
duration: 100ms
vms:
  - { name: sensor, core: 0, cid: 3 }
  - { name: fusion, core: CORE, cid: 4 }
flows:
  - { name: samples, from: sensor, to: fusion, period: 20us, deadline: 1ms, length: 256 }
`

const coalesce = (coalesceCount: number, coalesceDelayNs: number) => ({ coalesceCount, coalesceDelayNs })

function table(title: string, scenario: Scenario, flow: string, rows: readonly Row[]): void {
  const count = (value: number) => value.toLocaleString('en-US')
  const us = (ns: number) => (ns / 1000).toFixed(1)
  const head = ['', 'IPIs', 'interrupts', 'virtual', 'exits', 'stolen, ms', `${flow} p50, us`, 'max, us', 'masked, us']
  process.stdout.write(`${title}\n\n| ${head.join(' | ')} |\n|---|${'---:|'.repeat(head.length - 1)}\n`)
  for (const [label, design, broker, interrupts] of rows) {
    const { broker: given } = scenario
    const spec = interrupts ? { ...given.interrupts, ...interrupts, preset: 'custom' as const } : given.interrupts
    const result = simulate(
      { ...scenario, broker: { ...given, ...broker, interrupts: spec } },
      { design, payload: () => null },
    )
    checkDelivered(label, result)
    const times = result.flows[flow]!.responseTimeNs!
    const stolenNs = Object.values(result.stolenNsByCore).reduce((a, b) => a + b, 0)
    const counts = [result.crossCoreIpis, result.vmInterrupts, result.virtualInterrupts, result.vmExits].map(count)
    const figures = [(stolenNs / 1e6).toFixed(2), us(times.p50), us(times.max), us(result.longestMaskedNs)]
    process.stdout.write(`| ${[label, ...counts, ...figures].join(' | ')} |\n`)
  }
  process.stdout.write('\n')
}

function checkDelivered(label: string, result: DesignResult): void {
  const { messagesSent, messagesDelivered, payloadMismatches } = result
  if (messagesSent !== messagesDelivered || payloadMismatches > 0) throw new Error(`${label}: not everything arrived`)
}

const defaults: Scenario = { ...parseScenario(DEFAULT), costs: 'typical' }
table('Default scenario', defaults, 'control', [
  ['dedicated, as RTSS 2021', 'dedicated', {}],
  [
    'floating, plain, piece after piece',
    'floating',
    { chaining: 'piece' },
    { eventIdx: false, lazyReclaim: false, suppressRefill: false, waitForShort: false },
  ],
  [
    'floating, plain, chained',
    'floating',
    {},
    { eventIdx: false, lazyReclaim: false, suppressRefill: false, waitForShort: false },
  ],
  ['**floating, minimum**', 'floating', {}],
  ['without EVENT_IDX', 'floating', {}, { eventIdx: false }],
  ['without lazy reclaim', 'floating', {}, { lazyReclaim: false }],
  ['without suppressed refills', 'floating', {}, { suppressRefill: false }],
  ['without either, without EVENT_IDX', 'floating', {}, { lazyReclaim: false, suppressRefill: false, eventIdx: false }],
  ['without chaining', 'floating', { chaining: 'piece' }],
  ['with polling every 97 us', 'floating', {}, { pollingNs: 97_000 }],
  ['with coalescing, 4 or 200 us', 'floating', {}, coalesce(4, 200_000)],
  ['dedicated with all switches of minimum', 'dedicated', {}, {}],
  ['dedicated, coalescing, 4 or 200 us', 'dedicated', {}, coalesce(4, 200_000)],
])

const across: Scenario = { ...parseScenario(SMALL.replace('CORE', '1')), costs: 'typical' }
table('5,000 messages of 256 bytes, one every 20 us, between two cores', across, 'samples', [
  ['dedicated, as RTSS 2021', 'dedicated', {}],
  ['**floating, minimum**', 'floating', {}],
  ['with polling every 97 us', 'floating', {}, { pollingNs: 97_000 }],
  ['with coalescing, 4 or 100 us', 'floating', {}, coalesce(4, 100_000)],
  ['with coalescing, 16 or 100 us', 'floating', {}, coalesce(16, 100_000)],
  ['with coalescing, 16 or 500 us', 'floating', {}, coalesce(16, 500_000)],
])

const within: Scenario = { ...parseScenario(SMALL.replace('CORE', '0')), costs: 'typical' }
table('The same between two VMs of one core', within, 'samples', [
  ['**floating, minimum**', 'floating', {}],
  ['without waiting for the DMA', 'floating', {}, { waitForShort: false }],
])

/** The evaluation's five flows (experiment `latency`), four seconds: who waits for the regulator, and how long. */
function underRegulators(
  rows: readonly (readonly [label: string, design: MachineDesign, Partial<BrokerSpec>])[],
): void {
  const flows = ['control', 'frames']
  const head = ['', ...flows.flatMap((flow) => [`${flow} p50, us`, 'p99', 'max']), 'stolen, ms']
  process.stdout.write(`Regulators\n\n| ${head.join(' | ')} |\n|---|${'---:|'.repeat(head.length - 1)}\n`)
  for (const [label, design, broker] of rows) {
    const load = standardLoad(4_000_000_000, 'random', 1, broker)
    const scenario = machineScenario(load, design)
    const latencies = new Map(flows.map((flow) => [flow, [] as number[]]))
    const result = simulate(
      { ...scenario, flows: scenario.flows.map((flow) => ({ ...flow, payload: { kind: 'none' } })) },
      {
        design: design === 'dedicated' ? 'dedicated' : 'floating',
        payload: () => null,
        onMessage: ({ flow, responseNs }) => latencies.get(flow)?.push(responseNs),
      },
    )
    checkDelivered(label, result)
    const figures = flows.flatMap((flow) => {
      const sorted = latencies.get(flow)!.sort((a, b) => a - b)
      return [0.5, 0.99, 1].map((share) => (rank(sorted, share) / 1000).toFixed(0))
    })
    const stolenNs = Object.values(result.stolenNsByCore).reduce((a, b) => a + b, 0)
    process.stdout.write(`| ${[label, ...figures, (stolenNs / 1e6).toFixed(1)].join(' | ')} |\n`)
  }
}

const budget = (budgetNs: number, periodNs: number) => ({ regulator: { kind: 'budget', budgetNs, periodNs } as const })
const none = { regulator: { kind: 'none' } as const }
const bucket = (bytesPerNs: number, burstBytes: number) => ({
  regulator: { kind: 'bucket', bytesPerNs, burstBytes } as const,
})
underRegulators([
  ['dedicated, no regulator', 'dedicated', none],
  ['floating, no regulator', 'floating-minimum', none],
  ['dedicated, 500 us in 1 ms', 'dedicated', budget(500_000, 1_000_000)],
  ['**floating, 500 us in 1 ms**', 'floating-minimum', budget(500_000, 1_000_000)],
  ['the same, `chaining: piece`', 'floating-minimum', { ...budget(500_000, 1_000_000), chaining: 'piece' }],
  ['dedicated, 50 us in 100 us', 'dedicated', budget(50_000, 100_000)],
  ['floating, 50 us in 100 us', 'floating-minimum', budget(50_000, 100_000)],
  ['dedicated, 25 us in 50 us', 'dedicated', budget(25_000, 50_000)],
  ['floating, 25 us in 50 us', 'floating-minimum', budget(25_000, 50_000)],
  ['dedicated, bucket of half the rate, 64 KiB', 'dedicated', bucket(0.5, 65_536)],
  ['floating, bucket of half the rate, 64 KiB', 'floating-minimum', bucket(0.5, 65_536)],
  ['dedicated, half the rate', 'dedicated', { regulator: { kind: 'rate', bytesPerNs: 0.5 } }],
  ['floating, half the rate', 'floating-minimum', { regulator: { kind: 'rate', bytesPerNs: 0.5 } }],
])

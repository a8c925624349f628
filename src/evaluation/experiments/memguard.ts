/** A receiver that MemGuard throttles, and the four ways for the broker to live with it: what the flows beside it feel. */
import type { BrokerSpec } from '../../scenario/index.ts'
import type { Experiment, Row } from '../experiment.ts'
import { seedOf } from '../flow-sets.ts'
import { boundMachine, type Load, MACHINE_ASSUMPTIONS, MACHINE_COLUMNS, rank, runMachine } from './machine-runs.ts'

const OPTIONS = ['service', 'interruptible', 'retarget', 'accept'] as const satisfies readonly BrokerSpec['memguard'][]
const PERIOD_NS = 1_000_000
/** Share of each period for which the receiver is throttled. */
const SHARES = [0, 0.2, 0.4, 0.6, 0.8] as const
const REFILLS_PER_US = 10
const RUN_NS = 250_000_000
const RUNS = 2

type Unit = {
  readonly option: (typeof OPTIONS)[number]
  readonly throttledShare: number
  readonly run: number
  readonly seed: number
}

type MemguardRow = Row & {
  readonly option: string
  readonly throttledShare: number
  readonly flow: string
  readonly maxNs: number
  readonly boundNs: number | null
}

export const memguardExperiment: Experiment<Unit, MemguardRow> = {
  name: 'memguard',
  title: 'A throttled receiver, and the flows beside it',
  columns: {
    platform: MACHINE_COLUMNS.platform,
    option:
      'service: the broker is served in the waiting loop; interruptible: waits with interrupts enabled; retarget: the interrupt goes elsewhere; accept: it waits',
    throttledShare: "share of every 1 ms for which the receiver's core is throttled",
    run: 'which run, from 0',
    flow: 'frames: 200 KiB to the throttled core; commands: 2 KiB to another',
    lengthBytes: MACHINE_COLUMNS.lengthBytes,
    deadlineNs: 'D, ns',
    messages: 'sent',
    deadlineMisses: 'of them late',
    medianNs: 'of the latencies: simulated, ns',
    p99Ns: 'their 99th percentile: simulated, ns',
    maxNs: 'the longest: simulated, ns',
    boundNs: 'end-to-end bound with A4 and worst costs, ns; null: none',
    delayedCompletions: 'completions of the DMA that had to wait for a throttled core',
    longestDelayNs: 'the longest wait of a completion: simulated, ns',
    seed: MACHINE_COLUMNS.seed,
  } as Experiment<Unit, MemguardRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'Floating broker, EDF, a budget of 0.5 ms a ms, costs drawn between best and worst. The background load of the receiver takes 10 refills a us whenever it runs.',
  ],
  units({ seed }, profile) {
    if (profile.cores.value < 3) return []
    return OPTIONS.flatMap((option) =>
      SHARES.flatMap((throttledShare) =>
        Array.from({ length: RUNS }, (_, run) => ({
          option,
          throttledShare,
          run,
          seed: seedOf(seed, 'memguard', throttledShare * 100, run),
        })),
      ),
    )
  },
  run({ option, throttledShare, run, seed }, profile) {
    const refills = Math.round(((1 - throttledShare) * PERIOD_NS * REFILLS_PER_US) / 1000)
    const throttled = { memguard: { refills, periodNs: PERIOD_NS }, refillsPerUs: REFILLS_PER_US }
    const flows = [
      { name: 'frames', from: 0, to: 1, periodNs: 3_100_000, deadlineNs: 6_000_000, lengthBytes: 204_800 },
      { name: 'commands', from: 0, to: 2, periodNs: 700_000, deadlineNs: 500_000, lengthBytes: 2048 },
    ]
    const load: Load = {
      vmCores: 3,
      flows,
      durationNs: RUN_NS,
      costs: 'random',
      seed,
      broker: { memguard: option, regulator: { kind: 'budget', budgetNs: 500_000, periodNs: 1_000_000 } },
      ...(throttledShare > 0 && { vms: { 1: throttled } }),
    }
    const latencies = new Map<string, number[]>(flows.map(({ name }) => [name, []]))
    const result = runMachine(load, 'floating-minimum', profile, ({ flow, responseNs }) => {
      latencies.get(flow)!.push(responseNs)
    })
    const bounds = new Map(boundMachine(load, 'floating-minimum', profile).flows.map((flow) => [flow.name, flow]))
    return flows.map(({ name, lengthBytes, deadlineNs }) => {
      const sorted = latencies.get(name)!.sort((a, b) => a - b)
      return {
        platform: profile.name,
        option,
        throttledShare,
        run,
        flow: name,
        lengthBytes,
        deadlineNs,
        messages: sorted.length,
        deadlineMisses: result.flows[name]!.deadlineMisses,
        medianNs: rank(sorted, 0.5),
        p99Ns: rank(sorted, 0.99),
        maxNs: rank(sorted, 1),
        boundNs: bounds.get(name)!.endToEndNs,
        delayedCompletions: result.delayedCompletions,
        longestDelayNs: result.longestCompletionDelayNs,
        seed,
      }
    })
  },
  refutes({ option, throttledShare, flow, maxNs, boundNs, seed }) {
    if (boundNs === null || maxNs <= boundNs) return null
    return `${option}, throttled for ${throttledShare}, ${flow}, seed ${seed}: ${maxNs} ns, above the bound of ${boundNs} ns`
  },
}

/** From the release of a message to its last byte having been read: alone against its size, and among other flows. */
import type { Experiment, Row, Summary } from '../experiment.ts'
import { seedOf } from '../flow-sets.ts'
import {
  boundMachine,
  designsOn,
  type Load,
  MACHINE_ASSUMPTIONS,
  MACHINE_COLUMNS,
  type MachineDesign,
  rank,
  runMachine,
} from './machine-runs.ts'
import { STANDARD_VM_CORES, standardLoad } from './standard-load.ts'

const LENGTHS = [64, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304] as const
/** At most so many bytes in a run of one size, so that long messages do not take all of the time. */
const BYTES_OF_A_RUN = 48 << 20
const LOADED_RUN_NS = 1_000_000_000
/** The second tells what is of the design from what is of the budget, which fewer pauses between pieces use up sooner. */
const LOADED_SETTINGS = ['loaded', 'unregulated'] as const
type LoadedSetting = (typeof LOADED_SETTINGS)[number]

type Unit = {
  readonly setting: 'alone' | LoadedSetting
  readonly design: MachineDesign
  /** 0 where there are several flows. */
  readonly lengthBytes: number
  readonly messages: number
  readonly run: number
  readonly seed: number
}

type LatencyRow = Row & {
  readonly setting: string
  readonly design: string
  readonly flow: string
  readonly lengthBytes: number
  readonly latencyNs: number
  readonly boundNs: number | null
}

const COLUMNS: Record<string, string> = {
  platform: MACHINE_COLUMNS.platform,
  setting:
    'alone: one flow, nothing else pending; loaded: five flows between three cores, EDF, a budget of 0.5 ms a ms; unregulated: the same without the budget',
  design: MACHINE_COLUMNS.design,
  flow: 'name of the flow',
  lengthBytes: MACHINE_COLUMNS.lengthBytes,
  periodNs: 'T, ns',
  run: 'which run of the setting, from 0',
  message: 'which message of its flow, from 0',
  latencyNs: 'from release to last byte read: simulated, ns',
  boundNs: 'the same: end-to-end bound with A4 and worst costs, ns; null: none',
  seed: MACHINE_COLUMNS.seed,
}

function loadOf({ setting, lengthBytes, messages, seed }: Unit, dmaBytesPerNs: number): Load {
  if (setting === 'loaded') return standardLoad(LOADED_RUN_NS, 'random', seed)
  if (setting === 'unregulated') return standardLoad(LOADED_RUN_NS, 'random', seed, { regulator: { kind: 'none' } })
  // Long enough for the slowest design to be done before the next.
  const periodNs = 200_000 + 4 * Math.ceil(lengthBytes / dmaBytesPerNs)
  const flow = { name: 'only', from: 0, to: 1, periodNs, lengthBytes, jitterNs: 50_000 }
  return { vmCores: 2, flows: [flow], durationNs: messages * periodNs, costs: 'random', seed }
}

const QUANTILES = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1] as const

class LatencySummary implements Summary<LatencyRow> {
  readonly columns = {
    setting: COLUMNS.setting!,
    design: COLUMNS.design!,
    flow: COLUMNS.flow!,
    lengthBytes: COLUMNS.lengthBytes!,
    messages: 'how many there were',
    quantile: 'share of them that were not slower, nearest rank; 0 is the fastest, 1 the slowest',
    latencyNs: COLUMNS.latencyNs!,
    boundNs: COLUMNS.boundNs!,
  }
  readonly #samples = new Map<string, { readonly row: LatencyRow; readonly values: number[] }>()

  add(row: LatencyRow): void {
    const key = `${row.setting}|${row.design}|${row.flow}|${row.lengthBytes}`
    const entry = this.#samples.get(key)
    if (entry) entry.values.push(row.latencyNs)
    else this.#samples.set(key, { row, values: [row.latencyNs] })
  }

  rows(): readonly Row[] {
    return [...this.#samples.values()].flatMap(({ row, values }) => {
      const sorted = Float64Array.from(values).sort() as unknown as number[]
      const { setting, design, flow, lengthBytes, boundNs } = row
      return QUANTILES.map((quantile) => ({
        setting,
        design,
        flow,
        lengthBytes,
        messages: sorted.length,
        quantile,
        latencyNs: rank(sorted, quantile),
        boundNs,
      }))
    })
  }
}

export const latencyExperiment: Experiment<Unit, LatencyRow> = {
  name: 'latency',
  title: 'Latency of messages, alone and among others',
  columns: COLUMNS as Experiment<Unit, LatencyRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'Every cost is drawn between best and worst, mostly near typical: how costs are distributed on a board is not known.',
    'Bounded: with worst costs; the jitter of releases, up to 50 us, is in the latencies and in the bounds.',
  ],
  units({ seed, sets }, profile) {
    const units: Unit[] = []
    for (const design of designsOn(profile, 2)) {
      for (const lengthBytes of LENGTHS) {
        const messages = Math.max(5, Math.min(Math.ceil(sets / 4), Math.floor(BYTES_OF_A_RUN / lengthBytes)))
        const own = { setting: 'alone', design, lengthBytes, messages, run: 0 } as const
        units.push({ ...own, seed: seedOf(seed, 'latency', lengthBytes) })
      }
    }
    for (const design of designsOn(profile, STANDARD_VM_CORES)) {
      for (const setting of LOADED_SETTINGS) {
        for (let run = 0; run < Math.ceil(sets / 250); run++) {
          const own = { setting, design, lengthBytes: 0, messages: 0, run } as const
          units.push({ ...own, seed: seedOf(seed, 'latency', 'loaded', run) })
        }
      }
    }
    return units
  },
  run(unit, profile) {
    const { setting, design, run, seed } = unit
    const load = loadOf(unit, profile.dmaBytesPerNs.value)
    const bounds = new Map(boundMachine(load, design, profile).flows.map((flow) => [flow.name, flow.endToEndNs]))
    const flows = new Map(load.flows.map((flow) => [flow.name, flow]))
    const rows: LatencyRow[] = []
    runMachine(load, design, profile, ({ flow: name, sequence, responseNs }) => {
      const { lengthBytes, periodNs } = flows.get(name)!
      rows.push({
        platform: profile.name,
        setting,
        design,
        flow: name,
        lengthBytes,
        periodNs,
        run,
        message: sequence,
        latencyNs: responseNs,
        boundNs: bounds.get(name) ?? null,
        seed,
      })
    })
    return rows
  },
  summarize: () => new LatencySummary(),
  refutes({ setting, design, flow, lengthBytes, latencyNs, boundNs, seed }) {
    if (boundNs === null || latencyNs <= boundNs) return null
    return `${setting}, ${design}, ${flow} of ${lengthBytes} bytes, seed ${seed}: ${latencyNs} ns, above the bound of ${boundNs} ns`
  },
}

/** Every ASSUMED cost half as long and half as long again, one at a time: what the results hang on. */
import { fixedPrioritySchedulable, TIGHTNESS } from '../../analysis/index.ts'
import { COST_OPS, type CostOpName } from '../../platform/index.ts'
import type { BoardProfile, CostTriple } from '../../platform-zcu102/index.ts'
import { type DesignName, designOverheads, underDesign } from '../designs.ts'
import type { Experiment, Row } from '../experiment.ts'
import { drawFlows, seedOf } from '../flow-sets.ts'
import { type CurvePoint, type Estimate, weightedSchedulability } from '../statistics.ts'
import { MACHINE_ASSUMPTIONS, rank, runMachine } from './machine-runs.ts'
import { STANDARD_VM_CORES, standardLoad } from './standard-load.ts'

const FACTORS = [0.5, 1.5] as const
const RATE = 'dmaBytesPerNs'
const RUN_NS = 1_500_000_000
/** The flow whose 99th percentile is shown: short period, neither the shortest nor the longest message. */
const FLOW = 'control'

type Unit = { readonly parameter: string; readonly factor: number; readonly seed: number; readonly sets: number }

type SensitivityRow = Row & { readonly parameter: string; readonly factor: number }

/** Costs that are not 0, and the DMA's rate, as far as they are ASSUMED. */
function assumedParameters(profile: BoardProfile): string[] {
  const costs = COST_OPS.filter((op) => {
    const { status, value } = profile.costsNs[op]
    return status.includes('ASSUMED') && value[2] > 0
  })
  return profile.dmaBytesPerNs.status.includes('ASSUMED') ? [RATE, ...costs] : costs
}

function changed(profile: BoardProfile, parameter: string, factor: number): BoardProfile {
  if (parameter === 'none') return profile
  if (parameter === RATE) {
    return { ...profile, dmaBytesPerNs: { ...profile.dmaBytesPerNs, value: profile.dmaBytesPerNs.value * factor } }
  }
  const op = parameter as CostOpName
  const cost = profile.costsNs[op]
  const value = cost.value.map((ns) => Math.round(ns * factor)) as unknown as CostTriple
  return { ...profile, costsNs: { ...profile.costsNs, [op]: { ...cost, value } } }
}

function remapLatencyNs(board: BoardProfile, seed: number): number {
  const flow = { name: 'pages', from: 0, to: 1, periodNs: 1_000_000, lengthBytes: 65_536 }
  const broker = { transfer: 'remap' } as const
  const load = { vmCores: 2, flows: [flow], durationNs: 20_000_000, costs: 'typical', seed, broker } as const
  const responses: number[] = []
  runMachine(load, 'floating-minimum', board, ({ responseNs }) => responses.push(responseNs))
  return rank(
    responses.sort((a, b) => a - b),
    0.5,
  )
}

const POINTS = 10
const CHUNK_BYTES = 4096
const BUDGET_SHARE = 0.5
const REGULATOR = { kind: 'budget', periodNs: 1_000_000, budgetNs: 500_000 } as const

/**
 * Weighted schedulability, with its 95 % interval, of random sets under a design on a board: A4, deadline-monotonic, eight flows. Sets are the same for
 * all boards of one DMA rate `drawnAt`, so that another rate changes what they mean and not which they are.
 */
export function acceptedShare(
  profile: BoardProfile,
  design: DesignName,
  campaignSeed: number,
  sets: number,
  drawnAt = profile.dmaBytesPerNs.value,
): Estimate {
  const overheads = designOverheads(profile, design, 'typical')
  const drawn = { generator: 'uunifast', deadlines: 'implicit', flows: 8, budgetShare: BUDGET_SHARE } as const
  const points: CurvePoint[] = []
  for (let point = 1; point <= POINTS; point++) {
    const utilization = point / POINTS
    let accepted = 0
    for (let index = 0; index < sets; index++) {
      const seed = seedOf(campaignSeed, 'sensitivity', point, index)
      const flows = drawFlows({ ...drawn, utilization, dmaBytesPerNs: drawnAt }, seed)
      const set = underDesign(flows, overheads, CHUNK_BYTES, profile.dmaBytesPerNs.value, REGULATOR)
      if (fixedPrioritySchedulable(set, TIGHTNESS.A4)) accepted++
    }
    points.push({ utilization, accepted, sets })
  }
  return weightedSchedulability(points)
}

export const sensitivityExperiment: Experiment<Unit, SensitivityRow> = {
  name: 'sensitivity',
  title: 'What the results hang on: every assumed cost, half and half again',
  columns: {
    platform: 'name of the board profile',
    parameter: 'an ASSUMED cost, or the DMA rate; none: the board as it is',
    factor: 'on that parameter',
    stolenShare: 'EL2 time of the VM cores over the run, summed over cores: simulated',
    p99Ns: `99th percentile of the latencies of ${FLOW}, 64 KiB every 5.1 ms among four other flows: simulated, ns`,
    remapNs: 'median latency of 64 KiB that are remapped, nothing else pending: simulated, ns',
    weightedSchedulability: 'of random sets under A4, deadline-monotonic, typical costs, floating: bounded',
    weightedLow: 'of its 95 % interval',
    weightedHigh: 'of the same',
    sets: 'random sets at each of ten utilisations',
    seed: 'of the run and of the sets',
  } as Experiment<Unit, SensitivityRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'One parameter at a time, best, typical and worst together; costs that are READ or DERIVED stay as they are.',
    'Floating broker with the minimum of interrupts, five flows between three cores, EDF, a budget of 0.5 ms a ms, typical costs.',
    'Another rate of the DMA changes the load of the same messages, not the messages.',
  ],
  units({ seed, sets }, profile) {
    if (profile.cores.value < STANDARD_VM_CORES) return []
    const own = { seed, sets: Math.ceil(sets / 10) }
    return [
      { parameter: 'none', factor: 1, ...own },
      ...assumedParameters(profile).flatMap((parameter) => FACTORS.map((factor) => ({ parameter, factor, ...own }))),
    ]
  },
  run({ parameter, factor, seed, sets }, profile) {
    const board = changed(profile, parameter, factor)
    const latencies: number[] = []
    const load = standardLoad(RUN_NS, 'typical', seed)
    const result = runMachine(load, 'floating-minimum', board, ({ flow, responseNs }) => {
      if (flow === FLOW) latencies.push(responseNs)
    })
    latencies.sort((a, b) => a - b)
    const accepted = acceptedShare(board, 'floating', seed, sets, profile.dmaBytesPerNs.value)
    const stolenNs = Object.values(result.stolenNsByCore).reduce((sum, ns) => sum + ns, 0)
    return [
      {
        platform: profile.name,
        parameter,
        factor,
        stolenShare: stolenNs / result.simulatedNs,
        p99Ns: rank(latencies, 0.99),
        remapNs: remapLatencyNs(board, seed),
        weightedSchedulability: accepted.value,
        weightedLow: accepted.low,
        weightedHigh: accepted.high,
        sets,
        seed,
      },
    ]
  },
}

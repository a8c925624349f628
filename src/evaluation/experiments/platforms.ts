/** The same load on every board that has the cores for it. */
import { BOARD_PROFILES, type BoardProfile } from '../../platform-zcu102/index.ts'
import type { Experiment, Row } from '../experiment.ts'
import {
  boundMachine,
  designsOn,
  MACHINE_ASSUMPTIONS,
  MACHINE_COLUMNS,
  type MachineDesign,
  placementOf,
  rank,
  runMachine,
} from './machine-runs.ts'
import { acceptedShare } from './sensitivity.ts'

const LENGTH_BYTES = 65_536
const PERIOD_NS = 1_000_000
const MESSAGES = 300

type Unit = { readonly platform: string; readonly design: MachineDesign; readonly seed: number; readonly sets: number }

type PlatformRow = Row & {
  readonly platform: string
  readonly design: MachineDesign
  readonly maxNs: number
  readonly boundNs: number | null
}

/** The built-in boards, with the one of the campaign in place of that of its name. */
function boards(profile: BoardProfile): Readonly<Record<string, BoardProfile>> {
  return { ...BOARD_PROFILES, [profile.name]: profile }
}

export const platformsExperiment: Experiment<Unit, PlatformRow> = {
  name: 'platforms',
  title: 'The same load on every board',
  columns: {
    platform: MACHINE_COLUMNS.platform,
    cores: 'of the board',
    design: MACHINE_COLUMNS.design,
    lengthBytes: MACHINE_COLUMNS.lengthBytes,
    periodNs: 'T, ns',
    messages: 'sent',
    medianNs: 'of the latencies: simulated, ns',
    p99Ns: 'their 99th percentile: simulated, ns',
    maxNs: 'the longest: simulated, ns',
    boundNs: 'end-to-end bound with A4 and worst costs, ns; null: none',
    senderShare: "EL2 time on the sender's core over the run: simulated",
    receiverShare: "the same on the receiver's core: simulated",
    weightedSchedulability: 'of random sets under A4, deadline-monotonic, typical costs: bounded',
    weightedLow: 'of its 95 % interval',
    weightedHigh: 'of the same',
    sets: 'random sets at each of ten utilisations',
    seed: MACHINE_COLUMNS.seed,
  } as Experiment<Unit, PlatformRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'Of the boards but the ZCU102 only the outline is known: their costs are scaled from it, and the simulated devices are its own.',
    'One flow of 64 KiB every ms between two cores, costs drawn between best and worst. A dedicated broker needs a third core.',
  ],
  units({ seed, sets }, profile) {
    return Object.entries(boards(profile)).flatMap(([platform, board]) =>
      designsOn(board, 2).map((design) => ({ platform, design, seed, sets: Math.ceil(sets / 20) })),
    )
  },
  run({ platform, design, seed, sets }, profile) {
    const board = boards(profile)[platform]!
    const flow = { name: 'only', from: 0, to: 1, periodNs: PERIOD_NS, lengthBytes: LENGTH_BYTES }
    const load = { vmCores: 2, flows: [flow], durationNs: MESSAGES * PERIOD_NS, costs: 'random', seed } as const
    const responses: number[] = []
    const result = runMachine(load, design, board, ({ responseNs }) => responses.push(responseNs))
    responses.sort((a, b) => a - b)
    const accepted = acceptedShare(board, placementOf(design), seed, sets)
    return [
      {
        platform,
        cores: board.cores.value,
        design,
        lengthBytes: LENGTH_BYTES,
        periodNs: PERIOD_NS,
        messages: responses.length,
        medianNs: rank(responses, 0.5),
        p99Ns: rank(responses, 0.99),
        maxNs: rank(responses, 1),
        boundNs: boundMachine(load, design, board).flows[0]!.endToEndNs,
        senderShare: result.stolenNsByCore[0]! / result.simulatedNs,
        receiverShare: result.stolenNsByCore[1]! / result.simulatedNs,
        weightedSchedulability: accepted.value,
        weightedLow: accepted.low,
        weightedHigh: accepted.high,
        sets,
        seed,
      },
    ]
  },
  refutes({ platform, design, maxNs, boundNs }) {
    if (boundNs === null || maxNs <= boundNs) return null
    return `${platform}, ${design}: ${maxNs} ns, above the bound of ${boundNs} ns`
  },
}

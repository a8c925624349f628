/** What one flow gets through when its sender always has a message waiting. */
import type { Experiment, Row } from '../experiment.ts'
import { designsOn, MACHINE_ASSUMPTIONS, MACHINE_COLUMNS, type MachineDesign, runMachine } from './machine-runs.ts'

const LENGTHS = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304] as const
const BYTES_OF_A_RUN = 16 << 20
const MESSAGES_OF_A_RUN = 200

type Unit = { readonly design: MachineDesign; readonly lengthBytes: number; readonly seed: number }

type ThroughputRow = Row & { readonly design: MachineDesign; readonly lengthBytes: number }

export const throughputExperiment: Experiment<Unit, ThroughputRow> = {
  name: 'throughput',
  title: 'Throughput against message size',
  columns: {
    platform: MACHINE_COLUMNS.platform,
    design: MACHINE_COLUMNS.design,
    lengthBytes: MACHINE_COLUMNS.lengthBytes,
    messages: 'sent one after another',
    simulatedNs: 'from the first release to the last arrival, ns',
    bytesPerNs: 'payload over time, bytes/ns = GB/s',
    dmaBytesPerNs: 'what the DMA copies, bytes/ns',
    seed: MACHINE_COLUMNS.seed,
  } as Experiment<Unit, ThroughputRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'One flow between two cores that always has messages waiting, typical costs, no regulator.',
  ],
  units({ seed }, profile) {
    return designsOn(profile, 2).flatMap((design) => LENGTHS.map((lengthBytes) => ({ design, lengthBytes, seed })))
  },
  run({ design, lengthBytes, seed }, profile) {
    const messages = Math.max(4, Math.min(MESSAGES_OF_A_RUN, Math.floor(BYTES_OF_A_RUN / lengthBytes)))
    const dmaBytesPerNs = profile.dmaBytesPerNs.value
    // Faster than any design can follow, slow enough for all of it to arrive before the run is given up.
    const periodNs = Math.ceil(lengthBytes / dmaBytesPerNs) + 1000
    const flow = { name: 'only', from: 0, to: 1, periodNs, lengthBytes }
    const load = { vmCores: 2, flows: [flow], durationNs: messages * periodNs, costs: 'typical', seed } as const
    const { bytesDelivered, simulatedNs } = runMachine(load, design, profile)
    return [
      {
        platform: profile.name,
        design,
        lengthBytes,
        messages,
        simulatedNs,
        bytesPerNs: bytesDelivered / simulatedNs,
        dmaBytesPerNs,
        seed,
      },
    ]
  },
}

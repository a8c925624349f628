/**
 * What the broker takes from the cores of the VMs, what the freed core is worth against it, and from which rate on floating
 * costs more than the core that it frees.
 */
import type { Experiment, Row } from '../experiment.ts'
import {
  alwaysTypical,
  boundMachine,
  designsOn,
  MACHINE_ASSUMPTIONS,
  MACHINE_COLUMNS,
  type MachineDesign,
  runMachine,
} from './machine-runs.ts'

const LENGTHS = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576] as const
/** Of the DMA's copy rate: 273 MB/s where it is 1 byte/ns. */
const RATE_SHARE = 0.273
/** Shorter messages would come faster than anybody can send them. */
const MIN_PERIOD_NS = 20_000
const MESSAGES = 100

type Unit = { readonly design: MachineDesign; readonly lengthBytes: number; readonly seed: number }

type StolenRow = Row & {
  readonly design: MachineDesign
  readonly lengthBytes: number
  readonly simulatedNs: number
  readonly senderShare: number
  readonly receiverShare: number
  readonly senderBoundNs: number | null
  readonly receiverBoundNs: number | null
}

export const stolenTimeExperiment: Experiment<Unit, StolenRow> = {
  name: 'stolen-time',
  title: 'Time taken from the cores of the VMs',
  columns: {
    platform: MACHINE_COLUMNS.platform,
    design: MACHINE_COLUMNS.design,
    lengthBytes: MACHINE_COLUMNS.lengthBytes,
    periodNs: 'T, ns: 273 MB/s where the DMA copies 1 byte/ns, at least 20 us',
    messages: 'sent',
    simulatedNs: 'length of the run, ns',
    senderShare: "EL2 time on the sender's core over the run: simulated",
    receiverShare: "the same on the receiver's core: simulated",
    brokerShare: "the same on the dedicated broker's own core: simulated; null: it has none",
    longestMaskedNs: 'longest time for which a core in EL2 let no interrupt in: simulated, ns',
    senderBoundNs: "most that the sender's core can lose in a window as long as the run: bounded, ns; null: no bound",
    receiverBoundNs: "the same of the receiver's core",
    senderBoundShare: "share that the sender's core loses in the long run: bounded; null: no bound",
    receiverBoundShare: "the same of the receiver's core",
    seed: MACHINE_COLUMNS.seed,
  } as Experiment<Unit, StolenRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'One flow between two cores, typical costs, no regulator; the bounds are for a board on which every action always takes its typical cost.',
    'Freed capacity counts cores: 1 for the core that floating gives back, less what floating takes from the VMs beyond what the dedicated broker takes. Effects of interrupts on caches are not in it.',
  ],
  units({ seed }, profile) {
    return designsOn(profile, 2).flatMap((design) => LENGTHS.map((lengthBytes) => ({ design, lengthBytes, seed })))
  },
  run({ design, lengthBytes, seed }, profile) {
    const periodNs = Math.max(MIN_PERIOD_NS, Math.ceil(lengthBytes / (RATE_SHARE * profile.dmaBytesPerNs.value)))
    const flow = { name: 'only', from: 0, to: 1, periodNs, lengthBytes }
    const load = { vmCores: 2, flows: [flow], durationNs: MESSAGES * periodNs, costs: 'typical', seed } as const
    const result = runMachine(load, design, profile)
    const { simulatedNs, stolenNsByCore, brokerCoreBusyNs, longestMaskedNs, messagesSent } = result
    const [sender, receiver] = boundMachine(load, design, alwaysTypical(profile)).cores
    return [
      {
        platform: profile.name,
        design,
        lengthBytes,
        periodNs,
        messages: messagesSent,
        simulatedNs,
        senderShare: stolenNsByCore[0]! / simulatedNs,
        receiverShare: stolenNsByCore[1]! / simulatedNs,
        brokerShare: brokerCoreBusyNs === null ? null : brokerCoreBusyNs / simulatedNs,
        longestMaskedNs,
        senderBoundNs: sender!.stolenRate === null ? null : sender!.stolenWithin(simulatedNs),
        receiverBoundNs: receiver!.stolenRate === null ? null : receiver!.stolenWithin(simulatedNs),
        senderBoundShare: sender!.stolenRate,
        receiverBoundShare: receiver!.stolenRate,
        seed,
      },
    ]
  },
  refutes({ design, lengthBytes, simulatedNs, senderShare, receiverShare, senderBoundNs, receiverBoundNs }) {
    const above = (share: number, boundNs: number | null) =>
      boundNs !== null && Math.round(share * simulatedNs) > boundNs
    const wrong = [
      ...(above(senderShare, senderBoundNs) ? ['sender'] : []),
      ...(above(receiverShare, receiverBoundNs) ? ['receiver'] : []),
    ]
    return wrong.length === 0
      ? null
      : `${design}, ${lengthBytes} bytes: ${wrong.join(' and ')} lost more than the bound`
  },
}

/** IPIs, interrupts and exits of one message alone, against its size: the table of the model, held to it exactly. */
import type { Experiment, Row } from '../experiment.ts'
import { designsOn, MACHINE_ASSUMPTIONS, MACHINE_COLUMNS, type MachineDesign, runMachine } from './machine-runs.ts'

const CHUNK_BYTES = 4096
/** 64 B to 4 MiB. */
const LENGTHS = Array.from({ length: 17 }, (_, power) => 64 * 2 ** power)
const MIB = 2 ** 20

type Unit = { readonly design: MachineDesign; readonly lengths: readonly number[]; readonly seed: number }

type CountsRow = Row & {
  readonly design: MachineDesign
  readonly lengthBytes: number
  readonly pieces: number
  readonly crossCoreIpis: number
  readonly vmInterrupts: number
  readonly vmExits: number
}

interface Counts {
  readonly crossCoreIpis: number
  readonly vmInterrupts: number
  readonly vmExits: number
}

/** The table of docs/evaluation.md. A sender without lazy reclaim asks for one more interrupt. */
export function expectedCounts(design: MachineDesign, pieces: number): Counts {
  switch (design) {
    case 'dedicated':
      return { crossCoreIpis: pieces + 2, vmInterrupts: pieces + 1, vmExits: 2 + 2 * pieces }
    case 'floating-plain':
      return { crossCoreIpis: 1, vmInterrupts: pieces + 1, vmExits: 2 + 2 * pieces }
    case 'floating-minimum':
      return { crossCoreIpis: 0, vmInterrupts: 1, vmExits: 2 }
  }
}

export const interruptCountsExperiment: Experiment<Unit, CountsRow> = {
  name: 'interrupts',
  title: 'Interrupts of one message against its size',
  columns: {
    platform: MACHINE_COLUMNS.platform,
    design: MACHINE_COLUMNS.design,
    lengthBytes: MACHINE_COLUMNS.lengthBytes,
    pieces: 'n: chunks of 4 KiB',
    crossCoreIpis: 'interrupts from core to core',
    vmInterrupts: 'physical interrupts taken by cores with a VM',
    vmExits: 'entries into EL2 on cores with a VM',
    ipisPerMiB: 'crossCoreIpis over MiB of payload',
    interruptsPerMiB: 'vmInterrupts over MiB of payload',
    exitsPerMiB: 'vmExits over MiB of payload',
    expectedIpis: 'crossCoreIpis by the model',
    expectedInterrupts: 'vmInterrupts by the model',
    expectedExits: 'vmExits by the model',
    seed: MACHINE_COLUMNS.seed,
  } as Experiment<Unit, CountsRow>['columns'],
  assumptions: [
    ...MACHINE_ASSUMPTIONS,
    'One message between two cores, nothing else pending, typical costs, no regulator, chunks of 4 KiB.',
  ],
  units({ seed }, profile) {
    return designsOn(profile, 2).flatMap((design) => [
      { design, lengths: LENGTHS.slice(0, 14), seed },
      ...LENGTHS.slice(14).map((length) => ({ design, lengths: [length], seed })),
    ])
  },
  run({ design, lengths, seed }, profile) {
    return lengths.map((lengthBytes) => {
      const flow = { name: 'only', from: 0, to: 1, periodNs: 100_000_000, lengthBytes }
      const load = { vmCores: 2, flows: [flow], durationNs: 100_000_000, costs: 'typical', seed } as const
      const { crossCoreIpis, vmInterrupts, vmExits } = runMachine(load, design, profile)
      const pieces = Math.ceil(lengthBytes / CHUNK_BYTES)
      const expected = expectedCounts(design, pieces)
      const perMiB = (count: number) => (count * MIB) / lengthBytes
      return {
        platform: profile.name,
        design,
        lengthBytes,
        pieces,
        crossCoreIpis,
        vmInterrupts,
        vmExits,
        ipisPerMiB: perMiB(crossCoreIpis),
        interruptsPerMiB: perMiB(vmInterrupts),
        exitsPerMiB: perMiB(vmExits),
        expectedIpis: expected.crossCoreIpis,
        expectedInterrupts: expected.vmInterrupts,
        expectedExits: expected.vmExits,
        seed,
      }
    })
  },
  refutes(row) {
    const expected = expectedCounts(row.design, row.pieces)
    const wrong = (Object.keys(expected) as (keyof Counts)[]).filter((name) => row[name] !== expected[name])
    if (wrong.length === 0) return null
    const found = wrong.map((name) => `${name} ${row[name]} instead of ${expected[name]}`)
    return `${row.design}, ${row.lengthBytes} bytes: ${found.join(', ')}`
  },
}

/** What the experiments of the whole machine share: designs as they are compared, and scenarios built from cores and flows. */
import {
  type BoardProfile,
  type Delivery,
  type DesignResult,
  type Prediction,
  predict,
  simulate,
} from '../../platform-zcu102/index.ts'
import {
  type BrokerSpec,
  type FlowSpec,
  INTERRUPT_PRESETS,
  parseScenario,
  type Scenario,
  type VmSpec,
} from '../../scenario/index.ts'

/** `floating-plain` has one interrupt a piece, as the dedicated broker does; `floating-minimum` has every technique. */
export const MACHINE_DESIGNS = ['dedicated', 'floating-plain', 'floating-minimum'] as const
export type MachineDesign = (typeof MACHINE_DESIGNS)[number]

/** The first core that is not the VMs' is the dedicated broker's, so that it needs one more. */
export function designsOn(profile: BoardProfile, vmCores: number): readonly MachineDesign[] {
  return MACHINE_DESIGNS.filter((design) => vmCores + (design === 'dedicated' ? 1 : 0) <= profile.cores.value)
}

export interface LoadFlow extends Partial<Omit<FlowSpec, 'from' | 'to'>> {
  readonly name: string
  /** Cores. */
  readonly from: number
  readonly to: number
  readonly periodNs: number
  readonly lengthBytes: number
}

export interface Load {
  /** VMs are on cores 0 to `vmCores` - 1, one each. */
  readonly vmCores: number
  readonly flows: readonly LoadFlow[]
  readonly durationNs: number
  readonly costs: Scenario['costs']
  readonly seed: number
  readonly broker?: Partial<BrokerSpec>
  /** By core, where it is not the default. */
  readonly vms?: Readonly<Record<number, Partial<VmSpec>>>
}

/** Every default of a scenario file: no regulator, earliest deadline first, chunks of 4 KiB. */
const DEFAULTS = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 1ms, length: 1, payload: none }]
broker: { regulator: { kind: none } }
`)

export function machineScenario(load: Load, design: MachineDesign): Scenario {
  const name = (core: number) => `vm${core}`
  const vms = Array.from({ length: load.vmCores }, (_, core) => ({
    ...DEFAULTS.vms[0]!,
    name: name(core),
    core,
    cid: 3 + core,
    ...load.vms?.[core],
  }))
  const flows = load.flows.map(({ from, to, ...flow }) => ({
    ...DEFAULTS.flows[0]!,
    deadlineNs: flow.periodNs,
    ...flow,
    creditBytes: Math.max(DEFAULTS.flows[0]!.creditBytes, 4 * flow.lengthBytes),
    from: name(from),
    to: name(to),
  }))
  const plain = design === 'floating-plain'
  return {
    ...DEFAULTS,
    seed: load.seed,
    durationNs: load.durationNs,
    costs: load.costs,
    vms,
    flows,
    broker: {
      ...DEFAULTS.broker,
      dedicatedCore: load.vmCores,
      ...(plain && { interrupts: INTERRUPT_PRESETS.plain, chaining: 'piece' as const }),
      ...load.broker,
    },
  }
}

/** Where a broker of this design runs. */
export function placementOf(design: MachineDesign): 'dedicated' | 'floating' {
  return design === 'dedicated' ? 'dedicated' : 'floating'
}

export function runMachine(
  load: Load,
  design: MachineDesign,
  profile: BoardProfile,
  onMessage?: (message: Delivery) => void,
): DesignResult {
  return simulate(machineScenario(load, design), {
    design: placementOf(design),
    profile,
    payload: () => null,
    ...(onMessage && { onMessage }),
  })
}

/** Typical costs as if a board had shown that nothing ever takes another time: what bounds of runs with typical costs are made of. */
export function alwaysTypical(profile: BoardProfile): BoardProfile {
  const costs = Object.entries(profile.costsNs).map(([op, cost]) => {
    const [, typical] = cost.value
    return [op, { ...cost, value: [typical, typical, typical] }]
  })
  return { ...profile, costsNs: Object.fromEntries(costs) }
}

export function boundMachine(load: Load, design: MachineDesign, profile: BoardProfile): Prediction {
  return predict(machineScenario(load, design), { design: placementOf(design), profile })
}

/** Of a sorted sample, nearest rank. */
export function rank(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

/** Columns that several experiments have. */
export const MACHINE_COLUMNS = {
  platform: 'name of the board profile',
  design: 'dedicated; floating-plain: one interrupt a piece; floating-minimum: every technique to avoid them',
  lengthBytes: 'L, bytes',
  seed: 'of the run',
} as const

export const MACHINE_ASSUMPTIONS = [
  'Simulated: the whole machine with rings, traps, interrupt controller and DMA, at the costs of the board, whose provenance manifest.json tells; nothing is measured.',
  'Guests are driver models: sending and interrupt handling cost time, producing and consuming payload does not.',
  'The dedicated broker is reconstructed from the public guest-side code of RTSS 2021.',
] as const

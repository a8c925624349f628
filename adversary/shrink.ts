/** A smaller case that still fails the same way: whatever can be left out, or made plain, is. */
import type { CostOpName } from '../src/platform/index.ts'
import type { Case, FlowEntry, VmEntry } from './case.ts'

const MAX_TRIALS = 400

/** `fails` is also asked of scenarios that cannot be read: it must then answer false, unless the case crashes anyway. */
export function shrink(found: Case, fails: (candidate: Case) => boolean): Case {
  let smallest = found
  let trials = 0
  for (let changed = true; changed; ) {
    changed = false
    for (const smaller of candidates(smallest)) {
      if (trials++ >= MAX_TRIALS) return smallest
      if (!fails(smaller)) continue
      smallest = smaller
      changed = true
      break
    }
  }
  return smallest
}

/** Each differs in one thing; the greatest changes come first. */
function* candidates(found: Case): Generator<Case> {
  const { scenario, attack, calibration } = found
  const { flows, vms, broker } = scenario
  const withScenario = (changes: Partial<Case['scenario']>): Case => ({
    ...found,
    scenario: { ...scenario, ...changes },
  })

  for (const flow of flows) if (flows.length > 1) yield withoutFlow(found, flow)
  for (const vm of vms) {
    if (vms.length > 2 && flows.every(({ from, to }) => from !== vm.name && to !== vm.name)) {
      yield withScenario({ vms: vms.filter((other) => other !== vm) })
    }
  }
  if (scenario.duration > 20_000) yield withScenario({ duration: Math.ceil(scenario.duration / 2) })
  if (scenario.chains !== undefined) yield withScenario({ chains: undefined })
  for (const key of ['tasks', 'queue', 'buffers', 'memguard'] as const) {
    for (const vm of vms) {
      if (vm[key] === undefined) continue
      const { [key]: _, ...rest } = vm
      if (key === 'memguard') delete rest.refillsPerUs
      yield withScenario({ vms: vms.map((other) => (other === vm ? (rest as VmEntry) : other)) })
    }
  }
  for (const key of Object.keys(broker)) {
    if (key === 'placement' || key === 'scheduler') continue
    const rest: Record<string, unknown> = { ...broker }
    delete rest[key]
    if (key === 'transfer')
      for (const of of ['remapThreshold', 'flushPages', 'lentPages', 'colorPolicy']) delete rest[of]
    yield withScenario({ broker: rest as Case['scenario']['broker'] })
  }
  for (const flow of flows) {
    const changed = (changes: Partial<FlowEntry>) =>
      withScenario({ flows: flows.map((other) => (other === flow ? { ...flow, ...changes } : other)) })
    for (const key of ['jitter', 'credit', 'priority', 'deadline'] as const) {
      if (flow[key] !== undefined) yield changed({ [key]: undefined })
    }
    if (flow.compute) yield changed({ compute: 0 })
    if (flow.length > 1) {
      yield changed({ length: 1 })
      yield changed({ length: Math.ceil(flow.length / 2) })
    }
    const rounded = roundedUp(flow.period)
    if (rounded !== flow.period && flow.after === undefined) {
      yield withScenario({
        flows: flows.map((other) => (other.period === flow.period ? { ...other, period: rounded } : other)),
      })
    }
    if (flow.length !== roundedUp(flow.length)) yield changed({ length: roundedUp(flow.length) })
    for (const key of ['jitter', 'deadline', 'compute'] as const) {
      const value = flow[key] ?? 0
      if (roundedUp(value) !== value) yield changed({ [key]: roundedUp(value) })
    }
  }
  if (attack !== null) {
    if (attack.best.length > 0) yield { ...found, attack: { ...attack, best: [] } }
    if (attack.lateness !== 'never')
      yield { ...found, attack: { ...attack, lateness: 'never', clumpNs: 0, clumpEveryNs: 1 } }
    for (let flow = 0; flow < flows.length; flow++) {
      for (const offset of [0, roundedUp(attack.offsetsNs[flow]!)]) {
        if (attack.offsetsNs[flow] === offset) continue
        yield { ...found, attack: { ...attack, offsetsNs: attack.offsetsNs.with(flow, offset) } }
      }
    }
  }
  if (calibration !== null) {
    if (calibration.dmaPrefetchedPieces)
      yield { ...found, calibration: { ...calibration, dmaPrefetchedPieces: undefined } }
    for (const [op, triple] of Object.entries(calibration.costsNs)) {
      const set = (ns: number): Case => ({
        ...found,
        calibration: { ...calibration, costsNs: { ...calibration.costsNs, [op as CostOpName]: [ns, ns, ns] } },
      })
      if (triple[2] > 1) yield set(1)
      if (roundedUp(triple[2]) !== triple[2]) yield set(roundedUp(triple[2]))
    }
  }
}

/** Without those that come after it, and without the chains that they are in. */
function withoutFlow({ scenario, attack, calibration }: Case, flow: FlowEntry): Case {
  const gone = new Set([flow.name])
  for (const { name, after } of scenario.flows) if (after !== undefined && gone.has(after)) gone.add(name)
  const stays = scenario.flows.map(({ name }) => !gone.has(name))
  const chains = scenario.chains?.filter(({ flows }) => !flows.some((name) => gone.has(name)))
  return {
    scenario: {
      ...scenario,
      flows: scenario.flows.filter((_, i) => stays[i]),
      chains: chains === undefined || chains.length === 0 ? undefined : chains,
    },
    calibration,
    attack: attack && { ...attack, offsetsNs: attack.offsetsNs.filter((_, i) => stays[i]) },
  }
}

/** To two digits. */
function roundedUp(value: number): number {
  if (value < 100) return value
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1)
  return Math.ceil(value / unit) * unit
}

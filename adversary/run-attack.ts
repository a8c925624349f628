/** One run of the machine under one attack, and the worst that was seen of everything that has a bound. */
import { Random } from '../src/internal/random.ts'
import { COST_OPS } from '../src/platform/index.ts'
import type { BoardProfile, Design } from '../src/platform-zcu102/index.ts'
import { Machine } from '../src/platform-zcu102/machine.ts'
import type { Scenario } from '../src/scenario/index.ts'
import { latenessOf } from './attack.ts'
import type { Attack, Inputs } from './case.ts'
import { watchDrivers } from './tasks.ts'
import { type Intervals, Witness } from './witness.ts'

export interface Observation {
  /** By flow: the longest from nominal release to having been read; of what has not been read, so far. From its own release `after` others. */
  readonly responseNs: readonly number[]
  /** By chain: from the nominal release of the first flow. */
  readonly chainNs: readonly number[]
  readonly lockHoldNs: number
  readonly witness: Witness
  /** By core: when it did anything more urgent than tasks; null where no VM has tasks. */
  readonly busy: readonly Intervals[] | null
  readonly endNs: number
  readonly events: number
}

/** A run ends when all has arrived, or after this many times the duration of releases, or after so many events. */
const DRAIN_FACTOR = 2
const STEPS = 20
const MAX_EVENTS = 60_000

export function runAttack({ scenario, profile }: Inputs, design: Design, attack: Attack): Observation {
  const attacked: Scenario = {
    ...scenario,
    seed: attack.seed,
    flows: scenario.flows.map((flow, i) => ({
      ...flow,
      offsetNs: flow.after === null ? Math.min(attack.offsetsNs[i]!, scenario.durationNs - 1) : 0,
    })),
  }
  const witness = new Witness(scenario.flows.length)
  const machine = new Machine(attacked, {
    design,
    profile: pinned(profile, attack),
    payload: () => null,
    trace: witness,
    latenessNs: latenessOf(attack, attacked, new Random(attack.seed, 99)),
  })
  machine.start()
  witness.start()
  const busy = scenario.vms.some(({ tasks }) => tasks.length > 0) ? watchDrivers(machine.cores, machine.kernel) : null
  const { kernel } = machine
  for (let step = 1; step <= STEPS * DRAIN_FACTOR && kernel.processed < MAX_EVENTS; step++) {
    if (!machine.run(Math.ceil((scenario.durationNs * step) / STEPS))) break
  }
  return {
    ...responses(attacked, machine.epochNs, kernel.now, witness),
    lockHoldNs: machine.counters.longestLockHoldNs,
    witness,
    busy,
    endNs: kernel.now,
    events: kernel.processed,
  }
}

/** Those of `best` cost their best all the time. What the machine decides by typical costs stays as it is. */
function pinned(profile: BoardProfile, { best }: Attack): BoardProfile {
  if (best.length === 0) return profile
  const costs = COST_OPS.map((op) => {
    const fact = profile.costsNs[op]
    const [bestNs, typicalNs] = fact.value
    return [op, best.includes(op) ? { ...fact, value: [bestNs, typicalNs, bestNs] } : fact] as const
  })
  return { ...profile, costsNs: Object.fromEntries(costs) as unknown as BoardProfile['costsNs'] }
}

function responses({ chains, flows }: Scenario, epochNs: number, nowNs: number, { readNs, releasedNs }: Witness) {
  const nominalNs = (flow: number, sequence: number) => {
    const { after, offsetNs, periodNs } = flows[flow]!
    return after === null ? epochNs + offsetNs + sequence * periodNs : releasedNs[flow]![sequence]!
  }
  const responseNs = flows.map((_, flow) => {
    let longestNs = 0
    for (let sequence = 0; sequence < releasedNs[flow]!.length; sequence++) {
      longestNs = Math.max(longestNs, (readNs[flow]![sequence] ?? nowNs) - nominalNs(flow, sequence))
    }
    return longestNs
  })
  const chainNs = chains.map(({ flows: hops }) => {
    const [first, last] = [hops[0]!, hops.at(-1)!].map((name) => flows.findIndex((flow) => flow.name === name))
    let longestNs = 0
    for (let sequence = 0; sequence < releasedNs[first!]!.length; sequence++) {
      longestNs = Math.max(longestNs, (readNs[last!]![sequence] ?? nowNs) - nominalNs(first!, sequence))
    }
    return longestNs
  })
  return { responseNs, chainNs }
}

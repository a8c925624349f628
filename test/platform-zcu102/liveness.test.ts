/**
 * Nothing waits for ever, whatever is switched on: every combination of the ways to do without interrupts, with designs,
 * schedulers, chainings and regulators, on small scenarios in which everything is scarce. LIVENESS_ROUNDS=n runs n scenarios of
 * each instead of one.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/broker/index.ts'
import { RelayContext } from '../../src/broker/relay-context.ts'
import { zcu102 } from '../../src/platform-zcu102/index.ts'
import { Machine } from '../../src/platform-zcu102/machine.ts'
import type { Scenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'
import { ALWAYS_BROKEN, TIMED_BROKEN } from '../broker/broken-brokers.ts'
import { patch, unpatchAll } from '../broker/patch.ts'
import { type Combination, combinations, smallScenario } from './small-scenarios.ts'

const ALL = combinations()
const ROUNDS = Number(process.env.LIVENESS_ROUNDS ?? 1)
const PAYLOAD = Uint8Array.from({ length: 251 }, (_, i) => i)
/** Far more than any of the scenarios needs. */
const LIMIT_NS = 100_000_000

/** How long the broker held back the interrupt that it held back longest. */
let longestHeldNs = 0

beforeEach(() => {
  const since = new Map<Endpoint, number>()
  patch(RelayContext.prototype, 'publishReceived', (original) => {
    return function (this: RelayContext, endpoint, messages) {
      const { heldBy } = endpoint
      original.call(this, endpoint, messages)
      if (heldBy < 0 && endpoint.heldBy >= 0) since.set(endpoint, this.port.now())
    }
  })
  patch(RelayContext.prototype, 'releaseHeld', (original) => {
    return function (this: RelayContext) {
      original.call(this)
      for (const [endpoint, ns] of since) {
        if (endpoint.heldBy >= 0) continue
        longestHeldNs = Math.max(longestHeldNs, this.port.now() - ns)
        since.delete(endpoint)
      }
    }
  })
})

afterEach(unpatchAll)

/** By flow. */
function expectedMessages({ flows, durationNs }: Scenario): number[] {
  const count = (name: string): number => {
    const { after, offsetNs, periodNs } = flows.find((flow) => flow.name === name)!
    return after === null ? Math.ceil((durationNs - offsetNs) / periodNs) : count(after)
  }
  return flows.map(({ name }) => count(name))
}

/** What is wrong with a run; empty when all is well. */
function faults(seed: number, combination: Combination): string[] {
  const scenario = smallScenario(seed, combination)
  const { design, interrupts } = combination
  const trace = new TraceRecorder({ limit: 0 })
  const machine = new Machine(scenario, { design, payload: () => PAYLOAD, profile: zcu102, trace })
  machine.start()
  longestHeldNs = 0
  const goesOn = machine.run(LIMIT_NS)

  const { counters, ledgers } = machine
  const found: string[] = []
  const must = (holds: boolean, what: string) => {
    if (!holds) found.push(`${what}; seed ${seed}, ${JSON.stringify(combination)}`)
  }
  const total = (counts: Iterable<number>) => [...counts].reduce((a, b) => a + b, 0)
  must(!goesOn, 'it does not come to rest')
  expectedMessages(scenario).forEach((expected, i) => {
    const { delivered, released } = ledgers[i]!
    must(released === expected && delivered === expected, `flow ${i}: ${delivered} of ${expected} arrived`)
  })
  must(total(ledgers.map(({ mismatches }) => mismatches)) === 0, 'bytes are wrong')
  must(machine.violations === 0, 'rings are broken')
  const transfers = counters.dmaTransfers
  const copies = design === 'dedicated' || scenario.broker.transfer === 'copy'
  must(!copies || transfers >= total(ledgers.map(({ delivered }) => delivered)), `${transfers} transfers are too few`)
  const allInterrupt = design === 'dedicated' || !interrupts.waitForShort
  must(!allInterrupt || total(counters.interrupts) >= transfers, 'transfers ended without an interrupt')
  must(counters.longestLockHoldNs <= counters.longestMaskedNs, 'the lock was held with interrupts on')
  // The timer fires in time; its core may be in a step, spinning included, and takes another one to get to the interrupt.
  // A core that MemGuard throttles may not take it before its period ends.
  const throttleNs = Math.max(0, ...scenario.vms.map(({ memguard }) => memguard?.periodNs ?? 0))
  const boundNs = interrupts.coalesceDelayNs + 2 * counters.longestMaskedNs + throttleNs
  must(longestHeldNs <= boundNs, `an interrupt was held back for ${longestHeldNs} ns, not ${boundNs}`)
  return found
}

describe.each(['dedicated', 'floating'] as const)('%s: every message arrives under every combination', (design) => {
  it.each([
    ['edf', 'adaptive'],
    ['edf', 'piece'],
    ['fp', 'adaptive'],
    ['fp', 'piece'],
  ])('of switches and regulators, %s, %s', (scheduler, chaining) => {
    ALL.forEach((combination, i) => {
      if (combination.design !== design || combination.scheduler !== scheduler) return
      if (combination.chaining !== chaining) return
      for (let round = 0; round < ROUNDS; round++) {
        expect(faults(1 + i + round * ALL.length, combination)).toEqual([])
      }
    })
  })
})

/** Finds something wrong, or comes no further than to an assertion of the machine's. */
function fails(seed: number, combination: Combination): boolean {
  try {
    return faults(seed, combination).length > 0
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ASSERTION') throw error
    return true
  }
}

describe('the property has power: it finds', () => {
  it.each([...ALWAYS_BROKEN, ...TIMED_BROKEN])('%s', (_what, take) => {
    take()
    // A stride that visits every combination, mixed.
    const at = ALL.map((_, i) => (i * 365) % ALL.length)
    expect(at.some((i) => fails(1 + i, ALL[i]!))).toBe(true)
  })
})

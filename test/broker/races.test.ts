/**
 * No wake-up is lost, however guests, cores and the DMA race: every combination of interrupt techniques on a machine that lets
 * others overtake at each access to a ring's shared words. Each combination runs one scenario, with other flows or alone. With
 * RACES_ROUNDS=n (`npm run test:long`) each runs n of both kinds.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import type { Scenario } from '../../src/scenario/index.ts'
import { RingSignals } from '../../src/virtqueue/split/ring-signals.ts'
import { type Combination, combinations, smallScenario } from '../platform-zcu102/small-scenarios.ts'
import { ALWAYS_BROKEN, RACY_BROKEN } from './broken-brokers.ts'
import { patch, unpatchAll } from './patch.ts'
import { RacingMachine } from './racing-machine.ts'

const ALL = combinations()
const LONG = process.env.RACES_ROUNDS !== undefined
const ROUNDS = Number(process.env.RACES_ROUNDS ?? 1)
const MESSAGES = 6
const LIMIT = 200_000

let machine: RacingMachine | null = null
let races = 0

beforeEach(() => {
  races = 0
  for (const touch of ['enable', 'disable', 'rearm', 'publish', 'needsNotification', 'peerIndex'] as const) {
    patch(RingSignals.prototype as unknown as Record<string, (...args: number[]) => unknown>, touch, (original) => {
      return function (this: RingSignals, ...args) {
        machine?.overtake(touch === 'enable')
        return original.apply(this, args)
      }
    })
  }
})

afterEach(unpatchAll)

/** One flow with all the credit there is: nothing else happens that could wake somebody who was forgotten. */
function loneFlow(seed: number, combination: Combination): Scenario {
  const scenario = smallScenario(seed, combination)
  const flows = scenario.flows.slice(0, 1).map((flow) => ({ ...flow, after: null, creditBytes: 2 ** 30 }))
  return { ...scenario, flows }
}

const KINDS = [smallScenario, loneFlow]

/** What is wrong with the runs of scenarios of these kinds; empty when all is well. */
function faults(seed: number, combination: Combination, kinds = KINDS): string[] {
  return kinds.flatMap((scenario) => faultsOf(scenario(seed, combination), seed, combination))
}

function faultsOf(scenario: Scenario, seed: number, combination: Combination): string[] {
  machine = null
  const racing = new RacingMachine(scenario, combination.design, MESSAGES)
  machine = racing
  const rests = racing.run(LIMIT)
  machine = null
  races += racing.races
  const missing = racing.ledgers.reduce((sum, { delivered }) => sum + MESSAGES - delivered, 0)
  const mismatches = racing.ledgers.reduce((sum, ledger) => sum + ledger.mismatches, 0)
  const found = { rests, missing, mismatches, violations: racing.violations }
  const fine = rests && missing === 0 && mismatches === 0 && racing.violations === 0
  return fine ? [] : [`${JSON.stringify(found)}; seed ${seed}, ${JSON.stringify(combination)}`]
}

it.each([
  ['dedicated', 'edf'],
  ['dedicated', 'fp'],
  ['floating', 'edf'],
  ['floating', 'fp'],
])(
  'every message arrives, %s, %s',
  (design, scheduler) => {
    ALL.forEach((combination, i) => {
      if (combination.design !== design || combination.scheduler !== scheduler) return
      for (let round = 0; round < ROUNDS; round++) {
        const seed = 1 + i + round * ALL.length
        const kinds = LONG ? KINDS : [new Random(seed).pick(KINDS)]
        expect(faults(seed, combination, kinds)).toEqual([])
      }
    })
    expect(races).toBeGreaterThan(10_000)
  },
  ROUNDS * 120_000,
)

/** Finds something wrong, or comes no further than to an assertion. */
function fails(seed: number, combination: Combination): boolean {
  try {
    return faults(seed, combination).length > 0
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ASSERTION') throw error
    return true
  } finally {
    machine = null
  }
}

describe('the property has power: it finds', () => {
  it.each([...ALWAYS_BROKEN, ...RACY_BROKEN])(
    '%s',
    (_what, take) => {
      take()
      // A stride that visits every combination, mixed; from two places, because what finds the rarest fault comes late from the first.
      const order = ALL.flatMap((_, i) => [i, i + 200]).map((step) => (step * 365) % ALL.length)
      expect(order.some((i) => fails(1 + i, ALL[i]!))).toBe(true)
    },
    120_000,
  )
})

/**
 * Our packed queues on both sides of a ring, in every order of their accesses; and each ordered access of `src/virtqueue/packed` is needed:
 * without it a schedule goes wrong. `INTERLEAVINGS=all` explores the large exchanges too.
 */
import { describe, expect, it } from 'vitest'
import {
  type ExploredSide,
  exploreInterleavings,
  type PackedDriverRing,
  type PackedRing,
  packedExchange,
} from '../../../src/testing/index.ts'
import { ownPackedDevice, ownPackedDriver } from '../own-queue-targets.ts'
import { EXCHANGES } from '../packed/packed-exchanges.ts'
import { QUEUE_SOURCES } from '../queue-sources.ts'
import { loadMutant, orderedAccesses } from './mutants.ts'

const ALL = process.env.INTERLEAVINGS === 'all'
const MODELS = ALL ? (['sc', 'tso', 'weak'] as const) : (['weak'] as const)
const OWN = { driver: ownPackedDriver, device: ownPackedDevice() }

describe.each([false, true])('our packed queues, EVENT_IDX %s', (eventIdx) => {
  it.each(EXCHANGES.filter(({ large }) => ALL || !large))(
    // VQP-DRV-07, VQP-KICK-DRV-01, VQP-DRV-08
    'order enough: $name',
    (exchange) => {
      const sides = exchange.large ? [{ driver: OWN.driver }, { device: OWN.device }] : [OWN]
      for (const model of MODELS) {
        for (const attached of sides) {
          const report = exploreInterleavings(packedExchange(attached, { ...exchange, eventIdx }), {
            model,
            limit: 6_000_000,
          })
          if (ALL) console.log(`${exchange.name}, EVENT_IDX ${eventIdx}: ${report}`)
          expect(report.verdict, String(report)).toBe('pass')
        }
      }
    },
    120_000,
  )
})

const mutants = orderedAccesses(QUEUE_SOURCES.filter((path) => path.includes('/packed/'))).map((mutant) => ({
  ...mutant,
  sides: (['driver', 'device'] as const).filter(
    (side) => !/-(driver|device)-/.test(mutant.file) || mutant.file.includes(side),
  ),
}))

/** Looks as far as a count for `delayNotifications`, which no exchange calls: the place that it asks for is looked at by others. */
const NOT_EXPLORED = /#waitingUpTo|#completedUpTo/

it('every ordered access of the packed ring has its mutants', () => {
  const explored = mutants.filter(({ name }) => !NOT_EXPLORED.test(name))
  expect([explored.length, mutants.length]).toEqual([16, 20])
})

describe.each(mutants.filter(({ name }) => !NOT_EXPLORED.test(name)))('$name', (mutant) => {
  it.each(mutant.sides)(
    'in the %s is found',
    async (side) => {
      const mutated = await loadMutant(mutant)
      const world = globalThis as { interleavingsSide?: unknown }
      const sides = {
        ...OWN,
        ...(side === 'driver' && {
          driver: (explored: ExploredSide, ring: PackedDriverRing) => {
            world.interleavingsSide = explored
            return mutated.ownPackedDriver.create(explored.memory, ring)
          },
        }),
        ...(side === 'device' && {
          device: (explored: ExploredSide, ring: PackedRing) => {
            world.interleavingsSide = explored
            return mutated.ownPackedDevice().create(explored.memory, ring)
          },
        }),
      }
      const found = [false, true].some((eventIdx) =>
        EXCHANGES.some((exchange) => {
          const target = packedExchange(sides, { ...exchange, eventIdx })
          return exploreInterleavings(target, { model: 'weak', limit: 100_000 }).failure !== null
        }),
      )
      expect(found).toBe(true)
    },
    120_000,
  )
})

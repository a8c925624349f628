/**
 * Every ordering in our queues is needed: without any one of them the explorer finds a schedule that goes wrong, and the table
 * here says under which memory model first. `npm run interleavings` also checks that the models before that one pass.
 */
import { describe, expect, it } from 'vitest'
import {
  type ExchangeSides,
  exploreInterleavings,
  type InterleavingReport,
  type MemoryModelName,
  replayInterleaving,
  ringExchange,
} from '../../../src/testing/index.ts'
import { ownDevice, ownDriver } from '../own-queue-targets.ts'
import { EXCHANGES } from './exchanges.ts'
import { KILLED } from './killed.ts'
import { loadMutant, type Mutant, type OwnQueueTargets, orderedAccesses, REORDERED } from './mutants.ts'

const ALL = process.env.INTERLEAVINGS === 'all'
const MODELS: readonly MemoryModelName[] = ['sc', 'tso', 'weak']

const mutants: readonly Mutant[] = [...orderedAccesses(), ...REORDERED]

it('every ordered access of the sources has its mutants, and every mutant its killer', () => {
  expect(mutants.map(({ name }) => name).sort()).toEqual(Object.keys(KILLED).sort())
})

describe.each(mutants)('$name', (mutant) => {
  // What both sides share is broken on one side at a time.
  const sides = (['driver', 'device'] as const).filter(
    (side) => !/split-(driver|device)/.test(mutant.file) || mutant.file.includes(side),
  )
  it.each(sides)('in the %s is found', async (side) => {
    const [model, exchange] = KILLED[mutant.name]!
    const target = ringExchange(
      oneSide(side, await loadMutant(mutant)),
      EXCHANGES.find(({ name }) => name === exchange)!,
    )
    const explore = (model: MemoryModelName): InterleavingReport => exploreInterleavings(target, { model })

    const report = explore(model)
    expect(report.verdict, String(report)).toBe('fail')
    expect(replayInterleaving(target, report.failure!.schedule).failure).toEqual(report.failure)
    if (!ALL) return
    console.log(`${mutant.name} in the ${side}; ${exchange}; ${report}`)
    for (const weaker of MODELS.slice(0, MODELS.indexOf(model))) expect(explore(weaker).verdict).toBe('pass')
  })
})

/** The mutated adapter of one side, ours as shipped for the other; `atomicsAs` finds the side that runs. */
function oneSide(side: 'driver' | 'device', mutated: OwnQueueTargets): ExchangeSides {
  const world = globalThis as { interleavingsSide?: unknown }
  if (side === 'driver') {
    return {
      device: ownDevice(),
      driver(explored, ring, index) {
        world.interleavingsSide = explored
        return mutated.ownDriver.createAt!(explored.memory, ring, index)
      },
    }
  }
  return {
    driver: ownDriver,
    device(explored, ring, index) {
      world.interleavingsSide = explored
      return mutated.ownDevice().createAt!(explored.memory, ring, index)
    },
  }
}

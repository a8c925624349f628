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
import { loadMutant, type Mutant, type OwnQueueTargets, orderedAccesses, REORDERED } from './mutants.ts'

const ALL = process.env.INTERLEAVINGS === 'all'
const MODELS: readonly MemoryModelName[] = ['sc', 'tso', 'weak']

const ONE = 'one request, flags'
const QUIET = 'silence while at work, on both sides, flags'
const QUIET_EVENT = 'silence while at work, on both sides, EVENT_IDX'
const TWO_EVENT = 'two requests, one at a time, EVENT_IDX'
const POP_EVENT = 'asleep after an empty look, on both sides, EVENT_IDX'
const DELAY = 'one notification for two completions, EVENT_IDX'

/** The weakest damage that shows: the model under which it does first, and the exchange. */
const KILLED: Readonly<Record<string, readonly [MemoryModelName, string]>> = {
  'ring-signals.ts peerIndex: load unordered': ['weak', ONE],
  'ring-signals.ts peerIndex: load acquire only': ['weak', ONE],
  'ring-signals.ts publish: store unordered': ['tso', ONE],
  'ring-signals.ts publish: store release only': ['tso', ONE],
  'ring-signals.ts needsNotification: load unordered': ['weak', QUIET],
  'ring-signals.ts needsNotification: load acquire only': ['weak', QUIET],
  'ring-signals.ts needsNotification: load 2 unordered': ['weak', TWO_EVENT],
  'ring-signals.ts needsNotification: load 2 acquire only': ['weak', TWO_EVENT],
  'ring-signals.ts enable: store unordered': ['tso', QUIET],
  'ring-signals.ts enable: store release only': ['tso', QUIET],
  'ring-signals.ts #storeEvent: store unordered': ['tso', TWO_EVENT],
  'ring-signals.ts #storeEvent: store release only': ['tso', TWO_EVENT],
  'ordered.ts loadOrdered: unordered': ['weak', ONE],
  'ordered.ts storeOrdered: unordered': ['tso', ONE],
  'ring-signals.ts: the look at the suppression state before the store of idx': ['sc', TWO_EVENT],
  'ring-signals.ts enable: the event unordered': ['tso', QUIET_EVENT],
  'ring-signals.ts rearm: the event unordered': ['tso', POP_EVENT],
  'split-device-queue.ts: used.idx before the used element': ['sc', ONE],
  'split-device-queue.ts: used.idx between id and len': ['sc', ONE],
  'split-device-queue.ts: the head is read before avail.idx': ['sc', 'two requests, one at a time, flags'],
  'split-device-queue.ts: enableNotifications looks before it asks': ['sc', QUIET],
  'split-device-queue.ts: enableNotifications does not look': ['sc', QUIET],
  'split-device-queue.ts: an empty look re-arms, and does not look again': ['sc', POP_EVENT],
  'split-device-queue.ts: an empty look does not re-arm': ['sc', POP_EVENT],
  'split-driver-queue.ts: avail.idx before the descriptors': ['sc', ONE],
  'split-driver-queue.ts: avail.idx before the ring entry': ['sc', 'two requests, one at a time, flags'],
  'split-driver-queue.ts: the used element is read before used.idx': ['sc', ONE],
  'split-driver-queue.ts: enableNotifications looks before it asks': ['sc', QUIET],
  'split-driver-queue.ts: enableNotifications does not look': ['sc', QUIET],
  'split-driver-queue.ts: delayNotifications looks before it asks': ['sc', DELAY],
  'split-driver-queue.ts: an empty look re-arms, and does not look again': ['sc', POP_EVENT],
  'split-driver-queue.ts: an empty look does not re-arm': ['sc', POP_EVENT],
}

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

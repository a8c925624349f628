/**
 * Pages between guests, honest and hostile, with resets, in every mode: after every step of the broker the tables equal the
 * model, nobody can write what another can see, nobody sees what was not sent to him, and no page is lost.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandLists, optionsOf, runWorld, seeds } from './run-world.ts'

/** A run takes tens of ms, so a failing one is shrunk only where somebody asks for many. */
const RUNS = Number(process.env.VIRTIO_SDK_ZERO_COPY_RUNS ?? 20)
const BASE = Number(process.env.VIRTIO_SDK_ZERO_COPY_SEED ?? 0)
const endOnFailure = RUNS <= 100

describe.each(['remap', 'lend', 'auto', 'copy'] as const)('%s', (transfer) => {
  it('between honest guests every message arrives whole and every page comes home', () => {
    fc.assert(
      fc.property(seeds, commandLists, (seed, list) => {
        runWorld({ seed, commands: list, transfer })
      }),
      { seed: BASE + 1, numRuns: RUNS, endOnFailure },
    )
  })

  it('a hostile guest beside them changes nothing for them', () => {
    fc.assert(
      fc.property(seeds, commandLists, (seed, list) => {
        runWorld({ seed, commands: list, transfer, hostile: 2 })
      }),
      { seed: BASE + 2, numRuns: RUNS, endOnFailure },
    )
  })

  it('resets of any guest at any time', () => {
    fc.assert(
      fc.property(seeds, commandLists, (seed, list) => {
        runWorld({ seed, commands: list, transfer, resets: true, hostile: seed % 2 === 0 ? 2 : -1 })
      }),
      { seed: BASE + 3, numRuns: RUNS, endOnFailure },
    )
  })
})

it('the lists of commands get everywhere', () => {
  const total = { exchanged: 0, lent: 0, returned: 0, revoked: 0, foreign: 0, flushes: 0, fallbacks: 0, delivered: 0 }
  for (const [seed, list] of fc.sample(fc.tuple(seeds, commandLists), { seed: 4, numRuns: 40 })) {
    const world = runWorld({ seed, commands: list })
    const counters = world.zeroCopy!.counters
    total.exchanged += counters.pagesExchanged
    total.lent += counters.pagesLent
    total.returned += counters.pagesReturned
    total.revoked += counters.pagesRevoked
    total.foreign += counters.foreignPages
    total.flushes += counters.tlbFlushes
    total.fallbacks += counters.fallbacks
    for (const guest of world.guests) total.delivered += guest.delivered
  }
  for (const [what, count] of Object.entries(total)) expect(count, what).toBeGreaterThan(10)
  expect(optionsOf({ seed: 3, commands: [] }).transfer).toBe('remap')
})

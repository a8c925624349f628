/** The formula counts what the broker announces, exactly, for one message alone. */
import { describe, expect, it } from 'vitest'
import { type Charges, CostOp, type CostOpName } from '../../src/platform/index.ts'
import { moveCharges, TransferWay } from '../../src/zero-copy/index.ts'
import { HEADER_BYTES } from './model-guest.ts'
import { PAGE } from './stage-two-model.ts'
import { threeGuests } from './three-guests.ts'
import type { WorldOptions } from './world.ts'

const COUNTED = [
  'pteUpdate',
  'tlbInvalidate',
  'tlbRefill',
  'smmuInvalidate',
  'cacheCleanPerLine',
  'copyPerLine',
] as const
const FLUSH_PAGES = 5

/** One message from VM 0 to VM 1: what was charged until it was announced, and what then until it was read and all is tidy. */
function run(transfer: 'remap' | 'lend', length: number, offset: number, colors: WorldOptions['colors'], smmu = true) {
  const aligned = [offset < 0, true, true]
  const world = threeGuests({ transfer, colors, flushPages: FLUSH_PAGES, hostile: -1, smmu, aligned })
  const counts = () => COUNTED.map((name) => world.charges[CostOp[name]]!)
  const before = counts()
  world.guests[0]!.send(1, length, Math.max(0, offset), 1)
  for (const core of [0, 1, 2]) world.finishSteps(core)
  const arrived = counts()
  world.guests[1]!.read(64, false, world.random)
  for (let i = 0; i < 4; i++) {
    // Any step of the broker looks for what came back.
    world.kick(2, 1)
    for (const core of [0, 1, 2]) world.finishSteps(core)
  }
  expect(world.guests[1]!.delivered).toBe(1)
  const spent = (from: number[], to: number[]) =>
    Object.fromEntries(COUNTED.map((name, i) => [name, to[i]! - from[i]!]))
  return { arrival: spent(before, arrived), later: spent(arrived, counts()), both: spent(before, counts()) }
}

const all = (charges: Charges) => Object.fromEntries(COUNTED.map((name: CostOpName) => [name, charges[name] ?? 0]))

describe.each([
  ['remap', TransferWay.exchange],
  ['lend', TransferWay.lend],
] as const)('%s', (transfer, way) => {
  it.each([1, 2, 3, FLUSH_PAGES - 1, FLUSH_PAGES, 8])('%i pages, aligned', (pages) => {
    const expected = moveCharges({ way, pages, flushPages: FLUSH_PAGES, smmu: true })
    const { arrival, later } = run(transfer, pages * PAGE, -1, 'accept')
    expect(arrival).toEqual(all(expected.arrival))
    // Pages that come back together share one invalidation in the SMMU.
    const { smmuInvalidate, ...rest } = all(expected.later)
    expect(later).toMatchObject(rest)
    expect(later.smmuInvalidate).toBeLessThanOrEqual(smmuInvalidate!)
  })

  it('without an SMMU nothing is invalidated there', () => {
    for (const pages of [1, 3, FLUSH_PAGES, 8]) {
      const expected = moveCharges({ way, pages, flushPages: FLUSH_PAGES, smmu: false })
      const { arrival, later } = run(transfer, pages * PAGE, -1, 'accept', false)
      expect(arrival).toEqual(all(expected.arrival))
      expect(later).toEqual(all(expected.later))
    }
  })

  it('a head and a tail', () => {
    const offset = 1000
    const headBytes = PAGE - offset - HEADER_BYTES
    const tailBytes = 77
    const expected = moveCharges({ way, pages: 3, headBytes, tailBytes, flushPages: FLUSH_PAGES, smmu: true })
    const { arrival } = run(transfer, headBytes + 3 * PAGE + tailBytes, offset, 'accept')
    expect(arrival).toEqual(all(expected.arrival))
  })
})

it('with clean pages at hand scrubbing comes later', () => {
  const shape = { way: TransferWay.exchange, pages: 3, flushPages: FLUSH_PAGES, smmu: true }
  const expected = moveCharges({ ...shape, spares: 3 })
  expect(expected.arrival.cacheCleanPerLine).toBe(0)
  // The broker had nothing else to do, so it scrubbed as soon as the pages were there.
  const { both } = run('remap', 3 * PAGE, -1, 'pool')
  const sum = COUNTED.map((name) => [name, (expected.arrival[name] ?? 0) + (expected.later[name] ?? 0)])
  expect(both).toEqual(Object.fromEntries(sum))
})

/**
 * What two senders to one receiver share: its receive buffers. Who sends more often than it may, or in more pieces than its bytes need,
 * takes none of them from the other.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Policing } from '../../src/broker/policing.ts'
import { PAGE } from '../zero-copy/stage-two-model.ts'
import { threeGuests } from '../zero-copy/three-guests.ts'
import type { WorldOptions } from '../zero-copy/world.ts'
import { BORROWER, drain, SENT, settle, THIRD } from './hostile-world.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('two senders to one receiver', () => {
  const pages = (count: number) => Array.from({ length: count }, (_, i) => [(SENT + i) * PAGE, PAGE] as const)

  /** The hostile one has 14 messages in its ring, as many as the receiver has buffers; then the other sends four pages. */
  function flood(options: Partial<WorldOptions>): { hostile: number; honest: number } {
    const world = threeGuests({ toleranceNs: 0, anyBytes: true, ...options })
    const [hostile, receiver, honest] = world.guests
    for (let i = 0; i < 14; i++) hostile!.stage(THIRD, pages(1))
    hostile!.publish()
    hostile!.kick(1)
    settle(world)
    honest!.sendPages(THIRD, [SENT, SENT + 1, SENT + 2, SENT + 3])
    drain(world)
    const taken = receiver!.usedOf(0).length
    // Transmit buffers whose pages are lent come back later.
    for (let i = 0; i < 4; i++) {
      world.advance(50_000)
      drain(world)
    }
    return { hostile: taken - 4, honest: honest!.usedOf(1).length }
  }

  it.each(['copy', 'remap', 'lend'] as const)(
    '%s: of its buffers, who sends too often gets those of its rate',
    (transfer) => {
      expect(flood({ transfer })).toEqual({ hostile: 1, honest: 1 })
    },
  )

  it('without a rate test there would be none left: the test above can fail', () => {
    vi.spyOn(Policing.prototype, 'arrive').mockImplementation((nowNs) => nowNs)
    vi.spyOn(Policing.prototype, 'admits').mockReturnValue(true)
    expect(flood({ transfer: 'copy', seed: 13 })).toEqual({ hostile: 10, honest: 0 })
  })

  it.each(['copy', 'remap', 'lend'] as const)(
    '%s: pages with bytes strewn between them take no more than one further buffer',
    (transfer) => {
      const world = threeGuests({ transfer, anyBytes: true })
      const strewn = pages(6).flatMap((page, i) => [page, [(SENT + 10 + i) * PAGE, 1] as const])
      world.guests[BORROWER]!.stage(THIRD, strewn)
      world.guests[BORROWER]!.publish()
      world.guests[BORROWER]!.kick(1)
      drain(world)
      expect(world.guests[THIRD]!.usedOf(0).length).toBeLessThanOrEqual(Math.ceil((6 * PAGE + 6) / PAGE) + 1)
    },
  )

  it.each(['copy', 'remap', 'lend'] as const)('%s: a message longer than its flow says takes none', (transfer) => {
    const world = threeGuests({ transfer, anyBytes: true, maximumBytes: 2 * PAGE })
    for (const count of [3, 2]) world.guests[BORROWER]!.stage(THIRD, pages(count))
    world.guests[BORROWER]!.publish()
    world.guests[BORROWER]!.kick(1)
    drain(world)
    // After what was refused it rests for a period.
    world.advance(50_000)
    drain(world)
    expect(world.guests[THIRD]!.usedOf(0)).toHaveLength(2)
  })
})

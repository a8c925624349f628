/** What the life of a loan looks like from both sides, one step after another. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Loans, PageState } from '../../src/zero-copy/index.ts'
import { privateByte } from './byte-classes.ts'
import { PRIVATE_PAGES, RAM_PAGES } from './model-guest.ts'
import { PAGE } from './stage-two-model.ts'
import { threeGuests } from './three-guests.ts'
import type { World } from './world.ts'

const [LENDER, BORROWER, THIRD] = [2, 0, 1] as const
/** A page of the lender's transmit slots. */
const LENT = 20

afterEach(() => {
  vi.restoreAllMocks()
})

/** The lender is free to do anything; the borrower's first receive buffer has the lent page. */
function lend(): World {
  const world = threeGuests({ hostile: LENDER })
  world.guests[LENDER]!.sendPages(BORROWER, [LENT])
  for (const core of [0, 1, 2]) world.finishSteps(core)
  expect(world.zeroCopy!.ledger.stateOf(frameOf(LENDER, LENT))).toBe(PageState.lent)
  return world
}

const frameOf = (vm: number, windowPage: number) => vm * RAM_PAGES + PRIVATE_PAGES + windowPage
const borrowed = (world: World) => world.guests[BORROWER]!.readPage(0)
const settle = (world: World) => {
  for (const core of [0, 1, 2]) world.finishSteps(core)
}

describe('a lent page', () => {
  it('is seen by the borrower and written by nobody', () => {
    const world = lend()
    expect([...borrowed(world)]).toEqual(Array.from({ length: PAGE }, (_, i) => privateByte(LENDER, i)))
    for (const vm of [LENDER, BORROWER]) {
      const { memory } = world.guests[vm]!
      const page = vm === LENDER ? LENT : 0
      expect(() => memory.writeU8(0x10_0000 + (PRIVATE_PAGES + page) * PAGE, 1)).toThrow(/may not be written/)
    }
  })

  it('comes back when the borrower makes its buffer available again, and only then may the lender write', () => {
    const world = lend()
    world.guests[BORROWER]!.read(1, false, world.random)
    world.guests[THIRD]!.send(BORROWER, 100, 0, 1) // any step of the broker looks for it
    settle(world)
    expect(world.zeroCopy!.counters).toMatchObject({ pagesLent: 1, pagesReturned: 1, pagesRevoked: 0 })
    expect(world.zeroCopy!.ledger.stateOf(frameOf(LENDER, LENT))).toBe(PageState.owned)
    world.guests[LENDER]!.memory.writeU8(0x10_0000 + (PRIVATE_PAGES + LENT) * PAGE, privateByte(LENDER, 0))
  })

  it('is revoked when it is due: the borrower keeps the bytes, in a page of its own', () => {
    const world = lend()
    const before = borrowed(world)
    world.advance(60_000)
    settle(world)
    expect(world.zeroCopy!.counters).toMatchObject({ pagesReturned: 0, pagesRevoked: 1 })
    expect(borrowed(world)).toEqual(before)
    expect(world.zeroCopy!.ledger.stateOf(frameOf(LENDER, LENT))).toBe(PageState.owned)
    world.guests[BORROWER]!.memory.writeU8(0x10_0000 + PRIVATE_PAGES * PAGE, privateByte(BORROWER, 0))
  })

  it('is not revoked if it was given back before it was due, wherever in the ring its buffer is', () => {
    const world = lend()
    world.guests[BORROWER]!.read(1, false, world.random)
    world.advance(60_000)
    settle(world)
    expect(world.zeroCopy!.counters).toMatchObject({ pagesLent: 1, pagesReturned: 1, pagesRevoked: 0 })
  })

  it.each([
    ['lender', LENDER],
    ['borrower', BORROWER],
  ])('is revoked when its %s is reset: the borrower’s memory keeps the bytes', (_who, vm) => {
    const world = lend()
    const before = borrowed(world)
    world.reset(vm)
    expect(world.zeroCopy!.counters.pagesRevoked).toBe(1)
    expect(borrowed(world)).toEqual(before)
  })

  it('may be sent on: the borrower gets a copy to do so, and the lender does not wait', () => {
    const world = lend()
    world.guests[BORROWER]!.sendPages(THIRD, [0])
    settle(world)
    expect(world.zeroCopy!.counters.pagesRevoked).toBe(1)
    // The copy was lent in its turn.
    expect(world.zeroCopy!.counters.pagesLent).toBe(2)
    expect(world.zeroCopy!.ledger.stateOf(frameOf(LENDER, LENT))).toBe(PageState.owned)
  })

  const receiveInto = (world: World) => {
    const before = borrowed(world)
    world.guests[LENDER]!.postPage(LENT)
    for (let i = 0; i < 3; i++) {
      world.guests[THIRD]!.send(LENDER, 100, 0, 1)
      settle(world)
      world.endDma()
      settle(world)
    }
    return { before, after: borrowed(world) }
  }

  it('does not change, even if the lender has the broker receive into it', () => {
    const { before, after } = receiveInto(lend())
    expect(after).toEqual(before)
  })

  it('would change if nobody looked: the test above can fail', () => {
    vi.spyOn(Loans.prototype, 'mayReceive').mockReturnValue(true)
    expect(() => receiveInto(lend())).toThrow(/the DMA writes frame/)
  })
})

/**
 * A hostile guest's rings and the relay itself, attack by attack: what a guest names is bounded in each step, decided by what is true
 * now, and charged by what it takes.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { FETCH_BATCH, USELESS_BATCH } from '../../src/broker/index.ts'
import { CostOp } from '../../src/platform/index.ts'
import { Loans, PageState } from '../../src/zero-copy/index.ts'
import { privateByte } from '../zero-copy/byte-classes.ts'
import { HEADER_BYTES, PRIVATE_PAGES, RAM_PAGES } from '../zero-copy/model-guest.ts'
import { PAGE } from '../zero-copy/stage-two-model.ts'
import { threeGuests } from '../zero-copy/three-guests.ts'
import type { World, WorldOptions } from '../zero-copy/world.ts'
import { BORROWER, drain, LENDER, SENT, settle, THIRD } from './hostile-world.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a chain that is held while its borrowed pages are copied', () => {
  interface Choice {
    readonly name: string
    act(): void
  }

  /** One order of everything; `choices` says which enabled event comes next, and grows to the depth. */
  function run(choices: number[], depth: number, widths: number[]): void {
    const world = threeGuests({ anyBytes: true })
    const [borrower, third, lender] = [world.guests[BORROWER]!, world.guests[THIRD]!, world.guests[LENDER]!]
    // Eight borrowed pages; the last of the borrower's two receive buffers and those that it posts now take them.
    for (let page = 2; page < 8; page++)
      borrower.postParts([
        [14 * PAGE + 16 * page, HEADER_BYTES],
        [page * PAGE, PAGE],
      ])
    lender.sendPages(BORROWER, [20, 21, 22, 23, 24, 25, 26, 27])
    settle(world)
    expect(world.zeroCopy!.loans.borrowedBy(BORROWER)).toBe(8)
    borrower.usedOf(0)
    const giveBack = (pages: readonly number[]) => {
      for (const page of pages)
        borrower.postParts([
          [14 * PAGE + 16 * page, HEADER_BYTES],
          [page * PAGE, PAGE],
        ])
    }
    // Of each guest one thing after another, while the broker is not busy on its core.
    const programs: Choice[][] = [
      [
        { name: 'give 4 to 7 back', act: () => giveBack([4, 5, 6, 7]) },
        {
          name: 'send all',
          act: () => borrower.sendPages(THIRD, [0, 1, 2, 3, 4, 5, 6, 7]),
        },
        { name: 'give 0 to 3 back', act: () => giveBack([0, 1, 2, 3]) },
      ],
      [{ name: 'a message to the lender', act: () => third.sendPages(LENDER, [30]) }],
      [{ name: 'two pages more to the borrower', act: () => lender.sendPages(BORROWER, [30, 31]) }],
    ]
    const trail: string[] = []
    for (let at = 0; ; at++) {
      const enabled: Choice[] = []
      for (const core of [0, 1, 2]) {
        if (world.isBusy(core)) enabled.push({ name: `step on ${core}`, act: () => world.resume(core) })
        else if (programs[core]!.length > 0) {
          const [next] = programs[core]!
          enabled.push({ name: next!.name, act: () => programs[core]!.shift()!.act() })
        }
      }
      if (!world.dmaIdle()) enabled.push({ name: 'the DMA ends', act: () => world.endDma() })
      if (enabled.length === 0) break
      if (at < depth) {
        widths[at] = enabled.length
        if (at === choices.length) choices.push(0)
      }
      const choice = at < depth ? choices[at]! : at % enabled.length
      trail.push(enabled[choice]!.name)
      try {
        enabled[choice]!.act()
      } catch (error) {
        throw new Error(`after ${trail.join(', ')}`, { cause: error })
      }
    }
    drain(world)
    world.advance(200_000)
    drain(world)
  }

  /** All orders of the first choices. Returns how many. */
  function explore(depth: number, limit: number): number {
    const choices: number[] = []
    let runs = 0
    for (;;) {
      const widths: number[] = []
      run(choices, depth, widths)
      runs++
      choices.length = Math.min(choices.length, widths.length)
      while (choices.length > 0 && choices.at(-1)! + 1 >= widths[choices.length - 1]!) choices.pop()
      if (choices.length === 0 || runs === limit) return runs
      choices[choices.length - 1]!++
    }
  }

  it('is translated anew at each look, in all orders of its first steps', () => {
    expect(explore(8, 3000)).toBeGreaterThan(200)
  }, 60_000)
})

describe('a page that its lender offers while it is on its way', () => {
  /** The lender's ten pages have left it, and the borrower has none of them; then it posts one, and a third VM's message comes. */
  function offer(): World {
    const world = threeGuests({ hostile: LENDER, thresholdPages: 5 })
    const [, third, lender] = world.guests
    lender!.sendPages(
      BORROWER,
      Array.from({ length: 10 }, (_, i) => SENT + i),
    )
    expect(world.zeroCopy!.ledger.stateOf(LENDER * RAM_PAGES + PRIVATE_PAGES + SENT)).toBe(PageState.lent)
    expect(world.zeroCopy!.loans.borrowedBy(BORROWER)).toBe(0)
    lender!.postPage(SENT)
    // Three pieces: the lender posted two buffers when it began.
    third!.send(LENDER, 3 * PAGE, 0, 1)
    world.finishSteps(THIRD)
    drain(world)
    return world
  }

  it('goes back empty, and what the borrower reads stays', () => {
    const world = offer()
    expect(world.guests[LENDER]!.usedOf(0).filter(([, bytes]) => bytes === 0)).toHaveLength(1)
    expect([...world.guests[BORROWER]!.readPage(0)]).toEqual(
      Array.from({ length: PAGE }, (_, i) => privateByte(LENDER, i)),
    )
  })

  it('would be written if only loans were asked: the test above can fail', () => {
    vi.spyOn(Loans.prototype, 'mayReceive').mockReturnValue(true)
    expect(offer).toThrow(/the DMA writes frame/)
  })
})

describe('a page that its borrower gives back in two receive buffers at once', () => {
  it("is the borrower's own in both: the lender's is written by nobody", () => {
    const world = threeGuests({ anyBytes: true })
    const [borrower, third, lender] = world.guests
    lender!.sendPages(BORROWER, [SENT])
    drain(world)
    expect(world.zeroCopy!.loans.borrowedBy(BORROWER)).toBe(1)
    expect(borrower!.usedOf(0)).toHaveLength(1)
    borrower!.postParts([
      [14 * PAGE, HEADER_BYTES],
      [0, PAGE],
    ])
    borrower!.postParts([
      [14 * PAGE + 16, HEADER_BYTES],
      [0, PAGE],
    ])
    // The DMA fills the buffer that is left from the beginning, and these two.
    for (let i = 0; i < 3; i++) third!.send(BORROWER, PAGE - 1, 0, 1)
    drain(world)
    expect(world.zeroCopy!.loans.borrowedBy(BORROWER)).toBe(0)
    expect(borrower!.usedOf(0)).toHaveLength(3)
    expect(world.guests[LENDER]!.readPage(SENT).every((byte, i) => byte === privateByte(LENDER, i))).toBe(true)
  })
})

describe('receive buffers that nothing can be received into', () => {
  const HOSTILE = BORROWER
  /** A world in which messages are copied, and the hostile VM has posted its two good buffers. */
  const copies = (options: Partial<WorldOptions> = {}) => threeGuests({ transfer: 'copy', ...options })

  it('less than a page: back empty, and no message is cut into such pieces', () => {
    const world = copies()
    const hostile = world.guests[HOSTILE]!
    const small = [1, 44, PAGE - 1].map((bytes) => hostile.postParts([[0, HEADER_BYTES + bytes]]))
    world.guests[THIRD]!.send(HOSTILE, 3 * PAGE, 0, 1)
    drain(world)
    const used = hostile.usedOf(0)
    expect(used.filter(([head]) => small.includes(head)).map(([, bytes]) => bytes)).toEqual([0, 0, 0])
    expect(used.filter(([, bytes]) => bytes > 0).map(([, bytes]) => bytes)).toEqual([
      HEADER_BYTES + PAGE,
      HEADER_BYTES + PAGE,
    ])
  })

  it('in more parts than a receive buffer may have: back empty, and charged by the descriptor', () => {
    const world = copies()
    const hostile = world.guests[HOSTILE]!
    const parts = Array.from({ length: 17 }, (_, i) => [i * (PAGE + 512), 512] as const)
    const head = hostile.postParts(parts)
    world.guests[THIRD]!.send(HOSTILE, 3 * PAGE, 0, 1)
    drain(world)
    expect(hostile.usedOf(0)).toContainEqual([head, 0])
    // The message, the two good buffers, and the bad one: 17 descriptors, of which a fetch covers four.
    expect(world.charges[CostOp.fetchDescriptor]).toBe(1 + 2 + 14)
  })

  it('many of them: so many looks a step, whoever is in it', () => {
    const world = copies({ hostile: -1, seed: 14 })
    const hostile = world.guests[HOSTILE]!
    // The two good ones are used up first.
    world.guests[THIRD]!.send(HOSTILE, 14 * PAGE, 0, 1)
    drain(world)
    hostile.usedOf(0)
    for (let i = 0; i < 30; i++) hostile.postParts([[0, 1]])
    world.mostInStep.fill(0)
    world.guests[THIRD]!.send(HOSTILE, 100, 0, 1)
    world.guests[LENDER]!.send(THIRD, 100, 0, 1)
    drain(world)
    expect(world.mostInStep[CostOp.fetchDescriptor]).toBeLessThanOrEqual(FETCH_BATCH + USELESS_BATCH + 1)
    expect(world.mostInStep[CostOp.usedRing]).toBeLessThanOrEqual(USELESS_BATCH + 2)
    expect(world.guests[THIRD]!.usedOf(0).length).toBe(1)
  })
})

describe('messages', () => {
  it('in more parts than a page is worth are refused; a little less is not', () => {
    const bytes = (parts: number, length: number) =>
      Array.from({ length: parts }, (_, i) => [SENT * PAGE + i * 512, length] as const)
    for (const [parts, length, arrives] of [
      [20, 1, false],
      [15, 1, true],
      [18, 257, true],
      [18, 250, false],
    ] as const) {
      const world = threeGuests({ transfer: 'copy' })
      world.guests[BORROWER]!.stage(THIRD, bytes(parts, length))
      world.guests[BORROWER]!.publish()
      world.guests[BORROWER]!.kick(1)
      drain(world)
      expect(world.guests[THIRD]!.usedOf(0).length, `${parts} parts of ${length}`).toBe(
        arrives ? Math.ceil((parts * length) / PAGE) : 0,
      )
      expect(world.guests[BORROWER]!.usedOf(1)).toHaveLength(1)
    }
  })

  it('of many descriptors are charged by the descriptor, and a step fetches less of them', () => {
    const world = threeGuests({ transfer: 'copy' })
    for (let i = 0; i < 2; i++) {
      world.guests[BORROWER]!.stage(
        THIRD,
        Array.from({ length: 12 }, (_, part) => [SENT * PAGE + part * 512, 8] as const),
      )
    }
    world.guests[BORROWER]!.publish()
    world.guests[BORROWER]!.kick(1)
    expect(world.charges[CostOp.fetchDescriptor]).toBe(13 - 3 + 1)
    drain(world)
    world.advance(50_000)
    drain(world)
    // Both messages, and their receive buffers.
    expect(world.charges[CostOp.fetchDescriptor]).toBe(2 * 10 + 2)
  })

  it('of more descriptors than a message of that length is worth arrive, and nothing behind them is looked at before the VM has rested', () => {
    const parts = (count: number) => Array.from({ length: count }, (_, part) => [SENT * PAGE + part * 512, 8] as const)
    for (const [count, arrived] of [
      [4, 2],
      [5, 1],
    ] as const) {
      const world = threeGuests({ transfer: 'copy' })
      const guest = world.guests[BORROWER]!
      guest.stage(THIRD, parts(count))
      guest.stage(THIRD, parts(1))
      guest.publish()
      guest.kick(1)
      drain(world)
      expect(world.guests[THIRD]!.usedOf(0), `${count} parts`).toHaveLength(arrived)
      world.advance(50_000)
      drain(world)
      expect(world.guests[THIRD]!.usedOf(0), `${count} parts`).toHaveLength(2 - arrived)
    }
  })

  it.each([1, 2])('come early under EDF as under FP: they wait for their time (seed %i)', (seed) => {
    const world = threeGuests({ transfer: 'copy', toleranceNs: 0, seed: 12 + seed })
    for (let i = 0; i < 10; i++) world.guests[BORROWER]!.stage(THIRD, [[SENT * PAGE, 1]])
    world.guests[BORROWER]!.publish()
    world.guests[BORROWER]!.kick(1)
    drain(world)
    let arrived = world.guests[THIRD]!.usedOf(0).length
    expect(arrived).toBe(1)
    for (let period = 1; period <= 4; period++) {
      world.advance(50_000)
      drain(world)
      arrived += world.guests[THIRD]!.usedOf(0).length
    }
    expect(arrived).toBeGreaterThanOrEqual(5)
    expect(arrived).toBeLessThanOrEqual(6)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BucketRegulator, BudgetRegulator, type Regulator } from '../../src/broker/index.ts'

/** When each of `pieces` starts: asked for as soon as it may be wanted, and the one before it has ended. */
function startsOf(regulator: Regulator, pieces: readonly Piece[]): number[] {
  let freeNs = 0
  return pieces.map(({ afterNs, busyNs }) => {
    const startNs = regulator.startableAt(freeNs + afterNs, busyNs)
    regulator.charge(startNs, busyNs)
    freeNs = startNs + busyNs
    return startNs
  })
}

interface Piece {
  /** From the end of the piece before to the wish to start. */
  readonly afterNs: number
  readonly busyNs: number
}

const pieces = (longestNs: number) =>
  fc.array(fc.record({ afterNs: fc.nat(300), busyNs: fc.integer({ min: 1, max: longestNs }) }), { maxLength: 40 })

/** An account that is looked at every ns: `tick` changes it, `mayStart` reads it, a start takes `busyNs` out. */
function naiveStarts(
  wanted: readonly Piece[],
  account: {
    balance: number
    tick(nowNs: number): void
    mayStart(busyNs: number): boolean
    take(busyNs: number): void
  },
): number[] {
  let nowNs = 0
  account.tick(0)
  const advance = () => account.tick(++nowNs)
  return wanted.map(({ afterNs, busyNs }) => {
    for (let i = 0; i < afterNs; i++) advance()
    while (!account.mayStart(busyNs)) advance()
    const startNs = nowNs
    account.take(busyNs)
    for (let i = 0; i < busyNs; i++) advance()
    return startNs
  })
}

describe('BudgetRegulator', () => {
  it('starts while the balance is positive, and pays an overdraft back from the next refill', () => {
    const regulator = new BudgetRegulator(500, 1000)
    expect(regulator.startableAt(0)).toBe(0)
    regulator.charge(0, 499)
    expect(regulator.startableAt(499)).toBe(499)
    regulator.charge(499, 400) // 399 over
    expect(regulator.startableAt(900)).toBe(1000)
    regulator.charge(1000, 101) // the refill left 101
    expect(regulator.startableAt(1101)).toBe(2000)
  })

  it('waits for as many refills as a debt takes', () => {
    const regulator = new BudgetRegulator(100, 1000)
    regulator.charge(0, 350) // 250 over: refills to -150, -50, 50
    expect(regulator.startableAt(500)).toBe(3000)
  })

  it('does not save up what a period leaves', () => {
    const regulator = new BudgetRegulator(100, 1000)
    expect(regulator.startableAt(50_000)).toBe(50_000)
    regulator.charge(50_000, 100)
    expect(regulator.startableAt(50_100)).toBe(51_000)
  })

  it('chains only what the account holds now', () => {
    const regulator = new BudgetRegulator(100, 1000)
    expect([regulator.mayFollow(0, 99), regulator.mayFollow(0, 100)]).toEqual([true, false])
  })

  it('starts every piece when an account that is looked at every ns does', () => {
    const budgets = fc
      .integer({ min: 2, max: 400 })
      .chain((period) => fc.tuple(fc.integer({ min: 1, max: period }), fc.constant(period)))
    fc.assert(
      fc.property(budgets, pieces(200), ([budgetNs, periodNs], wanted) => {
        let left = 0 // of the piece that the DMA moves
        const naive = naiveStarts(wanted, {
          balance: 0,
          tick(nowNs) {
            if (left > 0) {
              left--
              this.balance--
            }
            if (nowNs % periodNs === 0) this.balance = Math.min(budgetNs, this.balance + budgetNs)
          },
          mayStart() {
            return this.balance > 0
          },
          take(busyNs) {
            left = busyNs
          },
        })
        expect(startsOf(new BudgetRegulator(budgetNs, periodNs), wanted)).toEqual(naive)
      }),
      { seed: 1, numRuns: 300 },
    )
  })

  it('refuses a budget that can never serve anything', () => {
    expect(() => new BudgetRegulator(0, 1000)).toThrow(/must be in \(0, 1000\]/)
    expect(() => new BudgetRegulator(1001, 1000)).toThrow(/must be in \(0, 1000\]/)
    expect(() => new BudgetRegulator(Number.NaN, 1000)).toThrow(/must be in \(0, 1000\]/)
    expect(() => new BudgetRegulator(1, 0)).toThrow(/must be above 0/)
    expect(() => new BudgetRegulator(1, Number.POSITIVE_INFINITY)).toThrow(/must be above 0, and finite/)
  })
})

describe('museum 47', () => {
  const asked = fc.array(fc.integer({ min: 1, max: 64 }), { maxLength: 8 })
  const wanted = fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 64 }), asked), { maxLength: 30 })
  const regulators: Readonly<Record<string, () => Regulator>> = {
    budget: () => new BudgetRegulator(40, 1000),
    bucket: () => new BucketRegulator({ bytesPerNs: 0.125, burstBytes: 64, chunkBytes: 64, dmaBytesPerNs: 1 }),
  }

  it.each(Object.keys(regulators))('museum 47: asking again refunds nothing and costs nothing: %s', (name) => {
    const make = regulators[name]!
    fc.assert(
      fc.property(wanted, (steps) => {
        const [plain, retried] = [make(), make()]
        let nowNs = 0
        for (const [afterNs, busyNs, questions] of steps) {
          nowNs += afterNs
          // A queue that was refused, asks for other pieces, later ones, longer ones, and comes back.
          for (const other of questions) {
            retried.startableAt(nowNs, other)
            retried.mayFollow(nowNs, other, busyNs)
          }
          const startNs = plain.startableAt(nowNs, busyNs)
          expect(retried.startableAt(nowNs, busyNs)).toBe(startNs)
          plain.charge(startNs, busyNs)
          retried.charge(startNs, busyNs)
          nowNs = startNs + busyNs
        }
      }),
      { seed: 47, numRuns: 300 },
    )
  })

  it('museum 47: a request larger than the budget, or as large as the bucket, starts after a finite wait, every time', () => {
    const budget = new BudgetRegulator(100, 1000)
    const bucket = new BucketRegulator({ bytesPerNs: 0.125, burstBytes: 400, chunkBytes: 400, dmaBytesPerNs: 1 })
    for (const [regulator, apartNs] of [
      [budget, 4000],
      [bucket, 3200],
    ] as const) {
      const starts = startsOf(
        regulator,
        Array.from({ length: 20 }, () => ({ afterNs: 0, busyNs: 400 })),
      )
      for (let i = 1; i < starts.length; i++) expect(starts[i]! - starts[i - 1]!).toBeLessThanOrEqual(apartNs)
    }
  })

  it('museum 47: no order of questions lets more start than the bucket gives', () => {
    fc.assert(
      fc.property(pieces(64), (list) => {
        const burstNs = 100
        const starts = startsOf(
          new BucketRegulator({ bytesPerNs: 0.25, burstBytes: burstNs, chunkBytes: 64, dmaBytesPerNs: 1 }),
          list,
        )
        for (let from = 0; from < starts.length; from++) {
          let takenNs = 0
          for (let to = from; to < starts.length; to++) {
            takenNs += list[to]!.busyNs
            expect(takenNs).toBeLessThanOrEqual(burstNs + 0.25 * (starts[to]! - starts[from]!))
          }
        }
      }),
      { seed: 47, numRuns: 300 },
    )
  })
})

describe('BucketRegulator', () => {
  const bucket = (bytesPerNs: number, burstBytes: number, dmaBytesPerNs = 1) =>
    new BucketRegulator({ bytesPerNs, burstBytes, chunkBytes: burstBytes, dmaBytesPerNs })

  it('is full at first, and lets as much start as it holds', () => {
    expect(
      startsOf(
        bucket(0.5, 300),
        [100, 100, 100, 100].map((busyNs) => ({ afterNs: 0, busyNs })),
      ),
    ).toEqual([
      0,
      100, // 300 - 100 + 50
      200, // 250 - 100 + 50
      300, // 200 - 100 + 50, of which the next takes 100
    ])
  })

  it('waits until it holds a whole piece', () => {
    const regulator = bucket(0.25, 100)
    regulator.charge(0, 100)
    expect([regulator.startableAt(0, 1), regulator.startableAt(0, 50), regulator.startableAt(0, 100)]).toEqual([
      4, 200, 400,
    ])
  })

  it('counts bytes at the rate of the engine', () => {
    const regulator = bucket(0.5, 4096, 2) // 2048 ns of a DMA of 2 bytes/ns
    regulator.charge(0, 2048)
    expect(regulator.startableAt(0, 2048)).toBe(8192)
  })

  it('chains only what it holds now', () => {
    const regulator = bucket(0.5, 300)
    expect([regulator.mayFollow(0, 200, 100), regulator.mayFollow(0, 200, 101)]).toEqual([true, false])
    regulator.charge(0, 300)
    expect([regulator.mayFollow(400, 100, 100), regulator.mayFollow(400, 101, 100)]).toEqual([true, false])
  })

  it('starts every piece when a bucket that is filled every ns does', () => {
    const LONGEST = 64
    fc.assert(
      // Rates in 64ths, so that the bucket's level is an integer of them.
      fc.property(
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 64, max: 500 }),
        pieces(LONGEST),
        (rate, burst, wanted) => {
          const naive = naiveStarts(wanted, {
            balance: burst * 64,
            tick(nowNs) {
              if (nowNs > 0) this.balance = Math.min(burst * 64, this.balance + rate)
            },
            mayStart(busyNs) {
              return this.balance >= busyNs * 64
            },
            take(busyNs) {
              this.balance -= busyNs * 64
            },
          })
          // Divisions round: a start may come one ns late, never early, and then all later ones may.
          const starts = startsOf(bucket(rate / 64, burst), wanted)
          starts.forEach((start, i) => {
            expect(start - naive[i]!).toBeGreaterThanOrEqual(0)
            expect(start - naive[i]!).toBeLessThanOrEqual(i + 1)
          })
        },
      ),
      { seed: 1, numRuns: 300 },
    )
  })

  it('refuses a burst below a chunk, which could never start, and a rate that is none', () => {
    const make = (burstBytes: number, bytesPerNs: number) => () =>
      new BucketRegulator({ bytesPerNs, burstBytes, chunkBytes: 4096, dmaBytesPerNs: 1 })
    expect(make(4095, 1)).toThrow(/a bucket of 4095 bytes can never hold a chunk of 4096/)
    expect(make(4096, 0)).toThrow(/must be above 0/)
    expect(make(4096, 1)).not.toThrow()
  })
})

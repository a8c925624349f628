import { budgetCycleNs, Supply } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../src/internal/assert.ts'

const SMALL = Array.from({ length: 7 }, (_, p) =>
  Array.from({ length: p + 1 }, (_, q) => [p + 1, q + 1] as const),
).flat()

describe.each(SMALL)('supply P = %i, Q = %i', (periodNs, budgetNs) => {
  it.each([periodNs - budgetNs, 0, periodNs + 3])(
    'first blackout %i: inverses are the inf and sup of sbf',
    (firstNs) => {
      const supply = new Supply(periodNs, budgetNs, firstNs)
      for (let work = 0; work <= 4 * budgetNs; work++) {
        let finish = 0
        while (supply.sbf(finish) < work) finish++
        let start = 0
        while (supply.sbf(start + 1) <= work) start++
        expect(supply.inv(work)).toBe(finish)
        expect(supply.invPlus(work)).toBe(start)
      }
    },
  )

  it('grants Q in every P after the first blackout, unit by unit', () => {
    const supply = new Supply(periodNs, budgetNs)
    for (let t = 0; t < 4 * periodNs; t++) {
      expect(supply.sbf(t + periodNs) - supply.sbf(t)).toBe(
        t < periodNs - budgetNs ? supply.sbf(t + periodNs) : budgetNs,
      )
      expect(supply.sbf(t + 1) - supply.sbf(t)).toBe(
        (t - (periodNs - budgetNs)) % periodNs < budgetNs && t >= periodNs - budgetNs ? 1 : 0,
      )
    }
  })

  it('the straight line stays below, and its inverse is the least time', () => {
    const supply = new Supply(periodNs, budgetNs)
    for (let t = 0; t < 6 * periodNs; t++) {
      const line = Math.max(0, (budgetNs / periodNs) * (t - 2 * (periodNs - budgetNs)))
      expect(supply.lsbf(t)).toBe(Math.floor(line + 1e-9))
      expect(line).toBeLessThanOrEqual(supply.sbf(t) + 1e-9)
    }
    for (let work = 1; work <= 4 * budgetNs; work++) {
      const least = supply.lsbfInv(work)
      expect(supply.lsbf(least)).toBeGreaterThanOrEqual(work)
      expect(supply.lsbf(least - 1)).toBeLessThan(work)
      expect(least).toBeGreaterThanOrEqual(supply.inv(work))
    }
  })
})

describe('supply', () => {
  it('without a regulator is the time itself, behind a token bucket delayed once', () => {
    const [none, bucket] = [Supply.unlimited(), Supply.unlimited(40)]
    for (const t of [0, 1, 39, 40, 41, 1000]) {
      expect(none.sbf(t)).toBe(t)
      expect(none.invPlus(t)).toBe(t)
      expect(bucket.sbf(t)).toBe(Math.max(0, t - 40))
      expect(bucket.lsbf(t)).toBe(Math.max(0, t - 40))
      expect(bucket.invPlus(t)).toBe(t + 40)
    }
  })

  it('scales without leaving the exact integers, or says so', () => {
    const long = new Supply(1_000_000_007, 500_000_003)
    expect(() => long.lsbfInv(123_456_789_012)).toThrow(AssertionError)
    expect(new Supply(1_000_000_000, 500_000_000).lsbfInv(4e15)).toBe(8e15 + 1e9)
  })

  it('a longer cycle stands for a budget in bytes on a faster wire, and for late refills', () => {
    const regulator = { kind: 'budget', periodNs: 1000, budgetNs: 400 } as const
    expect(budgetCycleNs(regulator, 1)).toBe(1000)
    expect(budgetCycleNs({ ...regulator, wireBytesPerNs: 2 }, 1)).toBe(1200)
    expect(budgetCycleNs({ ...regulator, wireBytesPerNs: 0.5 }, 1)).toBe(1000)
    expect(budgetCycleNs({ ...regulator, refillJitterNs: 7 }, 1)).toBe(1007)
  })
})

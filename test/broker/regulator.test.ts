import { describe, expect, it } from 'vitest'
import { BudgetRegulator } from '../../src/broker/index.ts'

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
    expect([regulator.mayFollow(99), regulator.mayFollow(100)]).toEqual([true, false])
  })

  it('refuses a budget that can never serve anything', () => {
    expect(() => new BudgetRegulator(0, 1000)).toThrow(/must be in \(0, 1000\]/)
    expect(() => new BudgetRegulator(1001, 1000)).toThrow(/must be in \(0, 1000\]/)
    expect(() => new BudgetRegulator(1, 0)).toThrow(/must be above 0/)
  })
})

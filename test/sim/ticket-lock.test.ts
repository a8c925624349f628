import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TicketLock } from '../../src/sim/index.ts'

describe('TicketLock', () => {
  it('is held by one core at a time and passes on in order of asking', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(4), { maxLength: 100 }), (cores, asks) => {
        const lock = new TicketLock(cores)
        const queue: number[] = []
        for (const core of asks.map((ask) => ask % cores)) {
          if (!queue.includes(core)) {
            queue.push(core)
            expect(lock.acquire(core)).toBe(queue.length === 1)
          } else {
            queue.shift()
            expect(lock.release(lock.holder)).toBe(queue[0] ?? -1)
          }
          expect([lock.holder, lock.waiting]).toEqual([queue[0] ?? -1, Math.max(0, queue.length - 1)])
          for (let other = 0; other < cores; other++) expect(lock.isWaiting(other)).toBe(queue.indexOf(other) > 0)
        }
      }),
    )
  })

  it('stops misuse', () => {
    const lock = new TicketLock(3)
    expect(() => lock.release(0)).toThrow(/held by -1/)
    expect(() => lock.release(-1)).toThrow(/held by -1/)
    lock.acquire(0)
    lock.acquire(1)
    expect(() => lock.acquire(0)).toThrow(/core 0 holds/)
    expect(() => lock.acquire(1)).toThrow(/waits/)
    expect(() => lock.acquire(3)).toThrow(/not one of its cores/)
    expect(() => lock.release(1)).toThrow(/held by 0/)
    expect(() => new TicketLock(0)).toThrow(/0 cores/)
  })
})

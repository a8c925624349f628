import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventKernel } from '../../src/sim/index.ts'

interface Pending {
  time: number
  priority: number
  sequence: number
  handle: number
}

const operations = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        op: fc.constant('schedule' as const),
        delay: fc.oneof(fc.nat(3), fc.nat(5000), fc.nat(10 ** 12)),
        priority: fc.nat(2),
      }),
    },
    { weight: 4, arbitrary: fc.record({ op: fc.constant('next' as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('until' as const), delay: fc.nat(10_000) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('cancel' as const), which: fc.nat() }) },
  ),
  { maxLength: 300 },
)

describe('EventKernel', () => {
  it('takes events in order of time, priority and sequence, as a sorted list would', () => {
    fc.assert(
      fc.property(operations, (program) => {
        const kernel = new EventKernel()
        const oracle: Pending[] = []
        let sequence = 0
        const earliest = () =>
          oracle.sort((a, b) => a.time - b.time || a.priority - b.priority || a.sequence - b.sequence)[0]
        const taken = (event: Pending) => {
          expect([kernel.now, kernel.a]).toEqual([event.time, event.sequence])
          oracle.splice(oracle.indexOf(event), 1)
        }
        for (const step of program) {
          const first = earliest()
          if (step.op === 'schedule') {
            const time = kernel.now + step.delay
            const handle = kernel.schedule(time, step.priority, 1, sequence, 0)
            oracle.push({ time, priority: step.priority, sequence: sequence++, handle })
          } else if (step.op === 'next') {
            expect(kernel.next()).toBe(first !== undefined)
            if (first !== undefined) taken(first)
          } else if (step.op === 'until') {
            const limit = kernel.now + step.delay
            const due = first !== undefined && first.time <= limit
            expect(kernel.nextUntil(limit)).toBe(due)
            if (due) taken(first)
            else expect(kernel.now).toBe(limit)
          } else if (oracle.length > 0) {
            const victim = oracle[step.which % oracle.length]!
            expect(kernel.cancel(victim.handle)).toBe(true)
            expect(kernel.cancel(victim.handle)).toBe(false)
            oracle.splice(oracle.indexOf(victim), 1)
          }
          expect(kernel.pending).toBe(oracle.length)
        }
        for (let first = earliest(); first !== undefined; first = earliest()) {
          expect(kernel.next()).toBe(true)
          taken(first)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('holds 100 000 events', () => {
    const kernel = new EventKernel()
    for (let i = 0; i < 100_000; i++) kernel.schedule((i * 7919) % 1_000_003, 0, 0, i, 0)
    let last = -1
    while (kernel.next()) {
      expect(kernel.now >= last).toBe(true)
      last = kernel.now
    }
    expect(kernel.processed).toBe(100_000)
  })

  it('refuses the past', () => {
    const kernel = new EventKernel()
    kernel.schedule(10, 0, 0, 0, 0)
    kernel.next()
    expect(() => kernel.schedule(9, 0, 0, 0, 0)).toThrow()
    expect(() => kernel.schedule(10.5, 0, 0, 0, 0)).toThrow()
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { EventKernel } from '../../src/sim/index.ts'

interface Entry {
  readonly timeNs: number
  readonly priority: number
  readonly sequence: number
  readonly handle: number
}

/** The kernel by definition: a list that is searched. */
class Oracle {
  now = 0
  entries: Entry[] = []
  #sequence = 0

  schedule(timeNs: number, priority: number, handle: number): void {
    this.entries.push({ timeNs, priority, sequence: this.#sequence++, handle })
  }

  cancel(handle: number): boolean {
    const before = this.entries.length
    this.entries = this.entries.filter((entry) => entry.handle !== handle)
    return this.entries.length < before
  }

  earliest(): Entry | undefined {
    let best: Entry | undefined
    for (const entry of this.entries) if (best === undefined || isBefore(entry, best)) best = entry
    return best
  }

  take(entry: Entry): void {
    this.now = entry.timeNs
    this.cancel(entry.handle)
  }
}

function isBefore(x: Entry, y: Entry): boolean {
  return x.timeNs - y.timeNs < 0 || (x.timeNs === y.timeNs && (x.priority - y.priority || x.sequence - y.sequence) < 0)
}

/** A distance in time: ties, neighbours, days, years, and near the end of time. */
const distance = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 100_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 52, max: Number.MAX_SAFE_INTEGER }) },
)
const priority = fc.integer({ min: -2, max: 2 })

type Command =
  | { readonly do: 'schedule'; readonly distance: number; readonly priority: number; readonly count: number }
  | { readonly do: 'cancel'; readonly index: number }
  | { readonly do: 'next'; readonly count: number }
  | { readonly do: 'nextUntil'; readonly distance: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('schedule' as const), distance, priority, count: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), index: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('next' as const), count: fc.nat(40) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('nextUntil' as const), distance }) },
)

const within = (timeNs: number) => Math.min(timeNs, Number.MAX_SAFE_INTEGER)

describe('EventKernel', () => {
  it('takes events in the order of time, priority and sequence, whatever is scheduled, cancelled and jumped over', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const kernel = new EventKernel({ capacity: 1 })
        const oracle = new Oracle()
        const handles: number[] = []
        const expectSame = (taken: boolean, expected: Entry | undefined) => {
          expect(taken).toBe(expected !== undefined)
          if (expected === undefined) return
          oracle.take(expected)
          const index = handles.indexOf(expected.handle)
          expect([kernel.now, kernel.kind, kernel.a, kernel.b]).toEqual([
            expected.timeNs,
            expected.priority,
            index,
            ~index,
          ])
        }
        for (const c of commands) {
          if (c.do === 'schedule') {
            for (let i = 0; i < c.count; i++) {
              const timeNs = within(kernel.now + (c.distance + ((i * 7919) % 13) * (c.distance >> 3)))
              const index = handles.length
              const handle = kernel.schedule(timeNs, c.priority, c.priority, index, ~index)
              expect(Number.isSafeInteger(handle) && handle > 0 && !handles.includes(handle)).toBe(true)
              handles.push(handle)
              oracle.schedule(timeNs, c.priority, handle)
            }
          } else if (c.do === 'cancel') {
            const handle = handles.length === 0 ? 0 : handles[c.index % handles.length]!
            expect(kernel.cancel(handle)).toBe(oracle.cancel(handle))
          } else if (c.do === 'next') {
            for (let i = 0; i < c.count; i++) expectSame(kernel.next(), oracle.earliest())
          } else {
            const limitNs = within(kernel.now + c.distance)
            const earliest = oracle.earliest()
            const expected = earliest !== undefined && earliest.timeNs <= limitNs ? earliest : undefined
            expectSame(kernel.nextUntil(limitNs), expected)
            if (expected === undefined) expect(kernel.now).toBe(limitNs)
          }
          expect(kernel.pending).toBe(oracle.entries.length)
        }
        while (kernel.pending > 0) expectSame(kernel.next(), oracle.earliest())
        expect(kernel.next()).toBe(false)
      }),
      { numRuns: 400 },
    )
  })

  it.each([
    ['spread', (random: Random) => random.between(0, 2 ** 31)],
    ['dense', (random: Random) => random.between(0, 20_000)],
    ['tied', (random: Random) => 1000 * random.between(0, 4)],
    ['two scales', (random: Random) => (random.chance(0.5) ? random.between(0, 100) : 1e12 + random.between(0, 1e6))],
    ['one far-away timer each', (random: Random) => random.between(0, 99) * 2 ** 45],
  ])('grows to 100 000 pending events and drains them in order: %s', (_name, draw) => {
    const random = new Random(7)
    const kernel = new EventKernel()
    const expected: { timeNs: number; priority: number; sequence: number; handle: number }[] = []
    for (let sequence = 0; sequence < 100_000; sequence++) {
      const [timeNs, priority] = [draw(random), random.between(0, 2)]
      expected.push({ timeNs, priority, sequence, handle: kernel.schedule(timeNs, priority, 0, sequence, 0) })
    }
    const kept = expected.filter(({ handle, sequence }) => sequence % 5 !== 0 || !kernel.cancel(handle))
    expect(kernel.pending).toBe(80_000)
    kept.sort((x, y) => (isBefore(x, y) ? -1 : 1))
    let wrong = 0
    for (const { timeNs, sequence } of kept) {
      if (!kernel.next() || kernel.now !== timeNs || kernel.a !== sequence) wrong++
    }
    expect(wrong).toBe(0)
    expect([kernel.next(), kernel.pending, kernel.processed]).toEqual([false, 0, 80_000])
  })

  it('keeps its order while the number of events and their distances change by orders of magnitude', () => {
    const random = new Random(11)
    const kernel = new EventKernel()
    let last = -1
    const step = () => {
      expect(kernel.next()).toBe(true)
      if (kernel.now < last) throw new Error(`${kernel.now} after ${last}`)
      last = kernel.now
    }
    for (const [pending, scaleNs] of [
      [3, 1e3],
      [5000, 10],
      [40, 1e9],
      [20_000, 1e5],
      [1, 1],
      [300, 3],
    ] as const) {
      while (kernel.pending < pending) kernel.schedule(kernel.now + random.between(0, scaleNs), 0, 0, 0, 0)
      while (kernel.pending > pending) step()
      for (let i = 0; i < 20_000; i++) {
        step()
        kernel.schedule(kernel.now + random.between(0, scaleNs), random.between(0, 3), 0, 0, 0)
      }
    }
  })

  it('does the same in every run', () => {
    const run = (): number => {
      const random = new Random(3)
      const kernel = new EventKernel()
      const handles = new Float64Array(64)
      let hash = 0
      for (let i = 0; i < 50_000; i++) {
        const slot = random.between(0, 63)
        if (random.chance(0.3)) hash = (Math.imul(hash, 31) + Number(kernel.cancel(handles[slot]!))) | 0
        handles[slot] = kernel.schedule(kernel.now + random.between(0, 500), random.between(0, 3), 0, i, 0)
        if (random.chance(0.6) && kernel.next()) hash = (Math.imul(hash, 31) + kernel.a + kernel.now) | 0
      }
      return hash
    }
    expect(run()).toBe(run())
  })

  it('does not take an old handle for the event that has its slot now', () => {
    const kernel = new EventKernel({ capacity: 1 })
    const first = kernel.schedule(1, 0, 0, 0, 0)
    expect(kernel.cancel(first)).toBe(true)
    const second = kernel.schedule(2, 0, 0, 0, 0)
    expect([kernel.cancel(first), kernel.pending]).toEqual([false, 1])
    expect(kernel.next()).toBe(true)
    expect(kernel.cancel(second)).toBe(false)
    expect(kernel.cancel(0)).toBe(false)
  })

  it('lets an event be scheduled before one that nextUntil left', () => {
    const kernel = new EventKernel()
    kernel.schedule(1e9, 0, 1, 0, 0)
    expect(kernel.nextUntil(100)).toBe(false)
    kernel.schedule(150, 0, 2, 0, 0)
    expect([kernel.next(), kernel.now, kernel.kind]).toEqual([true, 150, 2])
    expect([kernel.nextUntil(1e9), kernel.now, kernel.kind]).toEqual([true, 1e9, 1])
    expect([kernel.nextUntil(2e9), kernel.now]).toEqual([false, 2e9])
  })

  it('refuses the past, fractions, times from 2^53 on, and words beyond int32', () => {
    const kernel = new EventKernel()
    kernel.nextUntil(10)
    for (const timeNs of [9, 10.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => kernel.schedule(timeNs, 0, 0, 0, 0)).toThrow(/between now \(10\)/)
      expect(() => kernel.nextUntil(timeNs)).toThrow(/between now \(10\)/)
    }
    expect(() => kernel.schedule(10, 0.5, 0, 0, 0)).toThrow(/int32/)
    expect(() => kernel.schedule(10, 0, 0, 2 ** 31, 0)).toThrow(/int32/)
    expect(() => new EventKernel({ capacity: 0 })).toThrow(/capacity/)
    expect(kernel.pending).toBe(0)
  })

  it('refuses more than 2^20 pending events', () => {
    const kernel = new EventKernel({ capacity: 2 ** 20 })
    for (let i = 0; i < 2 ** 20; i++) kernel.schedule(i, 0, 0, 0, 0)
    expect(() => kernel.schedule(0, 0, 0, 0, 0)).toThrow(/pending/)
  })
})

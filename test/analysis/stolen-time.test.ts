import {
  type DedicatedCosts,
  type FloatingCosts,
  type FlowSet,
  fixedPriorityBounds,
  freedCapacity,
  guestResponseTimes,
  type Route,
  ranksOf,
  StolenTime,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { simulateChunks } from './chunk-simulator.ts'
import { GOLDEN, randomMessages, randomSet } from './flow-sets.ts'

const FLOATING: FloatingCosts = { placement: 'floating', sendNs: 2000, completionNs: 3000, lockHoldNs: 500 }
const DEDICATED: DedicatedCosts = { placement: 'dedicated', trapNs: 1500, irqNs: 1000, rxKickNs: 1400 }

/** One flow from core 0 to core 1 of three: 4 chunks every ms. */
const SET: FlowSet = {
  ...GOLDEN,
  flows: [{ periodNs: 1_000_000, deadlineNs: 1_000_000, lengthBytes: 16384 }],
  regulator: { kind: 'none' },
}
const ROUTE: Route = { sourceCore: 0, destinationCore: 1, responseNs: 50_000, bestResponseNs: 30_000 }

describe('stolen time', () => {
  it('dedicated: a trap and a return at the sender, an interrupt and a refill a chunk at the receiver', () => {
    const stolen = new StolenTime(SET, [ROUTE], 3, DEDICATED)
    expect(stolen.within(0, 1_000_000)).toMatchObject({ sendNs: 1500 + 2 * 1000, completionNs: 0, spinNs: 0 })
    expect(stolen.within(1, 1_000_000)).toMatchObject({ sendNs: 0, completionNs: 8 * 2400, spinNs: 0 })
    expect(stolen.within(2, 1_000_000).totalNs).toBe(0)
    expect(stolen.rate(0)).toBeCloseTo(2500 / 1e6, 12)
    expect(stolen.rate(1)).toBeCloseTo((4 * 2400) / 1e6, 12)
  })

  it('floating: no more spins than the other core has entries', () => {
    const plain = new StolenTime(SET, [ROUTE], 3, FLOATING, { inflationFreeLock: false })
    expect(plain.within(0, 1_000_000)).toEqual({ sendNs: 2000, completionNs: 0, spinNs: 2 * 500, totalNs: 3000 })
    expect(plain.within(1, 1_000_000).spinNs).toBe(8 * 2 * 500)
    const tight = new StolenTime(SET, [ROUTE], 3, FLOATING)
    expect(tight.within(0, 1_000_000).spinNs).toBe(500)
    expect(tight.within(1, 1_000_000).spinNs).toBe(2 * 500)
    expect(tight.rate(1)).toBeCloseTo((4 * 3000 + 500) / 1e6, 12)
  })

  it('a serial DMA cannot complete faster than it copies', () => {
    const [tight, plain] = [true, false].map(
      (completionStream) => new StolenTime(SET, [ROUTE], 3, FLOATING, { completionStream }),
    )
    expect(plain!.completionsOf(0, 10_000)).toBe(4)
    expect(tight!.completionsOf(0, 10_000)).toBe(2)
    expect(tight!.completionsOf(0, 1_000_000)).toBe(8)
  })

  it('chained messages complete less often', () => {
    const stolen = new StolenTime(SET, [{ ...ROUTE, completionsPerMessage: 1 }], 3, FLOATING)
    expect(stolen.completionsOf(0, 1_000_000)).toBe(2)
    expect(stolen.rate(1)).toBeCloseTo((3000 + 500) / 1e6, 12)
  })

  it('no window of a simulation has more completions than the bound', () => {
    let tight = 0
    for (let seed = 0; seed < 150; seed++) {
      const random = new Random(seed, 6)
      const set = randomSet(random)
      const bounds = fixedPriorityBounds(set)
      const routes = bounds.map((terms) => ({
        sourceCore: 0,
        destinationCore: 1,
        responseNs: terms?.responseNs ?? 0,
        bestResponseNs: 0,
      }))
      const stolen = new StolenTime(set, routes, 2, FLOATING)
      const { completions } = simulateChunks({
        set,
        scheduler: 'fp',
        ranks: ranksOf(set.flows),
        messages: randomMessages(random, set, 4 * Math.max(...set.flows.map((flow) => flow.periodNs))),
        drawOverheadNs: (best, worst) => random.between(best, worst),
      })
      completions.forEach((times, flow) => {
        if (bounds[flow] === null) return
        for (let first = 0; first < times.length; first++) {
          for (let last = first; last < Math.min(times.length, first + 40); last++) {
            const bound = stolen.completionsOf(flow, times[last]! - times[first]!)
            expect(bound, `seed ${seed}, flow ${flow}`).toBeGreaterThanOrEqual(last - first + 1)
            if (bound === last - first + 1 && last > first) tight++
          }
        }
      })
    }
    expect(tight).toBeGreaterThan(100)
  })

  it('what the floating placement frees, and the rate at which it no longer does', () => {
    const [dedicated, floating] = [DEDICATED, FLOATING].map((costs) => new StolenTime(SET, [ROUTE], 3, costs))
    const capacity = freedCapacity(dedicated!, floating!, 3)
    const extra = (2000 + 500 - 2500 + 4 * (3000 - 2400) + 500) / 1e6
    expect(capacity.freed).toBeCloseTo(1 - extra, 12)
    expect(capacity.breakEven).toBeCloseTo(1 / extra, 6)
    expect(freedCapacity(floating!, dedicated!, 3).breakEven).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('guest tasks', () => {
  const quiet = { within: () => 0, rate: 0, blockingNs: 0 }

  it('without a broker: the response times of preemptive fixed priority', () => {
    const tasks = [
      { periodNs: 7, deadlineNs: 7, executionNs: 3 },
      { periodNs: 12, deadlineNs: 12, executionNs: 3 },
      { periodNs: 20, deadlineNs: 20, executionNs: 5 },
    ]
    expect(guestResponseTimes(tasks, quiet).map((terms) => terms?.responseNs)).toEqual([3, 6, 20])
  })

  it('looks at every instance of the busy period [Lehoczky 1990]', () => {
    const tasks = [
      { periodNs: 70, deadlineNs: 70, executionNs: 26 },
      { periodNs: 100, deadlineNs: 118, executionNs: 62 },
    ]
    expect(guestResponseTimes(tasks, quiet)[1]).toMatchObject({ responseNs: 118, releaseNs: 400 })
  })

  it('under the broker: its interference and one section of it ahead, with terms that add up', () => {
    const stolen = new StolenTime(SET, [ROUTE], 3, FLOATING)
    const core = { within: (t: number) => stolen.within(1, t).totalNs, rate: stolen.rate(1), blockingNs: 4000 }
    const tasks = [{ periodNs: 1_000_000, deadlineNs: 1_000_000, executionNs: 100_000 }]
    const [terms] = guestResponseTimes(tasks, core)
    expect(terms).toEqual({
      responseNs: 100_000 + 4000 + 4 * 3000 + 500,
      ownNs: 100_000,
      interferenceNs: 0,
      blockingNs: 4000,
      stolenNs: 4 * 3000 + 500,
      releaseNs: 0,
    })
  })

  it('a core that is full has no bound from that task on', () => {
    const half = { periodNs: 10, deadlineNs: 10, executionNs: 5 }
    expect(guestResponseTimes([half, half, half], quiet).map((terms) => terms === null)).toEqual([false, true, true])
  })
})

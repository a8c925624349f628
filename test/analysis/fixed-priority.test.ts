import {
  deadlineMonotonic,
  type FlowSet,
  fixedPriorityBounds,
  fixedPrioritySchedulable,
  ranksOf,
  TIGHTNESS,
  type Tightness,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { GOLDEN, randomSet } from './flow-sets.ts'

const responses = (set: FlowSet, tightness?: Tightness) =>
  fixedPriorityBounds(set, tightness).map((terms) => terms?.responseNs ?? Number.POSITIVE_INFINITY)

const lone = (periodNs: number, lengthBytes: number, lookAhead = 0): FlowSet => ({
  flows: [{ periodNs, deadlineNs: periodNs, lengthBytes }],
  dma: { dmaBytesPerNs: 1, chunkBytes: 10, chunkOverheadNs: [0, 0], messageOverheadNs: 0, lookAhead },
  regulator: { kind: 'none' },
})

describe('fixed priority', () => {
  it('the verdict is that of the bounds', () => {
    const verdicts = new Set<boolean>()
    for (let seed = 0; seed < 1000; seed++) {
      const set = randomSet(new Random(seed), seed % 2)
      for (const tightness of Object.values(TIGHTNESS)) {
        const verdict = responses(set, tightness).every((bound, flow) => bound <= set.flows[flow]!.deadlineNs)
        expect(fixedPrioritySchedulable(set, tightness)).toBe(verdict)
        verdicts.add(verdict)
      }
    }
    expect(verdicts.size).toBe(2)
  })

  it('more demand than supply: no bound, for that level and those below only', () => {
    const heavy = { periodNs: 5_000_000, deadlineNs: 5_000_000, lengthBytes: 4_000_000 }
    const bounds = responses({ ...GOLDEN, flows: [GOLDEN.flows[0]!, heavy, GOLDEN.flows[4]!] })
    expect(bounds.map(Number.isFinite)).toEqual([true, false, false])
  })

  it.each([
    ['fits exactly', 30, 30, 0, 30],
    ['one too many', 29, 30, 0, Number.POSITIVE_INFINITY],
    ['fits, behind committed chunks', 30, 30, 1, 50],
  ])('utilisation at the limit: %s', (_, periodNs, lengthBytes, lookAhead, bound) => {
    expect(responses(lone(periodNs, lengthBytes, lookAhead))).toEqual([bound])
  })

  it('a utilisation that doubles cannot tell from 1 is decided exactly', () => {
    // 1/3 + 1/3 + 1/3, and a nanosecond less or more in periods of about 10^9.
    const thirds = (last: number) => {
      const flows = [0, 0, last].map((more) => ({
        periodNs: 3_000_000_000 + more,
        deadlineNs: 9_000_000_000,
        lengthBytes: 1_000_000_000,
      }))
      return { ...lone(1, 1), flows, dma: { ...lone(1, 1).dma, chunkBytes: 1_000_000_000 } }
    }
    expect(responses(thirds(0))[2]).toBe(3_000_000_000)
    expect(responses(thirds(-1))[2]).toBe(Number.POSITIVE_INFINITY)
    expect(responses(thirds(1))[2]).toBe(3_000_000_000)
  })

  it('refuses to leave the exact integers', () => {
    const flow = { periodNs: 2 ** 51, deadlineNs: 2 ** 51, lengthBytes: 2 ** 50 - 2 ** 30, jitterNs: 2 ** 51 }
    const dma = { ...lone(1, 1).dma, chunkBytes: 2 ** 20 }
    const set = { ...lone(1, 1), dma, flows: [flow, flow] }
    expect(() => fixedPriorityBounds(set)).toThrow('2^52')
    expect(() => fixedPriorityBounds({ ...set, flows: [{ ...flow, jitterNs: 2 ** 53 }] })).toThrow('2^52')
  })

  it('anomaly: a smaller overhead can lengthen the bound of an urgent flow, because the budget runs out earlier', () => {
    const urgent = (h: number) => {
      const dma = { ...GOLDEN.dma, chunkOverheadNs: [h, h] as const }
      return responses({ ...GOLDEN, dma })[0]!
    }
    expect(urgent(1500)).toBeGreaterThan(urgent(3000))
  })

  it('flows of equal rank count as going first, and none of them blocks', () => {
    const flows = GOLDEN.flows.slice(0, 2)
    const set = { ...GOLDEN, flows }
    const [together, last] = [
      fixedPriorityBounds(set, TIGHTNESS.A4, [0, 0]),
      fixedPriorityBounds(set, TIGHTNESS.A4, [1, 0]),
    ]
    expect(together[0]).toEqual(last[0])
  })

  it('priorities: given for all, or deadline-monotonic with jitter taken off', () => {
    const [a, b] = [GOLDEN.flows[0]!, GOLDEN.flows[1]!]
    expect(ranksOf([b, a])).toEqual([1, 0])
    expect(deadlineMonotonic([{ ...b, jitterNs: 6_000_000 }, a])).toEqual([0, 1])
    const given = [
      { ...a, priority: 3 },
      { ...b, priority: 3 },
    ]
    expect(ranksOf(given)).toEqual([3, 3])
    expect(() => ranksOf([given[0]!, b])).toThrow('every flow a priority')
  })
})

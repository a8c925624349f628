import { earliestDeadlineBounds, type FlowSet, fixedPriorityBounds, ranksOf } from 'virtio-sdk/analysis'
import { replayWitness, WorstCaseSearch } from 'virtio-sdk/evaluation'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { GOLDEN } from '../analysis/flow-sets.ts'
import { searchBehaviours } from '../analysis/state-space.ts'

/** Two or three flows of a few chunks on a scarce budget, small enough for every behaviour. */
function smallInstance(seed: number): FlowSet {
  const random = new Random(seed, 4)
  const chunkBytes = random.between(1, 3)
  const best = random.between(0, 1)
  const periodNs = random.between(4, 8)
  const flows = Array.from({ length: 2 }, () => {
    const flowPeriodNs = random.between(6, 20)
    return { periodNs: flowPeriodNs, deadlineNs: flowPeriodNs, lengthBytes: random.between(1, 2 * chunkBytes) }
  })
  const chunkOverheadNs = [best, best + random.between(0, 1)] as const
  return {
    flows,
    dma: { dmaBytesPerNs: 1, chunkBytes, chunkOverheadNs, messageOverheadNs: random.between(0, 1) },
    regulator: { kind: 'budget', periodNs, budgetNs: random.between(2, periodNs - 1) },
  }
}

describe('search for the worst case', () => {
  it.each(['fp', 'edf'] as const)(
    '%s: finds nothing that cannot happen, and most of what can, against every behaviour of small instances',
    (scheduler) => {
      let found = 0
      let worst = 0
      for (let seed = 0; seed < 400; seed++) {
        const set = smallInstance(seed)
        const ranks = [0, 1]
        const terms = scheduler === 'fp' ? fixedPriorityBounds(set, undefined, ranks) : earliestDeadlineBounds(set)
        const bounds = terms.map((term) => term?.responseNs ?? 1000)
        if (bounds.some((bound) => bound > 60)) continue
        const space = searchBehaviours({ set, scheduler, ranks, limits: bounds, maxStates: 20_000 })
        if (!space.complete) continue
        const search = new WorstCaseSearch(set, scheduler, ranks)
        for (const flow of ranks) {
          const { responseNs } = search.find(flow, new Random(seed))
          expect(responseNs, `seed ${seed}, flow ${flow}`).toBeLessThanOrEqual(space.worst[flow]!)
          found += responseNs
          worst += space.worst[flow]!
        }
      }
      expect(worst).toBeGreaterThan(2000)
      expect(found / worst).toBeGreaterThan(0.9)
    },
  )

  it('comes close to the bounds of the golden set, from behaviours that can be replayed', () => {
    const ranks = ranksOf(GOLDEN.flows)
    const search = new WorstCaseSearch(GOLDEN, 'fp', ranks)
    fixedPriorityBounds(GOLDEN, undefined, ranks).forEach((terms, flow) => {
      const { responseNs, witness } = search.find(flow, new Random(1))
      expect(terms!.responseNs / responseNs).toBeGreaterThanOrEqual(1)
      expect(terms!.responseNs / responseNs).toBeLessThan(1.02)
      expect(replayWitness(GOLDEN, JSON.parse(JSON.stringify(witness)))).toBe(responseNs)
    })
  })

  it('without a regulator a bound is reached exactly, or missed by ticks', () => {
    const set = { ...GOLDEN, regulator: { kind: 'none' } as const }
    const ranks = ranksOf(set.flows)
    const search = new WorstCaseSearch(set, 'fp', ranks)
    fixedPriorityBounds(set, undefined, ranks).forEach((terms, flow) => {
      expect(search.find(flow, new Random(1)).responseNs).toBe(terms!.responseNs)
    })
  })

  it('under EDF without a regulator a bound is reached exactly, or missed by the tick that breaks a tie of deadlines', () => {
    let [reached, all, later] = [0, 0, 0]
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed, 5)
      const flows = Array.from({ length: 5 }, () => {
        const periodNs = random.between(200_000, 2_000_000)
        return { periodNs, deadlineNs: periodNs, lengthBytes: random.between(1, periodNs >> 3) }
      })
      const set: FlowSet = { ...GOLDEN, flows, regulator: { kind: 'none' } }
      const search = new WorstCaseSearch(set, 'edf')
      earliestDeadlineBounds(set).forEach((terms, flow) => {
        if (terms === null) return
        const { responseNs } = search.find(flow, new Random(seed))
        expect(responseNs).toBeLessThanOrEqual(terms.responseNs)
        all++
        if (responseNs < terms.responseNs - 1) return
        reached++
        if (terms.releaseNs > 0) later++
      })
    }
    expect(reached / all).toBeGreaterThan(0.9)
    // Those that a search at the start of a busy period alone would not find.
    expect(later).toBeGreaterThan(30)
  })
})

import { chainBounds, chunkCount, type FlowSet, fixedPriorityBounds, ranksOf, TIGHTNESS } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { simulateChunks } from './chunk-simulator.ts'
import { GOLDEN, randomSet } from './flow-sets.ts'

/** Two hops of one period and one other flow. */
const SET: FlowSet = {
  ...GOLDEN,
  flows: [GOLDEN.flows[1]!, { ...GOLDEN.flows[1]!, lengthBytes: 4096 }, GOLDEN.flows[2]!],
}
const MS = 1_000_000

describe('chains', () => {
  it('a chain of one hop is its flow', () => {
    const [first] = fixedPriorityBounds(SET)
    expect(chainBounds(SET, [{ hops: [{ flow: 0 }], deadlineNs: 10 * MS }])).toEqual([
      { endToEndNs: first!.responseNs, hops: [first] },
    ])
  })

  it("what varies in a hop is the next hop's jitter", () => {
    const first = fixedPriorityBounds(SET)[0]!.responseNs
    const hops = [{ flow: 0, bestResponseNs: 600_000, forwardNs: [10_000, 50_000] as const }, { flow: 1 }]
    const [bound] = chainBounds(SET, [{ hops, deadlineNs: 10 * MS }])!
    expect(bound!.hops[1]!.jitterNs).toBe(first - 600_000 + 40_000)
    expect(bound!.endToEndNs).toBe(610_000 + bound!.hops[1]!.responseNs)
  })

  it('null beyond the deadline', () => {
    expect(chainBounds(SET, [{ hops: [{ flow: 0 }, { flow: 1 }], deadlineNs: MS }])).toBeNull()
  })

  it('no simulation exceeds the bound of a chain', () => {
    let compared = 0
    for (let seed = 0; seed < 500; seed++) {
      const drawn = randomSet(new Random(seed, 7))
      const [first, second, ...others] = drawn.flows
      const { periodNs } = first!
      const set = { ...drawn, flows: [first!, { ...second!, periodNs, jitterNs: 0 }, ...others] }
      const ranks = ranksOf(set.flows)
      const chain = { hops: [{ flow: 0 }, { flow: 1 }], deadlineNs: 20 * periodNs }
      const [bound] = chainBounds(set, [chain], TIGHTNESS.A4, ranks) ?? []
      if (bound === undefined) continue
      let messages = set.flows.map((flow) =>
        Array.from({ length: 20 }, (_, k) => ({ nominalNs: k * flow.periodNs, queuedNs: k * flow.periodNs })),
      )
      // The second hop is released when the first completes, which it delays in turn: simulate until both agree.
      const chunks = chunkCount(first!.lengthBytes, set.dma.chunkBytes)
      for (let round = 0; round < 20; round++) {
        const { completions, worstNs } = simulateChunks({ set, scheduler: 'fp', ranks, messages })
        const releases = messages[1]!.map((message, k) => ({
          ...message,
          queuedNs: completions[0]![(k + 1) * chunks - 1]!,
        }))
        if (releases.every((release, k) => release.queuedNs === messages[1]![k]!.queuedNs)) {
          expect(worstNs[1], `seed ${seed}`).toBeLessThanOrEqual(bound.endToEndNs)
          compared++
          break
        }
        messages = messages.with(1, releases)
      }
    }
    expect(compared).toBeGreaterThan(100)
  })
})

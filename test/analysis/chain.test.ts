import { chainBounds, chunkCount, type FlowSet, fixedPriorityBounds, ranksOf, TIGHTNESS } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { simulateChunks } from './chunk-simulator.ts'
import { GOLDEN, randomMessages, randomSet } from './flow-sets.ts'

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

  it('a best case above the worst is refused', () => {
    const hops = [{ flow: 0, bestResponseNs: 10 * MS }, { flow: 1 }]
    expect(() => chainBounds(SET, [{ hops, deadlineNs: 10 * MS }])).toThrow('best cannot be above the worst')
  })

  it('with offsets: hops of one message do not come at once, and without they do', () => {
    // Both hops of the chain are more urgent than the flow beside it, which is as short as the time between them.
    const hop = { periodNs: 20 * MS, deadlineNs: 20 * MS, lengthBytes: 400_000 }
    const last = { ...hop, lengthBytes: 100_000 }
    const set: FlowSet = { ...GOLDEN, flows: [hop, hop, hop, last], regulator: { kind: 'none' } }
    const hops = [0, 1, 2].map((flow) => ({ flow, bestResponseNs: 400_000, forwardNs: [1 * MS, 1 * MS] as const }))
    const chains = [
      { hops, deadlineNs: 20 * MS },
      { hops: [{ flow: 3 }], deadlineNs: 20 * MS },
    ]
    const [apart, together] = [true, false].map((offsets) =>
      chainBounds(set, chains, TIGHTNESS.A4, [0, 1, 2, 3], { offsets })!.map((bound) => bound.endToEndNs),
    )
    expect(apart![1]).toBeLessThan(together![1]! / 2)
    expect(apart![0]).toBeLessThan(together![0]!)
  })

  it('no simulation exceeds the bounds of chains, with offsets or without, and offsets never lengthen one', () => {
    const seen = { compared: 0, shorter: 0 }
    for (let seed = 0; seed < 400; seed++) {
      const random = new Random(seed, 7)
      const drawn = randomSet(random)
      // One chain of two hops and, where there are flows enough, another beside it; sporadic, with some forwarding in between.
      const pairs = drawn.flows.length >= 4 ? [[0, 1] as const, [2, 3] as const] : [[0, 1] as const]
      const flows = [...drawn.flows]
      for (const [first, second] of pairs)
        flows[second] = { ...flows[second]!, periodNs: flows[first]!.periodNs, jitterNs: 0 }
      const set = { ...drawn, flows }
      const ranks = seed % 2 === 0 ? ranksOf(flows) : flows.map((_, i) => flows.length - i)
      const forwardNs = [random.between(0, 5), random.between(5, 20)] as const
      const chains = pairs.map(([first, second]) => ({
        hops: [{ flow: first, bestResponseNs: bestOf(set, first), forwardNs }, { flow: second }],
        deadlineNs: 20 * flows[first]!.periodNs,
      }))
      const bounds = chainBounds(set, chains, TIGHTNESS.A4, ranks)
      const holistic = chainBounds(set, chains, TIGHTNESS.A4, ranks, { offsets: false })
      if (bounds === null) {
        expect(holistic).toBeNull()
        continue
      }
      let messages = randomMessages(random, set, 8 * Math.max(...flows.map((flow) => flow.periodNs)))
      const delays = messages.map((own) => own.map(() => random.pick([forwardNs[0], forwardNs[1]])))
      // A hop is released when the one before it completes, which it delays in turn: simulate until both agree.
      for (let round = 0; round < 20; round++) {
        const { completions, worstNs } = simulateChunks({ set, scheduler: 'fp', ranks, messages })
        const next = messages.map((own) => own)
        for (const [first, second] of pairs) {
          const chunks = chunkCount(flows[first]!.lengthBytes, set.dma.chunkBytes)
          let queuedNs = 0
          next[second] = messages[first]!.map(({ nominalNs }, k) => {
            queuedNs = Math.max(queuedNs, completions[first]![(k + 1) * chunks - 1]! + delays[first]![k]!)
            return { nominalNs, queuedNs }
          })
        }
        if (JSON.stringify(next) === JSON.stringify(messages)) {
          pairs.forEach(([, second], chain) => {
            const { endToEndNs } = bounds[chain]!
            expect(worstNs[second], `seed ${seed}`).toBeLessThanOrEqual(endToEndNs)
            expect(endToEndNs, `seed ${seed}`).toBeLessThanOrEqual(holistic?.[chain]?.endToEndNs ?? endToEndNs)
            if (holistic === null || endToEndNs < holistic[chain]!.endToEndNs) seen.shorter++
            seen.compared++
          })
          break
        }
        messages = next
      }
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(50)
  })
})

/** No overhead but the least, and no copying faster than the DMA. */
function bestOf({ flows, dma }: FlowSet, flow: number): number {
  const { lengthBytes } = flows[flow]!
  const chunks = chunkCount(lengthBytes, dma.chunkBytes)
  const lastBytes = lengthBytes - (chunks - 1) * dma.chunkBytes
  const copyNs = (chunks - 1) * Math.ceil(dma.chunkBytes / dma.dmaBytesPerNs) + Math.ceil(lastBytes / dma.dmaBytesPerNs)
  return copyNs + chunks * dma.chunkOverheadNs[0] + dma.messageOverheadNs
}

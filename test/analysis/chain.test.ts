import {
  chainBounds,
  chunkCount,
  earliestDeadlineBounds,
  type FlowSet,
  fixedPriorityBounds,
  ranksOf,
  type Scheduler,
  TIGHTNESS,
} from 'virtio-sdk/analysis'
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
      chainBounds(set, chains, TIGHTNESS.A4, { ranks: [0, 1, 2, 3], offsets })!.map((bound) => bound.endToEndNs),
    )
    expect(apart![1]).toBeLessThan(together![1]! / 2)
    expect(apart![0]).toBeLessThan(together![0]!)
  })

  it('under EDF a chain of one hop is its flow, and jitter is passed on', () => {
    const [first] = earliestDeadlineBounds(SET)
    const one = chainBounds(SET, [{ hops: [{ flow: 0 }], deadlineNs: 10 * MS }], TIGHTNESS.A4, { scheduler: 'edf' })
    expect(one).toEqual([{ endToEndNs: first!.responseNs, hops: [first] }])
    const hops = [{ flow: 0, bestResponseNs: 600_000, forwardNs: [10_000, 50_000] as const }, { flow: 1 }]
    const [two] = chainBounds(SET, [{ hops, deadlineNs: 10 * MS }], TIGHTNESS.A4, { scheduler: 'edf' })!
    expect(two!.hops[1]!.jitterNs).toBe(first!.responseNs - 600_000 + 40_000)
    expect(two!.endToEndNs).toBe(610_000 + two!.hops[1]!.responseNs)
  })

  it('no simulation exceeds the bounds of chains, with offsets or without, and offsets never lengthen one', () => {
    const seen = { compared: 0, shorter: 0 }
    for (let seed = 0; seed < 400; seed++) {
      const { set, chains, ranks, worstOf } = drawChains(seed)
      const bounds = chainBounds(set, chains, TIGHTNESS.A4, { ranks })
      const holistic = chainBounds(set, chains, TIGHTNESS.A4, { ranks, offsets: false })
      if (bounds === null) {
        expect(holistic).toBeNull()
        continue
      }
      worstOf('fp')?.forEach((worstNs, chain) => {
        const { endToEndNs } = bounds[chain]!
        expect(worstNs, `seed ${seed}`).toBeLessThanOrEqual(endToEndNs)
        expect(endToEndNs, `seed ${seed}`).toBeLessThanOrEqual(holistic?.[chain]?.endToEndNs ?? endToEndNs)
        if (holistic === null || endToEndNs < holistic[chain]!.endToEndNs) seen.shorter++
        seen.compared++
      })
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(50)
  })

  it.each(['release', 'arrival'] as const)(
    'under EDF no simulation exceeds them: deadlines from %s',
    (deadlinesFrom) => {
      const seen = { compared: 0, close: 0, exceedsWithoutJitter: 0 }
      for (let seed = 0; seed < 400; seed++) {
        const { set, chains, worstOf } = drawChains(seed)
        const bounds = chainBounds(set, chains, TIGHTNESS.A4, { scheduler: 'edf', deadlinesFrom })
        if (bounds === null) continue
        const apart = earliestDeadlineBounds(set)
        worstOf('edf', deadlinesFrom)?.forEach((worstNs, chain) => {
          const { endToEndNs } = bounds[chain]!
          expect(worstNs, `seed ${seed}`).toBeLessThanOrEqual(endToEndNs)
          seen.compared++
          if (worstNs > 0.7 * endToEndNs) seen.close++
          // What the search is worth: a second hop that were not late by what the first one is.
          const [first, second] = chains[chain]!.hops
          const atBestNs = first!.bestResponseNs! + first!.forwardNs![0]
          if (worstNs > atBestNs + apart[second!.flow]!.responseNs) seen.exceedsWithoutJitter++
        })
      }
      expect(seen.compared, JSON.stringify(seen)).toBeGreaterThan(100)
      expect(Math.min(seen.close, seen.exceedsWithoutJitter), JSON.stringify(seen)).toBeGreaterThan(10)
    },
  )
})

/** One chain of two hops and, where there are flows enough, another beside it; sporadic, with some forwarding in between. */
function drawChains(seed: number) {
  const random = new Random(seed, 7)
  const drawn = randomSet(random)
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
  const released = randomMessages(random, set, 8 * Math.max(...flows.map((flow) => flow.periodNs)))
  const delays = released.map((own) => own.map(() => random.pick([forwardNs[0], forwardNs[1]])))

  /**
   * The longest time of each chain from its nominal release. A hop is released when the one before it completes, which it delays in turn:
   * simulate until both agree. Null: they do not.
   */
  function worstOf(scheduler: Scheduler, deadlinesFrom: 'release' | 'arrival' = 'release'): number[] | null {
    let messages = released
    for (let round = 0; round < 20; round++) {
      // The machine counts deadlines from its messages' nominal times.
      const counted = messages.map((own) =>
        own.map((message) => (deadlinesFrom === 'release' ? message : { ...message, nominalNs: message.queuedNs })),
      )
      const { completions } = simulateChunks({ set, scheduler, ranks, messages: counted })
      const endOf = (flow: number, k: number) =>
        completions[flow]![(k + 1) * chunkCount(flows[flow]!.lengthBytes, set.dma.chunkBytes) - 1]!
      const next = messages.map((own) => own)
      for (const [first, second] of pairs) {
        const atBestNs = bestOf(set, first) + forwardNs[0]
        let queuedNs = 0
        next[second] = messages[first]!.map(({ nominalNs }, k) => {
          queuedNs = Math.max(queuedNs, endOf(first, k) + delays[first]![k]!)
          return { nominalNs: nominalNs + atBestNs, queuedNs }
        })
      }
      if (JSON.stringify(next) === JSON.stringify(messages)) {
        return pairs.map(([first, second]) =>
          Math.max(...messages[first]!.map(({ nominalNs }, k) => endOf(second, k) - nominalNs)),
        )
      }
      messages = next
    }
    return null
  }

  return { set, chains, ranks, worstOf }
}

/** No overhead but the least, and no copying faster than the DMA. */
function bestOf({ flows, dma }: FlowSet, flow: number): number {
  const { lengthBytes } = flows[flow]!
  const chunks = chunkCount(lengthBytes, dma.chunkBytes)
  const lastBytes = lengthBytes - (chunks - 1) * dma.chunkBytes
  const copyNs = (chunks - 1) * Math.ceil(dma.chunkBytes / dma.dmaBytesPerNs) + Math.ceil(lastBytes / dma.dmaBytesPerNs)
  return copyNs + chunks * dma.chunkOverheadNs[0] + dma.messageOverheadNs
}

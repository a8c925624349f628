import { ranksOf } from 'virtio-sdk/analysis'
import { ChunkMachine, type OverheadChoice, Releases } from 'virtio-sdk/evaluation'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { type SimulatedMessage, type SimulationInput, simulateChunks } from '../analysis/chunk-simulator.ts'
import { GOLDEN, randomMessages, randomSet } from '../analysis/flow-sets.ts'

function releasesOf(messages: readonly (readonly SimulatedMessage[])[]): Releases {
  const releases = new Releases(messages.length, 1)
  messages.forEach((own, flow) => {
    for (const { nominalNs, queuedNs, late } of own) releases.add(flow, nominalNs, queuedNs, late)
  })
  return releases
}

/** An overhead, and the same for the naive simulator. */
type Overheads = [string, (seed: number) => OverheadChoice, (seed: number) => SimulationInput['drawOverheadNs']]
const OVERHEADS: Overheads[] = [
  ['worst', () => ({ kind: 'worst' }), () => (_, worst) => worst],
  ['best', () => ({ kind: 'best' }), () => (best) => best],
  [
    'mixed',
    (seed) => ({ kind: 'mixed', random: new Random(seed, 9) }),
    (seed) => {
      const random = new Random(seed, 9)
      return (best, worst) => random.between(best, worst)
    },
  ],
]

describe('the chunk machine is its naive twin', () => {
  const cases = OVERHEADS.flatMap(([name, ...draws]) => [0, 1, 2].map((kappa) => [name, kappa, ...draws] as const))
  it.each(cases)('%s overheads, look-ahead %i', (_, lookAhead, choice, draw) => {
    let late = 0
    for (let seed = 0; seed < 1500; seed++) {
      const random = new Random(seed, 8)
      const set = randomSet(random, lookAhead)
      const ranks = ranksOf(set.flows)
      const messages = randomMessages(random, set, 3 * Math.max(...set.flows.map((flow) => flow.periodNs)))
      const budget = set.regulator.kind === 'budget' ? set.regulator : null
      const start = budget
        ? {
            balanceNs: random.between(-budget.budgetNs, budget.budgetNs),
            nextRefillNs: random.between(1, budget.periodNs),
          }
        : {}
      const releases = releasesOf(messages)
      for (const scheduler of ['fp', 'edf'] as const) {
        const drawOverheadNs = draw(seed)!
        const twin = simulateChunks({ set, scheduler, ranks, messages, drawOverheadNs, ...start })
        const machine = new ChunkMachine(set, scheduler, ranks)
        const completions = set.flows.map(() => [])
        machine.run(releases, { overhead: choice(seed), completions, ...start })
        expect(completions, `seed ${seed}`).toEqual(twin.completions)
        // Without asking for completions chunks are batched: the figures are the same.
        machine.run(releases, { overhead: choice(seed), ...start })
        expect([...machine.worstNs], `seed ${seed}`).toEqual([...twin.worstNs])
        expect(machine.lateMessages).toBe(twin.lateMessages)
        late += twin.lateMessages
      }
    }
    expect(late).toBeGreaterThan(0)
  })
})

describe('the chunk machine', () => {
  const ranks = [0, 1, 2, 3, 4]
  const synchronous = () => {
    const releases = new Releases(5)
    GOLDEN.flows.forEach(({ periodNs }, flow) => {
      for (let k = 0; k < 100_000_000 / periodNs; k++) releases.add(flow, k * periodNs)
    })
    return releases
  }

  it('golden vector: synchronous release when the budget has just run out', () => {
    const machine = new ChunkMachine(GOLDEN, 'fp', ranks)
    machine.run(synchronous(), { balanceNs: 0, nextRefillNs: 1_000_000 - 866_000 })
    expect([...machine.worstNs]).toEqual([248536, 1446224, 3531376, 13424936, 29558736])
  })

  it('stops when the watched flow and those before it have nothing left', () => {
    const machine = new ChunkMachine(GOLDEN, 'fp', ranks)
    machine.run(synchronous(), { balanceNs: 0, nextRefillNs: 1_000_000 - 866_000, watch: 2, watchFromNs: 1 })
    expect(machine.worstNs[2]).toBe(machine.timeNs)
    expect(machine.timeNs).toBeLessThan(GOLDEN.flows[2]!.periodNs)
  })

  it('overheads are at their best until the given time, and within a chain', () => {
    const dma = { ...GOLDEN.dma, chunkOverheadNs: [0, 100] as const, messageOverheadNs: 0, lookAhead: 1 }
    const set = { flows: [{ ...GOLDEN.flows[0]!, lengthBytes: 4 * 4096 }], dma, regulator: { kind: 'none' as const } }
    const machine = new ChunkMachine(set, 'fp', [0])
    const releases = new Releases(1)
    releases.add(0, 0)
    const responseOf = (overhead: OverheadChoice) => {
      machine.run(releases, { overhead })
      return machine.worstNs[0]! - 4 * 4096
    }
    expect(responseOf({ kind: 'worst' })).toBe(400)
    expect(responseOf({ kind: 'worst', bestUntilNs: 4097 })).toBe(200)
    expect(responseOf({ kind: 'best' })).toBe(0)
    expect(responseOf({ kind: 'chained' })).toBe(100)
  })

  it('refuses a token bucket, which it does not have', () => {
    const regulator = { kind: 'bucket', bytesPerNs: 1, burstBytes: 8192 } as const
    expect(() => new ChunkMachine({ ...GOLDEN, regulator }, 'fp', ranks)).toThrow('token bucket')
  })
})

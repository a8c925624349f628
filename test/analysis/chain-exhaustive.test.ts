/** Every behaviour of small chains, sporadic ones too, against the bounds with and without offsets. */
import { type Chain, chainBounds, type FlowSet, type Hop, TIGHTNESS } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { CAMPAIGN, CAMPAIGN_TIMEOUT_MS, report } from './campaign.ts'
import { searchBehaviours } from './state-space.ts'

interface Instance {
  readonly set: FlowSet
  /** The chain, and the flow beside it as one of a single hop. */
  readonly chains: readonly Chain[]
  readonly ranks: readonly number[]
  readonly after: readonly number[]
}

/** A chain of two or three hops, and perhaps a flow beside it, in any order of priority. */
function instance(seed: number): Instance {
  const random = new Random(seed, 16)
  const chunkBytes = random.between(1, 2)
  const best = random.between(0, 1)
  const hopCount = random.between(2, 3)
  const periodNs = random.between(6, 18)
  const budgetPeriodNs = random.between(1, 5)
  const dma = {
    dmaBytesPerNs: 1,
    chunkBytes,
    chunkOverheadNs: [best, best + random.between(0, 1)] as const,
    messageOverheadNs: random.between(0, 1),
    lookAhead: random.chance(0.2) ? 1 : 0,
  }
  const flow = (flowPeriodNs: number, jitterNs: number) => ({
    periodNs: flowPeriodNs,
    deadlineNs: 1000,
    lengthBytes: random.between(1, 2 * chunkBytes),
    jitterNs,
  })
  const flows = Array.from({ length: hopCount }, (_, k) => flow(periodNs, k === 0 ? random.between(0, 2) : 0))
  if (random.chance(0.6)) flows.push(flow(random.between(4, 20), 0))
  const ranks = flows.map((_, i) => i)
  for (let i = ranks.length - 1; i > 0; i--) {
    const j = random.between(0, i)
    const swapped = ranks[i]!
    ranks[i] = ranks[j]!
    ranks[j] = swapped
  }
  const hops = Array.from({ length: hopCount }, (_, k): Hop => {
    const { lengthBytes } = flows[k]!
    const bestResponseNs = lengthBytes + Math.ceil(lengthBytes / chunkBytes) * best + dma.messageOverheadNs
    return { flow: k, bestResponseNs }
  })
  return {
    set: {
      flows,
      dma,
      regulator: { kind: 'budget', periodNs: budgetPeriodNs, budgetNs: random.between(1, budgetPeriodNs) },
    },
    chains: [
      { hops, deadlineNs: 60 },
      ...flows.slice(hopCount).map((_, k) => ({ hops: [{ flow: hopCount + k }], deadlineNs: 60 })),
    ],
    ranks,
    after: flows.map((_, i) => (i > 0 && i < hopCount ? i - 1 : -1)),
  }
}

/** From the nominal release of a chain to the end of each of its hops. */
function limitsOf({ set, chains, ranks }: Instance, name: 'A0' | 'A3' | 'A4', offsets: boolean): number[] | null {
  const bounds = chainBounds(set, chains, TIGHTNESS[name], { ranks, offsets })
  if (bounds === null) return null
  const limits = set.flows.map(() => 0)
  chains.forEach(({ hops }, c) => {
    let earliestNs = 0
    hops.forEach((hop, k) => {
      limits[hop.flow] = earliestNs + bounds[c]!.hops[k]!.responseNs
      earliestNs += hop.bestResponseNs ?? 0
    })
  })
  return limits
}

const search = ({ set, ranks, after }: Instance, limits: readonly number[]) =>
  searchBehaviours({ set, scheduler: 'fp', ranks, after, limits, maxStates: 30_000 })

describe('every behaviour of small chains', () => {
  it(
    'no hop of a chain exceeds A0, A3 or A4, with or without offsets',
    () => {
      const seen = { searched: 0, tight: 0, offsetsHelp: 0 }
      for (let seed = 0; seed < 300 * CAMPAIGN; seed++) {
        const drawn = instance(seed)
        const limits = limitsOf(drawn, 'A4', true)
        if (limits === null) continue
        const { violator, worst, complete } = search(drawn, limits)
        expect(violator, `seed ${seed}: ${JSON.stringify({ ...drawn, limits, worst })}`).toBe(-1)
        if (!complete) continue
        seen.searched++
        const last = drawn.chains[0]!.hops.at(-1)!.flow
        if (worst.some((response, flow) => response === limits[flow])) seen.tight++
        for (const name of ['A0', 'A3', 'A4'] as const) {
          const [plain, offset] = [limitsOf(drawn, name, false), limitsOf(drawn, name, true)]
          offset?.forEach((limit, flow) => {
            expect(limit, `${name}, seed ${seed}`).toBeGreaterThanOrEqual(worst[flow]!)
            expect(limit, `${name}, seed ${seed}`).toBeLessThanOrEqual(plain?.[flow] ?? Number.POSITIVE_INFINITY)
          })
          if (name === 'A4' && (plain === null || offset![last]! < plain[last]!)) seen.offsetsHelp++
        }
      }
      report('every behaviour of small chains', seen)
      expect(seen.tight).toBeGreaterThan(0)
      expect(Math.min(seen.searched, seen.offsetsHelp), JSON.stringify(seen)).toBeGreaterThan(30)
    },
    CAMPAIGN_TIMEOUT_MS,
  )

  it.each([
    [
      'hops that pass on half of their jitter',
      (drawn: Instance): Instance => {
        const bounds = chainBounds(drawn.set, drawn.chains, TIGHTNESS.A4, { ranks: drawn.ranks })
        const hops = drawn.chains[0]!.hops.map((hop, k) => {
          const known = bounds === null ? 0 : bounds[0]!.hops[k]!.responseNs
          return {
            ...hop,
            bestResponseNs: Math.max(hop.bestResponseNs!, Math.floor((known + hop.bestResponseNs!) / 2)),
          }
        })
        return { ...drawn, chains: drawn.chains.with(0, { ...drawn.chains[0]!, hops }) }
      },
    ],
    [
      'no jitter where there is some',
      (drawn: Instance): Instance => {
        const flows = drawn.set.flows.map((flow) => ({ ...flow, jitterNs: 0 }))
        return { ...drawn, set: { ...drawn.set, flows } }
      },
    ],
  ])(
    'the search refutes %s',
    (_, weaken) => {
      for (let seed = 0; seed < 10_000; seed++) {
        const drawn = instance(seed)
        let limits: number[] | null = null
        try {
          limits = limitsOf(weaken(drawn), 'A4', true)
        } catch (error) {
          // Larger than the response it is no offset at all, and refused.
          expect(error).toMatchObject({ code: 'BAD_CHAIN' })
        }
        if (limits === null) continue
        const { violator, worst } = search(drawn, limits)
        if (violator < 0) continue
        // And what it found is within the true bound.
        const truth = limitsOf(drawn, 'A4', true)!
        worst.forEach((response, flow) => {
          expect(response).toBeLessThanOrEqual(truth[flow]!)
        })
        return
      }
      expect.unreachable('no instance refutes it')
    },
    CAMPAIGN_TIMEOUT_MS,
  )
})

/** Demand that equals supply exactly in the long run (docs/analysis.md, Theorem 11). */
import {
  type AnalysisModel,
  DemandTest,
  deriveModel,
  earliestDeadlineBounds,
  earliestDeadlineSchedulable,
  type FlowSet,
  fixedPriorityBounds,
  fixedPrioritySchedulable,
  type Scheduler,
  startAfter,
  TIGHTEST,
  TIGHTNESS,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { CAMPAIGN, CAMPAIGN_TIMEOUT_MS } from './campaign.ts'
import { ABLATIONS } from './flow-sets.ts'
import { boundsOf, search } from './small-instances.ts'

const ANALYSES = { ...TIGHTNESS, A5: TIGHTEST }

/** Two flows whose demand is all that the regulator grants: of DMA time (A3), or of DMA time and software together (A4). */
function balancedInstance(seed: number): FlowSet {
  for (let draw = 0; ; draw++) {
    const random = new Random(seed * 1000 + draw, 21)
    const chunkBytes = random.between(1, 3)
    const overhead = random.pick([0, 0, 1])
    const periodNs = random.between(1, 6)
    const lookAhead = random.chance(0.2) ? 1 : 0
    const flows = Array.from({ length: random.between(1, 2) }, () => {
      const flowPeriodNs = random.pick([3, 4, 6, 8, 12])
      const lengthBytes = random.between(1, 3 * chunkBytes)
      const jitterNs = random.chance(0.2) ? random.between(1, 2) : 0
      return {
        periodNs: flowPeriodNs,
        deadlineNs: random.between(flowPeriodNs, 3 * flowPeriodNs),
        lengthBytes,
        jitterNs,
      }
    })
    const set: FlowSet = {
      flows,
      dma: {
        dmaBytesPerNs: 1,
        chunkBytes,
        chunkOverheadNs: [overhead, overhead],
        messageOverheadNs: 0,
        lookAhead,
        ...(random.chance(0.1) ? { stalls: [{ periodNs: 12, stallNs: 1 }] } : {}),
      },
      regulator: { kind: 'budget', periodNs, budgetNs: random.between(Math.ceil(periodNs / 2), periodNs) },
    }
    if (isBalanced(deriveModel(set, TIGHTNESS.A4))) return set
  }
}

/** One of the supplies equals the demand, and none exceeds it; periods divide 24. */
function isBalanced(model: AnalysisModel): boolean {
  const demand = (workFactor: number, softwareFactor: number) => {
    let sum = 0
    for (let i = 0; i < model.total; i++) {
      sum += (24 / model.periodNs[i]!) * (model.workNs[i]! * workFactor + model.overheadNs[i]! * softwareFactor)
    }
    return sum
  }
  const { supply, delayedSupply } = model
  const leftNs = [24 * supply.budgetNs - demand(supply.periodNs, supply.budgetNs)]
  if (delayedSupply !== null) {
    const { periodNs, budgetNs } = delayedSupply
    leftNs.push(24 * budgetNs - demand(periodNs, periodNs))
  }
  return Math.max(...leftNs) === 0
}

const responses = (set: FlowSet, scheduler: Scheduler, tightness = TIGHTNESS.A4) =>
  (scheduler === 'edf' ? earliestDeadlineBounds : fixedPriorityBounds)(set, tightness).map(
    (terms) => terms?.responseNs ?? null,
  )

const NO_SOFTWARE = { dmaBytesPerNs: 1, chunkBytes: 512, chunkOverheadNs: [0, 0], messageOverheadNs: 0 } as const
const TWO: FlowSet = {
  flows: [
    { periodNs: 4000, deadlineNs: 4000, lengthBytes: 2000 },
    { periodNs: 8000, deadlineNs: 8000, lengthBytes: 4000 },
  ],
  dma: NO_SOFTWARE,
  regulator: { kind: 'none' },
}

describe('utilisation exactly 1', () => {
  it.each([
    ['no regulator', { kind: 'none' }],
    ['a budget of the whole period', { kind: 'budget', periodNs: 1000, budgetNs: 1000 }],
  ] as const)('%s: EDF has the deadlines as bounds, and accepts', (_, regulator) => {
    const set = { ...TWO, regulator }
    expect(responses(set, 'edf')).toEqual([4000, 8000])
    expect(earliestDeadlineSchedulable(set)).toBe(true)
    expect(responses(set, 'fp')).toEqual([2512, 8000])
    expect(fixedPrioritySchedulable(set)).toBe(true)
  })

  it('half of the time by a budget, and all of it used: bounds with a blackout, a debt and jitter', () => {
    const half: FlowSet = { ...TWO, regulator: { kind: 'budget', periodNs: 1000, budgetNs: 500 } }
    const set = {
      ...half,
      flows: half.flows.map((flow) => ({ ...flow, lengthBytes: flow.lengthBytes / 2, jitterNs: 300 })),
    }
    for (const scheduler of ['fp', 'edf'] as const) {
      for (const bound of responses(set, scheduler)) expect(bound).toBeGreaterThan(0)
      // One byte more is more than there is.
      const longer = set.flows.map((flow, i) => (i === 1 ? { ...flow, lengthBytes: flow.lengthBytes + 1 } : flow))
      expect(responses({ ...set, flows: longer }, scheduler).at(-1)).toBe(null)
    }
  })

  it('a cycle of more than 2^20 messages is not gone through: no bound, and refused', () => {
    const balanced = (...halves: number[]): FlowSet => ({
      ...TWO,
      flows: halves.map((half) => ({ periodNs: 2 * half, deadlineNs: 2 * half, lengthBytes: half })),
    })
    // Prime numbers: the cycle is their product.
    const long = balanced(1_000_003, 1_999_993)
    expect(responses(balanced(1009, 2003), 'edf')).toEqual([2018, 4006])
    for (const scheduler of ['fp', 'edf'] as const) expect(responses(long, scheduler)).toContain(null)
    expect(earliestDeadlineSchedulable(long)).toBe(false)
    expect(fixedPrioritySchedulable(long)).toBe(false)
  })
})

describe('every behaviour of balanced instances', () => {
  it.each(['fp', 'edf'] as const)(
    '%s: no response exceeds A3, A4 or A5, and some reach them',
    (scheduler) => {
      const seen = { searched: 0, reached: 0 }
      for (let seed = 0; seed < 250 * CAMPAIGN; seed++) {
        const set = balancedInstance(seed)
        for (const name of ['A3', 'A4', 'A5'] as const) {
          const bounds = boundsOf(deriveModel(set, ANALYSES[name]), scheduler)
          if (bounds === null) continue
          const { violator, worst, complete } = search(set, scheduler, bounds)
          expect(violator, `seed ${seed}, ${name}: ${JSON.stringify({ set, bounds, worst })}`).toBe(-1)
          if (!complete) continue
          seen.searched++
          if (bounds.some((bound, flow) => bound === worst[flow])) seen.reached++
        }
      }
      expect(seen.searched).toBeGreaterThan(100)
      expect(seen.reached).toBeGreaterThan(10)
    },
    CAMPAIGN_TIMEOUT_MS,
  )

  it(
    'earliest deadline first: no accepted instance misses a deadline',
    () => {
      let accepted = 0
      for (let seed = 0; seed < 250 * CAMPAIGN; seed++) {
        const set = balancedInstance(seed)
        const accepts = (name: keyof typeof ANALYSES) =>
          new DemandTest(deriveModel(set, ANALYSES[name])).failingPointNs() === null
        if (!(['A0', 'A3', 'A4', 'A5'] as const).some(accepts)) continue
        const deadlines = set.flows.map((flow) => flow.deadlineNs)
        expect(search(set, 'edf', deadlines).violator, `seed ${seed}: ${JSON.stringify(set)}`).toBe(-1)
        accepted++
      }
      expect(accepted).toBeGreaterThan(20)
    },
    CAMPAIGN_TIMEOUT_MS,
  )

  it('accepted sets have bounds, within the deadlines, whatever the switches', () => {
    const seen = { fp: 0, edf: 0 }
    for (let seed = 0; seed < 300; seed++) {
      const set = balancedInstance(seed)
      for (const tightness of ABLATIONS.filter((_, i) => i % 5 === seed % 5)) {
        const within = (scheduler: Scheduler) =>
          responses(set, scheduler, tightness).every((bound, i) => bound !== null && bound <= set.flows[i]!.deadlineNs)
        const what = `seed ${seed}: ${JSON.stringify({ set, tightness })}`
        expect(fixedPrioritySchedulable(set, tightness), what).toBe(within('fp'))
        if (earliestDeadlineSchedulable(set, tightness)) {
          expect(within('edf'), what).toBe(true)
          seen.edf++
        }
        if (within('fp')) seen.fp++
      }
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(100)
  })

  it('a cycle shows all: the messages of two more are no later', () => {
    let compared = 0
    for (let seed = 0; seed < 300; seed++) {
      const set = balancedInstance(seed)
      const model = deriveModel(set, TIGHTNESS.A3)
      if (!isBalanced(model) || set.flows.length < 2) continue
      const bound = fixedPriorityBounds(set, TIGHTNESS.A3, [0, 1])[1]
      expect(bound, JSON.stringify(set)).not.toBe(null)
      expect(responseOfMany(model, 1, 500), JSON.stringify(set)).toBe(bound!.responseNs)
      compared++
    }
    expect(compared).toBeGreaterThan(30)
  })
})

/** Theorem 5 for the least urgent flow, of so many messages one after another. */
function responseOfMany(model: AnalysisModel, i: number, messages: number): number {
  const { periodNs, jitterNs, workNs, overheadNs, lastChunkNs, chunkOverheadNs, committedNs } = model
  let worst = 0
  for (let q = 1; q <= messages; q++) {
    let start = 0
    for (;;) {
      let work = committedNs + q * workNs[i]! - lastChunkNs[i]!
      let software = (committedNs > 0 ? model.blockingOverheadNs : 0) + q * overheadNs[i]! - chunkOverheadNs
      for (let j = 0; j < model.total; j++) {
        if (j === i) continue
        const count = Math.floor((start + jitterNs[j]!) / periodNs[j]!) + 1
        work += count * workNs[j]!
        software += count * overheadNs[j]!
      }
      const next = startAfter(model, work, software)
      if (next <= start) break
      start = next
    }
    worst = Math.max(worst, start + lastChunkNs[i]! + chunkOverheadNs - (q - 1) * periodNs[i]! + jitterNs[i]!)
  }
  return worst
}

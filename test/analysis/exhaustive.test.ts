import {
  type AnalysisModel,
  DemandTest,
  deriveModel,
  FixedPriorityTest,
  type FlowSet,
  Supply,
  TIGHTNESS,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { CAMPAIGN, CAMPAIGN_TIMEOUT_MS } from './campaign.ts'
import { searchBehaviours } from './state-space.ts'

const ANALYSES = ['A0', 'A3', 'A4'] as const
const MAX_STATES = 20_000

/** One or two flows of one or two chunks, with software: busy periods of several messages, ties, early exhaustion. */
function denseInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 1)
  const chunkBytes = random.between(1, 3)
  const best = random.between(0, 1)
  const periodNs = random.between(2, 7)
  const flows = Array.from({ length: random.chance(0.8) ? 2 : 1 }, () => {
    const flowPeriodNs = random.between(3, 14)
    return {
      periodNs: flowPeriodNs,
      deadlineNs: random.between(2, flowPeriodNs + 6),
      lengthBytes: random.between(1, 2 * chunkBytes),
    }
  })
  return {
    flows,
    dma: {
      dmaBytesPerNs: 1,
      chunkBytes,
      chunkOverheadNs: [best, best + random.between(0, 1)],
      messageOverheadNs: random.between(0, 1),
      lookAhead,
    },
    regulator: { kind: 'budget', periodNs, budgetNs: random.between(1, periodNs) },
  }
}

/** One or two short flows over a long one, no software, little budget: debts that are inherited over several refills. */
function indebtedInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 2)
  const chunkBytes = random.between(1, 3)
  const periodNs = random.between(2, 6)
  const budgetNs = random.between(1, periodNs - 1)
  const flow = (lengthBytes: number, share: number) => {
    const flowPeriodNs = Math.ceil((lengthBytes * share * periodNs) / budgetNs) + random.between(0, 3)
    return { periodNs: flowPeriodNs, deadlineNs: flowPeriodNs, lengthBytes }
  }
  const flows = Array.from({ length: random.between(1, 2) }, () =>
    flow(random.between(1, chunkBytes), random.between(2, 6)),
  )
  flows.push(flow(random.between(2, 5) * chunkBytes, random.between(2, 3)))
  return {
    flows,
    dma: { dmaBytesPerNs: 1, chunkBytes, chunkOverheadNs: [0, 0], messageOverheadNs: 0, lookAhead },
    regulator: { kind: 'budget', periodNs, budgetNs },
  }
}

/** The same with messages that are queued late after their nominal release. */
function jitteryInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 3)
  const set = denseInstance(seed, lookAhead)
  const jitter = (periodNs: number) => random.between(0, Math.min(4, periodNs - 1))
  return { ...set, flows: set.flows.map((flow) => ({ ...flow, jitterNs: jitter(flow.periodNs) })) }
}

type Family = typeof denseInstance

/** Response bounds of all flows, or null: one has none, or the instance is too large to search. */
function boundsOf(model: AnalysisModel): number[] | null {
  const test = new FixedPriorityTest(model)
  const ranks = [0, 1, 2].slice(0, model.count)
  const bounds = ranks.map((flow) => test.bound(flow, ranks)?.responseNs ?? Number.POSITIVE_INFINITY)
  return bounds.every((bound) => bound <= 100) ? bounds : null
}

const search = (set: FlowSet, scheduler: 'fp' | 'edf', limits: readonly number[]) =>
  searchBehaviours({ set, scheduler, ranks: [0, 1, 2], limits, maxStates: MAX_STATES })

describe.each([
  ['dense', denseInstance, 0, 4000],
  ['jittery', jitteryInstance, 0, 1000],
  ['indebted', indebtedInstance, 0, 50],
  ['dense, with look-ahead 1,', denseInstance, 1, 2000],
  ['dense, with look-ahead 2,', denseInstance, 2, 2000],
] as [string, Family, number, number][])('every behaviour of %s instances', (_, family, lookAhead, instances) => {
  it(
    'fixed priority: no response exceeds A0, A3 or A4',
    () => {
      let searched = 0
      for (let seed = 0; seed < instances * CAMPAIGN; seed++) {
        const set = family(seed, lookAhead)
        const [a0, a3, a4] = ANALYSES.map((name) => boundsOf(deriveModel(set, TIGHTNESS[name])))
        if (!a4) continue
        const { violator, worst, complete } = search(set, 'fp', a4)
        expect(violator, `seed ${seed}: ${JSON.stringify({ set, a4, worst })}`).toBe(-1)
        if (!complete) continue
        searched++
        for (const bounds of [a0, a3]) {
          bounds?.forEach((bound, flow) => {
            expect(bound, `seed ${seed}, flow ${flow}`).toBeGreaterThanOrEqual(worst[flow]!)
          })
        }
      }
      expect(searched).toBeGreaterThan(instances / 10)
    },
    CAMPAIGN_TIMEOUT_MS,
  )

  it(
    'earliest deadline first: no accepted instance misses a deadline',
    () => {
      let accepted = 0
      for (let seed = 0; seed < instances * CAMPAIGN; seed++) {
        const set = family(seed, lookAhead)
        const by = ANALYSES.filter(
          (name) => new DemandTest(deriveModel(set, TIGHTNESS[name])).failingPointNs() === null,
        )
        if (by.length === 0) continue
        const deadlines = set.flows.map((flow) => flow.deadlineNs)
        const { violator } = search(set, 'edf', deadlines)
        expect(violator, `seed ${seed}, accepted by ${by}: ${JSON.stringify(set)}`).toBe(-1)
        accepted++
      }
      expect(accepted).toBeGreaterThan(instances / 50)
    },
    CAMPAIGN_TIMEOUT_MS,
  )
})

/** Each takes away one thing that the proof needs. */
const WEAKENED = {
  'debt one less': (model) => ({
    ...model,
    debtNs: Math.max(0, model.debtNs - 1),
    delayedDebtNs: Math.max(0, model.delayedDebtNs - 1),
  }),
  'no o_m in blocking': (model) => ({ ...model, blockingOverheadNs: model.chunkOverheadNs }),
  'only the first message of a busy period': (model) => ({ ...model, instanceLimit: 1 }),
  'ceilings for the closed count': (model) => ({ ...model, openIntervalNs: 1 }),
  "one overhead too many in Q''": (model, set) => {
    if (model.delayedSupply === null) return model
    const { periodNs, budgetNs } = model.delayedSupply
    const delayedSupply = new Supply(periodNs, Math.min(periodNs, budgetNs + set.dma.chunkOverheadNs[0]))
    return { ...model, delayedSupply, delayedDebtNs: delayedSupply.full ? 0 : model.delayedDebtNs }
  },
} satisfies Record<string, (model: AnalysisModel, set: FlowSet) => AnalysisModel>

describe('the search has the power to catch a wrong theorem', () => {
  it.each([
    ['debt one less', 'A3', 'fp', indebtedInstance],
    ['debt one less', 'A4', 'fp', indebtedInstance],
    ['debt one less', 'A3', 'edf', indebtedInstance],
    ['no o_m in blocking', 'A0', 'fp', denseInstance],
    ['no o_m in blocking', 'A3', 'fp', denseInstance],
    ['no o_m in blocking', 'A4', 'fp', denseInstance],
    ['no o_m in blocking', 'A0', 'edf', denseInstance],
    ['no o_m in blocking', 'A4', 'edf', denseInstance],
    ['only the first message of a busy period', 'A0', 'fp', denseInstance],
    ['only the first message of a busy period', 'A3', 'fp', denseInstance],
    ['only the first message of a busy period', 'A4', 'fp', denseInstance],
    ['ceilings for the closed count', 'A3', 'fp', denseInstance],
    ['ceilings for the closed count', 'A4', 'fp', denseInstance],
    ["one overhead too many in Q''", 'A4', 'fp', denseInstance],
    ["one overhead too many in Q''", 'A4', 'edf', denseInstance],
  ] as [keyof typeof WEAKENED, 'A0' | 'A3' | 'A4', 'fp' | 'edf', Family][])(
    '%s: %s, %s',
    (name, analysis, scheduler, family) => {
      for (let seed = 0; seed < 10_000; seed++) {
        const set = family(seed, 0)
        const model = WEAKENED[name](deriveModel(set, TIGHTNESS[analysis]), set)
        const limits =
          scheduler === 'fp'
            ? boundsOf(model)
            : new DemandTest(model).failingPointNs() === null && set.flows.map((flow) => flow.deadlineNs)
        if (limits && search(set, scheduler, limits).violator >= 0) return
      }
      expect.unreachable('no instance refutes it')
    },
    CAMPAIGN_TIMEOUT_MS,
  )
})

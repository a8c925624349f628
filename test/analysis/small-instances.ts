/** Families of instances that are small enough to search every behaviour of, and the bounds that a search has to refute. */
import {
  type AnalysisModel,
  DeadlineResponseTest,
  FixedPriorityTest,
  type FlowSet,
  type Scheduler,
} from 'virtio-sdk/analysis'
import { Random } from '../../src/internal/random.ts'
import { searchBehaviours } from './state-space.ts'

const MAX_STATES = 20_000

/** One or two flows of one or two chunks, with software: busy periods of several messages, ties, early exhaustion. */
export function denseInstance(seed: number, lookAhead: number): FlowSet {
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

/** The same with software of which the worst is well above the best, and enough chunks to exhaust the budget again and again. */
export function unevenInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 6)
  const set = denseInstance(seed, lookAhead)
  const best = random.between(0, 1)
  const { chunkBytes } = set.dma
  return {
    ...set,
    flows: set.flows.map((flow) => ({ ...flow, lengthBytes: random.between(1, 3 * chunkBytes) })),
    dma: { ...set.dma, chunkOverheadNs: [best, best + random.between(1, 2)] },
  }
}

/** Two flows that copy little of a larger budget: some may exhaust it all the same, some never do. */
export function lightInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 7)
  const chunkBytes = random.between(1, 2)
  const periodNs = random.between(4, 9)
  const flows = Array.from({ length: 2 }, () => {
    const flowPeriodNs = random.between(6, 18)
    return { periodNs: flowPeriodNs, deadlineNs: flowPeriodNs, lengthBytes: random.between(1, 2) }
  })
  const dma = {
    dmaBytesPerNs: 1,
    chunkBytes,
    chunkOverheadNs: [0, random.between(0, 2)] as const,
    messageOverheadNs: 0,
  }
  const regulator = { kind: 'budget', periodNs, budgetNs: random.between(2, periodNs - 1) } as const
  return { flows, dma: { ...dma, lookAhead }, regulator }
}

/** One or two short flows over a long one, no software, little budget: debts that are inherited over several refills. */
export function indebtedInstance(seed: number, lookAhead: number): FlowSet {
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
export function jitteryInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 3)
  const set = denseInstance(seed, lookAhead)
  const jitter = (periodNs: number) => random.between(0, Math.min(4, periodNs - 1))
  return { ...set, flows: set.flows.map((flow) => ({ ...flow, jitterNs: jitter(flow.periodNs) })) }
}

/** The same with a core that may not notice a finished chunk at the end of each of its own periods. */
export function stalledInstance(seed: number, lookAhead: number): FlowSet {
  const random = new Random(seed, 11)
  const set = denseInstance(seed, lookAhead)
  const periodNs = random.between(4, 12)
  const stalls = [{ periodNs, stallNs: random.between(1, Math.ceil(periodNs / 3)) }]
  return {
    ...set,
    flows: set.flows.map((flow) => ({ ...flow, periodNs: 2 * flow.periodNs })),
    dma: { ...set.dma, stalls },
  }
}

export type Family = typeof denseInstance

/** Response bounds of all flows, or null: one has none, or the instance is too large to search. */
export function boundsOf(model: AnalysisModel, scheduler: Scheduler): number[] | null {
  const [fixed, deadline] = [new FixedPriorityTest(model), new DeadlineResponseTest(model)]
  const ranks = [0, 1, 2].slice(0, model.count)
  const bounds = ranks.map((flow) => {
    const terms = scheduler === 'fp' ? fixed.bound(flow, ranks) : deadline.bound(flow)
    return terms?.responseNs ?? Number.POSITIVE_INFINITY
  })
  return bounds.every((bound) => bound <= 100) ? bounds : null
}

export const search = (set: FlowSet, scheduler: Scheduler, limits: readonly number[]) =>
  searchBehaviours({ set, scheduler, ranks: [0, 1, 2], limits, maxStates: MAX_STATES })

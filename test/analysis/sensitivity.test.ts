import {
  DemandTest,
  deriveModel,
  type FlowSet,
  failing,
  fixedPriorityBounds,
  type Scheduler,
  schedulable,
  sensitivity,
  type TestOptions,
  TIGHTEST,
  TIGHTNESS,
  tryChunkOverheads,
  tryChunkSizes,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { GOLDEN, randomSet } from './flow-sets.ts'

/** Small enough to try every value of every knob; every kind of regulator, jitter, and committing ahead. */
function smallSet(seed: number): FlowSet {
  const random = new Random(seed, 8)
  const chunkBytes = random.between(1, 4)
  const best = random.between(0, 1)
  const dmaBytesPerNs = random.pick([0.5, 1, 1, 2])
  const periodNs = random.between(2, 9)
  const flows = Array.from({ length: random.between(1, 3) }, () => {
    const flowPeriodNs = random.between(8, 40)
    return {
      periodNs: flowPeriodNs,
      deadlineNs: random.between(4, 2 * flowPeriodNs),
      lengthBytes: random.between(1, 3 * chunkBytes),
      jitterNs: random.chance(0.3) ? random.between(0, 8) : 0,
    }
  })
  return {
    flows,
    dma: {
      dmaBytesPerNs,
      chunkBytes,
      chunkOverheadNs: [best, best + random.between(0, 1)],
      messageOverheadNs: random.between(0, 1),
      lookAhead: random.chance(0.2) ? 1 : 0,
      stalls: random.chance(0.2) ? [{ periodNs: random.between(6, 12), stallNs: 2 }] : [],
    },
    regulator: random.pick<FlowSet['regulator']>([
      { kind: 'budget', periodNs, budgetNs: random.between(1, periodNs) },
      { kind: 'budget', periodNs, budgetNs: random.between(1, periodNs), sharedWhileIdle: true },
      { kind: 'budget', periodNs, budgetNs: random.between(1, periodNs), refillJitterNs: 1 },
      { kind: 'budget', periodNs, budgetNs: random.between(1, periodNs), wireBytesPerNs: 2 * dmaBytesPerNs },
      { kind: 'none' },
      { kind: 'rate', bytesPerNs: 0.75 },
      { kind: 'bucket', bytesPerNs: 0.75, burstBytes: chunkBytes },
    ]),
  }
}

const withFlow = (set: FlowSet, i: number, change: object): FlowSet => ({
  ...set,
  flows: set.flows.map((flow, j) => (j === i ? { ...flow, ...change } : flow)),
})

const withBudget = (set: FlowSet, budgetNs: number): FlowSet =>
  set.regulator.kind === 'budget' ? { ...set, regulator: { ...set.regulator, budgetNs } } : set

const range = (low: number, high: number) => Array.from({ length: high - low + 1 }, (_, k) => low + k)

/** The accepted among `values` are all from one on upwards: that one, or null. */
function leastAccepted(values: readonly number[], accepts: (value: number) => boolean): number | null {
  const verdicts = values.map(accepts)
  const first = verdicts.indexOf(true)
  expect(verdicts.lastIndexOf(false), 'monotone').toBeLessThan(first < 0 ? values.length : first)
  if (first >= 0) expect(verdicts.slice(first).every(Boolean), 'monotone').toBe(true)
  return first < 0 ? null : values[first]!
}

const greatestAccepted = (values: readonly number[], accepts: (value: number) => boolean) =>
  leastAccepted([...values].reverse(), accepts)

const ANALYSES = { ...TIGHTNESS, A5: TIGHTEST }
const CASES = (['fp', 'edf'] as const).flatMap((scheduler) =>
  (['A0', 'A3', 'A4', 'A5'] as const).map((name) => [scheduler, name] as const),
)

describe.each(CASES)('sensitivity under %s by %s', (scheduler: Scheduler, name) => {
  it('every result is the one that trying every value gives', () => {
    const seen = { fits: 0, budget: 0, length: 0, deadline: 0, shorter: 0 }
    for (let seed = 0; seed < 120; seed++) {
      const set = smallSet(seed)
      const ranks = set.flows.map((_, i) => i)
      const options: TestOptions = { scheduler, tightness: ANALYSES[name], ranks }
      const accepts = (candidate: FlowSet) => schedulable(candidate, options)
      const found = sensitivity(set, options)
      expect(found.schedulable, `seed ${seed}`).toBe(accepts(set))
      if (found.schedulable) seen.fits++

      if (set.regulator.kind === 'budget') {
        const budgets = range(1, set.regulator.periodNs)
        const least = leastAccepted(budgets, (budgetNs) => accepts(withBudget(set, budgetNs)))
        expect(found.smallestBudgetNs, `seed ${seed}`).toBe(least)
        if (least !== null && least > 1) seen.budget++
      } else expect(found.smallestBudgetNs).toBeNull()

      found.flows.forEach((flow, i) => {
        const lengths = range(1, 100)
        const longest = greatestAccepted(lengths, (lengthBytes) => accepts(withFlow(set, i, { lengthBytes })))
        expect(flow.largestLengthBytes, `seed ${seed}, flow ${i}`).toBe(longest)
        if (longest !== null && longest < 100) seen.length++

        const deadlines = range(1, 400)
        const least = leastAccepted(deadlines, (deadlineNs) => {
          const candidate = withFlow(set, i, { deadlineNs })
          return scheduler === 'edf' ? accepts(candidate) : !failing(candidate, options).includes(i)
        })
        if (flow.leastDeadlineNs === null || flow.leastDeadlineNs <= 400) {
          expect(flow.leastDeadlineNs, `seed ${seed}, flow ${i}`).toBe(least)
        }
        if (least !== null && least > 1) seen.deadline++
        const { deadlineNs } = set.flows[i]!
        expect(flow.slackNs).toBe(flow.leastDeadlineNs === null ? null : deadlineNs - flow.leastDeadlineNs)
      })

      const scale = (permille: number): FlowSet => ({
        ...set,
        flows: set.flows.map((flow) => ({ ...flow, lengthBytes: Math.ceil((flow.lengthBytes * permille) / 1000) })),
      })
      // Lengths are a few bytes, so the verdict can only change at few factors: all that round some length up to the next byte.
      const steps = new Set(
        set.flows.flatMap(({ lengthBytes: l }) => range(0, 12 * l).map((b) => Math.floor((1000 * b) / l))),
      )
      const factors = [...steps].filter((permille) => permille > 0).sort((a, b) => a - b)
      const largest = greatestAccepted(factors, (permille) => accepts(scale(permille))) ?? 0
      expect(found.lengthPermille === largest || largest === factors.at(-1), `seed ${seed}: ${largest}`).toBe(true)
      expect(found.lengthPermille === 0 || accepts(scale(found.lengthPermille))).toBe(true)
      expect(accepts(scale(found.lengthPermille + 1))).toBe(false)
      if (found.lengthPermille < 1000) seen.shorter++
      expect(found.failsFirst.length, `seed ${seed}`).toBeGreaterThan(0)
      expect(found.failsFirst).toEqual(failing(scale(found.lengthPermille + 1), options))
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(10)
  })

  it('random sets: one step beyond every result is refused, and the result itself accepted', () => {
    for (let seed = 0; seed < 40; seed++) {
      const set = randomSet(new Random(seed, 9), seed % 4 === 0 ? 1 : 0)
      const options: TestOptions = { scheduler, tightness: ANALYSES[name], ranks: set.flows.map((_, i) => i) }
      const accepts = (candidate: FlowSet) => schedulable(candidate, options)
      const { flows, smallestBudgetNs } = sensitivity(set, options)
      if (smallestBudgetNs !== null) {
        expect(accepts(withBudget(set, smallestBudgetNs)), `seed ${seed}`).toBe(true)
        if (smallestBudgetNs > 1) expect(accepts(withBudget(set, smallestBudgetNs - 1)), `seed ${seed}`).toBe(false)
      }
      flows.forEach(({ largestLengthBytes: longest, leastDeadlineNs: least }, i) => {
        if (longest !== null) expect(accepts(withFlow(set, i, { lengthBytes: longest })), `seed ${seed}`).toBe(true)
        expect(accepts(withFlow(set, i, { lengthBytes: (longest ?? 0) + 1 })), `seed ${seed}`).toBe(false)
        if (scheduler === 'fp' || least === null) return
        expect(accepts(withFlow(set, i, { deadlineNs: least })), `seed ${seed}`).toBe(true)
        if (least > 1) expect(accepts(withFlow(set, i, { deadlineNs: least - 1 })), `seed ${seed}`).toBe(false)
      })
    }
  })
})

describe('sensitivity of the golden flows', () => {
  it('fixed priority: slack is the deadline less the bound, and the last flow fails first', () => {
    const bounds = fixedPriorityBounds(GOLDEN)
    const found = sensitivity(GOLDEN)
    expect(found.flows.map((flow) => flow.leastDeadlineNs)).toEqual(bounds.map((terms) => terms!.responseNs))
    expect(found.lengthPermille).toBeGreaterThan(1000)
    expect(found.failsFirst).toEqual([4])
    expect(found.smallestBudgetNs).toBeLessThan(500_000)
  })

  it('a deadline that shrinks does not reorder the flows', () => {
    const flows = GOLDEN.flows.map((flow, i) => (i === 4 ? { ...flow, deadlineNs: 100_000 } : flow))
    const ranks = [0, 1, 2, 3, 4]
    const found = sensitivity({ ...GOLDEN, flows }, { ranks })
    expect(found.flows[4]!.slackNs).toBe(100_000 - fixedPriorityBounds(GOLDEN)[4]!.responseNs)
  })

  it('EDF: the flow whose deadline fails first, also where demand outruns supply', () => {
    const { failsFirst, lengthPermille: factor } = sensitivity(GOLDEN, { scheduler: 'edf' })
    const lengths = (flow: { lengthBytes: number }) => Math.ceil((flow.lengthBytes * (factor + 1)) / 1000)
    const flows = GOLDEN.flows.map((flow) => ({ ...flow, lengthBytes: lengths(flow) }))
    const test = new DemandTest(deriveModel({ ...GOLDEN, flows }, TIGHTNESS.A4))
    const first = test.firstFailure(1000)!
    expect(failsFirst).toEqual([first.flow])
    expect(first.finishNs).toBeGreaterThan(first.deadlineNs)
    for (const { periodNs, deadlineNs } of flows) {
      for (let t = deadlineNs; t < first.deadlineNs; t += periodNs) expect(test.finishNs(t)).toBeLessThanOrEqual(t)
    }
  })

  it('an empty set has nothing to scale', () => {
    const found = sensitivity({ ...GOLDEN, flows: [] })
    expect(found).toMatchObject({
      schedulable: true,
      flows: [],
      lengthPermille: 0,
      failsFirst: [],
      smallestBudgetNs: 1,
    })
  })
})

describe('knobs without monotony are tried on a grid', () => {
  it('less software can be refused where more is accepted', () => {
    const urgent = { periodNs: 5_000_000, deadlineNs: 270_000, lengthBytes: 65536 }
    const set = { ...GOLDEN, flows: [urgent, ...GOLDEN.flows.slice(1)] }
    const verdicts = tryChunkOverheads(set, [500, 750, 1000, 9000]).map((point) => point.schedulable)
    expect(verdicts).toEqual([false, false, true, false])
  })

  it('chunks can be too small and too large', () => {
    const urgent = { periodNs: 5_000_000, deadlineNs: 170_000, lengthBytes: 65536 }
    const set: FlowSet = { ...GOLDEN, regulator: { kind: 'none' }, flows: [urgent, ...GOLDEN.flows.slice(1)] }
    const grid = tryChunkSizes(set, [512, 4096, 16384, 131072])
    expect(grid.map((point) => point.value)).toEqual([512, 4096, 16384, 131072])
    expect(grid.map((point) => point.schedulable)).toEqual([false, true, true, false])
  })
})

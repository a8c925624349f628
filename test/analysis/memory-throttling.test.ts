import {
  type FlowSet,
  fixedPriorityBounds,
  guestTimeOfRefills,
  type MemoryBudget,
  throttleDelayNs,
  throttledTimeNs,
  throttling,
  validateFlowSet,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { GOLDEN } from './flow-sets.ts'

const COSTS = { wakeNs: 100, noticeNs: 10, retargetNs: 30 }
const BUDGET: MemoryBudget = { periodNs: 1000, guestNs: 400 }

/** Guest time passes tick by tick; it is used up at the fastest from `phase` on, and the core may be entered by EL2 at any tick. */
function observedDelay(
  { periodNs, guestNs }: MemoryBudget,
  phase: number,
  used: number,
  workNs: number,
  random: Random,
) {
  let left = guestNs - used
  let work = workNs
  for (let t = 0; ; t++) {
    if (phase + t > 0 && (phase + t) % periodNs === 0) left = guestNs
    if (left === 0) continue
    // A guest that does not take refills at full pace is throttled later, or not at all.
    if (random.chance(0.9)) left--
    work--
    if (work === 0) return t + 1 - workNs
  }
}

describe('MemGuard', () => {
  it('refills last for guest time; a core is throttled for the rest of the period', () => {
    expect(guestTimeOfRefills(100, 200)).toBe(500)
    expect(guestTimeOfRefills(100, 0)).toBe(Number.POSITIVE_INFINITY)
    expect(throttledTimeNs(BUDGET)).toBe(600)
    expect(throttledTimeNs({ ...BUDGET, guestNs: Number.POSITIVE_INFINITY })).toBe(0)
    expect(throttledTimeNs({ ...BUDGET, guestNs: 1000 })).toBe(0)
  })

  it('no guest is delayed for longer than the bound, and some are for as long', () => {
    let tight = 0
    for (let seed = 0; seed < 2000; seed++) {
      const random = new Random(seed, 12)
      const periodNs = random.between(2, 30)
      const budget = { periodNs, guestNs: random.between(1, periodNs) }
      const workNs = random.between(1, 3 * periodNs)
      const bound = throttleDelayNs(budget, workNs)
      const phase = random.between(0, periodNs - 1)
      const used = Math.min(phase, budget.guestNs)
      const delay = observedDelay(budget, phase, used, workNs, random)
      expect(delay, `seed ${seed}`).toBeLessThanOrEqual(bound)
      if (delay === bound && bound > 0) tight++
    }
    expect(tight).toBeGreaterThan(20)
  })

  it('three ways delay the receiving guest only, accepting it stalls every flow', () => {
    const by = (way: Parameters<typeof throttling>[0]) => throttling(way, BUDGET, 500, COSTS)
    for (const way of ['service', 'interruptible', 'retarget', 'accept'] as const) {
      expect(by(way)).toMatchObject({ throttledNs: 600, receiverNs: 2 * (600 + 100) })
    }
    expect(by('service')).toMatchObject({ chunkNs: 10, stall: null })
    expect(by('interruptible')).toMatchObject({ chunkNs: 10, stall: null })
    expect(by('retarget')).toMatchObject({ chunkNs: 30, stall: null })
    expect(by('accept')).toMatchObject({ chunkNs: 0, stall: { periodNs: 1000, stallNs: 700 } })
  })

  it('a core that is never throttled costs nothing', () => {
    for (const budget of [null, { ...BUDGET, guestNs: 2000 }]) {
      expect(throttling('accept', budget, 500, COSTS)).toMatchObject({ receiverNs: 0, chunkNs: 0, stall: null })
    }
  })

  it('a stall delays every flow, those to other cores too, by each of its periods', () => {
    const { stall } = throttling('accept', { periodNs: 1_000_000, guestNs: 900_000 }, 1, { ...COSTS, wakeNs: 0 })
    const set: FlowSet = { ...GOLDEN, regulator: { kind: 'none' } }
    const before = fixedPriorityBounds(set)
    const after = fixedPriorityBounds({ ...set, dma: { ...set.dma, stalls: [stall!] } })
    after.forEach((terms, flow) => {
      const { responseNs, overheadNs } = before[flow]!
      expect(terms!.responseNs).toBeGreaterThanOrEqual(responseNs + 100_000)
      expect(terms!.overheadNs - overheadNs).toBeGreaterThanOrEqual(100_000 * Math.ceil(responseNs / 1_000_000))
    })
  })

  it('refuses what would never let a guest run, and a stall longer than its period', () => {
    expect(() => throttledTimeNs({ ...BUDGET, guestNs: 0 })).toThrow('never let its guest run')
    expect(() => throttledTimeNs({ ...BUDGET, periodNs: 0.5 })).toThrow('MemGuard period')
    const stalls = [{ periodNs: 10, stallNs: 11 }]
    expect(() => validateFlowSet({ ...GOLDEN, dma: { ...GOLDEN.dma, stalls } })).toThrow('exceed their period')
  })
})

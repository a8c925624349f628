import {
  DemandTest,
  deriveModel,
  earliestDeadlineSchedulable,
  earliestDeadlineVerdict,
  type FlowSet,
  TIGHTNESS,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { GOLDEN, randomSet } from './flow-sets.ts'

/** All deadlines within the horizon and as far again, one after the other. */
function meetsEveryDeadline(set: FlowSet, test: DemandTest): boolean {
  const horizonNs = 2 * test.horizonNs()
  if (horizonNs === Number.POSITIVE_INFINITY) return false
  return set.flows.every(({ periodNs, deadlineNs, jitterNs = 0 }) => {
    for (let t = deadlineNs - jitterNs; t <= horizonNs; t += periodNs) if (test.finishNs(t) > t) return false
    return true
  })
}

describe('earliest deadline first', () => {
  it('the quick test is the test of every deadline point', () => {
    const verdicts = [0, 0]
    for (let seed = 0; seed < 2000; seed++) {
      const set = randomSet(new Random(seed), seed % 3 === 0 ? 1 : 0)
      for (const tightness of Object.values(TIGHTNESS)) {
        const test = new DemandTest(deriveModel(set, tightness))
        const verdict = meetsEveryDeadline(set, test)
        expect(test.failingPointNs() === null, `seed ${seed}`).toBe(verdict)
        verdicts[Number(verdict)]!++
      }
    }
    expect(Math.min(...verdicts)).toBeGreaterThan(200)
  })

  it('every switch only accepts more', () => {
    for (let seed = 0; seed < 1000; seed++) {
      const set = randomSet(new Random(seed))
      let accepted = false
      for (const tightness of [
        TIGHTNESS.A0,
        { ...TIGHTNESS.A0, exactSupply: true },
        { ...TIGHTNESS.A0, exactSupply: true, trueChunkSizes: true },
        TIGHTNESS.A3,
        TIGHTNESS.A4,
      ]) {
        const now = earliestDeadlineSchedulable(set, tightness)
        if (accepted) expect(now, `seed ${seed}`).toBe(true)
        accepted = now
      }
    }
  })

  it('names the deadline that fails, with terms that add up', () => {
    const flows = GOLDEN.flows.map((flow, i) => (i === 2 ? { ...flow, deadlineNs: 1_500_000 } : flow))
    const { schedulable, failure } = earliestDeadlineVerdict({ ...GOLDEN, flows })
    expect(schedulable).toBe(false)
    expect(failure).toMatchObject({ deadlineNs: 1_500_000, flow: 2 })
    const { finishNs, workNs, blockingNs, overheadNs, supplyNs } = failure!
    expect(finishNs).toBeGreaterThan(1_500_000)
    expect(workNs + blockingNs + overheadNs + supplyNs).toBe(finishNs)
  })

  it('demand above supply fails without a point', () => {
    const flows = [{ periodNs: 1_000_000, deadlineNs: 1_000_000, lengthBytes: 900_000 }]
    expect(earliestDeadlineVerdict({ ...GOLDEN, flows })).toEqual({ schedulable: false, failure: null })
  })

  it('a message that may be queued only when it is due fails', () => {
    const flows = [{ periodNs: 10_000_000, deadlineNs: 1_000_000, lengthBytes: 1, jitterNs: 1_000_000 }]
    expect(earliestDeadlineVerdict({ ...GOLDEN, flows }).failure).toMatchObject({ deadlineNs: 0, flow: 0 })
  })

  it('a full DMA is accepted where nothing is ahead, and an empty set is', () => {
    const dma = { dmaBytesPerNs: 1, chunkBytes: 10, chunkOverheadNs: [0, 0] as const, messageOverheadNs: 0 }
    const flows = [{ periodNs: 30, deadlineNs: 30, lengthBytes: 30 }]
    expect(earliestDeadlineSchedulable({ flows, dma, regulator: { kind: 'none' } })).toBe(true)
    expect(earliestDeadlineSchedulable({ flows: [], dma, regulator: { kind: 'none' } })).toBe(true)
  })
})

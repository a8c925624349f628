import {
  coalescingDelayNs,
  type DedicatedPath,
  endToEnd,
  type FloatingPath,
  fixedPriorityBounds,
  remapTimeNs,
  TIGHTNESS,
  zeroCopyEndToEnd,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { GOLDEN } from './flow-sets.ts'

const COMMON = { sendNs: 1, coalescingNs: 2, throttleNs: 4, guestIsrNs: 8 }
const FLOATING: FloatingPath = {
  ...COMMON,
  placement: 'floating',
  transmitNs: 16,
  lockHoldNs: 32,
  cores: 3,
  deliverNs: 128,
}
const DEDICATED: DedicatedPath = {
  ...COMMON,
  placement: 'dedicated',
  trapNs: 16,
  kickNs: 32,
  notifyNs: 64,
  irqNs: 128,
}

describe('end to end', () => {
  it('adds what is before and after the DMA stage', () => {
    expect(endToEnd(FLOATING, 1000)).toEqual({
      beforeNs: 17,
      lockNs: 64,
      responseNs: 1000,
      afterNs: 136,
      coalescingNs: 2,
      pollingNs: 0,
      throttleNs: 4,
      totalNs: 1223,
    })
    expect(endToEnd(DEDICATED, 1000)?.totalNs).toBe(1255)
    expect(endToEnd(DEDICATED, null)).toBeNull()
  })

  it('a receiver that polls sees a message a polling period later at worst', () => {
    const [interrupted, polled] = [FLOATING, { ...FLOATING, pollingNs: 500 }].map((path) => endToEnd(path, 1000)!)
    expect(polled!.totalNs - interrupted!.totalNs).toBe(500)
    expect(polled!.pollingNs).toBe(500)
  })

  it('coalescing is bounded by its time only, and a count of one waits for nobody', () => {
    expect(coalescingDelayNs(1, 50_000)).toBe(0)
    expect(coalescingDelayNs(8, 50_000)).toBe(50_000)
  })
})

describe('zero-copy', () => {
  const costs = { hypercallNs: 280, pageEntryNs: 200, invalidateNs: 300, refillNs: 15_000, usedNs: 100, notifyNs: 700 }

  it('a remapped message costs pages, not bytes', () => {
    expect(remapTimeNs(11, costs) - remapTimeNs(1, costs)).toBe(10 * 2 * 200)
    expect(remapTimeNs(11, { ...costs, scrubNs: 90 }) - remapTimeNs(11, costs)).toBe(11 * 90)
  })

  it('wins from one page with a cheap TLB refill, later with a full one', () => {
    const copyNs = (pages: number) => 280 + pages * 4096 + 100 + 700
    const breakEven = (refillNs: number) => {
      for (let pages = 1; ; pages++) if (remapTimeNs(pages, { ...costs, refillNs }) < copyNs(pages)) return pages
    }
    expect(breakEven(0)).toBe(1)
    expect(breakEven(40_000)).toBe(11)
  })

  it('has no DMA stage: the sum of the path and the remapping, whatever the DMA does', () => {
    const terms = zeroCopyEndToEnd(FLOATING, 5000)!
    expect(terms).toMatchObject({ beforeNs: 1, lockNs: 64, responseNs: 5000, afterNs: 8 })
    expect(terms.totalNs).toBe(1 + 64 + 5000 + 8 + 2 + 4)
    expect(zeroCopyEndToEnd(DEDICATED, 5000)!.totalNs).toBe(1 + 32 + 5000 + 128 + 8 + 2 + 4)
  })

  it('unaligned head and tail go through the DMA as a flow of their own length', () => {
    const flows = GOLDEN.flows.map((flow, i) => (i === 4 ? { ...flow, lengthBytes: 1000 } : flow))
    const edgesNs = fixedPriorityBounds({ ...GOLDEN, flows }, TIGHTNESS.A4)[4]!.responseNs
    expect(zeroCopyEndToEnd(FLOATING, 5000, edgesNs)!.responseNs).toBe(5000 + edgesNs)
    expect(zeroCopyEndToEnd(FLOATING, 5000, null)).toBeNull()
  })
})

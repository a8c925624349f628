import fc from 'fast-check'
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
import { COST_OPS } from '../../src/platform/index.ts'
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
  const costs: Readonly<Record<string, number>> = { mmioTrap: 280, pteUpdate: 200, tlbInvalidate: 300, usedRing: 100 }
  const costNs = (op: string) => costs[op] ?? 0
  const charges = (pages: number) => ({ mmioTrap: 1, pteUpdate: 4 * pages, tlbInvalidate: 2 * pages, usedRing: pages })

  it('a remapped message costs pages, not bytes', () => {
    expect(remapTimeNs({}, costNs)).toBe(0)
    expect(remapTimeNs(charges(1), costNs)).toBe(280 + 4 * 200 + 2 * 300 + 100)
    expect(remapTimeNs(charges(11), costNs) - remapTimeNs(charges(1), costNs)).toBe(10 * (4 * 200 + 2 * 300 + 100))
  })

  it('every action at its own price, once for each time', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COST_OPS), fc.nat(1000), fc.nat(100_000), (op, times, priceNs) => {
        const once = (other: string) => (other === op ? priceNs : 7)
        expect(remapTimeNs({ [op]: times }, once)).toBe(times * priceNs)
        expect(remapTimeNs({ ...charges(3), [op]: times }, () => 0)).toBe(0)
      }),
      { seed: 31 },
    )
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

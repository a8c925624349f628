import { chunkCount, deriveModel, type FlowSet, lastChunkBytes, TIGHTNESS, validateFlowSet } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { GOLDEN } from './flow-sets.ts'

describe('flow set', () => {
  it.each([
    [1, 1, 1],
    [4096, 1, 4096],
    [4097, 2, 1],
    [614400, 150, 4096],
    [6220800, 1519, 3072],
  ])('%i bytes are %i chunks of 4096, the last of %i', (bytes, chunks, last) => {
    expect(chunkCount(bytes, 4096)).toBe(chunks)
    expect(lastChunkBytes(bytes, 4096)).toBe(last)
  })

  it('a rate below that of the DMA sets the pace, one above does not', () => {
    const workOf = (bytesPerNs: number) =>
      deriveModel({ ...GOLDEN, regulator: { kind: 'rate', bytesPerNs } }, TIGHTNESS.A4).workNs[0]
    expect(workOf(0.5)).toBe(131072)
    expect(workOf(2)).toBe(65536)
  })

  it('debts: c_max - 1 over all flows, a chunk more for each committed one, none where the budget never runs out', () => {
    const debts = (set: FlowSet) => {
      const { debtNs, delayedDebtNs } = deriveModel(set, TIGHTNESS.A4)
      return [debtNs, delayedDebtNs]
    }
    const withBudget = (budgetNs: number) => ({ ...GOLDEN, regulator: { ...GOLDEN.regulator, budgetNs } }) as FlowSet
    expect(debts(GOLDEN)).toEqual([4095, 4095])
    expect(debts({ ...GOLDEN, dma: { ...GOLDEN.dma, lookAhead: 2 } })).toEqual([12287, 12287])
    expect(debts(withBudget(900_000))).toEqual([4095, 0])
    expect(debts(withBudget(1_000_000))).toEqual([0, 0])
    expect(deriveModel(GOLDEN, TIGHTNESS.A0).debtNs).toBe(4096)
  })

  const flow = GOLDEN.flows[0]!
  it.each<[string, string, Partial<FlowSet>]>([
    ['BAD_REGULATOR', 'never serve', { regulator: { kind: 'budget', periodNs: 100, budgetNs: 0 } }],
    ['BAD_REGULATOR', 'exceeds its period', { regulator: { kind: 'budget', periodNs: 100, budgetNs: 101 } }],
    ['BAD_REGULATOR', 'integer', { regulator: { kind: 'budget', periodNs: 100.5, budgetNs: 50 } }],
    ['BAD_REGULATOR', 'never hold a chunk', { regulator: { kind: 'bucket', bytesPerNs: 1, burstBytes: 4095 } }],
    ['BAD_REGULATOR', 'positive', { regulator: { kind: 'rate', bytesPerNs: 0 } }],
    ['BAD_DMA', 'chunkBytes', { dma: { ...GOLDEN.dma, chunkBytes: 0 } }],
    ['BAD_DMA', 'worst chunkOverheadNs', { dma: { ...GOLDEN.dma, chunkOverheadNs: [5, 4] } }],
    ['BAD_DMA', 'dmaBytesPerNs', { dma: { ...GOLDEN.dma, dmaBytesPerNs: Number.NaN } }],
    ['BAD_FLOW', 'flow camera: lengthBytes', { flows: [{ ...flow, name: 'camera', lengthBytes: 0 }] }],
    ['BAD_FLOW', 'flow #0: periodNs', { flows: [{ ...flow, periodNs: 0.5 }] }],
    ['BAD_FLOW', 'flow #0: jitterNs', { flows: [{ ...flow, jitterNs: -1 }] }],
  ])('refuses with %s: %s', (code, message, change) => {
    const refused = { code, message: expect.stringContaining(message) }
    expect(() => validateFlowSet({ ...GOLDEN, ...change })).toThrow(expect.objectContaining(refused))
  })
})

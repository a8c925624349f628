import { deriveModel, fixedPriorityBounds, Supply, TIGHTNESS } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { simulateChunks } from './chunk-simulator.ts'
import { GOLDEN } from './flow-sets.ts'

describe('golden vectors', () => {
  const supply = new Supply(1_000_000, 500_000)

  it.each([
    [500_000, 0],
    [750_000, 250_000],
    [1_500_000, 500_000],
    [1_600_000, 600_000],
    [2_000_000, 1_000_000],
  ])('sbf(%i) = %i', (windowNs, granted) => expect(supply.sbf(windowNs)).toBe(granted))

  it('inv, inv+ and the straight line', () => {
    expect(supply.inv(500_000)).toBe(1_000_000)
    expect(supply.invPlus(500_000)).toBe(1_500_000)
    expect(supply.lsbfInv(250_000)).toBe(1_500_000)
  })

  it.each([
    ['A0', [1253456, 3384256, 7248480, 32956000, 95702256]],
    ['A3', [626727, 2192127, 5124239, 18686015, 47475287]],
    ['A4', [260727, 1460127, 3545703, 13447479, 29588767]],
  ] as const)('%s of the five flows', (analysis, expected) => {
    const bounds = fixedPriorityBounds(GOLDEN, TIGHTNESS[analysis])
    expect(bounds.map((terms) => terms?.responseNs)).toEqual(expected)
  })

  it("Q'' of the five flows", () => {
    expect(deriveModel(GOLDEN, TIGHTNESS.A4).delayedSupply?.budgetNs).toBe(866_000)
  })

  it('worst simulated: synchronous release when the budget has just run out', () => {
    const refillNs = 1_000_000 - 866_000
    const messages = GOLDEN.flows.map(({ periodNs }) =>
      Array.from({ length: 100_000_000 / periodNs }, (_, k) => ({ nominalNs: k * periodNs, queuedNs: k * periodNs })),
    )
    const ranks = [0, 1, 2, 3, 4]
    const { worstNs } = simulateChunks({
      set: GOLDEN,
      scheduler: 'fp',
      ranks,
      messages,
      balanceNs: 0,
      nextRefillNs: refillNs,
    })
    expect([...worstNs]).toEqual([248536, 1446224, 3531376, 13424936, 29558736])
  })
})

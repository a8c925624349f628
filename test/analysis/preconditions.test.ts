/**
 * What the theorems of docs/analysis.md ask for, and what happens without it: the smallest machine that does not keep a precondition,
 * or a formula read as it should not be, exceeds the bound; the machine that keeps it does not.
 */
import { deriveModel, type FlowSet, fixedPriorityBounds, startAfter, TIGHTEST, TIGHTNESS } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { type SimulatedMessage, type SimulationInput, simulateChunks } from './chunk-simulator.ts'
import { search } from './small-instances.ts'

const PLAIN = { dmaBytesPerNs: 1, chunkBytes: 100, chunkOverheadNs: [0, 0], messageOverheadNs: 0 } as const
const lone = (lengthBytes: number, more: Partial<FlowSet> = {}): FlowSet => ({
  flows: [{ periodNs: 1000, deadlineNs: 1000, lengthBytes }],
  dma: PLAIN,
  regulator: { kind: 'none' },
  ...more,
})
const bound = (set: FlowSet, tightness = TIGHTNESS.A4) => fixedPriorityBounds(set, tightness)[0]!.responseNs
const once = (queuedNs: number): SimulatedMessage[][] => [[{ nominalNs: queuedNs, queuedNs }]]
const worst = (set: FlowSet, input: Partial<SimulationInput>) =>
  simulateChunks({ set, scheduler: 'fp', ranks: [0, 1], messages: once(0), ...input }).worstNs[0]!

describe('P1: messages of a flow are queued in the order of their releases', () => {
  const set = lone(4, { flows: [{ periodNs: 10, deadlineNs: 100, lengthBytes: 4, jitterNs: 15 }] })

  it('in every such order no response exceeds 19 ns, and one reaches it', () => {
    expect(bound(set)).toBe(19)
    let longest = 0
    for (let first = 0; first <= 15; first++) {
      for (let second = Math.max(first, 10); second <= 25; second++) {
        for (let third = Math.max(second, 20); third <= 35; third++) {
          const messages = [first, second, third].map((queuedNs, k) => ({ nominalNs: 10 * k, queuedNs }))
          longest = Math.max(longest, worst(set, { messages: [messages] }))
        }
      }
    }
    expect(longest).toBe(19)
  })

  it('one message that overtakes another takes it to 23 ns', () => {
    const overtaken = [
      { nominalNs: 10, queuedNs: 15 },
      { nominalNs: 0, queuedNs: 15 },
    ]
    expect(worst(set, { messages: [overtaken] })).toBe(23)
  })
})

describe('P2: the regulator starts with a full balance', () => {
  const set = lone(2, {
    dma: { ...PLAIN, chunkBytes: 1 },
    regulator: { kind: 'budget', periodNs: 10, budgetNs: 5 },
  })

  it('a full one keeps the bound of 7 ns at every phase', () => {
    expect(bound(set)).toBe(7)
    for (let phase = 1; phase <= 10; phase++) expect(worst(set, { nextRefillNs: phase })).toBeLessThanOrEqual(7)
  })

  it('without debt is not enough: a balance of 1 takes it to 11 ns, of 0 to 12', () => {
    expect(worst(set, { balanceNs: 1, nextRefillNs: 10 })).toBe(11)
    expect(worst(set, { balanceNs: 0, nextRefillNs: 10 })).toBe(12)
  })
})

describe('P5: who uses the budget at other times keeps to chunks of c_max at a positive balance', () => {
  const regulator = { kind: 'budget', periodNs: 10, budgetNs: 5, sharedWhileIdle: true } as const
  const set = lone(3, { dma: { ...PLAIN, chunkBytes: 3 }, regulator })
  const behindOthers = (idleOverdraftNs: number) => {
    let longest = 0
    for (let queuedNs = 1; queuedNs <= 40; queuedNs++) {
      const input = { messages: once(queuedNs), drawIdleShare: () => 1, idleOverdraftNs }
      longest = Math.max(longest, worst(set, input))
    }
    return longest
  }

  it('then the bound holds, and longer chunks exceed it', () => {
    expect(behindOthers(2)).toBeLessThanOrEqual(bound(set))
    expect(behindOthers(12)).toBeGreaterThan(bound(set))
  })
})

describe('Theorem 0', () => {
  it('counts the releases between two instants, not those at both of them: no blackout where P + L + J is a period', () => {
    const regulator = { kind: 'budget', periodNs: 6, budgetNs: 2 } as const
    const set = lone(1, { flows: [{ periodNs: 7, deadlineNs: 7, lengthBytes: 1 }], regulator })
    expect(bound(set, TIGHTEST)).toBe(1)
    expect(search(set, 'fp', [1])).toMatchObject({ violator: -1, complete: true, worst: [1] })
    // One period less and two messages can be copied between two refills: then nothing is promised.
    expect(bound({ ...set, flows: [{ ...set.flows[0]!, periodNs: 6 }] }, TIGHTEST)).toBeGreaterThan(1)
  })
})

describe("Theorem 2'", () => {
  it('counts the worst software of every chunk, whatever really ran', () => {
    const regulator = { kind: 'budget', periodNs: 20, budgetNs: 10 } as const
    const set = lone(50, { dma: { ...PLAIN, chunkBytes: 1, chunkOverheadNs: [0, 1] }, regulator })
    const model = deriveModel(set, { ...TIGHTEST, sparedBudget: false })
    const { periodNs, budgetNs, firstBlackoutNs } = model.delayedSupply!
    expect([budgetNs, firstBlackoutNs]).toEqual([19, 10])
    const literalNs = 50 + firstBlackoutNs + Math.floor(50 / budgetNs) * (periodNs - budgetNs)
    const took = worst(set, { drawOverheadNs: (best) => best, nextRefillNs: 20 })
    expect(literalNs).toBe(62)
    expect(took).toBe(90)
    expect(bound(set, TIGHTEST)).toBeGreaterThanOrEqual(took)
  })
})

describe('Theorem 4', () => {
  it("caps Q'' at P: without the cap a message would be done before its own copying and software are", () => {
    const regulator = { kind: 'budget', periodNs: 10, budgetNs: 8, sharedWhileIdle: true } as const
    const set = lone(20, { dma: { ...PLAIN, chunkBytes: 1, chunkOverheadNs: [1, 1] }, regulator })
    const [work, software] = [20, 20]
    const uncapped = 8 + (Math.ceil(8 / 1) - 1) * 1
    expect(work + software + (10 - 8) + Math.floor((work + software) / uncapped) * (10 - uncapped)).toBeLessThan(40)
    expect(startAfter(deriveModel(set, TIGHTNESS.A4), work, software)).toBe(42)
    expect(worst(set, { nextRefillNs: 10 })).toBe(40)
  })
})

describe('the window of §5', () => {
  it('is behind a lower chunk that was chosen at its very start', () => {
    const set = lone(1, {
      flows: [
        { periodNs: 100, deadlineNs: 50, lengthBytes: 1 },
        { periodNs: 100, deadlineNs: 100, lengthBytes: 5 },
      ],
    })
    const messages = [[{ nominalNs: 0, queuedNs: 0, late: true }], [{ nominalNs: 0, queuedNs: 0 }]]
    expect(bound(set)).toBe(6)
    expect(worst(set, { messages })).toBe(6)
  })
})

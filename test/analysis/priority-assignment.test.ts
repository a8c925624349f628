import {
  type FlowSet,
  fixedPrioritySchedulable,
  limitedPriorities,
  optimalPriorities,
  TIGHTNESS,
} from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { randomSet } from './flow-sets.ts'

function* permutations(values: readonly number[]): Generator<number[]> {
  if (values.length === 0) yield []
  for (const first of values) {
    for (const rest of permutations(values.filter((value) => value !== first))) yield [first, ...rest]
  }
}

/** Every way to put `count` flows on `levels` levels. */
function* levelings(count: number, levels: number): Generator<number[]> {
  for (let code = 0; code < levels ** count; code++) {
    yield Array.from({ length: count }, (_, i) => Math.floor(code / levels ** i) % levels)
  }
}

/** At most 4 flows; deadlines tight enough that the assignment matters. */
function smallSet(seed: number): FlowSet {
  const random = new Random(seed, 4)
  const set = randomSet(random, random.chance(0.2) ? 1 : 0)
  const flows = set.flows.slice(0, 4).map((flow) => ({
    ...flow,
    deadlineNs: Math.max(1, Math.round(flow.periodNs * (0.4 + 0.8 * random.unit()))),
  }))
  return { ...set, flows }
}

const accepts = (set: FlowSet, name: keyof typeof TIGHTNESS, ranks: readonly number[]) =>
  fixedPrioritySchedulable(set, TIGHTNESS[name], ranks)

describe.each(['A0', 'A3', 'A4'] as const)('priority assignment for %s', (name) => {
  it('finds one whenever any order is accepted', () => {
    const found = [0, 0]
    for (let seed = 0; seed < 1000; seed++) {
      const set = smallSet(seed)
      const ranks = optimalPriorities(set, TIGHTNESS[name])
      const exists = [...permutations(set.flows.map((_, i) => i))].some((order) => accepts(set, name, order))
      expect(ranks !== null, `seed ${seed}`).toBe(exists)
      if (ranks) {
        expect(accepts(set, name, ranks)).toBe(true)
        expect([...ranks].sort()).toEqual(set.flows.map((_, i) => i))
      }
      found[Number(exists)]!++
    }
    expect(Math.min(...found)).toBeGreaterThan(50)
  })

  it('uses the fewest levels', () => {
    const needed = new Set<number>()
    for (let seed = 0; seed < 400; seed++) {
      const set = smallSet(seed)
      const ranks = limitedPriorities(set, set.flows.length, TIGHTNESS[name])
      if (ranks === null) continue
      const levels = Math.max(...ranks) + 1
      needed.add(levels)
      expect(accepts(set, name, ranks)).toBe(true)
      if (levels === 1) continue
      expect(limitedPriorities(set, levels - 1, TIGHTNESS[name])).toBeNull()
      const fewer = [...levelings(set.flows.length, levels - 1)].some((candidate) => accepts(set, name, candidate))
      expect(fewer, `seed ${seed}`).toBe(false)
    }
    expect(needed.size).toBeGreaterThan(2)
  })

  it('moving a flow from the more urgent to the less urgent never lengthens a bound (why Audsley applies)', () => {
    for (let seed = 0; seed < 500; seed++) {
      const set = smallSet(seed)
      for (const above of levelings(set.flows.length - 1, 2)) {
        const before = [1, ...above.map((level) => 2 * level)]
        if (!accepts({ ...set, flows: onlyFirst(set) }, name, before)) continue
        above.forEach((level, i) => {
          if (level === 1) return
          const after = before.with(i + 1, 2)
          expect(accepts({ ...set, flows: onlyFirst(set) }, name, after), `seed ${seed}`).toBe(true)
        })
      }
    }
  })
})

/** Only the first flow has a deadline that can be missed. */
function onlyFirst({ flows }: FlowSet) {
  return flows.map((flow, i) => (i === 0 ? flow : { ...flow, deadlineNs: 2 ** 52 }))
}

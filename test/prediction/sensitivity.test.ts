/** What would fit: every border is exact, nothing between is claimed that predictions deny, and lengths are not taken for monotone. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'
import { prioritiesOf } from '../../src/plan/priorities.ts'
import { predict, predictedSensitivity } from '../../src/platform-zcu102/index.ts'
import { everythingFits } from '../../src/prediction/predict.ts'
import type { FittingRange } from '../../src/prediction/search.ts'
import { plainVerdict } from '../../src/prediction/verdict.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { randomScenario } from './random-scenarios.ts'

const OPTIONS = { design: 'floating' } as const

/** With a receiver's window that holds as many messages as before. */
const withLength = (scenario: Scenario, i: number, lengthBytes: number): Scenario => ({
  ...scenario,
  flows: scenario.flows.map((flow, j) =>
    j === i ? { ...flow, lengthBytes, creditBytes: Math.max(flow.creditBytes, 16 * lengthBytes) } : flow,
  ),
})

const fitsWith = (scenario: Scenario, i: number) => (bytes: number) =>
  everythingFits(predict(withLength(scenario, i, bytes), OPTIONS))

const holds = (ranges: readonly FittingRange[], value: number) =>
  ranges.some(({ from, to }) => from <= value && value <= to)

const MONO = parseScenario(`
duration: 100ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 20ms, deadline: 1500us, length: 4096, payload: none }]
broker: { transfer: auto, regulator: { kind: budget, budget: 20us, period: 1ms } }
`)

const THROUGH = 'chains: [{ name: through, flows: [in, out], deadline: 1ms }]'

/** A flow that another's arrivals release, and a guest task. */
const chained = (more: string) =>
  parseScenario(`
vms:
  - { name: a, core: 0, cid: 3 }
  - { name: b, core: 1, cid: 4, tasks: [{ name: loop, period: 10ms, wcet: 2ms, deadline: 2900us }] }
  - { name: c, core: 2, cid: 5 }
flows:
  - { name: in, from: a, to: b, period: 10ms, length: 1KiB }
  - { name: out, from: b, to: c, after: in, period: 10ms, length: 1KiB }
${more}`)

describe('a message that is copied up to a length, and moved from there on', () => {
  const { lengthsThatFit, largestLengthBytes, permilleThatFit, lengthPermille } = predictedSensitivity(MONO, OPTIONS)
  const [ranges] = lengthsThatFit

  it('has a range of lengths that fit for each of the two, and none between them', () => {
    expect(ranges!.map(({ pages }) => pages)).toEqual(['copied', 'moved'])
    expect(ranges![0]!.to).toBeLessThan(20_000)
    expect(ranges![1]!.from).toBe(45_056)
    const fits = fitsWith(MONO, 0)
    for (const bytes of [20_000, 30_000, 45_055]) {
      expect(fits(bytes)).toBe(false)
      expect(holds(ranges!, bytes)).toBe(false)
    }
    for (const { from, to } of ranges!) expect([from, to, to + 1].map(fits)).toEqual([true, true, false])
  })

  it('has as its longest the end of the range that the present length is in', () => {
    expect(largestLengthBytes).toEqual([ranges![0]!.to])
    const moved = withLength(MONO, 0, 100_000)
    expect(predictedSensitivity(moved, OPTIONS).largestLengthBytes).toEqual([ranges![1]!.to])
    const neither = withLength(MONO, 0, 30_000)
    expect(predictedSensitivity(neither, OPTIONS).largestLengthBytes).toEqual([ranges![0]!.to])
  })

  it('has two ranges of factors, too', () => {
    expect(permilleThatFit).toEqual([
      { from: 1, to: lengthPermille },
      { from: 11_000, to: Math.floor((1000 * ranges![1]!.to) / 4096) },
    ])
  })
})

describe('random scenarios', () => {
  it('borders are exact, and lengths and budgets between them have the verdict that the ranges say', {
    timeout: 60_000,
  }, () => {
    const seen = { ranges: 0, inside: 0, outside: 0, moved: 0, budgets: 0 }
    for (const seed of [3, 8, 21, 34, 55, 89, 144, 233]) {
      const drawn = randomScenario(seed)
      const transfer = seed % 2 === 0 && drawn.broker.chunkBytes === 4096 ? 'auto' : drawn.broker.transfer
      const scenario: Scenario = {
        ...drawn,
        flows: drawn.flows.slice(0, 3),
        chains: [],
        broker: { ...drawn.broker, transfer },
      }
      const found = predictedSensitivity(scenario, OPTIONS)
      const random = new Random(seed, 5)
      scenario.flows.forEach((_, i) => {
        const fits = fitsWith(scenario, i)
        const ranges = found.lengthsThatFit[i]!
        for (const { from, to, pages } of ranges) {
          seen.ranges++
          if (pages !== 'copied') seen.moved++
          expect([fits(from), fits(to)], `seed ${seed}, flow ${i}: ${from} to ${to}`).toEqual([true, true])
          const next = [from - 1, to + 1].filter((bytes) => bytes >= 1 && !holds(ranges, bytes) && bytes < 2 ** 29)
          for (const bytes of next) expect(fits(bytes), `seed ${seed}, flow ${i}: ${bytes}`).toBe(false)
        }
        for (let draw = 0; draw < 12; draw++) {
          const bytes = Math.ceil(2 ** (22 * random.unit()))
          const inside = holds(ranges, bytes)
          expect(fits(bytes), `seed ${seed}, flow ${i}: ${bytes}`).toBe(inside)
          seen[inside ? 'inside' : 'outside']++
        }
      })
      const { regulator } = scenario.broker
      if (regulator.kind !== 'budget' || found.smallestBudgetNs === null) continue
      for (let draw = 0; draw < 10; draw++) {
        const budgetNs = random.between(1, regulator.periodNs)
        const changed = { ...scenario, broker: { ...scenario.broker, regulator: { ...regulator, budgetNs } } }
        const fits = everythingFits(predict(changed, OPTIONS))
        expect(fits, `seed ${seed}, budget ${budgetNs}`).toBe(budgetNs >= found.smallestBudgetNs)
        seen.budgets++
      }
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
  })
})

describe('without any shortcut', () => {
  it('a search finds the same, byte for byte', { timeout: 60_000 }, () => {
    const seen = { ranges: 0, chains: 0, tasks: 0, none: 0 }
    const late = { ...chained(''), flows: chained('').flows.map((flow) => ({ ...flow, deadlineNs: 1000 })) }
    const given: Record<number, Scenario> = { 1: chained(''), 2: chained(THROUGH), 4: late }
    for (let seed = 0; seed < 12; seed++) {
      const drawn = randomScenario(seed + 500)
      const scenario = given[seed] ?? { ...drawn, flows: drawn.flows.slice(0, 1 + (seed % 3)) }
      const design = seed % 3 === 0 ? 'dedicated' : 'floating'
      const ranks = prioritiesOf(scenario.flows)
      const plain = predictedSensitivity(
        scenario,
        { design },
        () => {},
        (changed) => plainVerdict(everythingFits(predict(changed, { design, ranks }))),
      )
      expect(JSON.stringify(predictedSensitivity(scenario, { design })), `seed ${seed + 500}`).toBe(
        JSON.stringify(plain),
      )
      seen.ranges += plain.lengthsThatFit.flat().length
      seen.chains += plain.failsFirst.filter((name) => name.startsWith('chain')).length
      seen.tasks += plain.failsFirst.filter((name) => name.startsWith('task')).length
      if (plain.lengthPermille === 0) seen.none++
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
  })
})

describe('what fits', () => {
  it('are chains and tasks as well as flows', () => {
    const lone = predictedSensitivity(chained(''), OPTIONS)
    expect(lone.failsFirst).toEqual(['task loop of b'])
    const through = predictedSensitivity(chained(THROUGH), OPTIONS)
    expect(through.failsFirst).toEqual(['chain through'])
    expect(through.lengthPermille).toBeLessThan(lone.lengthPermille)
  })
})

/** Shares of the DMA, its budget, cores and MemGuard budgets, and what is said when one is asked for more than it has. */
import { describe, expect, it } from 'vitest'
import { overloadLines, predict, type ResourceUse } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { randomScenario } from './random-scenarios.ts'

function usesOf(flows: string, more = '', vm = ''): Map<string, ResourceUse> {
  const scenario = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4${vm} }]
flows: [${flows}]
${more}
`)
  return new Map(predict(scenario, { design: 'floating' }).utilization.map((use) => [use.name, use]))
}

const PINNED = 'overrides: { dmaBytesPerNs: 1, chunkOverheadNs: [0, 0], messageOverheadNs: 0 }'

describe('shares', () => {
  it('of the DMA and of its budget are exact where overheads are pinned', () => {
    const flow = '{ name: f, from: a, to: b, period: 1ms, length: 300000 }'
    expect(usesOf(flow, PINNED).get('the DMA')).toMatchObject({ best: 0.3, worst: 0.3 })
    const half = usesOf(flow, `${PINNED}\nbroker: { regulator: { kind: budget, budget: 500us, period: 1ms } }`)
    expect(half.get('the budget of the DMA')).toMatchObject({ best: 0.6, worst: 0.6 })
    const { best, worst } = half.get('the DMA')!
    expect(best).toBe(0.3)
    expect(worst).toBeCloseTo(0.6)
  })

  it('of a core have its guest tasks, and those of a MemGuard budget what its guests do', () => {
    const flow = '{ name: f, from: a, to: b, period: 1ms, length: 100 }'
    const task = ', tasks: [{ name: loop, period: 10ms, wcet: 4ms }]'
    const guard = ', refillsPerUs: 1, memguard: { refills: 500, period: 1ms }'
    const [idle, busy] = [usesOf(flow), usesOf(flow, '', task + guard)]
    const more = busy.get('core 1')!.worst - idle.get('core 1')!.worst
    expect(more).toBeGreaterThan(0.4)
    expect(more).toBeLessThan(0.41)
    expect(busy.get('core 0')!.worst).toBeCloseTo(idle.get('core 0')!.worst, 2)
    expect(busy.get('the MemGuard budget of core 1')!.worst).toBeGreaterThan(0.8)
    expect(busy.get('the MemGuard budget of core 1')!.worst).toBeLessThan(0.85)
  })

  it('at best costs are never above those at worst', () => {
    for (let seed = 0; seed < 30; seed++) {
      for (const design of ['floating', 'dedicated'] as const) {
        for (const { name, best, worst } of predict(randomScenario(seed), { design }).utilization) {
          expect(best, `seed ${seed}, ${name}`).toBeLessThanOrEqual(worst + 1e-9)
        }
      }
    }
  })
})

describe('overload', () => {
  it.each([
    ['{ name: f, from: a, to: b, period: 1ms, length: 4MiB }', '', '', 'overload: 420 % of the DMA'],
    [
      '{ name: f, from: a, to: b, period: 10ms, length: 100KiB }',
      'broker: { regulator: { kind: budget, budget: 5us, period: 1ms } }',
      '',
      'overload: 200 % of the budget of the DMA',
    ],
    [
      '{ name: f, from: a, to: b, period: 10ms, length: 1KiB }',
      '',
      ', tasks: [{ name: loop, period: 10ms, wcet: 9ms }, { name: more, period: 10ms, wcet: 2ms }]',
      'overload: 110 % of core 1',
    ],
    [
      '{ name: f, from: a, to: b, period: 10ms, length: 1KiB }',
      '',
      ', refillsPerUs: 1, memguard: { refills: 200, period: 1ms }, tasks: [{ name: loop, period: 10ms, wcet: 3ms }]',
      'overload: 150 % of the MemGuard budget of core 1',
    ],
  ])('%s %s %s', (flow, more, vm, line) => {
    expect(overloadLines([...usesOf(flow, more, vm).values()])[0]).toBe(line)
  })

  it('is said of what is surely overloaded first, then of what is at worst costs; all of it is no overload', () => {
    const use = (name: string, best: number, worst: number): ResourceUse => ({ name, best, worst })
    expect(
      overloadLines([
        use('a', 0.5, 1),
        use('b', 0.9, 1.5),
        use('c', 1.004, 1.1),
        use('d', 4.2352, 6),
        use('e', 1, 1.97),
      ]),
    ).toEqual([
      'overload: 420 % of d',
      'overload: more than 100 % of c',
      'overload at worst costs: 197 % of e',
      'overload at worst costs: 150 % of b',
    ])
  })
})

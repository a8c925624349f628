/** The example scenarios say what their comments say: analysis at the costs as they are assumed, which nothing simulated exceeds. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const scenarioOf = (name: string) =>
  parseScenario(readFileSync(new URL(`../../examples/scenarios/${name}.yaml`, import.meta.url), 'utf8'))

describe.each(['default', 'many-to-one', 'one-to-many', 'multi-hop', 'zero-copy', 'memguard'])('%s', (name) => {
  it('is shown to meet every deadline, also of its chains, and does', () => {
    const scenario = scenarioOf(name)
    const { schedulable, chains } = predict(scenario, { design: 'floating' })
    expect(schedulable.A4).toBe(true)
    expect(chains.map((chain) => chain.schedulable)).toEqual(scenario.chains.map(() => true))
    const short = { ...scenario, durationNs: 100_000_000 }
    const { flows } = simulate(short, { design: 'floating', payload: () => null })
    for (const [flow, { delivered, deadlineMisses }] of Object.entries(flows)) {
      expect([delivered > 0, deadlineMisses], flow).toEqual([true, 0])
    }
  })
})

it('multi-hop: not under A0; under EDF with the same deadlines its chain takes no less, and flows of it miss theirs', () => {
  const scenario = scenarioOf('multi-hop')
  expect(predict(scenario, { design: 'floating' }).schedulable.A0).toBe(false)
  const { chains, schedulable } = predict(scenario, { design: 'floating', scheduler: 'edf' })
  expect(schedulable.A4).toBe(false)
  const { chains: underFp } = predict(scenario, { design: 'floating' })
  expect(chains[0]!.endToEndNs).toBeGreaterThanOrEqual(underFp[0]!.endToEndNs!)
})

it('memguard: under each of the cures, and not under accept, nor then in simulation', () => {
  const scenario = scenarioOf('memguard')
  const under = (memguard: Scenario['broker']['memguard']) => ({
    ...scenario,
    broker: { ...scenario.broker, memguard },
  })
  for (const cure of ['service', 'interruptible', 'retarget'] as const) {
    expect(predict(under(cure), { design: 'floating' }).schedulable.A4, cure).toBe(true)
  }
  expect(predict(under('accept'), { design: 'floating' }).schedulable.A4).toBe(false)
  expect(simulate(under('accept'), { design: 'floating', payload: () => null }).deadlineMisses).toBeGreaterThan(0)
})

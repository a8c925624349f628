/** Bounds whatever VMs do that are not a flow's ends. What the broker does so that these are not far above the others: test/broker/hostile-kicks.test.ts. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { predict, predictUntrusted } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const path = 'examples/scenarios/default.yaml'
const scenario = parseScenario(readFileSync(path, 'utf8'), { path })
const design = 'floating' as const
const trusting = (names: readonly string[]): Scenario => ({
  ...scenario,
  vms: scenario.vms.map((vm) => ({ ...vm, trusted: names.includes(vm.name) })),
})
const untrusted = (of: Scenario) => predictUntrusted(of, predict(of, { design }), { design })

describe('bounds whatever other VMs do', () => {
  it('are of all VMs but the ends, and say what they cost', () => {
    const flows = untrusted(scenario)
    expect(flows.map(({ name, against }) => [name, ...against])).toEqual([
      ['control', 'logger'],
      ['frames', 'logger'],
      ['log', 'planner'],
      ['trajectory', 'camera'],
      ['settings', 'camera'],
    ])
    for (const { endToEndNs, obstacle, price } of flows) {
      expect(endToEndNs === null).toBe(obstacle !== '')
      expect(price === null).toBe(endToEndNs === null)
      if (price !== null) expect(price).toBeGreaterThan(1)
    }
  })

  it('of the default scenario meet every deadline, at most at 1.3 times the others; log, against the VM that sends most often, is dearer', () => {
    for (const { name, price, schedulable } of untrusted(scenario)) {
      expect({ name, schedulable }).toEqual({ name, schedulable: true })
      expect(price, name).toBeLessThanOrEqual(name === 'log' ? 1.8 : 1.3)
    }
  })

  it('cost more the earlier messages may come', () => {
    const prices = [2_000_000, null].map((toleranceNs) => {
      const of = { ...scenario, broker: { ...scenario.broker, toleranceNs } }
      return untrusted(of).find(({ name }) => name === 'trajectory')!.endToEndNs!
    })
    expect(prices[0]).toBeLessThan(prices[1]!)
  })

  it('are the others where all VMs are trusted, and the lock is held for less then', () => {
    const of = trusting(['camera', 'planner', 'logger'])
    const prediction = predict(of, { design })
    expect(untrusted(of).map(({ endToEndNs, price }) => [endToEndNs, price])).toEqual(
      prediction.flows.map(({ endToEndNs }) => [endToEndNs, 1]),
    )
    expect(prediction.lockHoldNs!).toBeLessThan(predict(scenario, { design }).lockHoldNs!)
  })

  it('of a flow do not depend on whether its own ends are trusted, nor a neighbour on their cores', () => {
    const control = (of: Scenario) => untrusted(of)[0]!
    expect(control(trusting(['camera', 'planner']))).toEqual(control(scenario))
    const [logger] = scenario.vms.slice(2)
    const moved = { ...scenario, vms: [...scenario.vms.slice(0, 2), { ...logger!, core: 0 }] }
    expect(control(moved).against).toEqual([])
  })

  it('of the dedicated broker are there where one window has an end, and else say that it has none', () => {
    const of = (text: Scenario) =>
      predictUntrusted(text, predict(text, { design: 'dedicated' }), { design: 'dedicated' })
    for (const { endToEndNs, obstacle } of of(scenario))
      expect(endToEndNs === null).toBe(obstacle.includes('one window'))
    const seldom = {
      ...scenario,
      flows: scenario.flows.map((flow) => ({
        ...flow,
        periodNs: 10 * flow.periodNs,
        deadlineNs: 10 * flow.deadlineNs,
      })),
    }
    for (const flow of of(seldom)) expect(flow).toMatchObject({ schedulable: true, obstacle: '' })
  })

  it('are there with any way of transfer while no message is long enough to be moved; of those that are the reason is given', () => {
    for (const transfer of ['remap', 'lend', 'auto'] as const) {
      const moving = { ...scenario, broker: { ...scenario.broker, transfer } }
      for (const { endToEndNs, obstacle } of untrusted(moving)) {
        expect({ transfer, endToEndNs }).toEqual({ transfer, endToEndNs: null })
        expect(obstacle).toContain('pages of control change owners')
      }
      const short = { ...moving, flows: moving.flows.map((flow) => ({ ...flow, lengthBytes: 2000 })) }
      for (const flow of untrusted(short)) expect(flow).toMatchObject({ schedulable: true, obstacle: '' })
    }
  })
})

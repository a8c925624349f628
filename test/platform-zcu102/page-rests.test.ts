/** A core that moves the pages of a long message leaves them when its guests have something to do, and comes back. */
import { afterEach, describe, expect, it } from 'vitest'
import { Board } from '../../src/platform-zcu102/board.ts'
import { type DesignResult, predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { patch, unpatchAll } from '../broker/patch.ts'

afterEach(unpatchAll)

const OTHERS = `
  - { name: status, from: camera, to: planner, period: 1.1ms, length: 256 }
  - { name: commands, from: planner, to: camera, period: 1.3ms, length: 2000 }`
const SELDOM = OTHERS.replace('1.1ms', '5.1ms').replace('1.3ms', '5.3ms')

function scenarioOf(
  transfer: string,
  costs: string,
  others = OTHERS,
  interrupts = 'minimum',
  length = '1MiB',
): Scenario {
  return parseScenario(`
costs: ${costs}
duration: 200ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: planner, core: 1, cid: 4 }
flows:
  - { name: images, from: camera, to: planner, period: 20ms, length: ${length} }${others}
broker: { transfer: ${transfer}, remapThreshold: 64KiB, interrupts: ${interrupts} }
`)
}

function run(scenario: Scenario): DesignResult {
  const result = simulate(scenario, { design: 'floating', payload: () => null })
  expect(result).toMatchObject({ messagesDelivered: result.messagesSent, payloadMismatches: 0, violations: 0 })
  return result
}

const worstOf = (result: DesignResult, flow: string) => result.flows[flow]!.responseTimeNs!.max

describe.each(['remap', 'lend'] as const)('%s, images of 1 MiB', (transfer) => {
  it.each(['typical', 'worst'])(
    'other flows of the core wait for a few batches, not for all pages, costs %s',
    (costs) => {
      const rests = run(scenarioOf(transfer, costs))
      patch(Board.prototype, 'yieldToGuest', () => () => false)
      const none = run(scenarioOf(transfer, costs))
      expect(rests.pagesRemapped + rests.pagesLent).toBe(none.pagesRemapped + none.pagesLent)
      for (const flow of ['status', 'commands'])
        expect(3 * worstOf(rests, flow), flow).toBeLessThan(worstOf(none, flow))
      // Of the images nearly nothing: what the guests did.
      expect(worstOf(rests, 'images')).toBeLessThan(1.1 * worstOf(none, 'images'))
    },
  )

  it('where nobody waits nothing changes', () => {
    const rests = run(scenarioOf(transfer, 'typical', ''))
    patch(Board.prototype, 'yieldToGuest', () => () => false)
    const none = run(scenarioOf(transfer, 'typical', ''))
    expect(rests.flows).toEqual(none.flows)
    expect(rests.vmExits).toBe(none.vmExits)
  })
})

it('a guest that always has something to do delays pages, and does not stop them', () => {
  const busy = `
  - { name: chatter, from: camera, to: planner, period: 6us, length: 64, payload: none }`
  const result = run(scenarioOf('remap', 'best', busy))
  expect(result.pagesRemapped).toBe(10 * 256)
})

it.each([
  ['remap', '1MiB'],
  ['lend', '512KiB'],
])('%s: responses stay within their bounds', (transfer, length) => {
  for (const interrupts of ['minimum', 'plain', '{ polling: 200us }', '{ coalesce: { count: 3, delay: 300us } }']) {
    for (const costs of ['typical', 'worst']) {
      const scenario = scenarioOf(transfer, costs, SELDOM, interrupts, length)
      const result = run(scenario)
      const { cores, flows } = predict(scenario, { design: 'floating' })
      for (const { name, endToEndNs } of flows) {
        expect(endToEndNs, name).not.toBeNull()
        expect(worstOf(result, name), `${name}, ${interrupts}`).toBeLessThanOrEqual(endToEndNs!)
      }
      for (const { core, stolenWithin } of cores) {
        expect(result.stolenNsByCore[String(core)]).toBeLessThanOrEqual(stolenWithin(result.simulatedNs))
      }
    }
  }
})

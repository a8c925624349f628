/** A sender whose buffers are all in use because their pages are lent waits for the receiver, not until the loans are due. */
import { describe, expect, it } from 'vitest'
import { predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const MS = 1e6

function scenarioOf(flow: string, broker = '', memguard = ''): Scenario {
  return parseScenario(`
costs: worst
duration: 200ms
vms:
  - { name: camera, core: 0, cid: 3 }
  - { name: planner, core: 1, cid: 4${memguard} }
flows:
  - { name: images, from: camera, to: planner, length: 64KiB, payload: none, ${flow} }
broker: { transfer: lend${broker} }
`)
}

/** The response of message 4, in ms: 0 to 4 are released together, when the last of them should be, and there are buffers for four. */
function burst(scenario: Scenario): number {
  let lastMs = Number.NaN
  const result = simulate(scenario, {
    design: 'floating',
    payload: () => null,
    latenessNs: (_, sequence) => Math.max(0, 4 - sequence) * 10 * MS,
    onMessage: ({ sequence, responseNs }) => {
      if (sequence === 4) lastMs = responseNs / MS
    },
  })
  expect(result).toMatchObject({ messagesDelivered: result.messagesSent, violations: 0, pagesRevoked: 0 })
  return lastMs
}

const BURST = 'period: 10ms, deadline: 60ms, jitter: 40ms'

describe('a sender that is out of buffers', () => {
  it.each([
    ['at once', '', 3],
    ['with receivers that kick for every refill', ', interrupts: plain', 3],
    // All four are read by one poll, and no step of the broker follows: their loans are due 10 ms after they began. The fifth is polled for too.
    ['with receivers that poll', ', interrupts: { polling: 5ms }', 11],
    // No interrupt of theirs is held back any longer; that of the fifth is.
    ['with interrupts that are held back', ', interrupts: { coalesce: { count: 10, delay: 9ms } }', 11],
    ['with a head of bytes', ', remapThreshold: 4KiB', 3],
  ])('goes on when its receiver gives pages back, %s', (_, broker, mostMs) => {
    expect(burst(scenarioOf(BURST, broker))).toBeLessThan(mostMs)
  })

  it('does so while its receiver is throttled now and then', () => {
    const throttled = ', refillsPerUs: 1, memguard: { refills: 200, period: 1ms }'
    expect(burst(scenarioOf(BURST, ', memguard: retarget', throttled))).toBeLessThan(6)
  })

  it('costs nobody a kick otherwise', () => {
    const polls = ', interrupts: { polling: 5ms }'
    const { actions, messagesSent } = simulate(scenarioOf('period: 10ms, deadline: 60ms', polls), {
      design: 'floating',
      payload: () => null,
    })
    // One doorbell a message.
    expect(actions.mmioTrap).toBe(messagesSent)
  })

  it('has a bound, which holds', () => {
    for (const period of ['1ms', '1.5ms', '2ms', '3ms']) {
      const scenario = scenarioOf(`period: ${period}`)
      const { flows, obstacles } = predict(scenario, { design: 'floating' })
      const { endToEndNs } = flows[0]!
      expect(endToEndNs, `${period}: ${obstacles.join()}`).not.toBeNull()
      const { flows: found } = simulate(scenario, { design: 'floating', payload: () => null })
      expect(found.images!.responseTimeNs!.max).toBeLessThanOrEqual(endToEndNs!)
    }
  })
})

/** Messages of more pieces than their receiver posts buffers: they arrive in parts, and all of them do. */
import { describe, expect, it } from 'vitest'
import { predict, simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const PAGE = 4096

function scenarioOf(transfer: string, lengthBytes: number, queue: number, broker = ''): Scenario {
  return parseScenario(`
duration: 10ms
costs: worst
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4, queue: ${queue} }]
flows: [{ name: only, from: a, to: b, period: 5ms, length: ${lengthBytes}, payload: none }]
broker: { transfer: ${transfer}${transfer === 'copy' ? '' : ', remapThreshold: 4096'}${broker} }
`)
}

// The last buffer may go with the last page of a step: sixteen, or less what was done before it in that step.
describe.each(['copy', 'remap', 'lend'])('%s, wherever the buffers run out in a step of the broker', (transfer) => {
  it.each([8, 32])('a queue of %i', (queue) => {
    const stuck: string[] = []
    const buffers = queue / 2
    for (let pages = buffers - 1; pages <= buffers + 5; pages++) {
      for (const tailBytes of [0, 900]) {
        const scenario = scenarioOf(transfer, pages * PAGE + tailBytes, queue)
        const { messagesDelivered, messagesSent, flows } = simulate(scenario, {
          design: 'floating',
          payload: () => null,
        })
        if (messagesSent !== 2 || messagesDelivered !== 2) stuck.push(`${pages} pages and ${tailBytes}`)
        const boundNs = predict(scenario, { design: 'floating' }).flows[0]!.endToEndNs
        if (boundNs !== null) expect(flows.only!.responseTimeNs!.max).toBeLessThanOrEqual(boundNs)
      }
    }
    expect(stuck).toEqual([])
  })
})

it('a piece is a page where more is asked for: buffers are taken as many at a time, however slow that is', () => {
  const { fetchDescriptor } = zcu102.costsNs
  const dear = { ...zcu102.costsNs, fetchDescriptor: { ...fetchDescriptor, value: [12_000, 12_000, 12_000] as const } }
  const actions = (chunk: string) =>
    simulate(scenarioOf('copy', 11 * PAGE, 64, `, chunk: ${chunk}`), {
      design: 'floating',
      profile: { ...zcu102, costsNs: dear },
      payload: () => null,
    }).actions
  expect(actions('64KiB')).toEqual(actions('4KiB'))
  // Four buffers take longer than four pieces: after the first each transfer has four.
  expect(actions('4KiB').dmaSetup).toBe(2 * (1 + Math.ceil(10 / 4)))
})

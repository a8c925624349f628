/**
 * What the analysis, the predictions and the evaluation count of a message's way, against what the simulated machine charges for
 * it: action by action, and its response time to the nanosecond.
 */
import { remapTimeNs } from 'virtio-sdk/analysis'
import { describe, expect, it } from 'vitest'
import { copyCharges, movedMessageCharges } from '../../src/broker/index.ts'
import {
  DOORBELL_CHARGES,
  INJECT_BY_IPI_CHARGES,
  INJECT_CHARGES,
  INTERRUPT_CHARGES,
  remapCharges,
} from '../../src/plan/board-charges.ts'
import { type Charges, COST_OPS, type CostOpName, sumCharges } from '../../src/platform/index.ts'
import { type Design, simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { type MoveShape, TransferPolicy, TransferWay } from '../../src/zero-copy/index.ts'

const PAGE = 4096
const WAYS = [
  ['remap', TransferWay.exchange],
  ['lend', TransferWay.lend],
] as const
const LEVELS = ['best', 'typical', 'worst'] as const

/** One message between VMs on two cores, nothing else. */
function alone(lengthBytes: number, broker: string, costs: Scenario['costs'] = 'worst', copyable = 'page-aligned') {
  return parseScenario(`
duration: 100ms
costs: ${costs}
vms: [{ name: a, core: 0, cid: 3, buffers: ${copyable} }, { name: b, core: 1, cid: 4, buffers: ${copyable} }]
flows: [{ name: only, from: a, to: b, period: 100ms, length: ${lengthBytes}, payload: none }]
broker: { regulator: none, ${broker} }
`)
}

function run(scenario: Scenario, design: Design = 'floating') {
  const { actions, flows } = simulate(scenario, { design, payload: () => null })
  return { actions, responseNs: flows.only!.responseTimeNs!.max }
}

const { flushPages } = new TransferPolicy('remap')
const shapeOf = (way: TransferWay, pages: number, tailBytes: number, spares = 0): MoveShape => ({
  way,
  pages,
  tailBytes,
  flushPages,
  smmu: true,
  spares,
})
const GUESTS: Charges = { guestSend: 1, guestIsr: 1 }
const all = (charges: Charges) => Object.fromEntries(COST_OPS.map((op) => [op, charges[op] ?? 0]))

describe.each(WAYS)('%s', (transfer, way) => {
  const PAGES = [1, 2, 3, 4, 5, 6, 8, 15, 16, 17, 21, 32, 48, 63, 64, 65, 96, 128, 500, 512]

  it.each(LEVELS)('every page count takes the time that is counted, at %s costs', (level) => {
    const costNs = (op: CostOpName) => zcu102.costsNs[op].value[LEVELS.indexOf(level)]!
    for (const pages of PAGES) {
      for (const tailBytes of [0, 1, 77, PAGE - 1]) {
        const { responseNs } = run(alone(pages * PAGE + tailBytes, `transfer: ${transfer}`, level))
        const counted = sumCharges(GUESTS, remapCharges(shapeOf(way, pages, tailBytes)))
        expect({ pages, tailBytes, responseNs }).toEqual({ pages, tailBytes, responseNs: remapTimeNs(counted, costNs) })
      }
    }
  })
})

it('every action of an exchange, more runs than one included', () => {
  for (const pages of [1, 4, 5, 16, 17, 63, 64, 65, 150, 512, 520, 600, 1100]) {
    for (const tailBytes of [0, 77]) {
      const { actions } = run(alone(pages * PAGE + tailBytes, 'transfer: remap'))
      const { arrival, later } = movedMessageCharges(shapeOf(TransferWay.exchange, pages, tailBytes))
      const counted = sumCharges(GUESTS, DOORBELL_CHARGES, INJECT_BY_IPI_CHARGES, arrival, later)
      expect({ pages, tailBytes, actions }).toEqual({ pages, tailBytes, actions: all(counted) })
    }
  }
})

it('with clean pages of the pool an exchange is scrubbed later, and is the shorter by it', () => {
  for (const pages of [1, 4, 16, 64, 150]) {
    const shape = shapeOf(TransferWay.exchange, pages, 0, 512)
    const counted = sumCharges(GUESTS, remapCharges(shape))
    const { actions, responseNs } = run(alone(pages * PAGE, 'transfer: remap, colorPolicy: pool'))
    expect(movedMessageCharges(shape).arrival.cacheCleanPerLine).toBe(0)
    expect(responseNs).toBe(remapTimeNs(counted, (op) => zcu102.costsNs[op].value[2]))
    expect(actions.cacheCleanPerLine).toBe(movedMessageCharges(shape).later.cacheCleanPerLine)
  }
})

it('every action of a copy: one chained transfer, or one for each piece', () => {
  for (const bytes of [
    1,
    PAGE,
    PAGE + 1,
    2 * PAGE,
    15 * PAGE,
    16 * PAGE,
    17 * PAGE,
    18 * PAGE,
    33 * PAGE,
    150 * PAGE,
  ]) {
    const pieces = Math.ceil(bytes / PAGE)
    for (const chaining of ['adaptive', 'piece'] as const) {
      const { actions } = run(alone(bytes, `chaining: ${chaining}`))
      const transfers = chaining === 'adaptive' ? 1 : pieces
      const counted = sumCharges(GUESTS, DOORBELL_CHARGES, copyCharges(pieces, chaining === 'adaptive'), {
        irqEntryAck: transfers,
        dmaPerDescriptor: pieces,
      })
      // A handler that runs late takes several pieces: then not every transfer interrupts its guest.
      expect(actions.injectListRegister).toBeLessThanOrEqual(transfers)
      expect({ bytes, chaining, actions: { ...actions, injectListRegister: 0, guestIsr: 0 } }).toEqual({
        bytes,
        chaining,
        actions: { ...all(counted), injectListRegister: 0, guestIsr: 0 },
      })
      if (transfers === 1) expect(actions).toMatchObject({ ...INJECT_CHARGES, ...INTERRUPT_CHARGES, guestIsr: 1 })
    }
  }
})

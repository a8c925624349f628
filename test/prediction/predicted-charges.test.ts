/**
 * The predictions' table of software (docs/prediction.md §3) against the machine: which actions a message makes it take, how
 * often, and how many of them in one step of the broker. A relay that does more, or more at a time, fails here.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  ANNOUNCE_BATCH,
  CHAIN_BATCH,
  EXTEND_BATCH,
  FIRST_BUFFERS,
  FIRST_TRANSFER_CHARGES,
  LOOK_BATCH,
  PAGE_BATCH,
  REVOKE_BATCH,
} from '../../src/broker/index.ts'
import { type Charges, COST_OPS, type CostOpName, sumCharges, timesCharges } from '../../src/platform/index.ts'
import { Board } from '../../src/platform-zcu102/board.ts'
import { type Design, simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import {
  controlCharges,
  loanCharges,
  messageCharges,
  pageCharges,
  pieceCharges,
  transferCharges,
} from '../../src/prediction/charges.ts'
import { softwareOf } from '../../src/prediction/software.ts'
import { systemOf } from '../../src/prediction/system.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'

const PAGE = 4096
const ONE = {
  messages: () => 1,
  handedBackNs: () => Number.POSITIVE_INFINITY,
  loanSpanNs: () => 0,
  starves: () => false,
}

function scenarioOf(lengthBytes: number, broker: string, messages = 1, buffers = 'page-aligned'): Scenario {
  return parseScenario(`
duration: ${100 * messages}ms
costs: worst
vms: [{ name: a, core: 0, cid: 3, buffers: ${buffers} }, { name: b, core: 1, cid: 4, buffers: ${buffers} }]
flows: [{ name: only, from: a, to: b, period: 100ms, length: ${lengthBytes}, payload: none }]
broker: { regulator: none, ${broker} }
`)
}

/** All that is counted for one message of the scenario's only flow. */
function predicted(scenario: Scenario, design: Design): Charges {
  const system = systemOf(scenario, design, zcu102)
  const flow = system.flows[0]!
  return sumCharges(
    // o_m of the abstract model.
    flow.pages === 'moved' ? {} : FIRST_TRANSFER_CHARGES,
    messageCharges(system, flow),
    pageCharges(system, flow, flow.movable),
    timesCharges(flow.pieces, pieceCharges(system)),
    timesCharges(softwareOf(system, ONE).transfers(flow), transferCharges(system, flow.pieces)),
    loanCharges(system, flow.movable, true),
  )
}

const actionsOf = (scenario: Scenario, design: Design) =>
  simulate(scenario, { design, payload: () => null }).actions as Record<CostOpName, number>

/** Of guests, and what the prediction counts where a core tells another. */
const ELSEWHERE: readonly CostOpName[] = ['guestSend', 'guestIsr', 'sgi', 'tlbRefill']
const SIZES = [1, PAGE, PAGE + 1, 4 * PAGE, 15 * PAGE, 16 * PAGE, 17 * PAGE, 18 * PAGE, 34 * PAGE, 150 * PAGE]

function expectCovered(scenario: Scenario, design: Design, exact: readonly CostOpName[], without: Charges = {}): void {
  const counted = predicted(scenario, design)
  const actions = actionsOf(scenario, design)
  const { lengthBytes } = scenario.flows[0]!
  for (const op of COST_OPS) {
    if (ELSEWHERE.includes(op)) continue
    const found = { lengthBytes, op, times: actions[op] - (without[op] ?? 0) }
    if (exact.includes(op)) expect(found).toEqual({ lengthBytes, op, times: counted[op] ?? 0 })
    else expect({ ...found, covered: found.times <= (counted[op] ?? 0) }).toEqual({ ...found, covered: true })
  }
}

describe('a message alone', () => {
  const BY_PIECE = ['fetchDescriptor', 'usedRing', 'dmaPerDescriptor', 'pteUpdate', 'copyPerLine'] as const

  it.each(SIZES)('floating, %i bytes copied', (bytes) => {
    const chained = bytes <= (1 + EXTEND_BATCH) * PAGE ? (['pick', 'dmaSetup'] as const) : []
    expectCovered(scenarioOf(bytes, 'chaining: adaptive'), 'floating', [...BY_PIECE, ...chained])
    for (const interrupts of ['minimum', 'plain', '{ coalesce: { count: 3, delay: 300us } }', '{ polling: 200us }']) {
      const scenario = scenarioOf(bytes, `chaining: piece, interrupts: ${interrupts}`)
      expectCovered(scenario, 'floating', [...BY_PIECE, 'pick', 'dmaSetup'])
    }
  })

  it.each(SIZES)('dedicated, %i bytes', (bytes) => {
    const pieces = Math.ceil(bytes / PAGE)
    // On the cores of the VMs: traps, and an interrupt with an injection for every piece, and for the sender.
    const scenario = scenarioOf(bytes, 'chaining: piece')
    const { mmioTrap, injectListRegister } = actionsOf(scenario, 'dedicated')
    const ofVms = { mmioTrap, injectListRegister, irqEntryAck: pieces + 1 }
    expectCovered(scenario, 'dedicated', [...BY_PIECE, 'pick', 'dmaSetup', 'irqEntryAck', 'lockCriticalSection'], {
      ...ofVms,
      // The prediction prices a step without a lock.
      lockCriticalSection: -(predicted(scenario, 'dedicated').lockCriticalSection ?? 0),
    })
    expect(injectListRegister).toBe(pieces + 1)
  })

  it.each(SIZES.filter((bytes) => bytes >= PAGE))('%i bytes exchanged', (bytes) => {
    expectCovered(scenarioOf(bytes, 'transfer: remap'), 'floating', bytes % PAGE === 0 ? ['pteUpdate'] : [])
    expectCovered(scenarioOf(bytes, 'transfer: remap, colorPolicy: pool'), 'floating', [])
    expectCovered(scenarioOf(bytes, 'transfer: remap', 1, 'unaligned'), 'floating', [])
  })

  it.each(SIZES.filter((bytes) => bytes >= PAGE))('%i bytes lent', (bytes) => {
    const scenario = scenarioOf(bytes, 'transfer: lend')
    // Buffers that are only looked at are counted once for all messages: `surplusNs`.
    const { fetchDescriptor } = actionsOf(scenario, 'floating')
    const counted = predicted(scenario, 'floating').fetchDescriptor!
    const posted = 2 * Math.ceil(bytes / PAGE) + 32
    expect(fetchDescriptor).toBeLessThanOrEqual(counted + posted)
    // So are the steps that look at them.
    const looks = Math.ceil(posted / LOOK_BATCH)
    expectCovered(scenario, 'floating', bytes % PAGE === 0 ? ['pteUpdate'] : [], {
      fetchDescriptor: posted,
      lockCriticalSection: looks,
      irqEntryAck: looks,
    })
  })

  it('credit updates, too', () => {
    const messages = 9
    // Every third message or so the receiver announces its buffer anew.
    const scenario = parseScenario(`
duration: ${messages * 100}ms
costs: worst
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: only, from: a, to: b, period: 100ms, length: 4096, credit: 24KiB, payload: none }]
broker: { regulator: none }
`)
    for (const design of ['floating', 'dedicated'] as const) {
      const system = systemOf(scenario, design, zcu102)
      const { creditEvery } = system.flows[0]!
      expect(creditEvery).toBe(3)
      const counted = sumCharges(
        timesCharges(messages, predicted(scenario, design)),
        timesCharges(messages / creditEvery, controlCharges(system)),
      )
      const { fetchDescriptor, usedRing } = actionsOf(scenario, design)
      expect({ fetchDescriptor, usedRing }).toEqual({
        fetchDescriptor: counted.fetchDescriptor,
        usedRing: counted.usedRing,
      })
    }
  })
})

describe('one step of the broker', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** Of each action, the most that was charged between taking the lock and letting it go. */
  function mostInAStep(scenario: Scenario): Record<string, number> {
    const most = new Float64Array(COST_OPS.length)
    const now = new Float64Array(COST_OPS.length)
    const { charge, releaseLock } = Board.prototype
    vi.spyOn(Board.prototype, 'charge').mockImplementation(function (this: Board, op, count) {
      now[op]! += count
      return charge.call(this, op, count)
    })
    vi.spyOn(Board.prototype, 'releaseLock').mockImplementation(function (this: Board, core) {
      now.forEach((count, op) => {
        most[op] = Math.max(most[op]!, count)
      })
      now.fill(0)
      return releaseLock.call(this, core)
    })
    simulate(scenario, { design: 'floating', payload: () => null })
    return Object.fromEntries(COST_OPS.map((name, op) => [name, most[op]!]))
  }

  it('chains, and announces, a batch', () => {
    expect(mostInAStep(scenarioOf(150 * PAGE, 'chaining: adaptive', 3))).toMatchObject({
      lockCriticalSection: 1,
      pick: 1,
      dmaSetup: 1,
      // The message itself; buffers for a first piece, and some that were taken ahead for the last batch.
      fetchDescriptor: 1 + FIRST_BUFFERS + EXTEND_BATCH,
      usedRing: ANNOUNCE_BATCH,
    })
    expect(EXTEND_BATCH % CHAIN_BATCH).toBe(0)
  })

  it('takes, invalidates, or exchanges a batch of pages', () => {
    expect(mostInAStep(scenarioOf(60 * PAGE, 'transfer: remap', 3))).toMatchObject({
      pteUpdate: 2 * PAGE_BATCH,
      tlbInvalidate: 2 * PAGE_BATCH,
      smmuInvalidate: 2,
      cacheCleanPerLine: PAGE_BATCH * 64,
    })
  })

  it('looks at a batch of buffers for lent pages, or revokes a batch', () => {
    const most = mostInAStep(scenarioOf(20 * PAGE, 'transfer: lend', 3))
    expect(most.fetchDescriptor).toBeLessThanOrEqual(1 + FIRST_BUFFERS + PAGE_BATCH + LOOK_BATCH)
    expect(most.fetchDescriptor).toBeGreaterThanOrEqual(PAGE_BATCH)
    expect(most.pteUpdate).toBeLessThanOrEqual(2 * PAGE_BATCH + 3 * (LOOK_BATCH + PAGE_BATCH + REVOKE_BATCH))
    expect(most.copyPerLine).toBeLessThanOrEqual(REVOKE_BATCH * 64)
  })
})

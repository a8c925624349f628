/** A chained message and a more urgent one: the DMA is paused at the next piece border, and goes on afterwards. */
import { describe, expect, it } from 'vitest'
import { simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import { TraceKind } from '../../src/platform-zcu102/trace-names.ts'
import { parseScenario, type RegulatorSpec, type Scenario } from '../../src/scenario/index.ts'
import { TraceForm, TraceRecorder } from '../../src/sim/index.ts'

const PIECES = 64
const BULK = 0
const URGENT = 1

/** One message of 64 pieces, and 100 us later, while it is under way, an urgent one between two other cores. */
const SCENARIO = parseScenario(`
costs: typical
duration: 50ms
vms:
  - { name: a, core: 0, cid: 3 }
  - { name: b, core: 1, cid: 4 }
  - { name: c, core: 2, cid: 5 }
flows:
  - { name: bulk, from: a, to: b, period: 50ms, length: ${PIECES * 4096}, payload: random }
  - { name: urgent, from: c, to: a, period: 50ms, deadline: 1ms, offset: 100us, length: 1000, payload: random }
`)

/** What guest and broker need to send the urgent message, take the paused transfer in and start the other. */
const SOFTWARE_NS = 4000
function piecesOf(scenario: Scenario) {
  const trace = new TraceRecorder()
  const result = simulate(scenario, { design: 'floating', payload: () => null, trace })
  expect(result).toMatchObject({ messagesSent: 2, messagesDelivered: 2, payloadMismatches: 0, violations: 0 })
  const { kind, form, startNs, durationNs, a } = trace.columns
  const rows = [...kind.subarray(0, trace.count).keys()]
  const release = rows.find(
    (row) => kind[row] === TraceKind.message && form[row] === TraceForm.begin && a[row] === URGENT,
  )
  const moved = rows
    .filter((row) => kind[row] === TraceKind.dma)
    .map((row) => ({ flow: a[row]! >> 1, startNs: startNs[row]!, endNs: startNs[row]! + durationNs[row]! }))
    .sort((x, y) => x.startNs - y.startNs)
  return { result, moved, releaseNs: startNs[release!]! }
}

describe.each(['edf', 'fp'] as const)('under %s', (scheduler) => {
  it.each<RegulatorSpec>([
    { kind: 'none' },
    { kind: 'budget', budgetNs: 900_000, periodNs: 1_000_000 },
    { kind: 'bucket', bytesPerNs: 0.9, burstBytes: 1_000_000 },
  ])('the more urgent message goes next but one, regulator %j', (regulator) => {
    const { moved, releaseNs, result } = piecesOf({ ...SCENARIO, broker: { ...SCENARIO.broker, scheduler, regulator } })
    expect(moved.filter(({ flow }) => flow === BULK)).toHaveLength(PIECES)
    expect(moved.filter(({ flow }) => flow === URGENT)).toHaveLength(1)
    const at = moved.findIndex(({ flow }) => flow === URGENT)
    expect(at).toBeGreaterThan(10)
    expect(at).toBeLessThan(PIECES)
    // Blocked by the piece that moved when it came, and by the one behind that, which the engine had read already.
    const pieceNs = 4096 / zcu102.dmaBytesPerNs.value + zcu102.costsNs.dmaPerDescriptor.value[1]
    expect(moved[at]!.startNs - releaseNs).toBeLessThan(2 * pieceNs + SOFTWARE_NS)
    expect(result.dmaTransfers).toBe(3)
  })

  it('a less urgent one waits for the end of the chain', () => {
    const flows = SCENARIO.flows.map((flow, i) => (i === URGENT ? { ...flow, deadlineNs: 60_000_000 } : flow))
    const { moved, result } = piecesOf({ ...SCENARIO, flows, broker: { ...SCENARIO.broker, scheduler } })
    expect(moved.findIndex(({ flow }) => flow === URGENT)).toBe(PIECES)
    expect(result.dmaTransfers).toBe(2)
  })
})

it('a message that uses up the budget is paused too, though nothing can be chained behind it', () => {
  const broker = { ...SCENARIO.broker, regulator: { kind: 'budget', budgetNs: 200_000, periodNs: 1_000_000 } as const }
  const { moved } = piecesOf({ ...SCENARIO, broker })
  const at = moved.findIndex(({ flow }) => flow === URGENT)
  expect(at).toBeGreaterThan(10)
  // 200 us of budget are 49 pieces.
  expect(at).toBeLessThan(40)
})

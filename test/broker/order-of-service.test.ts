/** What the theorems need of the broker: messages of a flow are served in the order of their release, and the regulator starts full. */
import { describe, expect, it } from 'vitest'
import { FlowState } from '../../src/broker/flow.ts'
import { BucketRegulator, BudgetRegulator, NoRegulator, type Regulator, Relay } from '../../src/broker/index.ts'
import { MessageTable } from '../../src/broker/message-table.ts'
import type { PlatformPort } from '../../src/platform/index.ts'
import { type Design, simulate } from '../../src/platform-zcu102/index.ts'
import { TraceKind } from '../../src/platform-zcu102/trace-names.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'
import { TransferPolicy } from '../../src/zero-copy/index.ts'

const T = 10_000
const J = 15_000
const C = 4_000

/** From each nominal release to the end of the message's copy, ns. */
function copiedAfter(design: Design, scheduler: string, seed: number): number[] {
  const trace = new TraceRecorder()
  const scenario = parseScenario(`
seed: ${seed}
duration: 5ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f, from: a, to: b, period: ${T}ns, deadline: 100us, jitter: ${J}ns, length: ${C} }
broker: { scheduler: ${scheduler} }
overrides: { dmaBytesPerNs: 1, chunkOverheadNs: [0, 0], messageOverheadNs: 0 }
`)
  const { payloadMismatches, deadlineMisses } = simulate(scenario, { design, payload: () => null, trace })
  expect({ payloadMismatches, deadlineMisses }).toEqual({ payloadMismatches: 0, deadlineMisses: 0 })
  const { kind, startNs, durationNs } = trace.columns
  const ends: number[] = []
  let epoch = -1
  for (let row = 0; row < trace.count; row++) {
    // Flows start at a multiple of 1 ms, and the first message is late by its jitter.
    if (kind[row] === TraceKind.message && epoch < 0) epoch = Math.floor(startNs[row]! / 1e6) * 1e6
    if (kind[row] === TraceKind.dma) ends.push(startNs[row]! + durationNs[row]!)
  }
  return ends.map((end, k) => end - epoch - k * T)
}

describe('a flow with more jitter than its period: T = 10, J = 15, c = 4 us', () => {
  it.each([
    ['dedicated', 'fp'],
    ['dedicated', 'edf'],
    ['floating', 'fp'],
    ['floating', 'edf'],
  ] as const)('%s, %s: copied within 19 us, where overtaking would take 23', (design, scheduler) => {
    let worst = 0
    for (let seed = 1; seed <= 5; seed++) {
      const times = copiedAfter(design, scheduler, seed)
      expect(times).toHaveLength(500)
      worst = Math.max(worst, ...times)
    }
    expect(worst).toBeLessThanOrEqual(19_000)
    expect(worst).toBeGreaterThan(18_000)
  })
})

it('a message that leaves before an older one is an assertion', () => {
  const flow = new FlowState({
    source: 0,
    destination: 1,
    periodNs: T,
    deadlineNs: T,
    toleranceNs: J,
    buffers: 4,
    maximumBytes: C,
    priority: 0,
  })
  const table = new MessageTable(0)
  const [older, younger] = [table.take(), table.take()]
  for (const message of [older, younger]) flow.append(message, 0, 0)
  flow.first = younger
  expect(() => flow.remove(1, 0)).toThrow('in the order in which they came')
  flow.first = older
  expect([flow.remove(1, 0), flow.remove(1, 0)]).toEqual([older, younger])
})

describe('the regulator', () => {
  const charged = (regulator: Regulator) => {
    regulator.charge(0, 100)
    return regulator
  }
  const makers: readonly (readonly [string, () => Regulator])[] = [
    ['a budget', () => new BudgetRegulator(500, 1000)],
    ['a bucket', () => new BucketRegulator({ bytesPerNs: 0.5, burstBytes: 500, chunkBytes: 100, dmaBytesPerNs: 1 })],
  ]
  const relay = (regulator: Regulator) =>
    new Relay(
      { capabilities: 0, now: () => 0 } as PlatformPort,
      {
        scheduler: 'fp',
        chunkBytes: 100,
        chaining: 'piece',
        suppressRefillKicks: true,
        coalesceCount: 1,
        coalesceDelayNs: 0,
        waitForDmaNs: 0,
        interruptCore: 0,
        policy: new TransferPolicy('copy'),
        coreCount: 1,
        cores: [0, 0],
        flows: [],
      },
      { headerBytes: 0, route: () => -1, writePieceHeader: () => {} },
      regulator,
    )

  it.each(makers)('%s starts full: all of it can be used at once', (_, make) => {
    const regulator = make()
    let usedNs = 0
    for (; regulator.startableAt(usedNs, 100) === usedNs && usedNs < 1000; usedNs += 100) regulator.charge(usedNs, 100)
    expect(usedNs).toBeGreaterThanOrEqual(500)
    expect(relay(make())).toBeInstanceOf(Relay)
  })

  it.each(makers)('%s that is not full is refused', (_, make) => {
    expect(() => relay(charged(make()))).toThrow('starts full')
    expect(relay(new NoRegulator())).toBeInstanceOf(Relay)
  })
})

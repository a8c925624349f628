/** Regulators in the whole machine: every message arrives, and the DMA never moves more than the regulator promises. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rateSetting } from '../../src/boards/rate-control.ts'
import {
  assumptionsOf,
  type BoardProfile,
  type Design,
  predict,
  simulate,
  zcu102,
} from '../../src/platform-zcu102/index.ts'
import { TraceKind } from '../../src/platform-zcu102/trace-names.ts'
import { parseScenario, type RegulatorSpec, type Scenario } from '../../src/scenario/index.ts'
import { TraceRecorder } from '../../src/sim/index.ts'

const CHUNK = 4096
const DMA_RATE = zcu102.dmaBytesPerNs.value
const LONGEST_PIECE_NS = CHUNK / DMA_RATE

const BASE = parseScenario(`
duration: 20ms
vms:
  - { name: a, core: 0, cid: 3 }
  - { name: b, core: 1, cid: 4 }
  - { name: c, core: 2, cid: 5 }
flows:
  - { name: large, from: a, to: b, period: 5ms, length: 100000, payload: random }
  - { name: small, from: c, to: b, period: 1ms, length: 5000, payload: random }
  - { name: back, from: b, to: a, period: 2ms, length: 20000, payload: random }
`)

/** Descriptors cost nothing, so that the trace shows the busy time of each piece. */
const profile: BoardProfile = {
  ...zcu102,
  costsNs: { ...zcu102.costsNs, dmaPerDescriptor: { ...zcu102.costsNs.dmaPerDescriptor, value: [0, 0, 0] } },
}

const scenarios = fc.record({
  seed: fc.nat(1_000_000),
  scheduler: fc.constantFrom('edf' as const, 'fp' as const),
  chaining: fc.constantFrom('adaptive' as const, 'piece' as const),
  lengths: fc.tuple(
    fc.integer({ min: 1, max: 150_000 }),
    fc.integer({ min: 1, max: 9000 }),
    fc.integer({ min: 1, max: 40_000 }),
  ),
  offsets: fc.tuple(fc.nat(900_000), fc.nat(900_000), fc.nat(900_000)),
})
type Draw = typeof scenarios extends fc.Arbitrary<infer T> ? T : never

function scenarioOf({ seed, scheduler, chaining, lengths, offsets }: Draw, regulator: RegulatorSpec): Scenario {
  return {
    ...BASE,
    seed,
    flows: BASE.flows.map((flow, i) => ({ ...flow, lengthBytes: lengths[i]!, offsetNs: offsets[i]! })),
    broker: { ...BASE.broker, scheduler, chaining, regulator },
  }
}

interface MovedPiece {
  readonly startNs: number
  readonly busyNs: number
  readonly bytes: number
}

/** Runs a scenario to the end and returns what the DMA moved, in order. */
function piecesOf(scenario: Scenario, design: Design): MovedPiece[] {
  const trace = new TraceRecorder()
  const result = simulate(scenario, { design, profile, payload: () => null, trace })
  expect(result.messagesDelivered).toBe(result.messagesSent)
  expect(result).toMatchObject({ payloadMismatches: 0, violations: 0 })
  const { kind, startNs, durationNs, a } = trace.columns
  const rows = [...kind.subarray(0, trace.count).keys()].filter((row) => kind[row] === TraceKind.dma)
  const restBytes = scenario.flows.map(() => 0)
  return rows.map((row) => {
    const flow = a[row]! >> 1
    if (restBytes[flow] === 0) restBytes[flow] = scenario.flows[flow]!.lengthBytes
    const bytes = Math.min(CHUNK, restBytes[flow]!)
    restBytes[flow]! -= bytes
    return { startNs: startNs[row]!, busyNs: durationNs[row]!, bytes }
  })
}

function checkAll<R extends RegulatorSpec>(
  design: Design,
  regulators: fc.Arbitrary<R>,
  check: (moved: MovedPiece[], regulator: R) => void,
): void {
  fc.assert(
    fc.property(scenarios, regulators, (draw, regulator) => {
      check(piecesOf(scenarioOf(draw, regulator), design), regulator)
    }),
    { seed: 1, numRuns: 20 },
  )
}

/** The largest `excess` over all runs of successive pieces, with the sums of what they moved. */
function largest(
  moved: readonly MovedPiece[],
  excess: (first: MovedPiece, last: MovedPiece, sum: { bytes: number; busyNs: number }) => number,
): number {
  let worst = Number.NEGATIVE_INFINITY
  moved.forEach((first, i) => {
    const sum = { bytes: 0, busyNs: 0 }
    for (const last of moved.slice(i)) {
      sum.bytes += last.bytes
      sum.busyNs += last.busyNs
      worst = Math.max(worst, excess(first, last, sum))
    }
  })
  return worst
}

describe.each(['dedicated', 'floating'] as const)('%s', (design) => {
  it('none: pieces one after another, each as long as the DMA takes for its bytes', () => {
    checkAll(design, fc.constant({ kind: 'none' } as const), (moved) => {
      moved.forEach(({ startNs, busyNs, bytes }, i) => {
        expect(busyNs).toBe(Math.ceil(bytes / DMA_RATE))
        if (i > 0) expect(startNs).toBeGreaterThanOrEqual(moved[i - 1]!.startNs + moved[i - 1]!.busyNs)
      })
    })
  })

  it('rate: between the start of any piece and the end of any later one, not more than the rate', () => {
    const rates = fc
      .double({ min: 0.2, max: 0.9, noNaN: true })
      .map((bytesPerNs) => ({ kind: 'rate', bytesPerNs }) as const)
    checkAll(design, rates, (moved, { bytesPerNs }) => {
      expect(
        largest(moved, ({ startNs }, last, sum) => sum.bytes - bytesPerNs * (last.startNs + last.busyNs - startNs)),
      ).toBeLessThanOrEqual(0)
    })
  })

  it('bucket: in any interval not more starts than burst and rate allow', () => {
    const buckets = fc
      .tuple(fc.double({ min: 0.15, max: 1.2, noNaN: true }), fc.integer({ min: CHUNK, max: 40_000 }))
      .map(([bytesPerNs, burstBytes]) => ({ kind: 'bucket', bytesPerNs, burstBytes }) as const)
    checkAll(design, buckets, (moved, { bytesPerNs, burstBytes }) => {
      expect(
        largest(moved, ({ startNs }, last, sum) => sum.bytes - bytesPerNs * (last.startNs - startNs)),
      ).toBeLessThanOrEqual(burstBytes + 1e-3)
    })
  })

  it('budget: in any k periods not more than k budgets and one overdraft', () => {
    const budgets = fc
      .tuple(fc.integer({ min: 50_000, max: 1_000_000 }), fc.integer({ min: 200, max: 1000 }))
      .map(
        ([periodNs, share]) => ({ kind: 'budget', periodNs, budgetNs: Math.ceil((periodNs * share) / 1000) }) as const,
      )
    checkAll(design, budgets, (moved, { budgetNs, periodNs }) => {
      const periodOf = ({ startNs }: MovedPiece) => Math.floor(startNs / periodNs)
      expect(
        largest(moved, (first, last, sum) => sum.busyNs - (periodOf(last) - periodOf(first) + 1) * budgetNs),
      ).toBeLessThanOrEqual(LONGEST_PIECE_NS - 1)
    })
  })

  it('rate and tight bucket: no response exceeds its bound', () => {
    const regulators = fc.oneof(
      fc.double({ min: 0.25, max: 0.9, noNaN: true }).map((bytesPerNs) => ({ kind: 'rate', bytesPerNs }) as const),
      fc
        .tuple(fc.double({ min: 0.25, max: 1.2, noNaN: true }), fc.integer({ min: CHUNK, max: 20_000 }))
        .map(([bytesPerNs, burstBytes]) => ({ kind: 'bucket', bytesPerNs, burstBytes }) as const),
    )
    let bounded = 0
    fc.assert(
      fc.property(scenarios, regulators, (draw, regulator) => {
        const scenario = scenarioOf(draw, regulator)
        const { flows } = simulate(scenario, { design, payload: () => null })
        for (const { name, endToEndNs } of predict(scenario, { design }).flows) {
          if (endToEndNs === null) continue
          bounded++
          expect(flows[name]!.responseTimeNs!.max, name).toBeLessThanOrEqual(endToEndNs)
        }
      }),
      { seed: 1, numRuns: 20 },
    )
    expect(bounded).toBeGreaterThan(40)
  })

  it('serves pieces that are longer than the budget', () => {
    const regulator = { kind: 'budget', periodNs: 10_000, budgetNs: 1500 } as const
    const scenario: Scenario = {
      ...BASE,
      flows: BASE.flows.slice(1, 2),
      broker: { ...BASE.broker, regulator },
    }
    const busyNs = piecesOf(scenario, design).reduce((sum, piece) => sum + piece.busyNs, 0)
    expect(busyNs).toBe(20 * 5000)
  })

  it('refuses what could never serve anything, and says why', () => {
    const run = (regulator: RegulatorSpec) => () =>
      simulate({ ...BASE, broker: { ...BASE.broker, regulator } }, { design, payload: () => null })
    expect(run({ kind: 'budget', budgetNs: 0, periodNs: 1000 })).toThrow(/budget 0 ns: it must be in \(0, 1000\]/)
    expect(run({ kind: 'budget', budgetNs: 1001, periodNs: 1000 })).toThrow(/its period/)
    expect(run({ kind: 'bucket', bytesPerNs: 1, burstBytes: 4095 })).toThrow(/can never hold a chunk of 4096/)
    expect(run({ kind: 'rate', bytesPerNs: 0.01 })).toThrow(
      /0.0375\d* bytes\/ns, a burst of 256 bytes every 4095 clocks/,
    )
  })
})

describe('rate control', () => {
  const control = zcu102.dmaRateControl!.value

  it('is one burst every CNT clocks, rounded down to what the counter can keep', () => {
    // 256 bytes * 0.6 GHz = 153.6 bytes a clock and count
    expect(rateSetting(1, control)).toEqual({ count: 154, bytesPerNs: 153.6 / 154 })
    expect(rateSetting(0.6, control)).toEqual({ count: 256, bytesPerNs: 0.6 })
    expect(rateSetting(153.6 / 4095, control).count).toBe(4095)
  })

  it('never promises less than it keeps, and finds its own rates again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4095 }), fc.double({ min: 0.04, max: 10, noNaN: true }), (count, wish) => {
        expect(rateSetting(153.6 / count, control).count).toBe(count)
        expect(rateSetting(wish, control).bytesPerNs).toBeLessThanOrEqual(wish * (1 + 1e-8))
      }),
      { seed: 1 },
    )
  })

  it('tells what was kept of a wish', () => {
    const lines = (bytesPerNs: number) =>
      assumptionsOf({ ...BASE, broker: { ...BASE.broker, regulator: { kind: 'rate', bytesPerNs } } }).join('\n')
    expect(lines(0.5)).toContain('0.498701')
    expect(lines(3)).toContain('does not slow the DMA down')
  })
})

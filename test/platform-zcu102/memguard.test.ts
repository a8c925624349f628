import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BudgetRegulator } from '../../src/broker/index.ts'
import { guestTimeNs } from '../../src/plan/refill-budgets.ts'
import { PhysicalInterrupt } from '../../src/platform-zcu102/gic.ts'
import { type Design, type DesignResult, longestThrottleNs, simulate, zcu102 } from '../../src/platform-zcu102/index.ts'
import { MemGuard } from '../../src/platform-zcu102/memguard.ts'
import { TraceKind, Track } from '../../src/platform-zcu102/trace-names.ts'
import {
  INTERRUPT_PRESETS,
  type InterruptSpec,
  parseScenario,
  type Scenario,
  type VmSpec,
} from '../../src/scenario/index.ts'
import { EventKernel, TraceRecorder } from '../../src/sim/index.ts'

const HAZARD = parseScenario(readFileSync(new URL('../../examples/scenarios/memguard.yaml', import.meta.url), 'utf8'))
type Way = Scenario['broker']['memguard']
const WAYS = ['service', 'interruptible', 'retarget', 'accept'] as const
const DESIGNS = ['dedicated', 'floating'] as const
/** All costs 0: then a core is in EL2 for no time, unless it is throttled. */
const FREE = { dmaBytesPerNs: null, chunkOverheadNs: [0, 0], messageOverheadNs: 0 } as const

function run(scenario: Scenario, way: Way, design: Design = 'floating', trace?: TraceRecorder): DesignResult {
  const chosen = { ...scenario, broker: { ...scenario.broker, memguard: way } }
  return simulate(chosen, { design, payload: () => null, ...(trace && { trace }) })
}

/** Rows of one kind by time: `a` is the core of a throttled span, the number of an interrupt. */
function spansOf(trace: TraceRecorder, wanted: number) {
  const { kind, track, startNs, durationNs, a } = trace.columns
  return [...kind.subarray(0, trace.count).keys()]
    .filter((row) => kind[row] === wanted)
    .map((row) => ({ track: track[row]!, a: a[row]!, startNs: startNs[row]!, durationNs: durationNs[row]! }))
    .sort((x, y) => x.startNs - y.startNs)
}

describe('MemGuard', () => {
  const EXHAUSTED = 1
  const PERIOD = 2

  /** One core, and what happens on it: times relative to the start at 1000. */
  function coreWith(guestNs: number, periodNs: number, phaseNs: number) {
    const kernel = new EventKernel()
    const memguard = new MemGuard(kernel, { exhausted: EXHAUSTED, period: PERIOD, priority: 0 }, 'accept', [
      { guestNs, periodNs, phaseNs },
    ])
    kernel.nextUntil(999)
    memguard.start(1000)
    const next = () => {
      expect(kernel.next()).toBe(true)
      return [kernel.kind, kernel.now - 1000]
    }
    return { kernel, memguard, next }
  }

  it('is exhausted after its guest time, throttled until its period ends, and whole again then', () => {
    const { memguard, next } = coreWith(400, 1000, 0)
    for (const period of [0, 1000, 2000]) {
      expect(next()).toEqual([EXHAUSTED, period + 400])
      memguard.guestStops(0)
      expect(memguard.throttle(0)).toBe(true)
      expect(memguard.isDeaf(0)).toBe(true)
      expect(next()).toEqual([PERIOD, period + 1000])
      expect(memguard.replenish(0)).toBe(1000 + period + 400)
      memguard.guestRuns(0)
    }
    expect(memguard.throttledNs(0)).toBe(1800)
  })

  it('does not count time in EL2', () => {
    const { kernel, memguard, next } = coreWith(400, 1000, 0)
    kernel.nextUntil(1300)
    memguard.guestStops(0) // after 300
    kernel.nextUntil(1550)
    memguard.guestRuns(0) // 100 are left
    expect(next()).toEqual([EXHAUSTED, 650])
  })

  it('begins in the middle of a period, with a full budget', () => {
    const { memguard, next } = coreWith(400, 1000, 300)
    expect(next()).toEqual([PERIOD, 300])
    expect(memguard.replenish(0)).toBe(-1)
    expect(next()).toEqual([EXHAUSTED, 700])
  })

  it('does not throttle a core whose next period began before its handler ran', () => {
    const { memguard, next } = coreWith(999, 1000, 0)
    expect(next()).toEqual([EXHAUSTED, 999])
    memguard.guestStops(0)
    expect(next()).toEqual([PERIOD, 1000])
    memguard.replenish(0)
    expect(memguard.throttle(0)).toBe(false)
  })

  it('is never exhausted by a load that takes nothing', () => {
    const { memguard, next } = coreWith(guestTimeNs(10, 0), 1000, 0)
    expect(next()).toEqual([PERIOD, 1000])
    memguard.replenish(0)
    expect(next()).toEqual([PERIOD, 2000])
  })

  it('lasts for as long as the load takes to use the budget up, rounded up', () => {
    expect(guestTimeNs(4000, 10)).toBe(400_000)
    expect(guestTimeNs(10, 3)).toBe(3334)
  })

  it('lets a throttled core come back after it was stopped, and nothing else', () => {
    const { kernel, memguard, next } = coreWith(400, 1000, 0)
    next()
    memguard.guestStops(0)
    memguard.throttle(0)
    memguard.stop()
    expect(next()).toEqual([PERIOD, 1000])
    memguard.replenish(0)
    memguard.guestRuns(0)
    expect(kernel.pending).toBe(0)
  })
})

describe('in the machine', () => {
  it('throttles a core in each of its periods, from exhaustion to the end, as the trace shows', () => {
    const trace = new TraceRecorder()
    const { throttledNsByCore } = run(
      { ...HAZARD, durationNs: 100_000_000, overrides: FREE },
      'service',
      'floating',
      trace,
    )
    const spans = spansOf(trace, TraceKind.throttled)
    // The first has a whole budget for what is left of its period.
    const whole = spans.slice(1)
    expect(whole.length).toBeGreaterThan(40)
    expect(new Set(whole.map(({ durationNs }) => durationNs))).toEqual(new Set([1_200_000]))
    expect(new Set(whole.slice(1).map(({ startNs }, i) => startNs - whole[i]!.startNs))).toEqual(new Set([2_000_000]))
    expect(throttledNsByCore['1']).toBe(spans.reduce((sum, { durationNs }) => sum + durationNs, 0))
    expect(throttledNsByCore).toMatchObject({ 0: 0, 2: 0 })
  })

  it('stays away from what it does not regulate: without budgets nothing changes', () => {
    const free = { ...HAZARD, durationNs: 50_000_000, vms: HAZARD.vms.map((vm) => ({ ...vm, memguard: null })) }
    const results = WAYS.map((way) => run(free, way))
    for (const result of results) expect(result).toEqual(results[0])
    expect(results[0]).toMatchObject({ memguardInterrupts: 0, delayedCompletions: 0 })
  })

  it('the hazard: urgent messages between cores that are not throttled wait for one that is; three ways out', () => {
    const result = Object.fromEntries(WAYS.map((way) => [way, run(HAZARD, way)])) as Record<Way, DesignResult>
    const longest = (way: Way) => result[way].flows.commands!.responseTimeNs!.max
    expect(longest('accept')).toBeGreaterThan(400_000)
    expect(result.accept.deadlineMisses).toBeGreaterThan(0)
    expect(result.accept.delayedCompletions).toBeGreaterThan(0)
    for (const way of ['service', 'interruptible', 'retarget'] as const) {
      expect(longest(way)).toBeLessThan(50_000)
      expect(result[way]).toMatchObject({ deadlineMisses: 0, delayedCompletions: 0 })
    }
  })

  it('retarget: a core that is awake looks for work that a throttled one had set its timer for', () => {
    // Frames use up the DMA's budget again and again; who notices sets its timer for the next refill, and is throttled.
    const scenario: Scenario = {
      ...HAZARD,
      flows: HAZARD.flows.map((flow) =>
        flow.name === 'frames' ? { ...flow, lengthBytes: 300_000 } : { ...flow, periodNs: 730_000 },
      ),
      broker: { ...HAZARD.broker, regulator: { kind: 'budget', budgetNs: 50_000, periodNs: 100_000 } },
    }
    const slowest = (way: Way) => run(scenario, way).flows.commands!.responseTimeNs!.max
    expect(slowest('retarget')).toBeLessThan(100_000)
    expect(slowest('accept')).toBeGreaterThan(400_000)
  })

  it('the hazard is the floating broker’s: a dedicated one has a core that nobody throttles', () => {
    expect(run(HAZARD, 'accept', 'dedicated')).toMatchObject({ deadlineMisses: 0, delayedCompletions: 0 })
  })

  it('serving the broker in the loop saves the exception that an interrupt is otherwise taken by', () => {
    const scenario: Scenario = {
      ...HAZARD,
      durationNs: 40_000_000,
      costs: 'typical',
      flows: HAZARD.flows.slice(0, 1),
      broker: { ...HAZARD.broker, chaining: 'piece', regulator: { kind: 'none' } },
    }
    /** From the end of a piece to the start of the next, while the receiver is throttled. */
    const gaps = (way: Way) => {
      const trace = new TraceRecorder()
      run(scenario, way, 'floating', trace)
      const throttled = spansOf(trace, TraceKind.throttled)
      const pieces = spansOf(trace, TraceKind.dma)
      return pieces.slice(1).flatMap(({ startNs }, i) => {
        const endNs = pieces[i]!.startNs + pieces[i]!.durationNs
        const inside = throttled.some((span) => span.startNs <= endNs && startNs <= span.startNs + span.durationNs)
        return inside ? [startNs - endNs] : []
      })
    }
    const served = Math.min(...gaps('service'))
    const interrupted = Math.min(...gaps('interruptible'))
    const { irqEntryAck, gicAccess } = zcu102.costsNs
    expect(interrupted - served).toBe(irqEntryAck.value[1] - gicAccess.value[1])
  })

  it('refuses a period that its own interrupts would fill', () => {
    const vms = HAZARD.vms.map((vm) => ({ ...vm, memguard: { refills: 1, periodNs: 6000 } }))
    expect(() => run({ ...HAZARD, vms }, 'service')).toThrow(/period of 6000 ns on core 0 leaves its guest nothing/)
  })
})

const machines = fc.record({
  seed: fc.nat(1_000_000),
  design: fc.constantFrom(...DESIGNS),
  scheduler: fc.constantFrom('edf' as const, 'fp' as const),
  chaining: fc.constantFrom('adaptive' as const, 'piece' as const),
  regulator: fc.constantFrom(
    { kind: 'none' } as const,
    { kind: 'budget', budgetNs: 300_000, periodNs: 500_000 } as const,
    { kind: 'bucket', bytesPerNs: 0.5, burstBytes: 16_384 } as const,
  ),
  interrupts: fc.constantFrom<InterruptSpec>(
    INTERRUPT_PRESETS.minimum,
    INTERRUPT_PRESETS.plain,
    { ...INTERRUPT_PRESETS.minimum, preset: 'custom', coalesceCount: 4, coalesceDelayNs: 100_000 },
    { ...INTERRUPT_PRESETS.plain, preset: 'custom', pollingNs: 50_000 },
  ),
  /** Of every core: period in us, and the share of it that its guest may run for, in per cent. */
  budgets: fc.array(fc.tuple(fc.integer({ min: 50, max: 1000 }), fc.integer({ min: 5, max: 100 })), {
    minLength: 3,
    maxLength: 3,
  }),
})
type Draw = typeof machines extends fc.Arbitrary<infer T> ? T : never

function regulated(vm: VmSpec, [periodUs, percent]: readonly [number, number]): VmSpec {
  const memguard = { refills: Math.ceil((periodUs * percent) / 10), periodNs: periodUs * 1000 }
  return { ...vm, refillsPerUs: 10, memguard }
}

/** All cores are throttled for most of their time, and often all at once. */
function hungry({ seed, scheduler, chaining, regulator, interrupts, budgets }: Draw): Scenario {
  return {
    ...HAZARD,
    seed,
    durationNs: 20_000_000,
    vms: HAZARD.vms.map((vm, i) => regulated(vm, budgets[i]!)),
    flows: [
      ...HAZARD.flows.map((flow) => ({ ...flow, lengthBytes: Math.min(flow.lengthBytes, 50_000) })),
      {
        ...HAZARD.flows[1]!,
        name: 'reports',
        from: 'actuator',
        to: 'camera',
        periodNs: 1_700_000,
        deadlineNs: 1_700_000,
      },
    ],
    broker: { ...HAZARD.broker, scheduler, chaining, regulator, interrupts },
  }
}

describe.each(WAYS)('%s', (way) => {
  it('no message waits for ever, whichever cores are throttled', () => {
    fc.assert(
      fc.property(machines, (draw) => {
        const result = run(hungry(draw), way, draw.design)
        expect(result.messagesDelivered).toBe(result.messagesSent)
        expect(result.messagesSent).toBeGreaterThan(20)
        expect(result).toMatchObject({ payloadMismatches: 0, violations: 0 })
      }),
      { seed: 1, numRuns: 40 },
    )
  })

  it('no completion waits longer than the rest of a period; none at all where throttled cores listen', () => {
    let delayed = 0
    fc.assert(
      fc.property(machines, (draw) => {
        const scenario = { ...hungry(draw), overrides: FREE }
        const { longestCompletionDelayNs, delayedCompletions } = run(scenario, way, 'floating')
        const listens = way === 'service' || way === 'interruptible'
        expect(longestCompletionDelayNs).toBeLessThanOrEqual(listens ? 0 : longestThrottleNs(scenario))
        delayed += delayedCompletions
      }),
      { seed: 2, numRuns: 40 },
    )
    if (way === 'retarget' || way === 'accept') expect(delayed).toBeGreaterThan(0)
    else expect(delayed).toBe(0)
  })
})

it('retarget: a completion waits only while all cores are throttled, and the first that wakes takes it', () => {
  let waits = 0
  fc.assert(
    fc.property(machines, (draw) => {
      const trace = new TraceRecorder()
      // Pinned costs chain no pieces: each is a transfer with an interrupt.
      run({ ...hungry(draw), overrides: FREE }, 'retarget', 'floating', trace)
      const throttled = spansOf(trace, TraceKind.throttled)
      const taken = spansOf(trace, TraceKind.interrupt).filter(({ a }) => a === PhysicalInterrupt.dma)
      spansOf(trace, TraceKind.dma).forEach(({ startNs, durationNs }, i) => {
        const [endNs, takenNs] = [startNs + durationNs, taken[i]!.startNs]
        if (takenNs === endNs) return
        waits++
        for (const core of [0, 1, 2]) {
          const asleep = throttled.some(
            (span) => span.a === core && span.startNs <= endNs && span.startNs + span.durationNs >= takenNs,
          )
          expect({ core, endNs, takenNs, asleep }).toEqual({ core, endNs, takenNs, asleep: true })
        }
      })
    }),
    { seed: 4, numRuns: 40 },
  )
  expect(waits).toBeGreaterThan(10)
})

it('retarget: work that is due is begun as soon as any core is awake', () => {
  const budgets = machines.map(({ budgets: [first, second] }) => [first!, second!] as const)
  let waits = 0
  fc.assert(
    fc.property(budgets, fc.nat(1_000_000), (drawn, seed) => {
      const regulator = { kind: 'budget', budgetNs: 20_000, periodNs: 70_000 } as const
      // One long message between two cores, and nothing else that would make a core look.
      const scenario: Scenario = {
        ...HAZARD,
        seed,
        durationNs: 1_000_000,
        vms: HAZARD.vms.slice(0, 2).map((vm, i) => regulated(vm, drawn[i]!)),
        flows: [{ ...HAZARD.flows[0]!, lengthBytes: 400_000, periodNs: 1_000_000_000 }],
        broker: { ...HAZARD.broker, regulator },
        overrides: FREE,
      }
      const trace = new TraceRecorder()
      run(scenario, 'retarget', 'floating', trace)
      const throttled = spansOf(trace, TraceKind.throttled)
      const awakeFrom = (atNs: number): number => {
        const asleep = [0, 1].map((core) =>
          throttled.find(({ a, startNs, durationNs }) => a === core && startNs <= atNs && atNs < startNs + durationNs),
        )
        if (asleep.some((span) => span === undefined)) return atNs
        return awakeFrom(Math.min(...asleep.map((span) => span!.startNs + span!.durationNs)))
      }
      const naive = new BudgetRegulator(regulator.budgetNs, regulator.periodNs)
      const pieces = spansOf(trace, TraceKind.dma)
      expect(pieces).toHaveLength(98)
      pieces.slice(1).forEach(({ startNs }, i) => {
        const { startNs: lastNs, durationNs } = pieces[i]!
        naive.charge(lastNs, durationNs)
        const dueNs = naive.startableAt(awakeFrom(lastNs + durationNs))
        expect({ i, startNs }).toEqual({ i, startNs: awakeFrom(dueNs) })
        if (awakeFrom(dueNs) > dueNs) waits++
      })
    }),
    { seed: 6, numRuns: 60 },
  )
  expect(waits).toBeGreaterThan(10)
})

it.each(['retarget', 'accept'] as const)('%s: a throttled core takes no interrupt', (way) => {
  fc.assert(
    fc.property(machines, (draw) => {
      const trace = new TraceRecorder()
      run(hungry(draw), way, 'floating', trace)
      const interrupts = spansOf(trace, TraceKind.interrupt)
      const heard = spansOf(trace, TraceKind.throttled).flatMap(({ a: core, startNs, durationNs }) =>
        interrupts.filter(
          (taken) =>
            taken.track === Track.core(core) && taken.startNs >= startNs && taken.startNs < startNs + durationNs,
        ),
      )
      expect(heard).toEqual([])
    }),
    { seed: 5, numRuns: 20 },
  )
})

it('waits get longer in this order: service, interruptible, retarget, accept', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), (seed) => {
      const longest = WAYS.map(
        (way) => run({ ...HAZARD, seed, durationNs: 100_000_000, overrides: FREE }, way).longestCompletionDelayNs,
      )
      expect(longest).toEqual([...longest].sort((a, b) => a - b))
      expect(longest[3]).toBeGreaterThan(100_000)
    }),
    { seed: 3, numRuns: 10 },
  )
})

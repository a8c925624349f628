/** Back-pressure is forgiven, and nothing else is: the rate test alone, then in the simulated machine. */
import { describe, expect, it } from 'vitest'
import { Policing } from '../../src/broker/policing.ts'
import { Random } from '../../src/internal/random.ts'
import { type Design, type Intruder, predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { RawQueue } from '../../src/testing/hostile-guest/raw-queue.ts'

const T = 100
const RATE = { periodNs: T, toleranceNs: 10, buffers: 2 }

describe('the rate test', () => {
  it('a flow that keeps to its rate is eligible when it comes; what is early waits', () => {
    const policing = new Policing(RATE)
    for (let k = 0; k < 5; k++) {
      expect(policing.arrive(k * T - (k % 2) * 10, 0)).toBe(k * T - (k % 2) * 10)
      policing.leave(k * T + 5, 0)
    }
    expect(policing.arrive(420, 0)).toBe(490)
  })

  it('what was late because all buffers were held, all eligible, catches up', () => {
    const policing = new Policing(RATE)
    policing.arrive(0, 0)
    policing.arrive(100, 0)
    // Held from 100 to 1000: the source has eight messages behind by then.
    policing.leave(1000, 0)
    for (let k = 2; k < 11; k++) {
      const now = 1000 + k
      expect(policing.arrive(now, 0), `message ${k}`).toBe(now)
      policing.leave(now, 0)
    }
    // Caught up: the next is due at 1100, and may be 10 early.
    expect(policing.arrive(1012, 0)).toBe(1090)
  })

  it('without it the backlog stays: a source that was late by itself gets one message a period', () => {
    const policing = new Policing(RATE)
    policing.arrive(0, 0)
    policing.leave(1, 0)
    expect(policing.arrive(1000, 0)).toBe(1000)
    expect(policing.arrive(1001, 0)).toBe(1090)
    policing.leave(1002, 0)
    expect(policing.arrive(1003, 0)).toBe(1190)
  })

  it('nothing is earned while a message is early, a buffer is free, or the receiver has none', () => {
    const early = new Policing(RATE)
    early.arrive(0, 0)
    early.arrive(1, 0)
    expect([50, 90, 300].map((now) => early.creditNs(now, 0))).toEqual([0, 0, 210])
    const free = new Policing(RATE)
    free.arrive(0, 0)
    expect(free.creditNs(1000, 0)).toBe(0)
    const starved = new Policing(RATE)
    starved.arrive(0, 0)
    starved.arrive(100, 0)
    expect(starved.creditNs(1000, 700)).toBe(200)
  })

  it('messages without payload come one a period, none of them early', () => {
    const policing = new Policing(RATE)
    expect([0, 1, 2, 950].map((now) => policing.control(now))).toEqual([0, 100, 200, 950])
    expect([951, 1200].map((now) => policing.control(now))).toEqual([1050, 1200])
  })

  it('credit that is not used is lost as fast as it was earned', () => {
    const policing = new Policing(RATE)
    policing.arrive(0, 0)
    policing.arrive(100, 0)
    policing.leave(500, 0)
    expect([500, 700, 899, 900, 5000].map((now) => policing.creditNs(now, 0))).toEqual([400, 200, 1, 0, 0])
  })

  it('no source gets more than the formula, whatever it does', () => {
    let reached = 0
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed)
      const policing = new Policing({ periodNs: T, toleranceNs: 30, buffers: 3 })
      const eligible: number[] = []
      const credits: number[] = []
      const held: number[] = []
      const waiting: number[] = []
      let [now, heldNs] = [0, 0]
      for (let step = 0; step < 200; step++) {
        const next = now + random.pick([1, 3, 20, 50, 100, 400])
        // Its own account of the time held: all three under way, and eligible.
        if (waiting.length === 3) heldNs += Math.max(0, next - Math.max(now, waiting.at(-1)!))
        now = next
        const due = waiting.length > 0 && waiting[0]! <= now
        if (waiting.length < 3 && (!due || random.chance(0.6))) {
          credits.push(policing.creditNs(now, 0))
          const at = policing.arrive(now, 0)
          eligible.push(at)
          held.push(heldNs)
          waiting.push(at)
        } else if (due) {
          policing.leave(now, 0)
          waiting.shift()
        }
      }
      for (let from = 0; from < eligible.length; from++) {
        for (let to = from; to < eligible.length; to++) {
          const window = eligible[to]! - eligible[from]!
          const credit = credits[from]! + held[to]! - held[from]!
          const allowed = Math.floor((window + 30 + credit) / T) + 1
          if (to - from + 1 > allowed) expect.fail(`seed ${seed}, messages ${from} to ${to}: ${allowed} are allowed`)
          if (to - from + 1 === allowed) reached++
        }
      }
    }
    expect(reached).toBeGreaterThan(1000)
  })
})

const designs = ['dedicated', 'floating'] as const
const schedulers = ['fp', 'edf'] as const

function responses(scenario: Scenario, design: Design, flow: string): number[] {
  const times: number[] = []
  const onMessage = (message: { flow: string; responseNs: number }) => {
    if (message.flow === flow) times.push(message.responseNs)
  }
  const { flows } = simulate(scenario, { design, payload: () => null, hashesRun: false, onMessage })
  expect(flows[flow]!.delivered).toBe(flows[flow]!.messages)
  return times
}

const COMBINATIONS = designs.flatMap((design) => schedulers.map((scheduler) => [design, scheduler] as const))

describe.each(COMBINATIONS)('%s, %s', (design, scheduler) => {
  /** Images take the DMA for half of every period, and log is held for 33 of its own. */
  it('a backlog drains: the longer run is as the short one', () => {
    const at = (duration: string) =>
      parseScenario(`
duration: ${duration}
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: images, from: a, to: c, period: 100ms, length: 5000000, payload: none, priority: 0 }
  - { name: log, from: b, to: c, period: 1500us, deadline: 100ms, length: 30000, payload: none, priority: 1 }
broker: { scheduler: ${scheduler}, regulator: { kind: rate, bytesPerNs: 0.1 } }
`)
    const short = Math.max(...responses(at('300ms'), design, 'log'))
    const long = Math.max(...responses(at('800ms'), design, 'log'))
    expect(short).toBeLessThan(60e6)
    expect(long).toBeLessThan(1.02 * short)
  })

  it('after a transient overload all is as before, a bounded time later', () => {
    // One message that blocks the DMA for 40 ms: log gets 20 messages behind, and catches up at half a period each.
    const times = responses(
      parseScenario(`
duration: 200ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: once, from: a, to: c, period: 10s, deadline: 50ms, offset: 40ms, length: 4000000, payload: none, priority: 0 }
  - { name: log, from: b, to: c, period: 2ms, deadline: 100ms, length: 100000, payload: none, priority: 1 }
broker: { scheduler: ${scheduler}, regulator: { kind: rate, bytesPerNs: 0.1 } }
`),
      design,
      'log',
    )
    const before = times.slice(0, 18)
    const after = times.slice(75)
    expect(Math.max(...times)).toBeGreaterThan(30e6)
    expect(Math.max(...after)).toBeLessThanOrEqual(Math.max(...before))
  })
})

/** `late` is more urgent than `control`, and its sender or receiver holds everything back for 20 ms, then goes on as fast as it can. */
const HELD_BACK = (scheduler: string) =>
  parseScenario(`
duration: 100ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: late, from: a, to: b, period: 1ms, length: 100000, payload: none, priority: 0 }
  - { name: control, from: c, to: b, period: 2ms, length: 20000, payload: none, priority: 1 }
broker: { scheduler: ${scheduler} }
`)

it.each(COMBINATIONS)(
  '%s, %s: a sender that holds back and then bursts moves nobody past his bound',
  (design, scheduler) => {
    const scenario = HELD_BACK(scheduler)
    const bound = predict(scenario, { design }).flows.find(({ name }) => name === 'control')!.endToEndNs!
    let calls = 0
    let bursts = 0
    const { flows } = simulate(scenario, {
      design,
      payload: () => null,
      intruder: {
        vm: 0,
        act: (_memory, behave) => {
          // 20 releases pass, then everything that waits goes at once.
          if (++calls % 20 !== 0) return 0
          bursts++
          return behave()
        },
      },
    })
    expect(bursts).toBeGreaterThan(3)
    expect(flows.control).toMatchObject({ delivered: 50, deadlineMisses: 0 })
    expect(flows.control!.responseTimeNs!.max).toBeLessThanOrEqual(bound)
  },
)

/** A receiver that gives its buffers back every 20 ms, all at once; its sender is honest, and has a backlog by then. */
function hoarder(): Intruder {
  let queue: RawQueue | null = null
  let seen = 0
  return {
    vm: 1,
    act(memory, _, registers) {
      if (queue === null) {
        registers.queueSelect = 0
        const [descriptors, driver, device] = ([0, 1, 2] as const).map((area) => registers.readQueueAddress(area, 0))
        queue = new RawQueue(memory, registers.queueSize, descriptors!, driver!, device!)
        seen = queue.usedIdx
      }
      // No interrupts: it acts when it sends its own message, and puts back what it has got until then.
      queue.writeEvents(1, (queue.usedIdx + 30_000) & 0xffff)
      for (; seen !== queue.usedIdx; seen = (seen + 1) & 0xffff) {
        queue.publish(memory.readU32(queue.device + 4 + 8 * (seen % queue.size)))
      }
      return 1
    },
  }
}

it.each(COMBINATIONS)(
  '%s, %s: a receiver that holds its buffers back and then gives them moves nobody past his bound',
  (design, scheduler) => {
    const scenario = parseScenario(`
duration: 100ms
vms:
  - { name: a, core: 0, cid: 3 }
  - { name: b, core: 1, cid: 4, queue: 2048 }
  - { name: c, core: 2, cid: 5 }
  - { name: d, core: 0, cid: 6 }
flows:
  - { name: late, from: a, to: b, period: 3ms, length: 300000, payload: none, priority: 0 }
  - { name: tick, from: b, to: a, period: 20ms, length: 64, payload: none, priority: 1 }
  - { name: control, from: c, to: d, period: 2ms, deadline: 6ms, length: 10000, payload: none, priority: 2 }
broker: { scheduler: ${scheduler} }
`)
    const bound = predict(scenario, { design }).flows.find(({ name }) => name === 'control')!.endToEndNs!
    const { flows } = simulate(scenario, { design, payload: () => null, intruder: hoarder() })
    expect(flows.control).toMatchObject({ delivered: 50, deadlineMisses: 0 })
    expect(flows.control!.responseTimeNs!.max).toBeLessThanOrEqual(bound)
  },
)

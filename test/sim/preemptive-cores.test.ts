import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CoreLevel, EventKernel, PreemptiveCores } from '../../src/sim/index.ts'

const CORES = 2
const LEVELS = Object.values(CoreLevel)
const TOP = CoreLevel.hypervisor

type Command =
  | { readonly do: 'enqueue'; readonly core: number; readonly level: number; readonly durationNs: number }
  | { readonly do: 'enter' | 'leave'; readonly core: number }
  | { readonly do: 'reset' }

/** What can be seen from outside: an end of an activity, or whether `enter` succeeded. */
type Sight = readonly [what: string, timeNs: number, core: number, level: number, id: number]

interface Timed {
  readonly timeNs: number
  /** Before or after the ends of activities at this time. */
  readonly early: boolean
  readonly command: Command
}

interface Outcome {
  readonly sights: Sight[]
  /** By core and level. */
  readonly busyNs: number[]
}

const core = fc.nat(CORES - 1)
const timed: fc.Arbitrary<Timed> = fc.record({
  timeNs: fc.nat(40),
  early: fc.boolean(),
  command: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('enqueue' as const), core, level: fc.nat(TOP), durationNs: fc.nat(9) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('enter' as const, 'leave' as const), core }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
  ),
})

const END = 500
const FINISH = 1
const COMMAND = 2

function simulated(plan: readonly Timed[]): Outcome {
  const kernel = new EventKernel()
  const cores = new PreemptiveCores(kernel, CORES, FINISH, 5)
  const sights: Sight[] = []
  for (const [index, { timeNs, early }] of plan.entries()) kernel.schedule(timeNs, early ? 4 : 6, COMMAND, index, 0)
  while (kernel.nextUntil(END)) {
    if (kernel.kind === FINISH) {
      const level = kernel.b
      expect(cores.finish(kernel.a)).toBe(true)
      expect(cores.finishedLevel).toBe(level)
      expect(cores.finishedKind).toBe(~cores.finishedA)
      sights.push(['end', kernel.now, kernel.a, level, cores.finishedA])
      continue
    }
    const index = kernel.a
    const { command } = plan[index]!
    if (command.do === 'reset') cores.resetAccounting()
    else if (command.do === 'enqueue') cores.enqueue(command.core, command.level, command.durationNs, ~index, index)
    else if (command.do === 'enter')
      sights.push([`enter ${cores.enter(command.core)}`, kernel.now, command.core, TOP, index])
    else if (cores.isEntered(command.core)) cores.leave(command.core)
  }
  const busyNs = [0, 1].flatMap((core) => LEVELS.map((level) => cores.busyNs(core, level)))
  return { sights, busyNs }
}

/** The same by definition: nanosecond by nanosecond, each core works on the head of its highest non-empty level. */
function stepped(plan: readonly Timed[]): Outcome {
  const sights: Sight[] = []
  const busyNs = new Array<number>(CORES * LEVELS.length).fill(0)
  const queues = Array.from({ length: CORES * LEVELS.length }, () => [] as { left: number; id: number }[])
  const entered = new Array<boolean>(CORES).fill(false)
  const levelOf = (core: number): number => {
    if (entered[core]) return TOP
    return LEVELS.toReversed().find((level) => queues[core * LEVELS.length + level]!.length > 0) ?? -1
  }
  const apply = (command: Command, index: number, now: number): void => {
    if (command.do === 'reset') busyNs.fill(0)
    else if (command.do === 'enqueue') {
      queues[command.core * LEVELS.length + command.level]!.push({ left: command.durationNs, id: index })
    } else if (command.do === 'enter') {
      const free = !entered[command.core] && queues[command.core * LEVELS.length + TOP]!.length === 0
      if (free) entered[command.core] = true
      sights.push([`enter ${free}`, now, command.core, TOP, index])
    } else entered[command.core] = false
  }
  const end = (now: number): void => {
    for (let core = 0; core < CORES; core++) {
      for (;;) {
        const level = levelOf(core)
        if (level < 0 || entered[core] || queues[core * LEVELS.length + level]![0]!.left > 0) break
        sights.push(['end', now, core, level, queues[core * LEVELS.length + level]!.shift()!.id])
      }
    }
  }
  for (let now = 0; now <= END; now++) {
    plan.forEach(({ timeNs, early, command }, index) => {
      if (timeNs === now && early) apply(command, index, now)
    })
    end(now)
    plan.forEach(({ timeNs, early, command }, index) => {
      if (timeNs !== now || early) return
      apply(command, index, now)
      end(now)
    })
    if (now === END) break
    for (let core = 0; core < CORES; core++) {
      const level = levelOf(core)
      if (level < 0) continue
      busyNs[core * LEVELS.length + level]!++
      if (!entered[core]) queues[core * LEVELS.length + level]![0]!.left--
    }
  }
  return { sights, busyNs }
}

/** Cores are independent of each other; the order of their ends at one instant is the kernel's. */
const byCore = ({ sights }: Outcome) => [0, 1].map((core) => sights.filter((sight) => sight[2] === core))

describe('PreemptiveCores', () => {
  it('does what a simulation in steps of 1 ns does: ends, entries and busy times', () => {
    fc.assert(
      fc.property(fc.array(timed, { maxLength: 40 }), (plan) => {
        const [ours, expected] = [simulated(plan), stepped(plan)]
        expect(byCore(ours)).toEqual(byCore(expected))
        expect(ours.busyNs).toEqual(expected.busyNs)
      }),
      { numRuns: 1000 },
    )
  })

  it('conserves work: every activity ends, and a core is busy at a level exactly as long as asked of it', () => {
    const activity = fc.record({ core, level: fc.nat(TOP), durationNs: fc.nat(1e9), timeNs: fc.nat(1e9) })
    fc.assert(
      fc.property(fc.array(activity, { maxLength: 60 }), (activities) => {
        const kernel = new EventKernel()
        const cores = new PreemptiveCores(kernel, CORES, FINISH, 0)
        const askedNs = new Array<number>(CORES * LEVELS.length).fill(0)
        for (const [index, { timeNs }] of activities.entries()) kernel.schedule(timeNs, 0, COMMAND, index, 0)
        let ended = 0
        while (kernel.next()) {
          if (kernel.kind === FINISH) {
            if (cores.finish(kernel.a)) ended++
            continue
          }
          const { core, level, durationNs } = activities[kernel.a]!
          cores.enqueue(core, level, durationNs, 0, 0)
          askedNs[core * LEVELS.length + level]! += durationNs
        }
        expect(ended).toBe(activities.length)
        for (let queue = 0; queue < CORES * LEVELS.length; queue++) {
          expect(cores.busyNs(Math.floor(queue / LEVELS.length), queue % LEVELS.length)).toBe(askedNs[queue])
          expect(cores.isIdle(Math.floor(queue / LEVELS.length), queue % LEVELS.length)).toBe(true)
        }
      }),
    )
  })

  it('suspends the guest for a section of open length and resumes what was left of it', () => {
    const kernel = new EventKernel()
    const cores = new PreemptiveCores(kernel, 1, FINISH, 0)
    cores.enqueue(0, CoreLevel.thread, 100, 7, 42)
    kernel.nextUntil(30)
    expect([cores.enter(0), cores.enter(0), cores.runningLevel(0)]).toEqual([true, false, CoreLevel.hypervisor])
    cores.enqueue(0, CoreLevel.interrupt, 5, 8, 43)
    expect(kernel.nextUntil(90)).toBe(false)
    expect(LEVELS.map((level) => cores.busyNs(0, level))).toEqual([0, 30, 0, 60])
    expect(LEVELS.map((level) => cores.isIdle(0, level))).toEqual([true, false, false, false])
    cores.leave(0)
    expect([kernel.next(), kernel.now, cores.finish(0), cores.finishedKind]).toEqual([true, 95, true, 8])
    expect([kernel.next(), kernel.now, cores.finish(0), cores.finishedA]).toEqual([true, 165, true, 42])
    expect([kernel.next(), cores.runningLevel(0)]).toEqual([false, -1])
  })

  it('finishes nothing when nothing ends now', () => {
    const kernel = new EventKernel()
    const cores = new PreemptiveCores(kernel, 1, FINISH, 0)
    expect(cores.finish(0)).toBe(false)
    cores.enqueue(0, CoreLevel.thread, 10, 0, 0)
    kernel.nextUntil(9)
    expect(cores.finish(0)).toBe(false)
    cores.enter(0)
    expect(cores.finish(0)).toBe(false)
  })

  it('stops misuse', () => {
    const cores = new PreemptiveCores(new EventKernel(), 2, FINISH, 0)
    expect(() => cores.leave(0)).toThrow(/has not entered/)
    expect(() => cores.enqueue(2, 0, 1, 0, 0)).toThrow(/no core 2/)
    expect(() => cores.enqueue(0, 4, 1, 0, 0)).toThrow(/level 4/)
    expect(() => cores.enqueue(0, 0, -1, 0, 0)).toThrow(/duration of -1/)
    expect(() => cores.enqueue(0, 0, 0.5, 0, 0)).toThrow(/duration of 0.5/)
    expect(() => new PreemptiveCores(new EventKernel(), 0, FINISH, 0)).toThrow(/0 cores/)
  })
})

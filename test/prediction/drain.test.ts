/** The window in which the machine drains: how many messages of a flow are in it, and whose bounds depend on whose. */
import { expect, it } from 'vitest'
import { Policing } from '../../src/broker/policing.ts'
import { Random } from '../../src/internal/random.ts'
import { predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { randomScenario } from './random-scenarios.ts'

it('a message that is held back is followed by one a period, whatever is forgiven', () => {
  let heldBack = 0
  let forgiven = 0
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed, 5)
    const [periodNs, buffers] = [1000, 4]
    const policing = new Policing({ periodNs, toleranceNs: random.between(0, 2500), buffers })
    const timed: { queuedNs: number; eligibleNs: number }[] = []
    // Messages that have not left, oldest first.
    const waiting: number[] = []
    for (let nowNs = 0; nowNs < 60_000; nowNs += random.between(1, random.chance(0.1) ? 4000 : 400)) {
      if (waiting.length > 0 && waiting[0]! <= nowNs && random.chance(0.5)) {
        waiting.shift()
        policing.leave(nowNs, 0)
      } else if (waiting.length < buffers) {
        const eligibleNs = policing.arrive(nowNs, 0)
        if (policing.forgivenNs > 0) forgiven++
        timed.push({ queuedNs: nowNs, eligibleNs })
        waiting.push(eligibleNs)
      }
    }
    timed.forEach(({ queuedNs, eligibleNs }, oldest) => {
      // Held back from when it came until just before its time.
      if (eligibleNs === queuedNs) return
      heldBack++
      const early = timed.slice(oldest).filter((later, k) => later.eligibleNs < eligibleNs + k * periodNs)
      expect(early).toEqual([])
    })
  }
  expect(heldBack).toBeGreaterThan(500)
  expect(forgiven).toBeGreaterThan(50)
})

it('short messages beside long ones have bounds, though many of them come while one is under way', () => {
  const scenario = parseScenario(`
costs: worst
duration: 200ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: control, from: a, to: b, period: 1ms, length: 4000 }
  - { name: frames, from: b, to: c, period: 2ms, length: 200000 }
  - { name: noise, from: c, to: a, period: 500us, length: 4000 }
  - { name: bait, from: a, to: c, period: 1ms, length: 20000 }
`)
  const { flows } = predict(scenario, { design: 'floating' })
  const found = simulate(scenario, { design: 'floating', payload: () => null }).flows
  for (const { name, endToEndNs } of flows) {
    expect(endToEndNs, name).not.toBeNull()
    expect(found[name]!.responseTimeNs!.max).toBeLessThanOrEqual(endToEndNs!)
    expect(endToEndNs!).toBeLessThan(1e6)
  }
})

it('a flow without a bound leaves the others theirs', () => {
  // The messages of f2 may be late for longer than the rate test forgives.
  const scenario = { ...randomScenario(13), costs: 'worst' as const }
  const { flows, obstacles, cores } = predict(scenario, { design: 'floating' })
  expect(flows.map(({ endToEndNs }) => endToEndNs !== null)).toEqual([true, true, false, true, true])
  expect(obstacles.join()).toContain('f2')
  // What is taken from the cores depends on how long all messages are under way.
  expect(cores.map(({ stolenWithin }) => stolenWithin(1e6))).toEqual(cores.map(() => 1e6))
  const found = simulate(scenario, { design: 'floating', payload: () => null }).flows
  for (const { name, endToEndNs } of flows) {
    if (endToEndNs !== null) expect(found[name]!.responseTimeNs!.max).toBeLessThanOrEqual(endToEndNs)
  }
})

it('a sender that may wait for credit leaves the others their bounds, unless what has come waits to be told', () => {
  const scenario = (interrupts: string) =>
    parseScenario(`
costs: worst
duration: 200ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: short-of-credit, from: a, to: b, period: 2ms, length: 20000, credit: 40000 }
  - { name: other, from: b, to: a, period: 3ms, length: 9000 }
broker: { interrupts: ${interrupts} }
`)
  const { flows, obstacles } = predict(scenario('minimum'), { design: 'floating' })
  expect(flows.map(({ endToEndNs }) => endToEndNs !== null)).toEqual([false, true])
  expect(obstacles.join()).toContain('flow short-of-credit: its sender may wait for credit')
  const found = simulate(scenario('minimum'), { design: 'floating', payload: () => null }).flows
  expect(found.other!.responseTimeNs!.max).toBeLessThanOrEqual(flows[1]!.endToEndNs!)
  const polling = predict(scenario('{ polling: 200us }'), { design: 'floating' })
  expect(polling.flows.map(({ endToEndNs }) => endToEndNs)).toEqual([null, null])
})

it('a backlog without end has shares that add up to all of the time, or more', () => {
  let backlogs = 0
  for (const seed of [11, 14, 22, 30, 56, 70, 102, 120, 264, 286]) {
    for (const obstacle of predict(randomScenario(seed), { design: 'floating' }).obstacles) {
      expect(obstacle).not.toMatch(/Infinity|NaN/)
      const [said, rest] = obstacle.split('counted one after another')
      if (rest === undefined) continue
      backlogs++
      const shares = [...said!.matchAll(/(\d+) %/g)].map(([, share]) => Number(share))
      const all = Number(/that is (\d+) %/.exec(rest)![1])
      expect(all, obstacle).toBeGreaterThanOrEqual(100)
      // Each of them is rounded, and what is below half a per cent is not said.
      expect(Math.abs(all - shares.reduce((sum, share) => sum + share, 0)), obstacle).toBeLessThanOrEqual(3)
    }
  }
  expect(backlogs).toBeGreaterThan(5)
})

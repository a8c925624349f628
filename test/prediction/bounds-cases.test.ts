/**
 * Scenarios that once had bounds which did not hold, or none and no reason: what is simulated stays within what is predicted, in both
 * placements, and whoever has no bound is told why.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Design, predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario, type Scenario, vmOnDedicatedCore } from '../../src/scenario/index.ts'
import { randomScenario } from './random-scenarios.ts'

const FOLDER = new URL('bound-cases/', import.meta.url)
const caseOf = (name: string) => parseScenario(readFileSync(new URL(`${name}.yaml`, FOLDER), 'utf8'))
const NAMES = readdirSync(FOLDER).map((file) => file.replace('.yaml', ''))
const DESIGNS = ['floating', 'dedicated'] as const

/** What the simulated machine shows of each flow, worst; a run is cut where it need not be long. */
function observed(scenario: Scenario, design: Design, durationNs = Math.min(scenario.durationNs, 200_000_000)) {
  const { flows } = simulate({ ...scenario, durationNs }, { design, payload: () => null })
  return scenario.flows.map(({ name }) => flows[name]!.responseTimeNs?.max ?? 0)
}

function exceeded(
  scenario: Scenario,
  design: Design,
  schedulers: readonly ('fp' | 'edf')[] = [scenario.broker.scheduler],
) {
  const found: string[] = []
  for (const scheduler of schedulers) {
    const changed = { ...scenario, broker: { ...scenario.broker, scheduler } }
    const { flows } = predict(changed, { design })
    observed(changed, design).forEach((observedNs, i) => {
      const { endToEndNs, name } = flows[i]!
      if (endToEndNs !== null && observedNs > endToEndNs)
        found.push(`${scheduler} ${name}: ${observedNs} > ${endToEndNs}`)
    })
  }
  return found
}

describe.each(NAMES)('%s', (name) => {
  const scenario = caseOf(name)
  const designs = DESIGNS.filter((design) => design === 'floating' || vmOnDedicatedCore(scenario) === null)

  it.each(designs)('is within its bounds, or is told why it has none: %s', (design) => {
    const { flows, obstacles, chains } = predict(scenario, { design })
    const missing = [...flows, ...chains].some(({ endToEndNs }) => endToEndNs === null)
    expect(obstacles.length > 0).toBe(missing)
    expect(exceeded(scenario, design)).toEqual([])
  })

  it.each(designs)('EL2 takes no more of a window than it has: %s', (design) => {
    for (const { stolenWithin, stolenRate } of predict(scenario, { design }).cores) {
      for (const windowNs of [0, 1, 1000, 1_000_000, 2 ** 40])
        expect(stolenWithin(windowNs)).toBeLessThanOrEqual(windowNs)
      expect(stolenRate ?? 0).toBeLessThanOrEqual(1)
    }
  })
})

describe('a flow whose time under way is not known', () => {
  it('leaves none of those that it may delay a bound: EDF, a backlog with earlier deadlines', () => {
    const { flows, obstacles } = predict(caseOf('over'), { design: 'floating' })
    expect(flows.map(({ endToEndNs }) => endToEndNs)).toEqual([null, null])
    expect(obstacles[0]).toMatch(/^overload: 230 % of the DMA|^overload: \d+ % of the DMA/)
  })

  // What waited for a sleeping receiver's buffers competes a period apart when they come (src/broker/policing.ts): at once, as a burst,
  // it kept the victim waiting for 6.04 ms.
  it('comes in no burst when its receiver wakes, and whoever it delays has a bound that holds, or none', () => {
    const scenario = caseOf('starve')
    const victim = predict(scenario, { design: 'dedicated' }).flows[1]!
    const [, worstNs] = observed(scenario, 'dedicated')
    expect(worstNs).toBeLessThan(2_000_000)
    expect(victim.endToEndNs === null || victim.endToEndNs >= worstNs!).toBe(true)
  })
})

describe('what back-pressure delayed', () => {
  it.each(['log', 'natural'])('%s: the backlog drains, under either scheduler', (name) => {
    const scenario = caseOf(name)
    for (const scheduler of ['fp', 'edf'] as const) {
      const under = { ...scenario, broker: { ...scenario.broker, scheduler } }
      const [short, long] = [200_000_000, 600_000_000].map((durationNs) => observed(under, 'floating', durationNs)[1]!)
      expect({ scheduler, grows: long! > 1.2 * short! }).toEqual({ scheduler, grows: false })
    }
  })
})

it('a jitter of several periods has a bound: its messages wait at the sender, for the four buffers', () => {
  const scenario = caseOf('jitsim')
  for (const periods of [0, 1, 2, 3, 3.9, 4, 5, 8, 12]) {
    const jitterNs = periods * 1_000_000
    const late = { ...scenario, durationNs: 100_000_000, flows: scenario.flows.map((flow) => ({ ...flow, jitterNs })) }
    const { flows, obstacles } = predict(late, { design: 'floating' })
    expect({ periods, obstacles }).toEqual({ periods, obstacles: [] })
    // The jitter and little more.
    expect(flows[0]!.endToEndNs).toBeLessThan(jitterNs + 2_000_000)
    expect(exceeded(late, 'floating', ['fp', 'edf'])).toEqual([])
  }
})

it('overload is named first, with its share', () => {
  expect(predict(caseOf('overload-bulk'), { design: 'floating' }).obstacles[0]).toMatch(
    /^overload: 4\d\d % of the DMA$/,
  )
  expect(predict(caseOf('overload-small'), { design: 'floating' }).obstacles[0]).toMatch(
    /^overload: 1\d\d % of the DMA$/,
  )
})

it('a bound that is missing always has a reason', () => {
  for (let seed = 1; seed <= 40; seed++) {
    for (const design of DESIGNS) {
      const { flows, obstacles } = predict(randomScenario(seed), { design })
      const missing = flows.filter(({ endToEndNs }) => endToEndNs === null).length
      expect({ seed, design, said: obstacles.length > 0 }).toEqual({ seed, design, said: missing > 0 })
    }
  }
})

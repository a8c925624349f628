/**
 * What was predicted against what is simulated, over random scenarios: no response above its bound, no core robbed of more than
 * foreseen, no lock held longer than w. Every regulator, scheduler, interrupt technique, way to
 * live with MemGuard, cost level and piece size.
 */
import { describe, expect, it } from 'vitest'
import {
  builtInProfile,
  type Design,
  type DesignResult,
  type Prediction,
  predict,
  simulate,
} from '../../src/platform-zcu102/index.ts'
import { systemOf } from '../../src/prediction/system.ts'
import { parseScenario, type Scenario } from '../../src/scenario/index.ts'
import { randomScenario } from './random-scenarios.ts'

/** How many times the usual number of scenarios: PREDICTION_CAMPAIGN=20 npx vitest run test/platform-zcu102. */
const CAMPAIGN = Number(process.env.PREDICTION_CAMPAIGN ?? 1)
const BATCHES = 2
const SCENARIOS = 24 * CAMPAIGN

/** What exceeded its bound, and how many responses had one. `others`: predictions of the same scenario by other means. */
function compare(scenario: Scenario, design: Design, prediction: Prediction, ...others: Prediction[]) {
  const result = simulate(scenario, { design, payload: () => null })
  const exceeded: string[] = []
  // What the predictions take for moved never sees the DMA.
  const { flows } = systemOf(scenario, design, builtInProfile(scenario))
  const tried = flows.some(({ pages }) => pages === 'tried')
  // Who surely has read a message, and handed its buffers back, before the loan is due is spared the copies.
  const handedBackNs = 20_000 + 4 * (prediction.lockHoldNs ?? 0)
  const inTime = flows.every(({ index, pages, periodNs }) => {
    return pages === 'copied' || (prediction.flows[index]!.endToEndNs ?? periodNs) + handedBackNs <= periodNs
  })
  if (result.pagesRevoked > 0 && inTime) exceeded.push(`${result.pagesRevoked} pages were revoked`)
  if (result.copyFallbacks > 0 && !tried) exceeded.push(`${result.copyFallbacks} pages could not be moved`)
  let compared = 0
  const check = (what: string, observedNs: number, boundNs: number | null) => {
    if (boundNs === null) return
    compared++
    if (observedNs > boundNs) exceeded.push(`${what}: ${observedNs} > ${boundNs}`)
  }
  for (const { flows } of [prediction, ...others]) {
    for (const { name, endToEndNs } of flows) {
      check(`response of ${name}`, result.flows[name]!.responseTimeNs?.max ?? 0, endToEndNs)
    }
  }
  for (const { name, endToEndNs } of prediction.chains) {
    check(`chain ${name}`, result.chains[name]!.responseTimeNs?.max ?? 0, endToEndNs)
  }
  const bounded = prediction.flows.every(({ endToEndNs }) => endToEndNs !== null)
  for (const { core, stolenWithin } of prediction.cores) {
    check(`stolen from core ${core}`, result.stolenNsByCore[core]!, bounded ? stolenWithin(result.simulatedNs) : null)
  }
  check('lock hold', result.longestLockHoldNs, bounded ? prediction.lockHoldNs : null)
  return { exceeded, compared, result }
}

describe.each(['floating', 'dedicated'] as const)('%s', (design) => {
  it.each(Array.from({ length: BATCHES }, (_, batch) => batch))(
    'random scenarios keep to their bounds, batch %i',
    (batch) => {
      let compared = 0
      let shortened = 0
      for (let i = 0; i < SCENARIOS; i++) {
        const seed = 1 + batch * SCENARIOS + i
        const scenario = randomScenario(seed)
        const prediction = predict(scenario, { design })
        const stages = predict(scenario, { design, oneWindow: false })
        const found = compare(scenario, design, prediction, stages)
        compared += found.compared
        expect({ seed, exceeded: found.exceeded }).toEqual({ seed, exceeded: [] })
        prediction.flows.forEach(({ endToEndNs }, flow) => {
          const stagesNs = stages.flows[flow]!.endToEndNs ?? Number.POSITIVE_INFINITY
          expect({ seed, longer: (endToEndNs ?? Number.POSITIVE_INFINITY) > stagesNs }).toEqual({ seed, longer: false })
          if ((endToEndNs ?? stagesNs) < stagesNs) shortened++
        })
      }
      // Not because nothing has a bound.
      expect(compared).toBeGreaterThan(SCENARIOS)
      expect(shortened).toBeGreaterThan(SCENARIOS / 4)
    },
  )

  it('flows that release each other keep to their bounds, and so does their chain', () => {
    for (let seed = 1; seed <= 8 * CAMPAIGN; seed++) {
      const transfer = seed % 4 < 2 ? 'copy' : seed % 4 === 2 ? 'remap' : 'lend'
      const scenario = parseScenario(`
seed: ${seed}
duration: 200ms
costs: ${['worst', 'random', 'best'][seed % 3]}
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: first, from: a, to: b, period: 20ms, deadline: 8ms, length: 300KiB, jitter: 1ms, payload: none }
  - { name: second, from: b, to: c, after: first, compute: 2ms, period: 20ms, deadline: 9ms, length: 40KiB, payload: none }
  - { name: third, from: c, to: a, after: second, compute: 500us, period: 20ms, deadline: 9ms, length: 600, payload: none }
  - { name: other, from: a, to: c, period: 7ms, length: 90KiB, payload: none }
chains: [{ name: all, flows: [first, second, third], deadline: 60ms }]
broker: { scheduler: ${seed % 5 < 2 ? 'fp' : 'edf'}, transfer: ${transfer}, regulator: { kind: budget, budget: 500us, period: 1ms } }
`)
      const { compared, exceeded } = compare(scenario, design, predict(scenario, { design }))
      expect({ seed, exceeded }).toEqual({ seed, exceeded: [] })
      if (transfer === 'copy') expect(compared).toBeGreaterThanOrEqual(8)
    }
  })
})

describe('bounds exist where', () => {
  /** All flows of the scenario, over some seeds; what `also` says of a run has to hold as well. */
  function bounded(text: (seed: number) => string, also: (result: DesignResult) => void = () => {}) {
    for (let seed = 1; seed <= 4 * CAMPAIGN; seed++) {
      const scenario = parseScenario(`seed: ${seed}\ncosts: ${seed % 2 === 0 ? 'worst' : 'random'}\n${text(seed)}`)
      const prediction = predict(scenario, { design: 'floating' })
      expect(prediction.obstacles).toEqual([])
      const { compared, exceeded, result } = compare(scenario, 'floating', prediction)
      expect({ seed, exceeded }).toEqual({ seed, exceeded: [] })
      expect(compared).toBe(scenario.flows.length + prediction.cores.length + 1)
      also(result)
    }
  }

  const lent =
    (pages: number, periodMs: number, buffers = 'page-aligned') =>
    (seed: number) =>
      `
duration: ${60 * periodMs}ms
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4, buffers: ${buffers} }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: pages, from: a, to: b, period: ${periodMs}ms, length: ${pages * 4096}, offset: ${seed}us, payload: none }
  - { name: copied, from: c, to: b, period: ${2 * periodMs}ms, length: 700, payload: none }
broker: { transfer: lend, regulator: none }
`

  it('pages are lent and given back in time: none is revoked', () => {
    bounded(lent(6, 20), ({ pagesLent, pagesRevoked, dmaTransfers }) => {
      expect(pagesLent).toBe(6 * 60)
      expect(pagesRevoked).toBe(0)
      expect(dmaTransfers).toBe(30)
    })
  })

  it('pages are to be lent and cannot be', () => {
    bounded(lent(6, 20, 'unaligned'), ({ copyFallbacks }) => expect(copyFallbacks).toBe(60))
  })

  const retargeted = (budgets: readonly string[]) => () =>
    `
duration: 1s
vms:
${budgets.map((budget, core) => `  - { name: v${core}, core: ${core}, cid: ${3 + core}${budget} }`).join('\n')}
flows:
  - { name: f0, from: v0, to: v1, period: 20ms, length: 30KiB, offset: 370us, jitter: 1ms, payload: none }
  - { name: f1, from: v2, to: v0, period: 20ms, length: 3000, offset: 700us, jitter: 1ms, payload: none }
  - { name: f2, from: v1, to: v2, period: 20ms, length: 9000, jitter: 1ms, payload: none }
broker: { memguard: retarget, regulator: { kind: budget, budget: 500us, period: 1ms } }
`
  const budget = (refills: number) => `, refillsPerUs: 1, memguard: { refills: ${refills}, period: 1ms }`

  it('a throttled core gives its interrupts to one that is awake', () => {
    bounded(retargeted([budget(500), budget(500), '']), ({ longestCompletionDelayNs }) => {
      expect(longestCompletionDelayNs).toBeLessThan(100_000)
    })
  })

  it('all cores may be throttled at once', () => {
    let longestNs = 0
    bounded(retargeted([budget(200), budget(200), budget(200)]), ({ longestCompletionDelayNs }) => {
      longestNs = Math.max(longestNs, longestCompletionDelayNs)
    })
    expect(longestNs).toBeGreaterThan(100_000)
  })
})

it('a tenth of the bounds would not hold: the comparison can fail', () => {
  let below = 0
  for (let seed = 1; seed <= 12; seed++) {
    const scenario: Scenario = { ...randomScenario(seed), costs: 'worst' }
    const prediction = predict(scenario, { design: 'dedicated' })
    const weaker: Prediction = {
      ...prediction,
      flows: prediction.flows.map((flow) => ({ ...flow, endToEndNs: flow.endToEndNs && flow.endToEndNs / 10 })),
    }
    below += compare(scenario, 'dedicated', weaker).exceeded.length
  }
  expect(below).toBeGreaterThan(5)
})

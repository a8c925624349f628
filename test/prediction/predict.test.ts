/** From scenario to bounds: with pinned overheads the golden vectors, whatever the scenario leaves at its default. */
import { describe, expect, it } from 'vitest'
import { type AnalysisName, fixedPriorityBounds, TIGHTNESS } from '../../src/analysis/index.ts'
import { predict } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'
import { randomScenario } from './random-scenarios.ts'

const GOLDEN = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }, { name: c, core: 2, cid: 5 }]
flows:
  - { name: f0, from: a, to: b, period: 5ms, length: 65536 }
  - { name: f1, from: a, to: b, period: 10ms, length: 614400 }
  - { name: f2, from: b, to: c, period: 20ms, length: 1048576 }
  - { name: f3, from: c, to: a, period: 50ms, length: 4194304 }
  - { name: f4, from: c, to: b, period: 100ms, length: 6220800 }
broker: { scheduler: fp, regulator: { kind: budget, budget: 500us, period: 1ms } }
overrides: { dmaBytesPerNs: 1, chunkOverheadNs: [3000, 3000], messageOverheadNs: 1000 }
`)

describe.each(['floating', 'dedicated'] as const)('pinned overheads, %s', (design) => {
  it('have the golden vectors as bounds', () => {
    const { flows, schedulable, pinned } = predict(GOLDEN, { design })
    expect(pinned).toBe(true)
    expect(flows.map(({ bounds }) => bounds.A0)).toEqual([1253456, 3384256, 7248480, 32956000, 95702256])
    expect(flows.map(({ bounds }) => bounds.A3)).toEqual([626727, 2192127, 5124239, 18686015, 47475287])
    expect(flows.map(({ bounds }) => bounds.A4)).toEqual([260727, 1460127, 3545703, 13447479, 29588767])
    expect(schedulable).toEqual({ A0: true, A3: true, A4: true })
  })

  it('have a verdict under EDF too', () => {
    const tight = { ...GOLDEN, flows: GOLDEN.flows.map((flow) => ({ ...flow, deadlineNs: flow.deadlineNs / 20 })) }
    expect(predict(GOLDEN, { design, scheduler: 'edf' }).schedulable).toEqual({ A0: true, A3: true, A4: true })
    expect(predict(tight, { design, scheduler: 'edf' }).schedulable).toEqual({ A0: false, A3: false, A4: false })
  })
})

describe('pinned overheads at a utilisation of exactly 1', () => {
  const full = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f, from: a, to: b, period: 4us, length: 2000 }
  - { name: g, from: b, to: a, period: 8us, length: 4000 }
overrides: { dmaBytesPerNs: 1, chunkOverheadNs: [0, 0], messageOverheadNs: 0 }
broker: { chunk: 512 }
`)

  it.each(['floating', 'dedicated'] as const)('have bounds, %s', (design) => {
    const edf = predict(full, { design, scheduler: 'edf' })
    expect(edf.flows.map(({ bounds }) => bounds.A4)).toEqual([4000, 8000])
    expect(edf.schedulable).toEqual({ A0: false, A3: true, A4: true })
    const fp = predict(full, { design, scheduler: 'fp' })
    expect(fp.flows.map(({ bounds }) => bounds.A4)).toEqual([2512, 8000])
    expect(fp.schedulable).toEqual({ A0: false, A3: true, A4: true })
  })
})

describe('pinned overheads with a flow that overloads the DMA', () => {
  const overloaded = parseScenario(`
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows:
  - { name: f0, from: a, to: b, period: 3493000, deadline: 3493000, length: 987661, jitter: 115419, priority: 0 }
  - { name: f1, from: a, to: b, period: 5112000, deadline: 5112000, length: 592854, jitter: 233319, priority: 1 }
  - { name: f2, from: a, to: b, period: 15557000, deadline: 15557000, length: 2775674, jitter: 595035, priority: 2 }
broker: { scheduler: fp, regulator: { kind: budget, budget: 70000, period: 100000 }, transfer: copy }
overrides: { dmaBytesPerNs: 1, chunkOverheadNs: [3000, 3000], messageOverheadNs: 1000 }
`)

  it.each(['floating', 'dedicated'] as const)('more urgent flows keep the bounds of the theorems, %s', (design) => {
    const { flows, flowSet, ranks } = predict(overloaded, { design })
    expect(flows[0]!.bounds).toEqual({ A0: 2647454, A3: 2292271, A4: 1838176 })
    expect(flows.map(({ schedulable }) => schedulable.A4)).toEqual([true, true, false])
    expect(flows[2]!.bounds).toEqual({ A0: null, A3: null, A4: null })
    for (const [name, tightness] of Object.entries(TIGHTNESS)) {
      const theorems = fixedPriorityBounds(flowSet, tightness, ranks).map((terms) => terms?.responseNs ?? null)
      expect(flows.map(({ bounds }) => bounds[name as AnalysisName])).toEqual(theorems)
    }
  })
})

describe('the verdict and the bounds', () => {
  it('agree, flow by flow: who meets the deadline has a bound within it, who does not has none or a later one', () => {
    const seen = { meets: 0, late: 0, none: 0 }
    for (let seed = 0; seed < 40; seed++) {
      const drawn = randomScenario(seed)
      const pins = { dmaBytesPerNs: 1, chunkOverheadNs: [0, 500], messageOverheadNs: 200 } as const
      const scenario = seed % 2 === 0 ? drawn : { ...drawn, overrides: { ...drawn.overrides, ...pins } }
      for (const scheduler of ['fp', 'edf'] as const) {
        const { flows, schedulable, pinned } = predict(scenario, { design: 'floating', scheduler })
        for (const name of ['A0', 'A3', 'A4'] as const) {
          expect(schedulable[name]).toBe(flows.every((flow) => flow.schedulable[name]))
        }
        for (const flow of flows) {
          const boundNs = pinned ? flow.bounds.A4 : flow.endToEndNs
          expect(flow.schedulable.A4, `seed ${seed}`).toBe(boundNs !== null && boundNs <= flow.deadlineNs)
          seen[boundNs === null ? 'none' : boundNs <= flow.deadlineNs ? 'meets' : 'late']++
        }
      }
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
  })
})

it('a budget of next to nothing has no bound, and a reason; it is no fault of the analysis', () => {
  for (let seed = 0; seed < 30; seed++) {
    const drawn = randomScenario(seed)
    const regulator = { kind: 'budget', budgetNs: 1, periodNs: 1_000_000 } as const
    const { flows, obstacles } = predict({ ...drawn, broker: { ...drawn.broker, regulator } }, { design: 'floating' })
    if (flows.some(({ endToEndNs }) => endToEndNs === null)) expect(obstacles.join()).toContain('overload')
  }
})

/** From scenario to bounds: with pinned overheads the golden vectors, whatever the scenario leaves at its default. */
import { describe, expect, it } from 'vitest'
import { predict } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

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

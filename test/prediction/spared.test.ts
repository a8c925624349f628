/** A regulator that never keeps anything waiting costs no bound; one that may is in all of them. */
import { describe, expect, it } from 'vitest'
import { predict, simulate } from '../../src/platform-zcu102/index.ts'
import { parseScenario } from '../../src/scenario/index.ts'

const design = 'floating'

function bounds(regulator: string, length: string, scheduler = 'fp') {
  return predict(scenarioWith(regulator, length, scheduler), { design }).flows.map(({ endToEndNs }) => endToEndNs)
}

function scenarioWith(regulator: string, length: string, scheduler = 'fp') {
  return parseScenario(`
duration: 40ms
costs: worst
vms:
  - { name: a, core: 0, cid: 3 }
  - { name: b, core: 1, cid: 4 }
flows:
  - { name: short, from: a, to: b, period: 5ms, length: 64, payload: none }
  - { name: long, from: b, to: a, period: 20ms, length: ${length}, payload: none }
broker: { scheduler: ${scheduler}, regulator: ${regulator} }
`)
}

describe('a regulator', () => {
  for (const scheduler of ['fp', 'edf']) {
    it.each([
      ['a budget', '{ kind: budget, budget: 500us, period: 1ms }', '100KiB', '600KiB'],
      ['all of the time', '{ kind: budget, budget: 1ms, period: 1ms }', '100KiB', '1100KiB'],
      ['a bucket', '{ kind: bucket, bytesPerNs: 0.4, burst: 128KiB }', '100KiB', '140KiB'],
    ])(`that is never felt is in no bound, under ${scheduler}: %s`, (_, regulator, light, heavy) => {
      expect(bounds(regulator, light, scheduler)).toEqual(bounds('none', light, scheduler))
      const felt = bounds(regulator, heavy, scheduler)
      bounds('none', heavy, scheduler).forEach((freeNs, i) => {
        expect(felt[i] ?? Number.POSITIVE_INFINITY).toBeGreaterThan(freeNs!)
      })
    })
  }

  it('that is never felt makes the machine do nothing else', () => {
    for (const regulator of [
      '{ kind: budget, budget: 500us, period: 1ms }',
      '{ kind: bucket, bytesPerNs: 0.4, burst: 128KiB }',
    ]) {
      const runs = [regulator, 'none'].map((kind) =>
        simulate(scenarioWith(kind, '100KiB'), { design, payload: () => null }),
      )
      expect(runs[0]!.flows).toEqual(runs[1]!.flows)
    }
  })

  it('is named in the DMA stage of a prediction, felt or not', () => {
    const { flowSet } = predict(scenarioWith('{ kind: budget, budget: 500us, period: 1ms }', '64'), { design })
    expect(flowSet.regulator).toEqual({ kind: 'budget', budgetNs: 500_000, periodNs: 1_000_000 })
  })
})

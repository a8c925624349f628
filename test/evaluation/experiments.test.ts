import { type Campaign, EXPERIMENTS, type Experiment, type Row } from 'virtio-sdk/evaluation'
import { zcu102 } from 'virtio-sdk/platform-zcu102'
import { describe, expect, it } from 'vitest'
import { pessimismExperiment } from '../../src/evaluation/experiments/pessimism.ts'

const SMALL: Campaign = { seed: 3, points: 4, sets: 4 }
const experiment = (name: string) => EXPERIMENTS.find((candidate) => candidate.name === name) as Experiment
const rowsOf = ({ units, run }: Experiment, campaign = SMALL): Row[] =>
  units(campaign, zcu102).flatMap((unit) => [...run(unit, zcu102)])

describe('acceptance', () => {
  const rows = rowsOf(experiment('acceptance'))

  it('a tighter analysis, and a better assignment, accept no less', () => {
    expect(rows).toHaveLength(4 * 4 * 4)
    for (const row of rows) {
      for (const scheduler of ['fp-dm', 'fp-optimal', 'edf']) {
        const [a0, a3, a4, a5] = ['A0', 'A3', 'A4', 'A5'].map((analysis) => Number(row[`${scheduler}/${analysis}`]))
        expect(a0! <= a3! && a3! <= a4! && a4! <= a5!, JSON.stringify(row)).toBe(true)
      }
      for (const analysis of ['A0', 'A3', 'A4', 'A5']) {
        expect(Number(row[`fp-dm/${analysis}`])).toBeLessThanOrEqual(Number(row[`fp-optimal/${analysis}`]))
      }
    }
  })

  it('the summary counts the rows, and weighs them by utilisation', () => {
    const { summarize } = experiment('acceptance')
    const summary = summarize!()
    for (const row of rows) summary.add(row)
    for (const curve of summary.rows()) {
      const test = `${curve.scheduler}/${curve.analysis}`
      const own = rows.filter(
        (row) => row.design === curve.design && (curve.kind === 'weighted' || row.utilization === curve.utilization),
      )
      expect(curve.sets).toBe(own.length)
      expect(curve.accepted).toBe(own.filter((row) => row[test]).length)
      if (curve.kind === 'point') {
        expect(curve.share).toBe(Number(curve.accepted) / own.length)
        expect(curve.low).toBeLessThanOrEqual(Number(curve.share))
        expect(curve.high).toBeGreaterThanOrEqual(Number(curve.share))
      } else {
        const weight = (chosen: Row[]) => chosen.reduce((sum, row) => sum + Number(row.utilization), 0)
        expect(curve.share).toBeCloseTo(weight(own.filter((row) => row[test])) / weight(own), 12)
      }
    }
  })
})

describe('pessimism', () => {
  const rows = rowsOf(pessimismExperiment as unknown as Experiment, { ...SMALL, points: 3 }) as unknown as ReturnType<
    typeof pessimismExperiment.run
  >

  it('no bound is below what the search found, and A5 is the tightest', () => {
    expect(rows.length).toBeGreaterThan(40)
    for (const row of rows) {
      expect(pessimismExperiment.refutes!(row)).toBeNull()
      const bounds = Object.entries(row).filter(([name, bound]) => name.endsWith(' boundNs') && bound !== null)
      const tightest = Math.min(...bounds.map(([, bound]) => Number(bound)))
      expect(tightest).toBe(row['A5 boundNs'])
      expect(tightest).toBeGreaterThanOrEqual(row.foundNs)
    }
  })

  it('a bound below it is reported with an instance that shows it again', async () => {
    const row = rows.at(-1)!
    const text = pessimismExperiment.refutes!({ ...row, 'A3 boundNs': row.foundNs - 1 })!
    const { set, witness, bounds, foundNs } = JSON.parse(text.slice(text.indexOf('{')))
    expect(bounds).toEqual({ A3: row.foundNs - 1 })
    const { replayWitness } = await import('virtio-sdk/evaluation')
    expect(replayWitness(set, witness)).toBe(foundNs)
  })
})

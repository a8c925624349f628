import { EXPERIMENTS, renderReport } from 'virtio-sdk/evaluation'
import { zcu102 } from 'virtio-sdk/platform-zcu102'
import { describe, expect, it } from 'vitest'
import { judge } from './claims/oracles.ts'
import type { Raw } from './claims/rows.ts'
import { reportData, sentences } from './claims/synthetic.ts'

const CAMPAIGN = { seed: 3, points: 3, sets: 5 }

function rowsOf(names: readonly string[]): Raw {
  return Object.fromEntries(
    EXPERIMENTS.filter(({ name }) => names.includes(name)).map(({ name, units, run }) => [
      name,
      units(CAMPAIGN, zcu102).flatMap((unit) => [...run(unit, zcu102)]),
    ]),
  )
}

const raw = rowsOf(EXPERIMENTS.map(({ name }) => name).filter((name) => name !== 'priority-levels'))
const data = reportData(raw, CAMPAIGN)
const html = renderReport(data, '/* drawn */')

describe('the report', () => {
  it('has a section for what was run, and says what was not', () => {
    for (const { name } of EXPERIMENTS) {
      if (name === 'priority-levels' || name === 'throughput') continue
      expect(html).toContain(`<section id="${name === 'acceptance-variants' ? 'variants' : name}">`)
    }
    expect(html).not.toContain('<section id="levels">')
    expect(html).toMatch(/Not run, and left out:.*priority-levels/)
  })

  it('every figure tells its provenance, its seed and its file', () => {
    const figures = html.match(/<figure [\s\S]*?<\/figure>/g)!
    expect(figures.length).toBeGreaterThanOrEqual(25)
    for (const figure of figures) {
      expect(figure).toMatch(/<span class="origin">(bounded|simulated|computed)/)
      expect(figure).toContain('seed 3')
      expect(figure).toMatch(/<code>data\/[a-z-]+\.ndjson<\/code>/)
      expect(figure).toMatch(/<details[\s\S]*<table>[\s\S]*<td/)
      expect(figure).not.toMatch(/NaN|undefined|Infinity/)
    }
  })

  it('says what its rows say', () => {
    const said = sentences(data)
    expect(said.length).toBeGreaterThan(50)
    for (const one of said) judge(one, raw, data.manifest)
  })

  it('says how to get it again, and what threatens it', () => {
    expect(html).toContain('npx virtio-sdk@1.2.3 evaluate')
    expect(html).toContain('--points 3 --sets 5 --seed 3')
    expect(html).toContain('Threats to validity')
    expect(html).toContain('Nothing was measured')
    expect(html).toContain('DMA copy rate, bytes/ns')
  })

  it('a number that the data cannot give refutes nothing and is drawn nowhere', () => {
    const charts = JSON.parse(/id="charts">(.*?)<\/script>/s.exec(html)![1]!)
    for (const { points } of Object.values(charts) as { points: { x: unknown; y: unknown }[] }[]) {
      expect(points.length).toBeGreaterThan(0)
      for (const { x, y } of points) {
        expect(typeof x).toBe('number')
        expect(['number', 'string']).toContain(typeof y)
      }
    }
  })

  it('marks measured costs as such, and escapes what a file put into them', () => {
    const pick = { value: [1, 2, 3], status: 'MEASURED', source: '<b>me & "you"</b></script>' } as const
    const platform = { ...zcu102, title: 'A <i>board</i>', costsNs: { ...zcu102.costsNs, pick } }
    const measured = renderReport({ ...data, manifest: { ...data.manifest, platform } }, '')
    expect(measured).toContain('<span class="measured">MEASURED</span>')
    expect(measured).toContain('&lt;b&gt;me &amp; &quot;you&quot;&lt;/b&gt;&lt;/script&gt;')
    expect(measured).toContain('Measured on a board: pick')
    expect(measured).not.toContain('<i>board')
    expect(measured).not.toContain('Nothing was measured')
    expect(measured).toContain('--platform zcu102 --calibration MEASURED.yaml')
    expect(html).toMatch(/--platform zcu102 \\\n/)
  })

  it('names nothing that a browser would fetch', () => {
    expect(html).not.toMatch(/(src|href)="(?!#|data:)/)
    expect(html).toContain("default-src 'none'")
  })

  it('a bound that was refuted is a verdict against it', () => {
    const experiments = data.manifest.experiments.map((experiment) => ({ ...experiment, refuted: 2 }))
    const refuted = renderReport({ ...data, manifest: { ...data.manifest, experiments } }, '')
    expect(refuted).toMatch(/class="no">does not hold<\/td><td>No row of any experiment/)
    expect(refuted).toMatch(/class="no">does not hold<\/td><td>No bound is below/)
  })
})

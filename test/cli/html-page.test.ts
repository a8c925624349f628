/** `--html`: one page with the verdicts, the figures and every table that the terminal shows, of whatever a scenario has. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { renderPage } from '../../src/cli/html-page.ts'
import * as zcu102 from '../../src/platform-zcu102/index.ts'
import { run } from './fake.ts'

const CAMERA = fileURLToPath(new URL('../prediction/bound-cases/camera-chain.yaml', import.meta.url))
const HOPS = fileURLToPath(new URL('../../examples/scenarios/multi-hop.yaml', import.meta.url))
const FOLDER = mkdtempSync(join(tmpdir(), 'pages-'))
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }))

const cli = (...args: string[]) => run(args, CAMERA, { cwd: FOLDER, simulator: zcu102 })

interface Chart {
  readonly points: { readonly series: string; readonly x: number; readonly from?: number; readonly y: string }[]
}
const page = (name: string) => {
  const text = readFileSync(join(FOLDER, name), 'utf8')
  const [, charts] = /<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(text)!
  return { text, charts: JSON.parse(charts!) as Record<string, Chart> }
}

describe('--html', () => {
  it('of analyze has what the terminal shows, and bounds and their terms as figures', async () => {
    const { code, stdout } = await cli('analyze', CAMERA, '--html', 'a.html')
    expect(code).toBe(1)
    const { text, charts } = page('a.html')
    for (const line of stdout.split('\n').filter((line) => /^(?:Utilisation|Fails first)/.test(line)))
      expect(text).toContain(line)
    for (const part of ['does not hold', 'split recording into', '--set flows.recording.length=', 'Assumptions'])
      expect(text).toContain(part)
    const { flows, chains } = JSON.parse((await cli('analyze', CAMERA, '--json')).stdout)
    const bounds = [...flows, ...chains].map(({ endToEndNs, name }) => ({
      series: 'bound',
      x: endToEndNs / 1e6,
      y: name,
    }))
    expect(charts.bounds!.points.filter(({ series }) => series === 'bound')).toEqual(bounds)
    for (const { name, window } of flows) {
      const terms = charts.terms!.points.filter(({ y }) => y === name)
      expect(Math.max(...terms.map(({ x }) => x))).toBeCloseTo(window.totalNs / 1e6, 9)
    }
  })

  it('of simulate has a timeline around the message that came nearest to its bound', async () => {
    const args = ['simulate', HOPS, '--duration', '100ms', '--design', 'floating']
    const { code } = await cli(...args, '--quiet', '--html', 's.html')
    expect(code).toBe(0)
    const { text, charts } = page('s.html')
    expect(Object.keys(charts)).toEqual(['times-floating', 'timeline-floating'])
    const found = JSON.parse((await cli(...args, '--json')).stdout).designs.floating.flows
    const [longest] = charts['timeline-floating']!.points.filter(({ series }) => series === 'longest')
    expect(longest!.x - longest!.from!).toBeCloseTo(found[longest!.y].responseTimeNs.max / 1e6, 9)
    expect(text).toContain('No deadline was missed')
  })

  it('of simulate --worst and of compare', async () => {
    const worst = ['simulate', HOPS, '--worst', '--runs', '3', '--duration', '50ms', '--design', 'floating']
    expect((await cli(...worst, '--quiet', '--html', 'w.html')).code).toBe(0)
    expect(Object.keys(page('w.html').charts)).toEqual(['times-floating', 'timeline-floating'])
    const both = ['compare', HOPS, '--set', 'broker.chunk=8192', '--set', 'duration=50ms']
    const { stdout } = await cli(...both, '--html', 'c.html')
    expect(stdout).toMatch(/^reaction +\d/m)
    const { text, charts } = page('c.html')
    expect(text).toContain('>reaction<')
    expect(charts.compared!.points.map(({ y }) => y)).toContain('reaction')
  })

  it('replaces no file that the run reads, and is not half there', async () => {
    const own = join(FOLDER, 'own.yaml')
    writeFileSync(own, readFileSync(CAMERA))
    for (const command of ['analyze', 'simulate', 'simulate --worst']) {
      const { code, stderr } = await cli(...command.split(' '), own, '--html', 'own.yaml')
      expect({ command, code, stderr }).toEqual({
        command,
        code: 2,
        stderr: expect.stringContaining('own.yaml: it is read in the same run'),
      })
    }
    expect((await cli('compare', own, own, '--html', 'own.yaml')).code).toBe(2)
    expect((await cli('analyze', own, '--html', 'no.html', '--set', 'flows.frames.period=0')).code).toBe(2)
    expect(existsSync(join(FOLDER, 'no.html'))).toBe(false)
  })

  it('escapes what is written in names and cells', () => {
    const html = renderPage(
      {
        title: '<b>.yaml',
        lead: 'a & b',
        meta: ['<i>'],
        verdicts: [{ claim: '<u>', holds: true, evidence: '"' }],
        reasons: ['say `<code>`'],
        figures: [],
        sections: [{ title: '<s>', rows: [['<h>'], ['<c>', { text: '<d>', tone: 'bad' }]], lines: ['<l>'] }],
      },
      '</script><p>',
    )
    for (const tag of ['<b>', '<i>', '<u>', '<s>', '<h>', '<c>', '<d>', '<l>', '<p>say <', '</script><p>'])
      expect(html).not.toContain(tag)
    expect(html).toContain('<code>&lt;code&gt;</code>')
    expect(html).toContain('<td class="number bad">&lt;d&gt;</td>')
  })
})

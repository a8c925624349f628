/** The report as a reader gets it: a small campaign from the command line, opened in a real browser, which is allowed nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import { renderReport } from '../../src/evaluation/index.ts'
import { findChromium } from './browser.ts'

const chromium = findChromium()
const MISSING = 'no chromium found: apt-get install chromium, or name one in CHROME_PATH'

if (chromium === null) {
  if (process.env.CI) it('needs a browser', () => expect.fail(MISSING))
  else it.skip(`the report in a browser (${MISSING})`)
}

let root = ''
let file = ''
let browser: Browser

beforeAll(async () => {
  if (chromium === null) return
  root = mkdtempSync(join(tmpdir(), 'report-'))
  const page = join(root, 'page.js')
  const entry = new URL('../../src/page/script/main.ts', import.meta.url).pathname
  await build({ entryPoints: [entry], bundle: true, minify: true, platform: 'browser', format: 'iife', outfile: page })
  const script = readFileSync(page, 'utf8')
  const seen: string[] = []
  const output = { isTTY: false, write: (text: string) => void seen.push(text) }
  const code = await runCli(['evaluate', '--points', '3', '--sets', '5', '--jobs', '1', '--out', 'run'], {
    version: '1.2.3',
    defaultScenario: '',
    agentFolder: 'none',
    pageScript: () => script,
    simulator: null as never,
    evaluation: { workerFile: '', renderReport: (data) => renderReport(data, script) },
    terminal: { stdout: output, stderr: output, cwd: root, env: {}, now: () => 0 },
  })
  expect(code, seen.join('')).toBe(0)
  file = join(root, 'run/report.html')
  // Root in a container has no sandbox to offer; the page is ours and may load nothing.
  browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  if (root !== '') rmSync(root, { recursive: true, force: true })
})

interface Opened {
  readonly page: Page
  /** Console errors, page errors, and requests for anything but the page itself. */
  readonly complaints: string[]
}

async function open(scheme: 'light' | 'dark', width: number, path = file): Promise<Opened> {
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(`console ${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`page error: ${error}`))
  const url = pathToFileURL(path).href
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) complaints.push(`request: ${request.url()}`)
  })
  await page.setViewport({ width, height: 900 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(url)
  return { page, complaints }
}

interface Drawn {
  readonly id: string
  readonly width: number
  readonly place: number
  readonly marks: number
  readonly wrong: string[]
  readonly points: number
  readonly outside: string[]
  /** Pairs of texts that lie on each other. */
  readonly touching: string[]
}

/** What there is to see of every chart. In the browser: no types of ours, and a string, so that no lib "dom" is needed. */
const LOOK = `[...document.querySelectorAll('figure')].map((figure) => {
  const place = figure.querySelector('.chart')
  const svgs = [...place.querySelectorAll('svg')].filter((svg) => svg.parentElement.closest('svg') === null)
  const svg = svgs[0]
  if (svg === undefined) return { id: figure.id, width: 0, place: place.clientWidth, marks: 0, wrong: [], points: 0, outside: [], touching: [] }
  const marks = [...place.querySelectorAll('path, circle, rect, line')]
  const attributes = [...place.querySelectorAll('*')].flatMap((element) => [...element.attributes])
  const frames = svgs.map((svg) => svg.getBoundingClientRect())
  const labels = [...place.querySelectorAll('text')].filter((text) => text.textContent.trim() !== '')
  return {
    id: figure.id,
    width: Math.max(...frames.map(({ width }) => width)),
    place: place.clientWidth,
    marks: marks.length,
    wrong: attributes.filter(({ value }) => /NaN|undefined|Infinity/.test(value)).map(({ name, value }) => name + '=' + value.slice(0, 60)),
    points: JSON.parse(document.querySelector('#charts').textContent)[figure.id].points.length,
    outside: labels.filter((text) => {
      const box = text.getBoundingClientRect()
      return !frames.some((frame) =>
        box.left >= frame.left - 12 && box.right <= frame.right + 12 && box.top >= frame.top - 12 && box.bottom <= frame.bottom + 12)
    }).map((text) => text.textContent),
    touching: labels.flatMap((text, i) => {
      const box = text.getBoundingClientRect()
      return labels.slice(i + 1).filter((other) => {
        const its = other.getBoundingClientRect()
        return Math.min(box.right, its.right) - Math.max(box.left, its.left) > 2 && Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top) > 2
      }).map((other) => text.textContent + ' | ' + other.textContent)
    }),
  }
})`

describe.skipIf(chromium === null)('the report in a browser', () => {
  it.each([
    ['light', 1280],
    ['dark', 800],
    ['light', 400],
    ['dark', 320],
  ] as const)(
    '%s, %i pixels wide: every chart is drawn, nothing complains, nothing is loaded',
    async (scheme, width) => {
      const { page, complaints } = await open(scheme, width)
      const charts = (await page.evaluate(LOOK)) as Drawn[]
      expect(complaints).toEqual([])
      expect(charts.length).toBeGreaterThan(25)
      for (const chart of charts) {
        expect(chart, chart.id).toMatchObject({ wrong: [], outside: [], touching: [] })
        expect(chart.points, chart.id).toBeGreaterThan(0)
        expect(chart.marks, chart.id).toBeGreaterThan(3)
        expect(Math.abs(chart.width - chart.place), chart.id).toBeLessThan(2)
      }
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
      await page.close()
    },
  )

  it.each([1280, 320])('%i pixels wide: the longest labels get the lines that they need', async (width) => {
    const long = join(root, `run/long-${width}.html`)
    const page = readFileSync(file, 'utf8').replace(/(id="charts">)(.*?)(<\/script>)/s, (_, before, charts, after) => {
      const more = ' and what else there is to say of it, at unreasonable-but-not-impossible length'
      const longer = (text: unknown) => (typeof text === 'string' ? text + more : text)
      const drawn = Object.entries(JSON.parse(charts) as Record<string, Record<string, unknown>>).map(([id, chart]) => [
        id,
        {
          ...chart,
          x: { ...(chart.x as object), label: longer((chart.x as { label: string }).label) },
          ...(chart.columns !== undefined && { columns: (chart.columns as string[]).map(longer) }),
          points: (chart.points as Record<string, unknown>[]).map((point) => ({
            ...point,
            y: longer(point.y),
            ...(point.column !== undefined && { column: longer(point.column) }),
          })),
        },
      ])
      return before + JSON.stringify(Object.fromEntries(drawn)) + after
    })
    writeFileSync(long, page)
    const opened = await open('light', width, long)
    const charts = (await opened.page.evaluate(LOOK)) as Drawn[]
    expect(opened.complaints).toEqual([])
    for (const chart of charts) expect(chart, chart.id).toMatchObject({ wrong: [], outside: [], touching: [] })
    await opened.page.close()
  })

  it('takes its colours from the reader, and prints on white', async () => {
    const paper = 'getComputedStyle(document.body).backgroundColor'
    const light = await open('light', 1000)
    const dark = await open('dark', 1000)
    expect(await light.page.evaluate(paper)).toBe('rgb(255, 255, 255)')
    expect(await dark.page.evaluate(paper)).not.toBe('rgb(255, 255, 255)')
    const line = `getComputedStyle(document.querySelector('#acceptance-curves .chart [stroke^="var(--floating"]')).stroke`
    expect(await dark.page.evaluate(line)).not.toBe(await light.page.evaluate(line))
    await dark.page.emulateMediaType('print')
    expect(await dark.page.evaluate(paper)).toBe('rgb(255, 255, 255)')
    expect(await dark.page.evaluate(line)).toBe(await light.page.evaluate(line))
    await dark.page.emulateMediaType('screen')
    const pdf = await dark.page.pdf({ preferCSSPageSize: true })
    expect(Buffer.from(pdf.subarray(0, 5)).toString()).toBe('%PDF-')
    expect(dark.complaints).toEqual([])
    await light.page.close()
    await dark.page.close()
  })

  it('shows the figures of a point under the pointer, and the table of a chart when asked', async () => {
    const { page, complaints } = await open('light', 1280)
    const figure = (await page.$('#interrupts-per-message'))!
    await figure.scrollIntoView()
    const dot = (await figure.$('.chart [data-mark="dot"] path'))!
    const box = (await dot.boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
    const tip = await page.waitForFunction(
      `[...document.querySelectorAll('#interrupts-per-message :is([aria-label="tip"], [data-mark="tip"])')].map(({ textContent }) => textContent).join('') || null`,
    )
    expect(await tip.jsonValue()).toMatch(/message size, bytes: /)
    await figure.$eval('summary', (summary) => (summary as unknown as { click(): void }).click())
    expect(await figure.$$eval('tbody tr', (rows) => rows.length)).toBe(51)
    expect(complaints).toEqual([])
    await page.close()
  })
})

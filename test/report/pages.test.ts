/** Pages of `--html` in a real browser: drawn, within the window, named for who cannot see them, and loading nothing. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import puppeteer, { type Browser } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import * as zcu102 from '../../src/platform-zcu102/index.ts'
import { findChromium } from './browser.ts'

const chromium = findChromium()
const CAMERA = fileURLToPath(new URL('../prediction/bound-cases/camera-chain.yaml', import.meta.url))
const PAGES = [
  ['analyze', CAMERA],
  ['simulate', CAMERA, '--duration', '70ms'],
  ['compare', CAMERA, '--set', 'broker.scheduler=edf', '--set', 'duration=70ms'],
]

let root = ''
let browser: Browser

beforeAll(async () => {
  if (chromium === null) return
  root = mkdtempSync(join(tmpdir(), 'pages-'))
  const entry = fileURLToPath(new URL('../../src/page/script/main.ts', import.meta.url))
  const outfile = join(root, 'page.js')
  await build({ entryPoints: [entry], bundle: true, minify: true, platform: 'browser', format: 'iife', outfile })
  const output = { isTTY: false, write() {} }
  for (const args of PAGES)
    await runCli([...args, '--html', `${args[0]}.html`], {
      version: '1.2.3',
      defaultScenario: CAMERA,
      agentFolder: 'none',
      pageScript: () => readFileSync(outfile, 'utf8'),
      simulator: zcu102,
      evaluation: null as never,
      terminal: { stdout: output, stderr: output, cwd: root, env: {}, now: () => 0 },
    })
  browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  if (root !== '') rmSync(root, { recursive: true, force: true })
})

/** In the browser, as a string: no lib "dom" is needed. */
const LOOK = `({
  wide: document.documentElement.scrollWidth > innerWidth,
  figures: document.querySelectorAll('figure').length,
  drawn: document.querySelectorAll('.chart svg').length,
  charts: [...document.querySelectorAll('.chart')].filter((chart) => chart.getAttribute('role') !== 'img' || !chart.getAttribute('aria-label')).length,
  // A name on what has no role is read by nobody.
  named: [...document.querySelectorAll('g[aria-label], svg[aria-label]')].length,
  summaries: [...document.querySelectorAll('summary')].map(({ textContent }) => textContent),
  paper: getComputedStyle(document.body).backgroundColor,
})`

describe.skipIf(chromium === null)('a page of a command', () => {
  it.each(
    PAGES.flatMap(
      ([command]) =>
        [
          [command!, 'light', 1280],
          [command!, 'dark', 390],
        ] as const,
    ),
  )('%s, %s, %i pixels wide', async (command, scheme, width) => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    const url = pathToFileURL(join(root, `${command}.html`)).href
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:')) complaints.push(request.url())
    })
    await page.setViewport({ width, height: 900 })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.goto(url)
    const seen = (await page.evaluate(LOOK)) as Record<string, unknown>
    expect(complaints).toEqual([])
    expect(seen).toMatchObject({ wide: false, charts: 0, named: 0 })
    expect(seen.figures).toBeGreaterThan(0)
    expect(seen.drawn).toBeGreaterThanOrEqual(seen.figures as number)
    expect(new Set(seen.summaries as string[]).size).toBe(seen.figures)
    expect(seen.paper).toBe(scheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(21, 23, 27)')
    await page.close()
  })
})

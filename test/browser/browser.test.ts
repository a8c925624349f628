/** Every subpath but the command line and what is for Node alone in a real browser, in a page and in a worker: it loads, and the README's two examples run. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import puppeteer, { type Browser } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { findChromium } from '../report/browser.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const chromium = findChromium()
const MISSING = 'no chromium found: apt-get install chromium, or name one in CHROME_PATH'

if (chromium === null) {
  if (process.env.CI) it('needs a browser', () => expect.fail(MISSING))
  else it.skip(`the package in a browser (${MISSING})`)
}

const subpaths = Object.keys(manifest.exports).filter((path) => path !== './package.json')
const sourceOf = (path: string) => `${ROOT}src/${path === '.' ? '' : `${path.slice(2)}/`}index.ts`
const aliases = Object.fromEntries(
  // The longest first: esbuild takes a name for its subpaths too.
  subpaths
    .map((path) => [`virtio-sdk${path.slice(1)}`, sourceOf(path)] as const)
    .sort(([a], [b]) => b.length - a.length),
)

/** Files and their like: nothing that a page has. */
const FOR_NODE = './node'

const bundles = new Map<string, string>()

/** One script of `contents`, which tells the page, or the page of its worker, whether it ran. Nothing of Node is put in its place. */
async function bundle(contents: string): Promise<string> {
  const before = bundles.get(contents)
  if (before !== undefined) return before
  const tell = "typeof document === 'undefined' ? postMessage('done') : window.told('done')"
  const { outputFiles } = await build({
    stdin: { contents: `${contents}\n;${tell}`, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    alias: aliases,
    logLevel: 'silent',
  })
  const { text } = outputFiles[0]!
  bundles.set(contents, text)
  return text
}

let browser: Browser
beforeAll(async () => {
  if (chromium === null) return
  browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}, 60_000)
afterAll(() => browser?.close())

/** Starts a module worker; a blob's origin is that of its page, which therefore has one. */
const startWorker = (script: string) => `
  const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(script)}], { type: 'text/javascript' })), { type: 'module' })
  worker.onmessage = ({ data }) => window.told(data)
  worker.onerror = ({ message }) => window.told('error: ' + message)
`

/** What the script told, or the first error of the page. */
async function run(script: string, where: 'page' | 'worker'): Promise<string> {
  const page = await browser.newPage()
  try {
    const told = new Promise<string>((resolve, reject) => {
      page.on('pageerror', (error) => resolve(String(error)))
      page.exposeFunction('told', resolve).catch(reject)
    })
    await page.setRequestInterception(true)
    page.on('request', (request) => {
      if (request.url().startsWith('blob:')) request.continue()
      else request.respond({ contentType: 'text/html', body: '<!doctype html><title>test</title>' })
    })
    await page.goto('http://page.test/')
    await page.addScriptTag({ content: where === 'page' ? script : startWorker(script), type: 'module' })
    return await told
  } finally {
    await page.close()
  }
}

describe.skipIf(chromium === null).each(['page', 'worker'] as const)('in a %s', (where) => {
  it('every subpath loads', async () => {
    for (const path of subpaths.filter((path) => path !== FOR_NODE)) {
      const script = await bundle(
        `import * as all from ${JSON.stringify(sourceOf(path))}\nif (Object.keys(all).length === 0) throw 0`,
      )
      expect(await run(script, where), path).toBe('done')
    }
  }, 120_000)

  it.each(['custom-device', 'embedded-driver'])(
    'the example %s runs',
    async (name) => {
      const script = await bundle(`import ${JSON.stringify(`${ROOT}examples/${name}.ts`)}`)
      expect(await run(script, where)).toBe('done')
    },
    60_000,
  )

  it('a device with every kind of field runs, and a script that throws is noticed', async () => {
    const script = await bundle(`
      import { GuestMemory, SharedMemoryTransport, startDriver } from 'virtio-sdk'
      import { bytes, defineDevice, le64, mac, u8, u16, u32, u64 } from 'virtio-sdk/virtio'
      const config = { a: u8('a'), b: u16('b'), c: u32('c'), d: u64('d'), e: le64('e'), f: mac('f'), g: bytes('g', 3) }
      const device = defineDevice({ id: 0x1234, queues: [], config }).create({ config: { e: 2n ** 63n, f: '02:00:00:00:00:01' } })
      const values = startDriver(new SharedMemoryTransport(device)).readConfig()
      if (values.e !== 2n ** 63n || values.f !== '02:00:00:00:00:01') throw new Error('wrong values')
    `)
    expect(await run(script, where)).toBe('done')
    expect(await run("throw new Error('as it should')", where)).toContain('as it should')
  }, 60_000)
})

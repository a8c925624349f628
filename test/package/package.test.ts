/** The package as users get it: contents, entries, types, command line, examples. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ENTRIES, ROOT, type ScratchProject, scratchProject } from './scratch-project.ts'

let project: ScratchProject
beforeAll(() => {
  project = scratchProject()
})
afterAll(() => project?.remove())

const bin = (name: string) => join(ROOT, 'node_modules/.bin', name)

describe('the build', () => {
  const build = () =>
    spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, encoding: 'utf8', timeout: 240_000 })

  it('is made once: whoever asks for it again gets what is there', () => {
    const { status } = build()
    expect(status).toBe(0)
    expect(build()).toMatchObject({ status: 0, stdout: 'dist is what these sources make\n' })
  })
})

describe('contents', () => {
  const installedFolder = () => join(project.folder, 'node_modules/virtio-sdk')

  it('are the build, the documents, the examples, what runs on QEMU, and what npm always adds', () => {
    const installed = installedFolder()
    const files = ['LICENSE', 'README.md', 'agent', 'dist', 'docs', 'examples', 'package.json']
    expect(readdirSync(installed).sort()).toEqual(files)
    for (const folder of ['agent', 'docs', 'examples']) {
      const files = (root: string) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()
      expect(files(installed)).toEqual(files(ROOT))
    }
    const entries = readdirSync(join(installed, 'dist'), { recursive: true, withFileTypes: true })
    const dist = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
    expect(dist.filter((name) => !/\.(c?js|d\.c?ts)$/.test(name))).toEqual([])
  })

  it('are all that README and the documents link to, with the headings that they name', () => {
    const installed = installedFolder()
    const pages = [
      'README.md',
      ...readdirSync(join(installed, 'docs'), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.md'))
        .map((path) => `docs/${path}`),
    ]
    const dead: string[] = []
    let followed = 0
    for (const page of pages) {
      const text = readFileSync(join(installed, page), 'utf8').replace(/```.*?```/gs, '')
      for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link!)) continue
        const [path = '', heading] = link!.split('#')
        const file = path === '' ? join(installed, page) : join(installed, dirname(page), path)
        const found = existsSync(file) && (heading === undefined || headingsOf(file).includes(heading))
        if (!found) dead.push(`${page}: ${link}`)
        followed++
      }
    }
    expect(dead).toEqual([])
    expect(followed).toBeGreaterThan(40)
  })

  it('build the target in C as the documents say', () => {
    const device = join(project.folder, 'device')
    project.run('cc', '-O2', '-Wall', '-Werror', '-o', device, 'node_modules/virtio-sdk/examples/c-target/device.c')
    const museum = project.run(
      process.execPath,
      'node_modules/.bin/virtio-sdk',
      'museum',
      '--target',
      'exec:./device',
      '--exhibit',
      '4',
    )
    expect(museum).toContain('REJECT')
  })

  it('install nothing that users do not need', () => {
    const others = readdirSync(join(project.folder, 'node_modules')).filter((name) => /^[a-z]/.test(name))
    // koffi is optional: without it, and on systems that it does not know, all works but what shares memory with other processes.
    const own = ['cac', 'fast-check', 'koffi', 'simple-statistics', 'tinypool', 'virtio-sdk', 'yaml', 'zod']
    expect(others.sort()).toEqual(own)
  })

  it('publint finds no fault', () => {
    expect(project.run(bin('publint'), 'run', project.tarball, '--strict')).toContain('All good!')
  })

  it('the types are right for ESM and CJS (attw)', () => {
    project.run(bin('attw'), project.tarball, '--profile', 'node16')
  })
})

describe('entries', () => {
  it('load as ESM and share their classes', () => {
    expect(project.run(process.execPath, 'smoke.mjs')).toBe(`ok ${process.version}\n`)
  })

  it('load as CJS and share their classes', () => {
    expect(project.run(process.execPath, 'smoke.cjs')).toBe(`ok ${process.version}\n`)
  })

  it('load without fast-check, except for ./testing, of which ./testing/core is the rest', () => {
    const code = ENTRIES.filter((name) => name !== 'virtio-sdk/testing').map((name) => `await import('${name}')`)
    const hidden = `import { register } from 'node:module'\nregister('data:text/javascript,' + encodeURIComponent(\`
      export async function resolve(name, context, next) {
        if (name === 'fast-check') throw new Error('fast-check is not installed')
        return next(name, context)
      }\`))\n`
    const museum = `const { referenceDevice, runMuseum } = await import('virtio-sdk/testing/core')
      if (!runMuseum(referenceDevice, { exhibits: [4] }).passed) throw new Error('the reference fails')
      const reason = await import('virtio-sdk/testing').then(() => null, (error) => error.message)
      if (reason !== 'fast-check is not installed') throw new Error('./testing loaded: ' + reason)\n`
    project.write('without.mjs', `${hidden}${code.join('\n')}\n${museum}`)
    project.run(process.execPath, 'without.mjs')
  })

  it('load as ESM from files of the package alone: to import CommonJS takes Node many times as long', () => {
    const hidden = `import { register } from 'node:module'\nregister('data:text/javascript,' + encodeURIComponent(\`
      export async function resolve(name, context, next) {
        if (!/^(virtio-sdk|[.][/])/.test(name)) throw new Error('the root asks for ' + name)
        return next(name, context)
      }\`))\nawait import('virtio-sdk')\n`
    project.write('alone.mjs', hidden)
    project.run(process.execPath, 'alone.mjs')
  })

  it('experiments load without the command line, its libraries, and anything of Node', () => {
    const hidden = `import { register } from 'node:module'\nregister('data:text/javascript,' + encodeURIComponent(\`
      export async function resolve(name, context, next) {
        if (/^node:|^(cac|tinypool)$|cli|terminal/.test(name)) throw new Error('evaluation asks for ' + name)
        return next(name, context)
      }\`))\nawait import('virtio-sdk/evaluation')\n`
    project.write('experiments.mjs', hidden)
    project.run(process.execPath, 'experiments.mjs')
  })

  it('have types for ESM and CJS under NodeNext, with every check on', () => {
    for (const extension of ['mts', 'cts']) project.write(`consumer.${extension}`, CONSUMER)
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
    }
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['consumer.mts', 'consumer.cts'] }))
    expect(tsc('-p', 'tsconfig.json')).toBe('')
  })
})

describe('the command line', () => {
  it('runs the default scenario from an installed package', () => {
    const report = JSON.parse(project.run(process.execPath, cli(), 'simulate', '--duration', '20ms', '--json'))
    expect(Object.keys(report.designs)).toEqual(['dedicated', 'floating'])
    expect(report.designs.floating.payloadMismatches).toBe(0)
    expect(report.designs.floating.messagesDelivered).toBeGreaterThan(0)
  })

  /** In the repository itself, with the npm at hand. */
  const npm = (program: 'npm' | 'npx', ...args: string[]) => {
    const { status, stdout } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' })
    return { status, stdout }
  }

  it('npx virtio-sdk --json prints one JSON object and nothing else, whatever it ends with', () => {
    const { status, stdout } = npm('npx', 'virtio-sdk', 'simulate', '--json', '--duration', '20ms')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toHaveProperty('designs.floating.flows')
    const late = project.write('late.yaml', LATE)
    const negative = npm('npx', 'virtio-sdk', 'analyze', '--json', late)
    expect(negative.status).toBe(1)
    expect(JSON.parse(negative.stdout)).toHaveProperty('flows')
    expect(npm('npx', 'virtio-sdk', 'analyze', '--json', project.write('bad.yaml', 'vms: 5'))).toEqual({
      status: 2,
      stdout: '',
    })
  })

  it('npm start prints the comparison', () => {
    const { status, stdout } = npm('npm', 'start', '--', '--duration', '20ms')
    expect(status).toBe(0)
    expect(stdout).toContain('Floating against dedicated')
  })

  it('evaluate runs a campaign on threads', () => {
    const flags = ['--points', '2', '--sets', '2', '--only', 'acceptance', '--out', 'results']
    project.run(process.execPath, cli(), 'evaluate', ...flags, '--jobs', '2')
    expect(readdirSync(join(project.folder, 'results/data'))).toEqual([
      'acceptance-summary.ndjson',
      'acceptance.ndjson',
    ])
  })

  const cli = () => join(project.folder, 'node_modules/.bin/virtio-sdk')
})

describe('examples', () => {
  const examples = readdirSync(join(ROOT, 'examples')).filter((name) => name.endsWith('.ts'))
  it.each(examples)('%s runs against the package', (name) => {
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
    const { outputText } = ts.transpileModule(readFileSync(join(ROOT, 'examples', name), 'utf8'), {
      compilerOptions: options,
    })
    project.run(process.execPath, project.write(`examples/${name.replace(/ts$/, 'mjs')}`, outputText))
  })
})

/** As GitHub makes anchors of headings. */
function headingsOf(file: string): string[] {
  if (!file.endsWith('.md')) return []
  const text = readFileSync(file, 'utf8').replace(/```.*?```/gs, '')
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
}

/** Nobody can keep this deadline. */
const LATE = `
vms: [{ name: a, core: 0, cid: 3 }, { name: b, core: 1, cid: 4 }]
flows: [{ name: f, from: a, to: b, period: 1ms, deadline: 1us, length: 1KiB }]
`

/** The compiler's complaints; empty when there are none. */
function tsc(...args: string[]): string {
  try {
    return project.run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), ...args)
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error)
  }
}

/** Uses a name of every entry; compiled once as an ES module and once as CommonJS. */
const CONSUMER = `
import { connect, defineDevice, GuestMemory, SharedMemoryTransport, u32, VirtioError, type Violation } from 'virtio-sdk'
${ENTRIES.slice(1)
  .map((name, i) => `import * as entry${i} from '${name}'`)
  .join('\n')}
import { GuestMemory as SameMemory } from 'virtio-sdk/memory'
import { parseScenario, type Scenario } from 'virtio-sdk/scenario'

export const entries: object[] = [${ENTRIES.slice(1)
  .map((_, i) => `entry${i}`)
  .join(', ')}]
export const same: typeof SameMemory = GuestMemory
export const scenario: Scenario = parseScenario('vms: []')
export const rule = (violation: Violation): string => violation.clause

const adder = defineDevice({
  id: 0x1234, queues: [{ name: 'requests', size: 64 }], features: { checksum: 0 }, config: { limit: u32('limit') },
  requests(queue, { features, config }) {
    for (const request of queue.drain(16)) {
      request.writer.u32(request.reader.u32() % config.limit)
      if (features.checksum) request.writer.u32(0)
    }
  },
})

export async function main(): Promise<Uint8Array> {
  const driver = await connect(new SharedMemoryTransport(adder.create({ config: { limit: 7 } })), { want: ['checksum'] })
  const negotiated: boolean = driver.features.checksum
  // @ts-expect-error only what was wanted or required is there
  driver.features.other
  if (!negotiated) throw new VirtioError('NO_CHECKSUM', 'the device has no checksum')
  return (await driver.requests.call([new Uint8Array(4)], { reply: 8 })).bytes
}
`

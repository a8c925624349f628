/** Every command line in README and the documents: its command, options and scripts are there, and what is quick to run runs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { run, SMALL } from './fake.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    // Decisions tell what was so.
    .filter((path) => path.endsWith('.md') && !path.startsWith('decisions'))
    .map((path) => `docs/${path}`),
  'findings/README.md',
]

/** Lines of shell blocks, and inline code that is a command; without comments, pipes, and what a shell puts around. */
function commandsOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const blocks = [...text.matchAll(/```(?:sh|bash)\n(.*?)```/gs)].map(([, block]) => block!.replaceAll('\\\n', ' '))
  const lines = blocks.flatMap((block) => block.split('\n')).flatMap((line) => line.replace(/\s#.*/, '').split('&&'))
  const inline = [...text.replace(/```.*?```/gs, '').matchAll(/`([^`]+)`/g)].map(([, code]) => code!)
  return [...lines, ...inline].map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

const found = PAGES.flatMap((page) => commandsOf(page).map((line) => [page, line] as const))
/** Of the command line: the words behind `virtio-sdk`. */
const ours = found.flatMap(([page, line]) => {
  const [, rest] = /^(?:npx |parallel .*?)?virtio-sdk ([a-z-].*)$/.exec(line) ?? []
  return rest === undefined ? [] : [[page, rest.replace(/ ::: .*/, '')] as const]
})
const npm = found.filter(([, line]) => /^(?:[A-Z_]+=\S+ )*(?:npm|npx vitest) /.test(line))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  writeFileSync(join(folder, 'releases.csv'), 'time_ns,length_bytes\n0,4096\n5012000,4096\n9987000,1500\n')
  for (const name of ['my.yaml', 'SCENARIO']) writeFileSync(join(folder, name), `${SMALL}duration: 5ms\n`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The words as a shell makes them, and the file that the output goes to. */
function words(line: string): { args: string[]; output: string | null } {
  const [command, output = null] = line.split(/\s>\s*/)
  const args = [...command!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  return { args, output }
}

const cli = (args: readonly string[]) => run(args, join(folder, 'my.yaml'), { cwd: folder })

/** A template of a calibration as somebody fills it in who measured one cost; other texts as they are. */
function filledIn(text: string): string {
  return text
    .replace('by: ""', 'by: "somebody"')
    .replace('date: ""', 'date: "2026-01-31"')
    .replace('method: ""', 'method: "a counter"')
    .replace('  # hvc:', '  hvc:')
}

async function helpOf(command: string): Promise<string> {
  const told = vi.spyOn(console, 'info').mockImplementation(() => {})
  try {
    expect((await cli([command, '--help'])).code).toBe(0)
    return told.mock.calls.flat().join('\n')
  } finally {
    told.mockRestore()
  }
}

// In the order in which a reader runs them: some write the files that others read.
describe('virtio-sdk', { shuffle: false }, () => {
  it('is named often', () => {
    expect(ours.length).toBeGreaterThan(15)
    expect(new Set(ours.map(([page]) => page)).size).toBeGreaterThan(5)
  })

  it.each(ours)('%s: %s', async (_page, line) => {
    const { args, output } = words(line)
    const [command] = args as [string]
    const help = await helpOf(command)
    expect(help).toContain(`$ virtio-sdk ${command}`)
    for (const [option] of args.flatMap((arg) => [...arg.matchAll(/^--[a-z-]+/g)])) expect(help).toContain(`${option} `)
    // The others are long, or need what a page tells how to make.
    if (
      !['simulate', 'analyze', 'compare', 'sweep', 'fit', 'platform', 'calibration'].includes(command) ||
      args.includes('--help') ||
      args.includes('--on')
    )
      return
    const { code, stdout, stderr } = await cli(args)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    if (output !== null) writeFileSync(join(folder, output), filledIn(stdout))
  })
})

describe('npm and vitest', () => {
  it.each(npm)('%s: %s', (_page, line) => {
    const [, script] = /npm (?:run )?([a-z:-]+)/.exec(line) ?? []
    const own = ['ci', 'install']
    if (script !== undefined && !own.includes(script)) expect(Object.keys(manifest.scripts)).toContain(script)
    for (const [path] of line.matchAll(/\btest\/[\w./-]+/g)) {
      const place = join(ROOT, path)
      expect(() => readdirSync(place.replace(/\/[^/]*\.ts$/, ''))).not.toThrow()
      if (path.endsWith('.ts')) expect(() => readFileSync(place)).not.toThrow()
    }
  })
})

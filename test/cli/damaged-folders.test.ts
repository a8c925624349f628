/** Manifests and requests of a campaign that a disk or a hand has changed: said as it is, whichever field it is. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, SMALL } from './fake.ts'

const CAMPAIGN = ['--only', 'acceptance', '--points', '2', '--sets', '1', '--jobs', '1']
const ODD: readonly unknown[] = [undefined, null, 0.5, 1e9, '../../etc', {}, [5]]
let folder: string
let whole: Record<string, unknown>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  writeFileSync(join(folder, 'small.yaml'), SMALL)
  expect((await cli('evaluate', ...CAMPAIGN, '--shard', '1/2', '--out', 'first')).code).toBe(0)
  expect((await cli('evaluate', ...CAMPAIGN, '--shard', '2/2', '--out', 'second')).code).toBe(0)
  whole = JSON.parse(readFileSync(join(folder, 'first/manifest.json'), 'utf8'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const cli = (...args: string[]) => run(args, join(folder, 'small.yaml'), { cwd: folder })

/** Every field, the fields of objects and of the first entry of lists, as a path. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null || path.length > 2) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    if (Array.isArray(value) && key !== '0') return []
    return [[...path, key], ...pathsOf(inner, [...path, key])]
  })
}

function changed(path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(whole)
  const inner = path.slice(0, -1).reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], copy)
  Object.assign(inner as object, { [path.at(-1)!]: value })
  return copy
}

async function merged(manifest: unknown) {
  const shard = join(folder, 'changed')
  rmSync(shard, { recursive: true, force: true })
  rmSync(join(folder, 'merged'), { recursive: true, force: true })
  cpSync(join(folder, 'first'), shard, { recursive: true })
  writeFileSync(join(shard, 'manifest.json'), JSON.stringify(manifest) ?? '')
  return await cli('merge', 'changed', 'second', '--out', 'merged')
}

describe('a manifest', () => {
  it('of which one field is anything: never a mistake of ours', async () => {
    const { columns: _, assumptions: __, ...experiment } = (whole.experiments as Record<string, unknown>[])[0]!
    const bare = { ...whole, platform: { name: 'zcu102' }, experiments: [experiment] }
    for (const path of pathsOf(bare)) {
      for (const value of ODD) {
        const { code, stderr } = await merged(changed(path, value))
        expect([0, 2], `${path.join('.')} is ${JSON.stringify(value)}: ${stderr}`).toContain(code)
      }
    }
  })

  it.each([
    [
      'shard.count',
      1e9,
      'is damaged: shard is {"index":1,"count":1000000000}; it must be an object whose fields are right',
    ],
    [
      'experiments.0.file',
      '../../secret',
      'is damaged: experiment "acceptance": its file is "../../secret"; it must be',
    ],
    ['experiments.0.name', '../x', 'is damaged: experiment "../x": its name is "../x"; it must be a name'],
    ['campaign', undefined, 'is damaged: campaign is missing; it must be an object'],
    ['experiments', [5], 'is damaged: experiments is [5]; it must be a list of experiments'],
  ])('%s is %j', async (path, value, message) => {
    const { code, stdout, stderr } = await merged(changed(path.split('.'), value))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('of a shard of very many: the first that are missing are named', async () => {
    const { stderr } = await merged(changed(['shard', 'count'], 999_999))
    expect(stderr).toContain('is of another campaign')
    writeFileSync(join(folder, 'changed/manifest.json'), JSON.stringify(changed(['shard', 'count'], 999_999)))
    const alone = await cli('merge', 'changed', '--out', 'merged')
    expect(alone.code).toBe(2)
    expect(alone.stderr).toMatch(/^shard 2\/999999, 3\/999999, .*11\/999999 and 999988 more are missing\n$/)
  })
})

describe('a request', () => {
  it.each([
    ['{ "format": 2 }', 'is damaged: version is missing; it must be a text'],
    ['{ "format": 2, "version": "1.2.3", "shard": { "index": 1, "count": 1 } }', 'is damaged: campaign is missing'],
    ['5', 'was written in another format'],
    ['{', 'cannot read '],
  ])('%s', async (text, message) => {
    const out = join(folder, 'interrupted')
    mkdirSync(join(out, 'parts'), { recursive: true })
    writeFileSync(join(out, 'parts/request.json'), text)
    const { code, stdout, stderr } = await cli('evaluate', ...CAMPAIGN, '--out', 'interrupted', '--resume')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^[^\n]+\n$/)
  })
})

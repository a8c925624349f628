/**
 * A file system that refuses: read-only, full, over quota, not ours, broken. Whatever a command wants to do to its files, at whichever
 * call of the system the refusal comes, it ends with 2 and one line that names the file and says why.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { run, SMALL, TEXT } from './fake.ts'

type Call = 'openSync' | 'mkdirSync' | 'writeSync' | 'fsyncSync' | 'renameSync' | 'rmSync'

/** What the system refuses, of whom, with which code; `met`: it came to that. */
const refusal = vi.hoisted(() => ({ call: '', below: '', code: '', met: 0 }))

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const refusing = (call: Call) => {
    return (...args: unknown[]) => {
      const [path, flags] = args
      // Files that are only read are read from everything.
      const writes = call !== 'openSync' || (flags !== 'r' && flags !== fs.constants.O_NONBLOCK)
      const below = typeof path === 'number' || String(path).startsWith(refusal.below)
      if (refusal.call === call && writes && below) {
        refusal.met++
        const syscall = call.slice(0, -4)
        throw Object.assign(new Error(`${refusal.code}: refused, ${syscall}`), { code: refusal.code, syscall })
      }
      return (fs[call] as (...given: unknown[]) => unknown)(...args)
    }
  }
  const calls: Call[] = ['openSync', 'mkdirSync', 'writeSync', 'fsyncSync', 'renameSync', 'rmSync']
  return { ...fs, ...Object.fromEntries(calls.map((call) => [call, refusing(call)])) }
})

const TARGETS = fileURLToPath(new URL('targets/', import.meta.url))
let folder: string
let number = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  writeFileSync(join(folder, 'small.yaml'), SMALL)
})
beforeEach(() => {
  Object.assign(refusal, { call: '', below: '', code: '', met: 0 })
})
afterAll(() => {
  refusal.call = ''
  rmSync(folder, { recursive: true, force: true })
})

const cli = (...args: string[]) =>
  run(args, join(folder, 'small.yaml'), {
    cwd: folder,
    during: ({ onMessage }) => onMessage?.({ flow: 'f', sequence: 0, bytes: TEXT.encode('one'), responseNs: 1 }),
  })

const CAMPAIGN = ['--only', 'acceptance', '--points', '2', '--sets', '1', '--jobs', '1']
const REASONS: readonly [code: string, why: string][] = [
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the quota of the disk is used up'],
  ['EACCES', 'this user may not'],
  ['EIO', 'the disk or the file server failed'],
]
const OPEN_WRITE: readonly Call[] = ['openSync', 'mkdirSync', 'writeSync']
const WHOLE: readonly Call[] = [...OPEN_WRITE, 'fsyncSync', 'renameSync']
const WRITERS: readonly [what: string, args: (out: string) => string[], calls: readonly Call[]][] = [
  ['a trace', (out) => ['simulate', '--design', 'floating', '--trace', `${out}/run.json`], OPEN_WRITE],
  ['payloads', (out) => ['simulate', '--design', 'floating', '--out', out], OPEN_WRITE],
  [
    'a JUnit report',
    (out) => ['museum', '--target', `${TARGETS}sound.ts`, '--exhibit', '4', '--junit', `${out}/junit.xml`],
    OPEN_WRITE,
  ],
  ['a campaign', (out) => ['evaluate', ...CAMPAIGN, '--out', out], [...WHOLE, 'rmSync']],
  ['a merge', (out) => ['merge', 'shard', '--out', out], WHOLE],
]

beforeAll(async () => {
  expect((await cli('evaluate', ...CAMPAIGN, '--shard', '1/1', '--out', 'shard')).code).toBe(0)
})

describe.each(WRITERS)('%s', (_, args, calls) => {
  const cases = calls.flatMap((call) => REASONS.map(([code, why]) => [call, code, why] as const))

  it.each(cases)('%s refuses with %s', async (call, code, why) => {
    const out = join(folder, `out-${++number}`)
    Object.assign(refusal, { call, code, below: out })
    const ended = await cli(...args(out))
    expect(refusal.met).toBeGreaterThan(0)
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/^cannot (?:write|remove) [^\n]+\n$/)
    expect(ended.stderr).toContain(out)
    expect(ended.stderr).toContain(`: ${why} (${code})\n`)
  })
})

describe('a corpus', () => {
  it('that cannot be written: the case that would have been kept is told', async () => {
    const corpus = join(folder, 'corpus')
    mkdirSync(corpus)
    Object.assign(refusal, { call: 'openSync', code: 'EROFS', below: corpus })
    const args = ['fuzz', '--target', `${TARGETS}broken.ts`, '--runs', '3000', '--corpus', 'corpus']
    const { code, stdout, stderr } = await cli(...args)
    expect(code).toBe(2)
    expect(stdout).toContain('FAIL')
    const [, case_] =
      /^cannot keep it: cannot write .*\/corpus\/.*: the file system is read-only \(EROFS\); as a corpus file: (\{.*\})\n$/.exec(
        stderr,
      )!
    expect(JSON.parse(case_!)).toHaveProperty('kind')
    expect(readdirSync(corpus)).toEqual([])
  })
})

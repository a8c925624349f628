/** What only a process has: standard streams that fail, modules that are loaded, code of others that ends it. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCliTold, runProcess } from './built-cli.ts'
import { SMALL } from './fake.ts'

let folder: string
let cli: string
let built: Metafile
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  built = await buildCliTold(folder)
  cli = join(folder, 'dist/cli.js')
  writeFileSync(join(folder, 'small.yaml'), `${SMALL}duration: 5ms\n`)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const OUTPUTS: readonly (readonly [args: string, code: number])[] = [
  ['simulate small.yaml', 0],
  ['simulate small.yaml --json', 0],
  ['analyze small.yaml', 0],
  ['platform list', 0],
  ['platform show zcu102', 0],
  ['calibration template', 0],
  ['evaluate --only acceptance --points 2 --sets 2 --jobs 1 --out run', 0],
  ['merge shard-1 shard-2 --out merged', 0],
  ['--help', 0],
  ['simulate --help', 0],
  ['--version', 0],
]

describe('standard output', () => {
  beforeAll(() => {
    for (const shard of ['1/2', '2/2']) {
      const args = `evaluate --only acceptance --points 2 --sets 2 --jobs 1 --out shard-${shard[0]} --shard ${shard}`
      expect(runProcess(cli, args.split(' '), { cwd: folder }).code).toBe(0)
    }
  })

  it.each(OUTPUTS)('is a full disk: %s', (args) => {
    const stdout = openSync('/dev/full', 'w')
    try {
      const { code, stderr } = runProcess(cli, args.split(' '), { cwd: folder, stdout })
      expect(stderr).toBe('cannot write to stdout: the disk is full (ENOSPC)\n')
      expect(code).toBe(2)
    } finally {
      closeSync(stdout)
    }
  })

  it('is a pipe that nobody reads any more', () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    const stdout = openSync(pipe, 'w')
    closeSync(reader)
    try {
      const { code, stderr } = runProcess(cli, ['platform', 'list'], { cwd: folder, stdout })
      expect({ code, stderr }).toEqual({ code: 2, stderr: 'cannot write to stdout: its reader has gone (EPIPE)\n' })
    } finally {
      closeSync(stdout)
    }
  })

  it('fails after a negative result: what was to be told is lost, and that is the exit code', () => {
    writeFileSync(join(folder, 'late.yaml'), `${SMALL.replaceAll('1KiB', '1KiB, deadline: 1us')}duration: 5ms\n`)
    expect(runProcess(cli, ['analyze', 'late.yaml'], { cwd: folder }).code).toBe(1)
    const stdout = openSync('/dev/full', 'w')
    expect(runProcess(cli, ['analyze', 'late.yaml'], { cwd: folder, stdout }).code).toBe(2)
    closeSync(stdout)
  })
})

describe('standard error', () => {
  it('is a full disk: the result comes all the same', () => {
    writeFileSync(join(folder, 'long.yaml'), `${SMALL.replace('1KiB', '1KiB, deadline: 2ms')}duration: 5ms\n`)
    const stderr = openSync('/dev/full', 'w')
    try {
      const { code, stdout } = runProcess(cli, ['simulate', 'long.yaml', '--json'], { cwd: folder, stderr })
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toHaveProperty('designs')
      expect(runProcess(cli, ['simulate', 'nowhere.yaml'], { cwd: folder, stderr })).toMatchObject({ code: 2 })
    } finally {
      closeSync(stderr)
    }
  })

  it('gets nothing past us: what the reader of YAML has to warn of is an error of ours', () => {
    writeFileSync(join(folder, 'odd.yaml'), `${SMALL}? { "\\e[2J": 1 }\n: 2\n`)
    const { code, stderr } = runProcess(cli, ['simulate', 'odd.yaml'], { cwd: folder })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^odd.yaml:\d+:1 \["\{.*\}"\]: unknown key; .*\n$/)
    expect(stderr).not.toContain('\x1b')
  })
})

describe('what is thrown where nobody waits', () => {
  it.each([
    ['in a callback', 'setImmediate(() => { throw ours })'],
    ['by a promise', 'Promise.reject(ours)'],
  ])('%s is our own mistake, unless code of others runs', (what, code) => {
    // A command that takes a while looks at the clock when it begins.
    const patch = `const ours = new Error('ours\\x1b[2J'); const { now } = performance
      performance.now = () => { performance.now = now; ${code}; return now.call(performance) }`
    const node = ['--import', `data:text/javascript,${encodeURIComponent(patch)}`]
    const args = ['evaluate', '--only', 'acceptance', '--points', '2', '--sets', '2', '--jobs', '1', '--out', what]
    const { code: exit, stderr } = runProcess(cli, args, { cwd: folder, node })
    expect(exit).toBe(3)
    expect(stderr).toMatch(/^internal error, please report it: Error: ours\\u001b\[2J\n {4}at /)
  })
})

describe('the start', () => {
  /** Sources that are loaded before a command is chosen. */
  function loadedAtOnce(): string[] {
    const entry = Object.keys(built.outputs).find((path) => path.endsWith('dist/cli.js'))!
    const files = new Set([entry])
    for (const file of files) {
      for (const { path, kind } of built.outputs[file]?.imports ?? []) if (kind === 'import-statement') files.add(path)
    }
    const sources = [...files]
      .filter((file) => file in built.outputs)
      .flatMap((file) => Object.keys(built.outputs[file]!.inputs))
    return sources.map((path) => path.replace(/^.*?(?=src\/|node_modules\/)/, ''))
  }

  it('loads the parser of arguments and nothing of any command: --help is quick', () => {
    const sources = loadedAtOnce()
    expect(sources).toContain('src/cli/run-cli.ts')
    const allowed = /^src\/cli\/[\w-]+\.ts$|^src\/internal\/|^node_modules\/cac\//
    expect(sources.filter((path) => !allowed.test(path) || /-(?:command|report|files?)\.ts$/.test(path))).toEqual([])
    expect(runProcess(cli, ['--version'], { cwd: folder }).stdout).toContain('virtio-sdk/1.2.3')
  })
})

import { execFileSync, spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import { EXPERIMENTS, type Experiment, type Manifest } from '../../src/evaluation/index.ts'
import { BOARD_PROFILES, type BoardProfile } from '../../src/platform-zcu102/index.ts'
import { buildCli, REQUIRE } from './built-cli.ts'

let root = ''
let workerFile = ''

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'evaluate-'))
  workerFile = join(root, 'worker.mjs')
  const entry = new URL('../../src/cli/evaluate/worker.ts', import.meta.url).pathname
  const banner = { js: REQUIRE }
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile: workerFile, banner })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What a test does instead of pressing Ctrl-C: gets what to call. */
let onInterrupt: ((interrupt: () => void) => void) | undefined

async function run(...args: string[]) {
  const seen = { code: -1, stdout: '', stderr: '' }
  const output = (stream: 'stdout' | 'stderr') => ({
    isTTY: false,
    write(text: string) {
      seen[stream] += text
    },
  })
  seen.code = await runCli(args, {
    version: '1.2.3',
    defaultScenario: '',
    agentFolder: 'none',
    pageScript: () => '',
    simulator: null as never,
    evaluation: { workerFile },
    terminal: {
      stdout: output('stdout'),
      stderr: output('stderr'),
      cwd: root,
      env: {},
      now: () => 0,
      onInterrupt(listener) {
        onInterrupt?.(listener)
        return () => {}
      },
    },
  })
  return seen
}

const SMALL = ['--points', '3', '--sets', '20', '--only', 'acceptance,acceptance-variants']
const evaluate = (out: string, ...more: string[]) => run('evaluate', ...SMALL, '--jobs', '1', '--out', out, ...more)

/** Every file of a folder, by name. */
function files(folder: string): Record<string, string> {
  const path = join(root, folder)
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()
  return Object.fromEntries(
    names.flatMap((name) => (/\.\w+$/.test(name) ? [[name, readFileSync(join(path, name), 'utf8')]] : [])),
  )
}

/** What others are compared with, whichever test comes first. */
beforeAll(async () => {
  expect((await evaluate('reference')).code).toBe(0)
})

describe('evaluate', () => {
  it('writes data, summaries and a manifest, and leaves nothing else behind', () => {
    expect(readdirSync(join(root, 'reference')).sort()).toEqual(['data', 'manifest.json'])
    const manifest = JSON.parse(files('reference')['manifest.json']!) as Manifest
    expect(manifest.campaign).toEqual({ seed: 1, points: 3, sets: 20 })
    for (const { name, file, rows, columns, summary } of manifest.experiments) {
      const lines = files('reference')[file]!.trim().split('\n')
      expect(lines).toHaveLength(rows)
      for (const line of lines) expect(Object.keys(JSON.parse(line)), name).toEqual(Object.keys(columns))
      for (const line of files('reference')[summary!.file]!.trim().split('\n')) {
        expect(Object.keys(JSON.parse(line)), name).toEqual(Object.keys(summary!.columns))
      }
    }
  })

  it('tells where the data is, and the headline of each experiment', async () => {
    const { stdout } = await run('evaluate', ...SMALL, '--out', 'told')
    expect(stdout).toMatch(
      /Acceptance ratio against utilisation: 240 rows in told\/data\/acceptance.ndjson\n {2}dedicated/,
    )
    expect(stdout).toContain('told/manifest.json written')
  })

  it('writes the same bytes with threads', async () => {
    expect((await run('evaluate', ...SMALL, '--jobs', '2', '--out', 'threads')).code).toBe(0)
    expect(files('threads')).toEqual(files('reference'))
  })

  it('writes the same bytes from shards, in whatever order they are merged', async () => {
    for (const shard of ['1/3', '2/3', '3/3']) await evaluate(`shard-${shard[0]}`, '--shard', shard)
    const merged = await run('merge', 'shard-3', 'shard-1', 'shard-2', '--out', 'merged')
    expect(merged).toMatchObject({ code: 0, stderr: '' })
    expect(files('merged')).toEqual(files('reference'))
  })

  it('another seed, other data', async () => {
    await evaluate('seeded', '--seed', '2')
    expect(files('seeded')['data/acceptance.ndjson']).not.toBe(files('reference')['data/acceptance.ndjson'])
  })

  it('takes the costs of another board, or measured ones, in one thread and in two, and tells in the manifest', async () => {
    const quick = ['--points', '3', '--sets', '20', '--only', 'acceptance']
    const overheads = (folder: string) => {
      const [line] = files(folder)['data/acceptance.ndjson']!.split('\n')
      const { chunkOverheadBestNs, chunkOverheadWorstNs } = JSON.parse(line!)
      return [chunkOverheadBestNs, chunkOverheadWorstNs]
    }
    const board = (folder: string) => (JSON.parse(files(folder)['manifest.json']!) as Manifest).platform
    expect((await run('evaluate', ...quick, '--jobs', '2', '--platform', 'rpi4', '--out', 'rpi4')).code).toBe(0)
    expect(board('rpi4')).toEqual(BOARD_PROFILES.rpi4)
    expect(overheads('rpi4')[1]).toBeLessThan(overheads('reference')[1])

    const calibration =
      '{ board: zcu102, by: nobody, date: 2000-01-01, method: made up, costsNs: { pick: [0, 9000, 9000] } }'
    writeFileSync(join(root, 'c.yaml'), calibration)
    expect((await run('evaluate', ...quick, '--calibration', 'c.yaml', '--out', 'calibrated')).code).toBe(0)
    expect(board('calibrated').costsNs.pick.status).toBe('MEASURED')
    expect(overheads('calibrated')[1]).toBe(overheads('reference')[1] + 9000 - 150)

    const mixed = await run('evaluate', ...quick, '--resume', '--platform', 'tx2', '--out', 'rpi4')
    expect(mixed.stderr).toContain('the costs of the platform differ')
  })

  it('more points or sets contain the same sets', async () => {
    await run('evaluate', '--points', '3', '--sets', '21', '--only', 'acceptance', '--out', 'more')
    const seeds = (folder: string) =>
      new Set(
        files(folder)
          ['data/acceptance.ndjson']!.trim()
          .split('\n')
          .map((line) => JSON.parse(line).seed),
      )
    for (const seed of seeds('reference')) expect(seeds('more')).toContain(seed)
  })
})

describe('evaluate --resume', () => {
  /** A run that was stopped after some units of the first experiment, in the middle of a record. */
  async function interrupted(folder: string, records: number, garbage: string): Promise<void> {
    const first = EXPERIMENTS[0] as Experiment
    const run = first.run
    let left = records
    Object.assign(first, {
      run(unit: never, profile: BoardProfile) {
        if (left-- === 0) throw new Error('power cut')
        return run.call(first, unit, profile)
      },
    })
    try {
      const { code, stderr } = await evaluate(folder)
      expect(code).toBe(3)
      expect(stderr).toContain('power cut')
    } finally {
      Object.assign(first, { run })
    }
    appendFileSync(join(root, folder, 'parts/acceptance.journal'), garbage)
  }

  it.each([
    ['between two records', ''],
    ['in a header', '{"unit":2,"ro'],
    ['in the rows', '{"unit":2,"rows":80,"bytes":30000}\n{"point":3,"in'],
  ])('goes on after a run that stopped %s', async (what, garbage) => {
    const folder = `resumed ${what}`
    await interrupted(folder, 2, garbage)
    expect((await evaluate(folder, '--resume')).code).toBe(0)
    expect(files(folder)).toEqual(files('reference'))
  })

  it('does not run again what is done', async () => {
    await interrupted('kept', 2, '')
    const journal = join(root, 'kept/parts/acceptance.journal')
    const before = readFileSync(journal, 'utf8')
    truncateSync(journal, before.length - 1)
    await interrupted('kept-2', 2, '')
    expect(readFileSync(join(root, 'kept-2/parts/acceptance.journal'), 'utf8')).toBe(before)
    expect((await evaluate('kept', '--resume')).code).toBe(0)
    expect(files('kept')).toEqual(files('reference'))
  })

  it('refuses other parameters, and to start over without being told', async () => {
    await interrupted('other', 1, '')
    const without = await evaluate('other')
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('add --resume') })
    const other = await evaluate('other', '--resume', '--seed', '9')
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('seed is 1, not 9') })
    const shard = await evaluate('other', '--resume', '--shard', '1/2')
    expect(shard.stderr).toContain('the number of shards is 1, not 2')
  })

  it('of a finished run has nothing to do; without it the run is refused', async () => {
    expect(await evaluate('reference', '--resume')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('already'),
    })
    expect(await evaluate('reference')).toMatchObject({ code: 2, stderr: expect.stringContaining('finished run') })
    const other = await run('evaluate', '--points', '3', '--sets', '21', '--resume', '--out', 'reference')
    expect(other.stderr).toContain('sets is 20, not 21')
  })

  const DAMAGES: readonly [what: string, damage: (journal: Buffer, first: number) => Buffer][] = [
    [
      'a digit of the first rows',
      (journal) =>
        journal.fill(journal[journal.length >> 2] === 0x31 ? '2' : '1', journal.length >> 2, (journal.length >> 2) + 1),
    ],
    ['a digit of the first header', (journal) => journal.fill('9', 8, 9)],
    ['a digit of a checksum', (journal) => flipped(journal, journal.indexOf('"sum":"') + 7)],
    ['a digit of the last rows', (journal) => flipped(journal, journal.length - 20)],
    ['a new line in a header', (journal, first) => journal.fill('\n', first + 3, first + 4)],
    ['a number that is none', (journal) => Buffer.concat([Buffer.from('null\n'), journal])],
    ['a long line', (journal, first) => Buffer.concat([journal.subarray(0, first), Buffer.alloc(100_000, 'x')])],
    ['a tail of zeroes', (journal) => Buffer.concat([journal, Buffer.alloc(4096)])],
    ['zeroes in the place of its tail', (journal) => journal.fill(0, journal.length - 512)],
    ['zeroes only', (journal) => journal.fill(0)],
    ['a record twice', (journal, first) => Buffer.concat([journal, journal.subarray(0, first)])],
  ]

  it.each(DAMAGES)('goes on from the last good record of a journal with %s', async (what, damage) => {
    const folder = `damaged, ${what}`
    await interrupted(folder, 2, '')
    const path = join(root, folder, 'parts/acceptance.journal')
    const journal = readFileSync(path)
    const damaged = damage(Buffer.from(journal), journal.indexOf('{"unit":1'))
    writeFileSync(path, damaged)
    const { code, stderr } = await evaluate(folder, '--resume')
    expect(code).toBe(0)
    expect(files(folder)).toEqual(files('reference'))
    const [, kept, cut] = /: (\d+) whole records are kept, (\d+) bytes behind them cut off\n/.exec(stderr) ?? [
      0,
      '2',
      '0',
    ]
    expect(Number(kept)).toBeLessThanOrEqual(2)
    expect(Number(cut) > 0).toBe(what !== 'a record twice')
  })

  function flipped(bytes: Buffer, at: number): Buffer {
    bytes[at]! ^= 1
    return bytes
  }

  it('refuses a journal, and what was asked for, that are no files', async () => {
    for (const name of ['acceptance.journal', 'request.json']) {
      const folder = `no file ${name}`
      await interrupted(folder, 1, '')
      const path = join(root, folder, 'parts', name)
      rmSync(path)
      execFileSync('mkfifo', [path])
      const { code, stderr } = await evaluate(folder, '--resume')
      expect(code).toBe(2)
      expect(stderr).toContain(`cannot read ${path}: it is a named pipe, not a regular file`)
    }
  })
})

describe('evaluate, interrupted', () => {
  afterEach(() => {
    onInterrupt = undefined
  })

  it('keeps what is done, and says how to go on: that command finishes the run', async () => {
    const first = EXPERIMENTS[0] as Experiment
    const { run: runUnit } = first
    let interrupt = () => {}
    onInterrupt = (given) => {
      interrupt = given
    }
    let units = 0
    Object.assign(first, {
      run(unit: never, profile: BoardProfile) {
        if (++units === 2) interrupt()
        return runUnit.call(first, unit, profile)
      },
    })
    const { code, stderr, stdout } = await evaluate('stopped here', '--seed', '1')
    Object.assign(first, { run: runUnit })
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    const [, done, all, command] = /^interrupted; (\d+) of (\d+) units are done and kept. To go on:\n {2}(.*)\n$/.exec(
      stderr,
    )!
    expect(Number(done)).toBe(2)
    expect(Number(all)).toBeGreaterThan(2)
    expect(command).toBe(`virtio-sdk evaluate ${SMALL.join(' ')} --jobs 1 --out 'stopped here' --seed 1 --resume`)

    onInterrupt = undefined
    const words = [...command!.matchAll(/'([^']*)'|(\S+)/g)].map(([, inQuotes, bare]) => inQuotes ?? bare!)
    expect((await run(...words.slice(1))).code).toBe(0)
    expect(files('stopped here')).toEqual(files('reference'))
  })

  it('stops its threads, and does not repeat --resume', async () => {
    onInterrupt = (interrupt) => void setImmediate(interrupt)
    const threads = ['evaluate', ...SMALL, '--jobs', '2', '--out', 'stopped-2']
    const { code, stderr } = await run(...threads)
    expect(code).toBe(130)
    expect(stderr).toContain(`virtio-sdk ${threads.join(' ')} --resume\n`)
    expect((await run(...threads, '--resume')).stderr).toContain(`virtio-sdk ${threads.join(' ')} --resume\n`)
    onInterrupt = undefined
    expect((await run(...threads, '--resume')).code).toBe(0)
    expect(files('stopped-2')).toEqual(files('reference'))
  })

  it('by SIGINT, as a process', async () => {
    const outfile = await buildCli(join(root, 'built'))
    const args = [
      'evaluate',
      '--only',
      'acceptance',
      '--points',
      '20',
      '--sets',
      '5000',
      '--jobs',
      '1',
      '--out',
      'signal',
    ]
    const cli = spawn(process.execPath, [outfile, ...args], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    cli.stderr.on('data', (data) => {
      stderr += data
    })
    const exited = new Promise((resolve) => cli.on('exit', resolve))
    const journal = join(root, 'signal/parts/acceptance.journal')
    while (cli.exitCode === null && !(existsSync(journal) && statSync(journal).size > 0)) await setTimeout(20)
    cli.kill('SIGINT')
    expect(await exited, stderr).toBe(130)
    expect(stderr).toContain(`To go on:\n  virtio-sdk ${args.join(' ')} --resume\n`)
  })
})

describe('merge', () => {
  beforeAll(async () => {
    for (const shard of ['1/2', '2/2']) await evaluate(`half-${shard[0]}`, '--shard', shard)
    await evaluate('half-other', '--shard', '2/2', '--seed', '5')
  })
  const merge = (...args: string[]) => run('merge', ...args)

  it.each([
    ['a missing shard', ['half-1', '--out', 'm1'], 'shard 2/2 is missing'],
    ['the same shard twice', ['half-1', 'half-1', '--out', 'm1'], 'are both shard 1/2'],
    [
      'mixed campaigns',
      ['half-1', 'half-other', '--out', 'm1'],
      'half-other is of another campaign than half-1: seed is 5, not 1',
    ],
    ['mixed counts', ['half-1', 'reference', '--out', 'm1'], 'the number of shards is 1, not 2'],
    ['what is no result', ['half-1', '.', '--out', 'm1'], 'no manifest.json'],
    ['nothing', ['--out', 'm1'], 'name the folders'],
    ['no target', ['half-1', 'half-2'], 'name the folder to write to with --out'],
    ['two targets', ['half-1', 'half-2', '--out', 'm1', '--out', 'm2'], '--out takes one folder'],
    ['a target that is in use', ['half-1', 'half-2', '--out', 'reference'], 'holds a run'],
  ])('refuses %s', async (_, args, message) => {
    expect(await merge(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
    expect(existsSync(join(root, 'm1'))).toBe(false)
  })

  it('refuses a shard that was cut, and one of another version', async () => {
    await evaluate('cut', '--shard', '2/2')
    const data = join(root, 'cut/data/acceptance.ndjson')
    const text = readFileSync(data, 'utf8')
    writeFileSync(data, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1))
    expect((await merge('half-1', 'cut', '--out', 'm2')).stderr).toContain('fewer rows')
    const path = join(root, 'cut/manifest.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('1.2.3', '1.2.4'))
    expect((await merge('half-1', 'cut', '--out', 'm3')).stderr).toContain('version is 1.2.4, not 1.2.3')
    writeFileSync(path, '{')
    expect((await merge('half-1', 'cut', '--out', 'm4')).stderr).toContain('cannot read')
  })

  it('refuses a shard with one digit changed, before it writes anything', async () => {
    await evaluate('changed', '--shard', '2/2')
    const data = join(root, 'changed/data/acceptance.ndjson')
    const text = readFileSync(data, 'utf8')
    writeFileSync(
      data,
      text.replace(/\d(?=[^\d]*$)/, (digit) => String((Number(digit) + 1) % 10)),
    )
    const { code, stderr } = await merge('half-1', 'changed', '--out', 'm5')
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `${data} has changed since it was written; run that shard again\n`,
    })
    expect(existsSync(join(root, 'm5'))).toBe(false)
    rmSync(data)
    expect(await merge('half-1', 'changed', '--out', 'm5')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`cannot read ${data}: there is no such file or folder (ENOENT)`),
    })
  })
})

describe('hostile input', () => {
  it.each([
    [['--points', '0'], '--points 0'],
    [['--points', 'many'], '--points many'],
    [['--sets', '1.5'], '--sets 1.5'],
    [['--seed=-1'], '--seed -1'],
    [['--jobs', '0'], '--jobs 0'],
    [['--jobs', '2', '--jobs', '3'], '--jobs 2,3'],
    [['--shard', '0/3'], 'counted from 1/3 to 3/3'],
    [['--shard', '4/3'], 'counted from 1/3 to 3/3'],
    [['--shard', '3'], 'such as 1/8'],
    [['--shard', '1/0'], 'such as 1/8'],
    [['--only', 'aceptance'], 'did you mean acceptance?'],
    [['--only', 'nothing-like-it'], 'use one of acceptance, '],
    [['--out'], '--out'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await run('evaluate', ...args)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it('a folder that cannot be written', async () => {
    mkdirSync(join(root, 'blocked'))
    writeFileSync(join(root, 'blocked/file'), '')
    const { code, stderr } = await evaluate('blocked/file/out')
    expect(code).toBe(2)
    expect(stderr).toContain('blocked/file/out')
  })
})

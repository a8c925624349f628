/** Arguments that no command has: each is an error with a sentence that says what to write, and nothing runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { run, SMALL } from './fake.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
  writeFileSync(join(folder, 'small.yaml'), SMALL)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => {
  vi.restoreAllMocks()
})

const cli = (...args: string[]) => run(args, join(folder, 'small.yaml'), { cwd: folder })

describe('options that there are not', () => {
  it.each([
    [['simulate', '--__proto__', '5'], 'Unknown option `--__proto__`'],
    [['simulate', '--__proto__=5'], 'Unknown option `--__proto__`'],
    [['simulate', '--__proto__.polluted', '5'], 'Unknown option `--__proto__.polluted`'],
    [['simulate', '--constructor', 'x'], 'Unknown option `--constructor`'],
    [['simulate', '--toString'], 'Unknown option `--toString`'],
    [['simulate', '--out.a', 'x'], 'Unknown option `--out.a`'],
    [['simulate', '--no-json'], 'Unknown option `--no-json`'],
    [['simulate', '--no-out'], 'Unknown option `--no-out`'],
    [['simulate', '---json'], 'Unknown option `---json`; did you mean --json?'],
    [['simulate', '-json'], 'Unknown option `-json`; did you mean --json?'],
    [['simulate', '--s', '5'], 'Unknown option `--s`'],
    [['simulate', '--SEED', '5'], 'Unknown option `--SEED`; did you mean --seed?'],
    [['simulate', '-x'], 'Unknown option `-x`'],
    [['simulate', '--resume'], 'Unknown option `--resume`'],
    [['--nonsense'], 'Unknown option `--nonsense`'],
    [['simulate', '-'], '- is no file: standard input is not read; name a file'],
    [['simulate', '--quiet=5'], '--quiet takes no value: leave =5 out'],
    [['simulate', '--json='], '--json takes no value: leave = out'],
    [['evaluate', '--resume=yes'], '--resume takes no value: leave =yes out'],
    [['simulate', '--out', '-dir'], '-dir is no value of --out: one that begins with - is written --out=-dir'],
    [['simulate', '--trace', '-'], '- is no value of --trace: one that begins with - is written --trace=-'],
    [['--', 'simulate'], 'simulate stands behind --, where nothing is a command; write it before'],
    [['simulat'], 'there is no command simulat; did you mean simulate?'],
    [[''], "there is no command ''; use one of simulate,"],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr, calls } = await cli(...args)
    expect({ code, stdout, calls }).toEqual({ code: 2, stdout: '', calls: [] })
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^[^\n]+\n$/)
    expect(Object.prototype).not.toHaveProperty('polluted')
  })

  const COMMANDS: Readonly<Record<string, readonly string[]>> = {
    simulate: [
      'seed',
      'duration',
      'design',
      'platform',
      'calibration',
      'set',
      'payload',
      'out',
      'trace',
      'runs',
      'seconds',
      'flow',
    ],
    compare: ['set', 'platform', 'calibration'],
    sweep: ['set', 'steps', 'design', 'platform', 'calibration'],
    analyze: ['design', 'scheduler', 'priorities', 'platform', 'calibration', 'set'],
    calibration: ['platform'],
    evaluate: ['points', 'sets', 'seed', 'platform', 'calibration', 'jobs', 'out', 'only', 'shard'],
    merge: ['out'],
    museum: ['target', 'exhibit', 'junit', 'replay'],
    fuzz: ['target', 'seed', 'runs', 'time', 'corpus'],
  }
  const empty = Object.entries(COMMANDS).flatMap(([command, options]) => options.map((option) => [command, option]))

  it.each(empty)('%s --%s with an empty value, or none', async (command, option) => {
    const action = command === 'calibration' ? ['template'] : []
    const target = ['museum', 'fuzz'].includes(command!) && option !== 'target' ? ['--target', './no.mjs'] : []
    for (const value of [[`--${option}=`], [`--${option}`, ''], [`--${option}`]]) {
      const { code, stdout, stderr, calls } = await cli(command!, ...action, ...target, ...value)
      expect({ code, stdout, calls }).toEqual({ code: 2, stdout: '', calls: [] })
      // A platform of that name is looked for.
      expect(stderr).toContain(option === 'platform' && command === 'calibration' ? 'platform' : `--${option}`)
    }
  })

  it.each([
    ['simulate', ''],
    ['analyze', ''],
    ['merge', '', '--out', 'merged'],
    ['platform', 'show', ''],
  ])('an argument that is empty: %s %s', async (...args) => {
    const { code, stdout, stderr } = await cli(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/''|""/)
  })
})

describe('the version', () => {
  it.each([['--version'], ['-v'], ['simulate', '--version'], ['evaluate', '-v', '--out', 'x']])(
    'is told, and nothing runs: %j',
    async (...args) => {
      const told = vi.spyOn(console, 'info').mockImplementation(() => {})
      const { code, stderr, calls } = await cli(...args)
      expect({ code, stderr, calls }).toEqual({ code: 0, stderr: '', calls: [] })
      expect(told.mock.calls.flat().join()).toMatch(/^virtio-sdk\/1\.2\.3 /)
    },
  )
})

describe('a file with a thousand mistakes', () => {
  it('is told in twenty lines and a count', async () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `key${i}: 1\n`)
    writeFileSync(join(folder, 'odd.yaml'), `${keys.join('')}${SMALL}`)
    const { code, stderr } = await cli('analyze', 'odd.yaml')
    expect(code).toBe(2)
    expect(stderr.trimEnd().split('\n')).toHaveLength(21)
    expect(stderr).toMatch(/\nand 980 more lines\n$/)
  })

  it('is too deep for the reader', async () => {
    writeFileSync(join(folder, 'deep.yaml'), `vms: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`)
    const { code, stderr } = await cli('analyze', 'deep.yaml')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^deep\.yaml:1:\d+ lists and maps nest too deeply; correct the YAML\n$/)
  })
})

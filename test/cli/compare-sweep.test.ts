import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run, type Setting, SMALL } from './fake.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-compare-'))
  writeFileSync(join(folder, 'a.yaml'), SMALL)
  writeFileSync(join(folder, 'b.yaml'), SMALL.replace('name: g', 'name: h'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const cli = (args: string, setting: Setting = {}) =>
  run(args.split(' '), join(folder, 'a.yaml'), { cwd: folder, ...setting })

describe('--set', () => {
  it('changes a scenario before it is read, and places in messages are those of the changed one', async () => {
    const { calls } = await cli('simulate a.yaml --design floating --set flows.f.length=2KiB --set seed=9')
    expect(calls[0]!.scenario).toMatchObject({ seed: 9, flows: [{ lengthBytes: 2048 }, { lengthBytes: 1024 }] })
    const { code, stderr } = await cli('analyze a.yaml --set flows.f.lenght=2')
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^a\.yaml --set flows\.f\.lenght=2:\d+:\d+ flows\[0\]\.lenght: unknown key; did you mean length\?/,
    )
  })

  it('that leads nowhere is refused', async () => {
    expect(await cli('simulate a.yaml --set flows.e.length=2')).toMatchObject({
      code: 2,
      stderr: 'flows.e.length=2 names e, which is not in flows; use one of f, g\n',
    })
  })
})

describe('compare', () => {
  it('shows two scenarios side by side, and of each flow what there is', async () => {
    const { code, stdout } = await cli('compare a.yaml b.yaml', { boundNs: 2_000_000 })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^f +2\.000 +2\.000 +1\.00 +0\.500 +0\.500 +1\.000 +1\.000$/m)
    expect(stdout).toMatch(/^g +2\.000 +none +0\.500 +none +1\.000 +none$/m)
    expect(stdout).toMatch(/^h +none +2\.000 +none +0\.500 +none +1\.000$/m)
    expect(stdout).toMatch(/^cross-core IPIs +0 +0$/m)
  })

  it('compares one scenario with itself changed', async () => {
    const { stdout, calls } = await cli('compare a.yaml --set broker.placement=dedicated --json')
    expect(calls.map(({ options }) => options.design)).toEqual(['floating', 'dedicated'])
    const { scenarios, totals } = JSON.parse(stdout)
    expect(scenarios[1]).toMatchObject({ path: 'a.yaml --set broker.placement=dedicated', placement: 'dedicated' })
    expect(totals['cross-core IPIs']).toEqual([0, 24_531])
  })

  it('exits with 1 when a bound is exceeded', async () => {
    const { code, stderr } = await cli('compare a.yaml b.yaml', { boundNs: 400_000 })
    expect(code).toBe(1)
    expect(stderr).toContain('b.yaml: flow h took 500000 ns, its bound is 400000 ns: a bound is violated')
  })

  it.each([
    ['compare', 'compare takes two scenarios, or one and --set PATH=VALUE, not 0'],
    ['compare a.yaml', 'compare one.yaml other.yaml, or compare one.yaml --set PATH=VALUE'],
    ['compare a.yaml b.yaml a.yaml', 'compare takes two scenarios, or one and --set PATH=VALUE, not 3'],
  ])('refuses %s', async (args, message) => {
    expect(await cli(args)).toMatchObject({ code: 2, stderr: `${message}\n` })
  })
})

describe('sweep', () => {
  it('bounds a scenario over a range, and shows where deadlines stop being met', async () => {
    const { code, stdout } = await cli('sweep a.yaml --set flows.f.length=1KiB..4MiB --steps 4')
    expect(code).toBe(0)
    const lines = stdout.trim().split('\n').slice(2)
    expect(lines.map((line) => line.slice(0, 12).trim())).toEqual(['1 KiB', '16 KiB', '256 KiB', '4096 KiB'])
    expect(lines.map((line) => (line.includes('does not') ? 'no' : 'fits'))).toEqual(['fits', 'fits', 'fits', 'no'])
    expect(lines.every((line) => line.includes('|'))).toBe(true)
  })

  it('gives all bounds as JSON, with the unit of its values', async () => {
    const sweep = async (set: string) => JSON.parse((await cli(`sweep a.yaml --set ${set} --steps 3 --json`)).stdout)
    expect(await sweep('flows.f.period=1ms..4ms')).toMatchObject({
      path: 'flows.f.period',
      unit: 'ns',
      steps: [
        { value: 1_000_000, fits: true, flows: [{ name: 'f' }, { name: 'g' }] },
        { value: 2_000_000 },
        { value: 4_000_000 },
      ],
    })
    const { steps, unit } = await sweep('seed=0..2')
    expect({ unit, values: steps.map(({ value }: { value: number }) => value) }).toEqual({
      unit: 'number',
      values: [0, 1, 2],
    })
    expect((await sweep('flows.f.length=4KiB..1KiB')).steps.map(({ value }: { value: number }) => value)).toEqual([
      4096, 2048, 1024,
    ])
  })

  it.each([
    ['sweep a.yaml', '--set has 0 ranges: write one as PATH=FROM..TO, e.g. --set flows.log.length=4KiB..1MiB'],
    [
      'sweep a.yaml --set seed=1',
      '--set has 0 ranges: write one as PATH=FROM..TO, e.g. --set flows.log.length=4KiB..1MiB',
    ],
    [
      'sweep a.yaml --set seed=1..2 --set flows.f.length=1..2',
      '--set has 2 ranges: write one as PATH=FROM..TO, e.g. --set flows.log.length=4KiB..1MiB',
    ],
    ['sweep a.yaml --set seed=1..2 --steps 1', '--steps 1: write one whole number from 2 to 1000'],
    [
      'sweep a.yaml --set seed=1..x',
      '--set seed=1..x: write whole numbers, two times or two sizes, e.g. 4KiB..1MiB or 1ms..20ms',
    ],
    [
      'sweep a.yaml --set seed=1..2.5',
      '--set seed=1..2.5: write whole numbers, two times or two sizes, e.g. 4KiB..1MiB or 1ms..20ms',
    ],
    [
      'sweep a.yaml --set seed=1..2 --design dedicated --set vms.b.core=3',
      'core 3 belongs to the dedicated broker, and VM b runs there',
    ],
    ['sweep a.yaml --set seed=1..2 --design both', '--design both: use floating or dedicated'],
  ])('refuses %s', async (args, message) => {
    expect(await cli(args)).toMatchObject({ code: 2, stderr: `${message}\n` })
  })
})

/** The experiments of the whole machine: small campaigns, the rows that must come out, and that what is wrong is refuted. */
import { type Campaign, EXPERIMENTS, type Experiment, type Row } from 'virtio-sdk/evaluation'
import { BOARD_PROFILES, type BoardProfile, zcu102 } from 'virtio-sdk/platform-zcu102'
import { describe, expect, it } from 'vitest'

const SMALL: Campaign = { seed: 3, points: 2, sets: 20 }
const experiment = (name: string) => EXPERIMENTS.find((candidate) => candidate.name === name) as Experiment

function run(name: string, profile: BoardProfile = zcu102): Row[] {
  const { units, run } = experiment(name)
  return units(SMALL, profile).flatMap((unit) => [...run(unit, profile)])
}

const known = new Map<string, Row[]>()
function rowsOf(name: string): Row[] {
  if (!known.has(name)) known.set(name, run(name))
  return known.get(name)!
}

const NAMES = [
  'interrupts',
  'stolen-time',
  'latency',
  'throughput',
  'copy-remap',
  'memguard',
  'platforms',
  'sensitivity',
]

describe.each(NAMES)('%s', (name) => {
  const { columns, refutes } = experiment(name)
  const rows = rowsOf(name)

  it('gives rows with its columns, the same again, and none that refutes anything', () => {
    expect(rows.length).toBeGreaterThan(10)
    for (const row of rows) {
      expect(Object.keys(row)).toEqual(Object.keys(columns))
      for (const [column, value] of Object.entries(row)) {
        if (typeof value === 'number') expect(Number.isFinite(value), column).toBe(true)
        else expect(value, column).not.toBeUndefined()
      }
      expect(refutes?.(row) ?? null).toBeNull()
    }
  })

  it('runs on a board of two cores, or leaves itself out', () => {
    for (const row of run(name, BOARD_PROFILES.vck190)) {
      if (row.platform === 'vck190') expect(row.design).not.toBe('dedicated')
    }
  })
})

it('a run is a function of its unit', () => {
  expect(run('latency')).toEqual(rowsOf('latency'))
})

describe('what a row can prove wrong', () => {
  const [count] = rowsOf('interrupts')
  it('one IPI too many', () => {
    const wrong = { ...count!, crossCoreIpis: Number(count!.crossCoreIpis) + 1 }
    expect(experiment('interrupts').refutes!(wrong)).toMatch(/dedicated, 64 bytes: crossCoreIpis 4 instead of 3/)
  })

  it('a latency above its bound', () => {
    const row = rowsOf('latency').find(({ boundNs }) => boundNs !== null)!
    const wrong = { ...row, latencyNs: Number(row.boundNs) + 1 }
    expect(experiment('latency').refutes!(wrong)).toContain('above the bound')
  })

  it('more stolen than can be', () => {
    const row = rowsOf('stolen-time').find(({ senderBoundNs }) => senderBoundNs !== null)!
    const wrong = { ...row, senderShare: 1.001 * (Number(row.senderBoundNs) / Number(row.simulatedNs)) }
    expect(experiment('stolen-time').refutes!(wrong)).toContain('sender lost more')
  })
})

describe('what they show', () => {
  it('one message of the minimum: no IPI, one interrupt, two exits, whatever its size', () => {
    for (const row of rowsOf('interrupts').filter(({ design }) => design === 'floating-minimum')) {
      expect(row).toMatchObject({ crossCoreIpis: 0, vmInterrupts: 1, vmExits: 2 })
    }
  })

  it('a throttled core that takes no interrupts delays flows to others, and no other way does', () => {
    const slowest = (option: string) =>
      Math.max(
        ...rowsOf('memguard')
          .filter((row) => row.option === option && row.flow === 'commands')
          .map((row) => Number(row.maxNs)),
      )
    for (const option of ['service', 'interruptible', 'retarget']) expect(slowest(option)).toBeLessThan(100_000)
    expect(slowest('accept')).toBeGreaterThan(200_000)
  })

  it('pages that are remapped or lent are moved, and those of copies are not', () => {
    for (const { transfer, pages, pagesMoved, copyFallbacks, messages } of rowsOf('copy-remap')) {
      const moved = (Number(messages) - Number(copyFallbacks)) * Number(pages)
      if (transfer === 'copy') expect(pagesMoved).toBe(0)
      else if (copyFallbacks === 0) expect(pagesMoved).toBe(moved)
    }
  })

  it('an exchange takes as long as the model says, to the nanosecond', () => {
    const alone = rowsOf('copy-remap').filter(
      ({ transfer, copyFallbacks }) => transfer === 'remap' && copyFallbacks === 0,
    )
    expect(alone.length).toBeGreaterThan(0)
    for (const { pages, modelNs, medianNs } of alone) expect({ pages, ns: modelNs }).toEqual({ pages, ns: medianNs })
  })

  it('every assumed figure is halved and half as large again', () => {
    const rows = rowsOf('sensitivity')
    const assumed = Object.entries(zcu102.costsNs).filter(
      ([, { status, value }]) => status.includes('ASSUMED') && value[2] > 0,
    )
    for (const [name] of [...assumed, ['dmaBytesPerNs']]) {
      expect(rows.filter(({ parameter }) => parameter === name).map(({ factor }) => factor)).toEqual([0.5, 1.5])
    }
    const base = rows.find(({ parameter }) => parameter === 'none')!
    const slow = rows.find(({ parameter, factor }) => parameter === 'dmaBytesPerNs' && factor === 0.5)!
    expect(Number(slow.p99Ns)).toBeGreaterThan(Number(base.p99Ns))
    expect(Number(slow.weightedSchedulability)).toBeLessThan(Number(base.weightedSchedulability))
  })
})

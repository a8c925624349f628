/** Pessimism of the bounds. */
import type { Row } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import { listed, minus, type Range, tell } from './chance.ts'
import { isFixed, reads } from './reading.ts'
import { bottom, num, type Oracle, type Raw, refuted, top } from './rows.ts'

interface Ratios {
  readonly values: readonly number[]
  readonly sets: ReadonlyMap<number, readonly number[]>
}

function ratios(raw: Raw, scheduler: string, setting: string, analysis: string): Ratios {
  const light = (row: Row) => typeof row.burstShare === 'number' && row.burstShare < 1
  const own = raw.pessimism!.filter(
    (row) =>
      row.scheduler === scheduler &&
      (setting === 'light' ? light(row) : row.setting === setting && !light(row)) &&
      typeof row[`${analysis} boundNs`] === 'number',
  )
  const sets = new Map<number, number[]>()
  for (const row of own) {
    const ratio = num(row, `${analysis} boundNs`) / num(row, 'foundNs')
    sets.set(num(row, 'seed'), [...(sets.get(num(row, 'seed')) ?? []), ratio])
  }
  return { values: [...sets.values()].flat(), sets }
}

const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length

function quantile(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b)
  const place = sorted.length * share
  if (share <= 0) return sorted[0]!
  if (share >= 1) return sorted[sorted.length - 1]!
  if (!Number.isInteger(place)) return sorted[Math.ceil(place) - 1]!
  return sorted.length % 2 === 0 ? (sorted[place - 1]! + sorted[place]!) / 2 : sorted[place]!
}

/** Two-sided 95 % quantiles of Student's t, from tables. */
const STUDENT: readonly (readonly [degrees: number, t: number])[] = [
  [5, 2.571],
  [6, 2.447],
  [7, 2.365],
  [8, 2.306],
  [9, 2.262],
  [10, 2.228],
  [12, 2.179],
  [15, 2.131],
  [20, 2.086],
  [30, 2.042],
  [60, 2.0],
  [120, 1.98],
  [1e9, 1.96],
]

/** Mean with its interval over sets; null: too few of them. The interval is exact to a hundredth of its width. */
function meanRange({ values, sets }: Ratios): Range | null {
  const n = sets.size
  if (n < 6) return null
  const value = mean(values)
  const off = [...sets.values()].map((own) => own.reduce((sum, ratio) => sum + ratio - value, 0))
  const upper = STUDENT.findIndex(([degrees]) => degrees >= n - 1)
  const [a, b] = [STUDENT[Math.max(0, upper - 1)]!, STUDENT[upper]!]
  const share = a[0] === b[0] ? 0 : (1 / (n - 1) - 1 / a[0]) / (1 / b[0] - 1 / a[0])
  const t = a[1] + share * (b[1] - a[1])
  const half = (t * Math.sqrt((n / (n - 1)) * off.reduce((sum, one) => sum + one * one, 0))) / values.length
  return { value, low: value - half, high: value + half }
}

function medianRange({ values, sets }: Ratios): { readonly low: number; readonly high: number } | null {
  if (sets.size < 6) return null
  const half = 0.98 / Math.sqrt(sets.size)
  return { low: quantile(values, 0.5 - half), high: quantile(values, 0.5 + half) }
}

const isFlows = (text: string, of: Ratios) =>
  expect(text).toBe(
    `n = ${of.values.length} flow${of.values.length === 1 ? '' : 's'} of ${of.sets.size} set${of.sets.size === 1 ? '' : 's'}`,
  )

const pessimismNames = (raw: Raw) =>
  Object.keys(raw.pessimism![0] ?? {})
    .filter((name) => name.endsWith(' boundNs'))
    .map((name) => name.slice(0, -' boundNs'.length))
const withoutIt = (name: string) =>
  name.replace('without ', '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

const isTarget =
  (scheduler: string, analysis: string): Oracle =>
  ({ text, head, holds }, raw) => {
    expect(head).toContain(`${analysis} under ${scheduler === 'fp' ? 'FP' : 'EDF'}`)
    expect(head).toContain('mean at most 1.15, median at most 1.03')
    const settings = ['fixed', 'varying', 'mixed', 'look-ahead'].flatMap((setting) => {
      const of = ratios(raw, scheduler, setting, analysis)
      return of.values.length === 0 ? [] : [{ setting, of, mean: meanRange(of), median: medianRange(of) }]
    })
    const missed = settings.some(({ mean, median }) => (mean?.low ?? 0) > 1.15 || (median?.low ?? 0) > 1.03)
    const reached = settings.every(({ mean, median }) => (mean?.high ?? 9) <= 1.15 && (median?.high ?? 9) <= 1.03)
    expect(holds).toBe(missed ? false : reached && settings.length > 0 ? true : null)
    expect(text.startsWith('Too few sets')).toBe(holds === null)
    for (const { setting, of } of settings) {
      const [shown, middle, n] = new RegExp(`(?:^|: |; )${setting} (\\S+) and (\\S+) \\((n = [^)]+)\\)`)
        .exec(text)!
        .slice(1)
      isFixed(shown!, mean(of.values), 3)
      isFixed(middle!, quantile(of.values, 0.5), 3)
      isFlows(n!, of)
    }
  }

export const PESSIMISM_CLAIMS: Readonly<Record<string, Oracle>> = {
  'key:pessimism': ({ text, head }, raw) => {
    const of = ratios(raw, 'fp', 'fixed', 'A4')
    isFixed(head, quantile(of.values, 0.5), 3)
    const [shown, n, few] = reads(
      text,
      /median of A4 bound over worst response found, mean (\S+) \(fixed priority, setting fixed; (n = [^:]+?)(: too few sets to tell more)?\)/,
    )
    isFixed(shown!, mean(of.values), 3)
    isFlows(n!, of)
    expect(few === undefined).toBe(of.sets.size >= 6)
  },
  'verdict:bounds-hold': ({ text, holds }, raw, manifest) => {
    const names = pessimismNames(raw)
    const found = raw.pessimism!.flatMap((row) =>
      names
        .filter((name) => typeof row[`${name} boundNs`] === 'number')
        .map((name) => num(row, `${name} boundNs`) / num(row, 'foundNs')),
    )
    if (found.length === 0) {
      expect(text).toBe('No flow has a bound.')
      return expect(holds).toBeNull()
    }
    const [least, flows] = reads(text, /Smallest ratio (\S+) over (\d+) flows and \d+ analyses and variants\./)
    isFixed(least!, bottom(found), 4, 'down')
    expect(Number(flows)).toBe(raw.pessimism!.length)
    expect(holds).toBe(bottom(found) >= 1 && refuted(manifest, 'pessimism') === 0)
  },
  'verdict:tight-fp-A4': isTarget('fp', 'A4'),
  'verdict:tight-fp-A5': isTarget('fp', 'A5'),
  'verdict:tight-edf-A4': isTarget('edf', 'A4'),
  'verdict:tight-edf-A5': isTarget('edf', 'A5'),
  'figure:pessimism-distributions': ({ text }, raw) => {
    const of = ['A4', 'A3', 'A0']
      .map((name) => ({ name, of: ratios(raw, 'fp', 'fixed', name) }))
      .filter(({ of }) => of.values.length > 0)
    if (of.length === 0) return expect(text).toBe('No flow has a bound where software times are fixed (FP)')
    const [medians] = reads(
      text,
      /Where software times are fixed the median of bound over worst response found is (.+) \(FP\)/,
    )
    const parts = medians!.split('), ')
    expect(parts).toHaveLength(of.length)
    of.forEach(({ name, of }, i) => {
      const [shown, analysis, n] = /^(\S+) with (\S+) \(([^)]+)\)?$/.exec(parts[i]!)!.slice(1)
      expect(analysis).toBe(name)
      isFixed(shown!, quantile(of.values, 0.5), 3)
      isFlows(n!, of)
    })
  },
  'figure:pessimism-switches': ({ text }, raw) => {
    const of = (name: string) => ratios(raw, 'fp', 'fixed', name)
    const taken = pessimismNames(raw).filter((name) => name.startsWith('without ') && of(name).values.length > 0)
    const most = top(taken.map((name) => mean(of(name).values)))
    const whole = mean(of('A4').values)
    if (!(most > whole)) {
      return expect(text).toBe(
        'Without any one source of tightness the mean ratio is no greater than with all (FP, fixed)',
      )
    }
    const worst = taken.filter((name) => most - mean(of(name).values) < 1e-12)
    const near = taken.filter((name) => {
      if (worst.includes(name)) return false
      const [a, b] = [meanRange(of(worst[0]!)), meanRange(of(name))]
      return a === null || b === null || tell(minus(a, b)) !== 'more'
    })
    const [names, shown, all, rest] = reads(
      text,
      /The mean ratio grows most without (.+): (\S+), against (\S+) with all \(FP, fixed(?:; too few sets to tell it from (.+))?\)/,
    )
    expect(names).toBe(listed(worst.map(withoutIt), 'sources of tightness'))
    isFixed(shown!, most, 3)
    isFixed(all!, whole, 3)
    expect(rest).toBe(near.length === 0 ? undefined : listed(near.map(withoutIt), 'others'))
  },
}

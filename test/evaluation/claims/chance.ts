/** What chance allows to be said, written once more: from the roots of the score equation, and from counts. */
import type { Row } from 'virtio-sdk/evaluation'
import { expect } from 'vitest'
import { isFixed } from './reading.ts'

const Z = 1.959963984540054

export interface Range {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** Both p with (share - p)^2 = z^2 p (1 - p) / n. */
export function score(accepted: number, sets: number): Range {
  const share = accepted / sets
  const [a, b, c] = [1 + Z ** 2 / sets, -(2 * share + Z ** 2 / sets), share ** 2]
  const root = Math.sqrt(Math.max(0, b * b - 4 * a * c))
  return {
    value: share,
    low: accepted === 0 ? 0 : (-b - root) / (2 * a),
    high: accepted === sets ? 1 : (-b + root) / (2 * a),
  }
}

/** Sets of one design at one utilisation, and how many of them each boolean column accepts. */
export interface Counted {
  readonly utilization: number
  sets: number
  readonly accepted: Map<string, number>
}

const counted = new WeakMap<readonly Row[], Map<string, Counted[]>>()

/** Of every design, counted once. */
export function countsOf(rows: readonly Row[], design: string): readonly Counted[] {
  let designs = counted.get(rows)
  if (designs === undefined) {
    designs = new Map()
    for (const row of rows) {
      const points = designs.get(String(row.design)) ?? []
      designs.set(String(row.design), points)
      let point = points.find(({ utilization }) => utilization === row.utilization)
      if (point === undefined) {
        point = { utilization: Number(row.utilization), sets: 0, accepted: new Map() }
        points.push(point)
      }
      point.sets++
      for (const name in row) {
        if (row[name] === true) point.accepted.set(name, (point.accepted.get(name) ?? 0) + 1)
      }
    }
    for (const points of designs.values()) points.sort((a, b) => a.utilization - b.utilization)
    counted.set(rows, designs)
  }
  return designs.get(design) ?? []
}

/** Weighted schedulability of a design by one boolean column. */
export function weighted(rows: readonly Row[], design: string, test: string): Range {
  const points = countsOf(rows, design).map(({ utilization, sets, accepted }) => ({
    utilization,
    ...score(accepted.get(test) ?? 0, sets),
  }))
  const total = points.reduce((sum, { utilization }) => sum + utilization, 0)
  const value = points.reduce((sum, { utilization, value }) => sum + (utilization / total) * value, 0)
  const spread = (end: 'low' | 'high') =>
    Math.sqrt(points.reduce((sum, point) => sum + ((point.utilization / total) * (point.value - point[end])) ** 2, 0))
  return { value, low: Math.max(0, value - spread('low')), high: Math.min(1, value + spread('high')) }
}

export function minus(a: Range, b: Range): Range {
  return {
    value: a.value - b.value,
    low: a.value - b.value - Math.sqrt((a.value - a.low) ** 2 + (b.value - b.high) ** 2),
    high: a.value - b.value + Math.sqrt((a.value - a.high) ** 2 + (b.value - b.low) ** 2),
  }
}

export type Told = 'more' | 'less' | 'same' | 'unknown'

export function tell({ low, high }: Range): Told {
  if (low > 0 || high < 0) return low > 0 ? 'more' : 'less'
  return Math.max(-low, high) <= 0.02 ? 'same' : 'unknown'
}

export function allMore(tells: readonly Told[]): boolean | null {
  if (tells.some((one) => one === 'less' || one === 'same')) return false
  return tells.length > 0 && tells.every((one) => one === 'more') ? true : null
}

/** `+0.12`, `0.00 (too few sets to tell)`. */
export function isEffect(text: string, of: Range): void {
  const [, shown, rest] = /^(\S+)(.*)$/.exec(text)!
  isFixed(shown!, of.value, 2)
  expect(/^[+−]/.test(shown!), text).toBe(!/^0\.0*$/.test(shown!))
  expect(rest, `${text} for [${of.low}, ${of.high}]`).toBe(
    { more: '', less: '', same: ' (no difference)', unknown: ' (too few sets to tell)' }[tell(of)],
  )
}

/** The same with its interval. */
export function isEffectWithInterval(text: string, of: Range): void {
  const [, value, low, high, rest] = /^(\S+) \[(\S+), (\S+)\](.*)$/.exec(text)!
  isFixed(value!, of.value, 3)
  isFixed(low!, of.low, 3)
  isFixed(high!, of.high, 3)
  expect(rest).toBe({ more: '', less: '', same: ' (no difference)', unknown: ' (too few sets to tell)' }[tell(of)])
}

/** `more in 1, less in 0, equal in 0, too few sets to tell in 2 of 3`. */
export function tallied(tells: readonly Told[]): string {
  const [more, less, same, unknown] = (['more', 'less', 'same', 'unknown'] as const).map(
    (one) => tells.filter((other) => other === one).length,
  )
  return `more in ${more}, less in ${less}, equal in ${same}, too few sets to tell in ${unknown} of ${tells.length}`
}

/** Names as the report lists them: three at most, else how many. */
export function listed(names: readonly string[], what: string): string {
  if (names.length > 3) return `${names.length} ${what}`
  return names.join(names.some((name) => name.includes(',')) ? '; ' : ', ')
}

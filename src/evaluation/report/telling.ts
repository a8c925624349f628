/**
 * What may be said of figures that chance had a part in. One rule for the whole report: `RULE`, which the report prints. Whoever
 * writes a sentence asks here whether the data bear it out.
 */

import { fixed, signed } from '../../page/index.ts'
import type { Row } from '../experiment.ts'
import { difference, type Estimate, type Interval, wilsonInterval } from '../statistics.ts'
import { number } from './section.ts'

/** A difference of weighted schedulability below this is none. */
export const RELEVANT = 0.02
/** A conclusion from one share needs an interval no wider than this. */
export const WIDEST = 0.1
/** Messages below which the 99th percentile, by nearest rank, is the slowest of them. */
export const FEWEST_FOR_P99 = 100
export const TOO_FEW = 'too few sets'

export const RULE =
  `Shares of random sets, and what is computed from them, have 95 % intervals. Two are told apart only where the interval of their difference leaves out 0, ` +
  `and are called equal only where all of it is within ±${RELEVANT}; else the report says "${TOO_FEW}". What depends on one share is said only where its interval is ` +
  `at most ${WIDEST} wide, and of a 99th percentile only with ${FEWEST_FOR_P99} messages or more. "At least" is rounded down and "at most" up.`

export type Told = 'more' | 'less' | 'same' | 'unknown'

/** Of a difference; `unknown` where it is missing, too. */
export function told({ low, high }: Interval): Told {
  if (low > 0) return 'more'
  if (high < 0) return 'less'
  return low >= -RELEVANT && high <= RELEVANT ? 'same' : 'unknown'
}

/** Whether all are `more`: null where none contradicts and some cannot be told, or where there is nothing to tell. */
export function allMore(all: readonly Told[]): boolean | null {
  if (all.includes('less') || all.includes('same')) return false
  return all.length === 0 || all.includes('unknown') ? null : true
}

/** How often which, of so many. */
export function tally(all: readonly Told[]): string {
  const times = (one: Told) => all.filter((other) => other === one).length
  return `more in ${times('more')}, less in ${times('less')}, equal in ${times('same')}, ${TOO_FEW} to tell in ${times('unknown')} of ${all.length}`
}

/** Columns of a figure and of its interval. */
export function estimate(
  row: Row | undefined,
  [value, low, high]: readonly [string, string, string] = ['share', 'low', 'high'],
): Estimate {
  return { value: number(row, value), low: number(row, low), high: number(row, high) }
}

const WORDS: Readonly<Record<Told, string>> = {
  more: '',
  less: '',
  same: ' (no difference)',
  unknown: ` (${TOO_FEW} to tell)`,
}

/** `+0.12`, with what keeps it from being a finding. */
export function effect(of: Estimate, digits = 2): string {
  return `${signed(of.value, digits)}${WORDS[told(of)]}`
}

/** `+0.12 [+0.10, +0.14]`, with what keeps it from being a finding. */
export function effectWithInterval(of: Estimate): string {
  return `${signed(of.value, 3)} [${signed(of.low, 3)}, ${signed(of.high, 3)}]${WORDS[told(of)]}`
}

/** a - b of two rows with a share. */
export function gain(a: Row | undefined, b: Row | undefined): Estimate {
  return difference(estimate(a), estimate(b))
}

/** Whether `part` of `whole` decides anything. */
export function shareTells(part: number, whole: number): boolean {
  const { low, high } = wilsonInterval(part, whole)
  return whole > 0 && high - low <= WIDEST
}

/**
 * Up to which utilisation half of the sets are accepted: at all points up to `from` surely, at `to` surely no longer; null: at no
 * point of the curve that can be told.
 */
export function halfAccepted(curve: readonly Row[]): { readonly from: number | null; readonly to: number | null } {
  const points = [...curve].sort((a, b) => number(a, 'utilization') - number(b, 'utilization'))
  const broken = points.findIndex((point) => !(number(point, 'low') >= 0.5))
  const last = broken < 0 ? points[points.length - 1] : points[broken - 1]
  const over = points.find((point) => number(point, 'high') < 0.5)
  return {
    from: last === undefined ? null : number(last, 'utilization'),
    to: over === undefined ? null : number(over, 'utilization'),
  }
}

export function halfAcceptedText(curve: readonly Row[]): string {
  const { from, to } = halfAccepted(curve)
  if (from === null) return to === null ? `unknown (${TOO_FEW})` : `below ${fixed(to, 2)}`
  return to === null ? `${fixed(from, 2)} or more` : `between ${fixed(from, 2)} and ${fixed(to, 2)}`
}

/** The names if they are few, else how many there are. */
export function namesOf(names: readonly string[], what: string): string {
  return names.length <= 3
    ? names.join(names.some((name) => name.includes(',')) ? '; ' : ', ')
    : `${names.length} ${what}`
}

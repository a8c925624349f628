/** Few numbers for many samples. */
import { quantileSorted } from 'simple-statistics'

/** Standard normal quantile of a two-sided 95 % interval. */
const Z95 = 1.959963984540054

export interface Interval {
  readonly low: number
  readonly high: number
}

/** 95 % score interval of a proportion [Wilson 1927]: inside [0, 1], and of some width even at 0 of n. */
export function wilsonInterval(successes: number, trials: number): Interval {
  if (trials === 0) return { low: 0, high: 1 }
  const share = successes / trials
  const z2 = Z95 * Z95
  const center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
  const half = (Z95 / (1 + z2 / trials)) * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials))
  return { low: successes === 0 ? 0 : center - half, high: successes === trials ? 1 : center + half }
}

/** A figure and its 95 % interval. */
export interface Estimate extends Interval {
  readonly value: number
}

/** Accepted sets at one utilisation. */
export interface CurvePoint {
  readonly utilization: number
  readonly accepted: number
  readonly sets: number
}

/**
 * Weighted schedulability sum(U x share)/sum(U) [Bastoni, Brandenburg, Anderson 2010]. Its interval combines the score intervals
 * of the points, which are independent draws, by the method of variance estimates recovery [Zou, Donner 2008].
 */
export function weightedSchedulability(points: readonly CurvePoint[]): Estimate {
  let [weights, value, below, above] = [0, 0, 0, 0]
  for (const { utilization, accepted, sets } of points) {
    const share = sets === 0 ? 0 : accepted / sets
    const { low, high } = wilsonInterval(accepted, sets)
    weights += utilization
    value += utilization * share
    below += (utilization * (share - low)) ** 2
    above += (utilization * (high - share)) ** 2
  }
  if (weights === 0) return { value: 0, low: 0, high: 1 }
  const share = value / weights
  return {
    value: share,
    low: Math.max(0, share - Math.sqrt(below) / weights),
    high: Math.min(1, share + Math.sqrt(above) / weights),
  }
}

/**
 * a - b, by the same method. Of two figures of the same sets it is wider than it need be, since what is alike in both counts as
 * chance: what it tells apart is apart.
 */
export function difference(a: Estimate, b: Estimate): Estimate {
  const value = a.value - b.value
  return {
    value,
    low: value - Math.hypot(a.value - a.low, b.high - b.value),
    high: value + Math.hypot(a.high - a.value, b.value - b.low),
  }
}

/** Of fewer no order statistic bounds the median with 95 %, and a mean has an interval of many times its spread: none is given. */
const FEWEST_GROUPS = 6

/** Student's t quantile of a two-sided 95 % interval [Abramowitz, Stegun 1964, 26.7.5]: to three digits from 5 degrees of freedom on. */
function student95(degrees: number): number {
  const z = Z95
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  )
}

/**
 * 95 % interval of the mean over all values of groups that are alike within (flows of one set), as a ratio estimate over groups
 * [Cochran 1977, ch. 9]; null with fewer than 6 groups.
 */
export function meanInterval(groups: readonly (readonly number[])[]): Interval | null {
  const filled = groups.filter((values) => values.length > 0)
  const n = filled.length
  if (n < FEWEST_GROUPS) return null
  const samples = filled.reduce((sum, values) => sum + values.length, 0)
  const sums = filled.map((values) => values.reduce((sum, value) => sum + value, 0))
  const mean = sums.reduce((sum, one) => sum + one, 0) / samples
  const squares = sums.reduce((sum, one, i) => sum + (one - mean * filled[i]!.length) ** 2, 0)
  const half = (student95(n - 1) * Math.sqrt((squares * n) / (n - 1))) / samples
  return { low: mean - half, high: mean + half }
}

/**
 * Order statistics around the median that hold it with 95 % [David, Nagaraja 2003, ch. 7], as if only one value of each of
 * `groups` counted; null with fewer than 6.
 */
export function medianInterval(values: readonly number[], groups: number): Interval | null {
  if (groups < FEWEST_GROUPS) return null
  const half = Z95 / (2 * Math.sqrt(groups))
  const sorted = [...values].sort((a, b) => a - b)
  return { low: quantileSorted(sorted, 0.5 - half), high: quantileSorted(sorted, 0.5 + half) }
}

/** Mean, quartiles and extremes of a growing sample; keeps the values. */
export class Sample {
  readonly #values: number[] = []

  add(value: number): void {
    this.#values.push(value)
  }

  summary() {
    const sorted = Float64Array.from(this.#values).sort() as unknown as number[]
    const at = (share: number) => (sorted.length === 0 ? null : quantileSorted(sorted, share))
    let total = 0
    for (const value of sorted) total += value
    return {
      samples: sorted.length,
      mean: sorted.length === 0 ? null : total / sorted.length,
      min: at(0),
      p10: at(0.1),
      p25: at(0.25),
      median: at(0.5),
      p75: at(0.75),
      p90: at(0.9),
      p99: at(0.99),
      max: at(1),
    }
  }
}

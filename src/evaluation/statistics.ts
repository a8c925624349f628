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

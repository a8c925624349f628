/**
 * How much DMA time a regulator grants in any window: the periodic resource of [Shin Lee 2003], with the one blackout that a
 * regulator nobody else uses can cause (a polling server starts its window right after its budget ran out, never after
 * another client's).
 *
 *   grant |        ____      ____          sbf: a first blackout, then Q in every P
 *         |       /         /
 *         |______/    _____/               lsbf: the straight line below it, the textbook's supply
 *         0     P-Q
 *
 * All times are integer ns. Nothing here allocates.
 */
import { assert } from '../internal/assert.ts'
import { exact, greatestCommonDivisor } from './exact.ts'

/** (P, Q) with a first blackout of its own. Asserts whole ns, 0 < Q <= P. */
export class Supply {
  /** P and Q. */
  readonly periodNs: number
  readonly budgetNs: number
  /** Longest wait for the first unit; P - Q unless others may have drained the budget before the window. */
  readonly firstBlackoutNs: number
  /** P/Q, rounded. */
  readonly stretch: number
  /** Q/P in lowest terms, once a straight line is asked for. */
  #slopeNumerator = 0
  #slopeDenominator = 0

  constructor(periodNs: number, budgetNs: number, firstBlackoutNs = periodNs - budgetNs) {
    if (!(Number.isSafeInteger(periodNs) && Number.isSafeInteger(budgetNs))) assert(false, 'a supply counts whole ns')
    if (!(0 < budgetNs && budgetNs <= periodNs)) {
      assert(false, `budget ${budgetNs} ns must be positive and fit its period of ${periodNs} ns`)
    }
    if (!(Number.isSafeInteger(firstBlackoutNs) && firstBlackoutNs >= 0)) {
      assert(false, `first blackout of ${firstBlackoutNs} ns`)
    }
    this.periodNs = periodNs
    this.budgetNs = budgetNs
    this.firstBlackoutNs = firstBlackoutNs
    this.stretch = periodNs / budgetNs
  }

  /** No regulator, or one that only lowers the rate: sbf(t) = t. A token bucket delays it by its latency, once. */
  static unlimited(latencyNs = 0): Supply {
    return new Supply(1, 1, latencyNs)
  }

  /** True when the whole period is granted, so that no blackout follows the first. */
  get full(): boolean {
    return this.budgetNs === this.periodNs
  }

  /** sbf(t): least DMA time granted in any window of `windowNs`. */
  sbf(windowNs: number): number {
    const served = windowNs - this.firstBlackoutNs
    if (served <= 0) return 0
    const periods = Math.floor(served / this.periodNs)
    return periods * this.budgetNs + Math.min(this.budgetNs, served - periods * this.periodNs)
  }

  /** inv(x) = inf{t : sbf(t) >= x}: when `workNs` is surely finished. 0 for no work. */
  inv(workNs: number): number {
    if (workNs <= 0) return 0
    const blackouts = Math.floor((workNs - 1) / this.budgetNs)
    return workNs + this.firstBlackoutNs + blackouts * (this.periodNs - this.budgetNs)
  }

  /** inv+(x) = sup{t : sbf(t) <= x}: when work behind `workNs` surely starts. A whole blackout later than `inv` at multiples of Q. */
  invPlus(workNs: number): number {
    const blackouts = Math.floor(workNs / this.budgetNs)
    return workNs + this.firstBlackoutNs + blackouts * (this.periodNs - this.budgetNs)
  }

  /** lsbf(t) = max(0, (Q/P)(t - 2(P-Q))), rounded down to whole ns. */
  lsbf(windowNs: number): number {
    const served = windowNs - this.linearLatencyNs
    return served <= 0 ? 0 : scale(served, this.slopeNumerator, this.slopeDenominator, 0)
  }

  /** Least integer t with lsbf(t) >= `workNs`. 0 for no work. */
  lsbfInv(workNs: number): number {
    if (workNs <= 0) return 0
    const { slopeNumerator, slopeDenominator } = this
    return this.linearLatencyNs + scale(workNs, slopeDenominator, slopeNumerator, slopeNumerator - 1)
  }

  /** Where lsbf starts to rise. */
  get linearLatencyNs(): number {
    return this.firstBlackoutNs + this.periodNs - this.budgetNs
  }

  /** Q/P in lowest terms: the numerator. */
  get slopeNumerator(): number {
    if (this.#slopeDenominator === 0) this.#reduceSlope()
    return this.#slopeNumerator
  }

  get slopeDenominator(): number {
    if (this.#slopeDenominator === 0) this.#reduceSlope()
    return this.#slopeDenominator
  }

  #reduceSlope(): void {
    const divisor = greatestCommonDivisor(this.periodNs, this.budgetNs)
    this.#slopeNumerator = this.budgetNs / divisor
    this.#slopeDenominator = this.periodNs / divisor
  }
}

/** floor((value * numerator + round) / denominator) without the product of two large numbers. */
function scale(value: number, numerator: number, denominator: number, round: number): number {
  const whole = Math.floor(value / denominator)
  return whole * numerator + Math.floor(exact((value - whole * denominator) * numerator + round) / denominator)
}

/** c(b) = ceil(b / beta): DMA time of `bytes` at `bytesPerNs`, in ns. */
export function transferTimeNs(bytes: number, bytesPerNs: number): number {
  return Math.ceil(bytes / bytesPerNs)
}

/** Every quantity of the analyses is an integer below 2^53, so that sums, products and floor divisions of doubles are exact. */
import { assert } from '../internal/assert.ts'

/** Returns `value`; an intermediate result that left the exact range is our mistake and stops the program. */
export function exact(value: number): number {
  if (!(value <= Number.MAX_SAFE_INTEGER)) overflow(value)
  return value
}

function overflow(value: number): never {
  assert(false, `analysis left the exact integers: ${value} is not below 2^53 ns (104 days)`)
}

/** ceil(a / b) for b > 0. Math.floor of a quotient of doubles is exact here: it cannot round up to the next integer below 2^53. */
export function ceilDivide(dividend: number, divisor: number): number {
  return Math.floor((dividend + divisor - 1) / divisor)
}

export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}

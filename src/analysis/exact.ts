/**
 * Every quantity of the analyses is an integer below 2^52 ns (52 days), so that the sum of any two, and with it every count of
 * periods, is exact in a double.
 */
import { assert } from '../internal/assert.ts'

export const EXACT_LIMIT = 2 ** 52

/** Returns `value`; an intermediate result that left the exact range stops the program instead of giving a wrong bound. */
export function exact(value: number): number {
  if (!(value <= EXACT_LIMIT)) overflow(value)
  return value
}

function overflow(value: number): never {
  assert(false, `analysis left the exact integers: ${value} ns is not below 2^52`)
}

/** ceil(a / b) for b > 0. Math.floor of a quotient of doubles is exact here: it cannot round up to the next integer below 2^53. */
export function ceilDivide(dividend: number, divisor: number): number {
  return Math.floor((dividend + divisor - 1) / divisor)
}

export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}

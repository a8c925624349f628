/**
 * Vectors of utilisations with a given sum. UUniFast [Bini Buttazzo 2005] is uniform over all of them. Dirichlet-rescale [Griffin
 * Bate Davis 2020] keeps each within bounds of its own; it is not exactly uniform [Griffin Davis 2025], so it serves here to see
 * whether results depend on the generator.
 */
import { assert } from '../internal/assert.ts'
import type { Random } from '../internal/random.ts'

/** `count` values >= 0 that add up to `total`. */
export function uunifast(random: Random, count: number, total: number): number[] {
  const values: number[] = []
  let rest = total
  for (let left = count - 1; left > 0; left--) {
    const next = rest * random.unit() ** (1 / left)
    values.push(rest - next)
    rest = next
  }
  values.push(rest)
  return values
}

/** Beyond this many rescales rounding has eaten the point: draw another. */
const MAX_RESCALES = 1000

/** Values with `low[i] <= value <= high[i]` that add up to `total`, which must be between the sums of the bounds. */
export function dirichletRescale(
  random: Random,
  total: number,
  low: readonly number[],
  high: readonly number[],
): number[] {
  const room = total - sum(low)
  const limits = high.map((value, i) => (value - low[i]!) / room)
  const slack = sum(limits) - 1
  assert(room > 0 && slack > 0, `no vector between the bounds adds up to ${total}`)
  // The limits cut a simplex of side `slack` off at the other end: the smaller of the two needs fewer rescales.
  const flipped = slack < 1
  const bounds = flipped ? limits.map((limit) => limit / slack) : limits.map((limit) => Math.min(1, limit))
  for (;;) {
    const point = rescale(dirichlet(random, high.length), bounds)
    if (point === null) continue
    return point.map((value, i) => low[i]! + room * (flipped ? limits[i]! - value * slack : value))
  }
}

/** Uniform over the vectors >= 0 that add up to 1. */
function dirichlet(random: Random, count: number): number[] {
  const draws = Array.from({ length: count }, () => -Math.log(1 - random.unit()))
  const total = sum(draws)
  return draws.map((draw) => draw / total)
}

/**
 * The part of the simplex that violates a set of limits is itself a simplex: blown up to the whole one, as often as it takes
 * until no limit is violated.
 */
function rescale(point: number[], limits: readonly number[]): number[] | null {
  for (let count = 0; count < MAX_RESCALES; ) {
    const violated = limits.flatMap((limit, i) => (point[i]! > limit ? [i] : []))
    if (violated.length === 0) return point
    const side = 1 - violated.reduce((taken, i) => taken + limits[i]!, 0)
    for (; count < MAX_RESCALES && violated.every((i) => point[i]! > limits[i]!); count++) {
      for (const i of violated) point[i]! -= limits[i]!
      for (let i = 0; i < point.length; i++) point[i]! /= side
    }
    const total = sum(point)
    if (!(Math.abs(total - 1) < 1e-6)) return null
    for (let i = 0; i < point.length; i++) point[i]! /= total
  }
  return null
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}

/**
 * Random flow sets. What is drawn is the load: periods, deadlines and message lengths. What a design makes of it (overheads,
 * look-ahead) is added afterwards, so that designs are compared on the same sets.
 */
import type { Flow } from '../analysis/index.ts'
import { Random } from '../internal/random.ts'
import { dirichletRescale, uunifast } from './utilizations.ts'

/** How utilisations are drawn: UUniFast, or Dirichlet-Rescale. */
export type GeneratorName = 'uunifast' | 'drs'
/** Deadlines equal to periods, or at most as long. */
export type DeadlineKind = 'implicit' | 'constrained'

/**
 * The utilisation of a set is the copying that it demands as a share of the copying that its regulator grants:
 *
 *   U = sum of (L_i / beta) / T_i, over Q / P
 *
 * Software around the chunks is not in it: it is what the designs differ in. A set of U = 1 is feasible only without any.
 */
export interface FlowSetParameters {
  readonly generator: GeneratorName
  readonly deadlines: DeadlineKind
  readonly flows: number
  readonly utilization: number
  readonly dmaBytesPerNs: number
  /** Q / P, and 1 without a regulator. */
  readonly budgetShare: number
}

export const MIN_PERIOD_NS = 2_000_000
export const MAX_PERIOD_NS = 100_000_000
const MIN_LENGTH_BYTES = 64

/**
 * Draws one set. Periods are log-uniform over 2..100 ms, whole us. Deadlines are the period, or uniform over the later half between the time
 * that the message alone needs of the granted copying and the period. Lengths follow from the utilisations, at least 64 bytes
 * (DRS: these are bounds of the draw, and no flow has more than half of the total).
 */
export function drawFlows(parameters: FlowSetParameters, seed: number): Flow[] {
  const { generator, deadlines, flows: count, utilization, dmaBytesPerNs, budgetShare } = parameters
  const random = new Random(seed)
  const periodsNs = Array.from({ length: count }, () => logUniformNs(random))
  const grantedBytes = periodsNs.map((periodNs) => periodNs * dmaBytesPerNs * budgetShare)
  const shares =
    generator === 'uunifast'
      ? uunifast(random, count, utilization)
      : dirichletRescale(
          random,
          utilization,
          grantedBytes.map((bytes) => MIN_LENGTH_BYTES / bytes),
          grantedBytes.map(() => utilization / 2),
        )
  return periodsNs.map((periodNs, i) => {
    const lengthBytes = Math.max(MIN_LENGTH_BYTES, Math.round(shares[i]! * grantedBytes[i]!))
    const slackNs = Math.max(0, periodNs - lengthBytes / dmaBytesPerNs / budgetShare)
    const deadlineNs = deadlines === 'implicit' ? periodNs : Math.floor(periodNs - (random.unit() * slackNs) / 2)
    return { periodNs, deadlineNs, lengthBytes }
  })
}

function logUniformNs(random: Random): number {
  const ns = MIN_PERIOD_NS * Math.exp(random.unit() * Math.log(MAX_PERIOD_NS / MIN_PERIOD_NS))
  return 1000 * Math.round(ns / 1000)
}

/** A seed of its own for each sample: the same whatever else is drawn, in whatever order and place. 53 bits. */
export function seedOf(campaignSeed: number, ...path: readonly (number | string)[]): number {
  let high = Math.floor(campaignSeed / 2 ** 32) | 0
  let low = campaignSeed | 0
  for (const part of path) {
    const words =
      typeof part === 'number' ? [part | 0, Math.floor(part / 2 ** 32) | 0] : [...part].map((c) => c.codePointAt(0)!)
    // A terminator, so that ('ab', 'c') and ('a', 'bc') differ.
    for (const word of [...words, -1]) {
      low = mix(low ^ word)
      high = mix((high + low) | 0)
    }
  }
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0)
}

/** A bijection of 32 bits in which every bit of the input reaches every bit of the output [triple32, Wellons 2018]. */
function mix(word: number): number {
  let value = word ^ (word >>> 17)
  value = Math.imul(value, 0xed5ad4bb)
  value ^= value >>> 11
  value = Math.imul(value, 0xac4c1b51)
  value ^= value >>> 15
  value = Math.imul(value, 0x31848bab)
  return value ^ (value >>> 14)
}

/**
 * Does demand stay below supply in the long run? That decides whether a fixed point exists, so it is decided exactly: in
 * doubles where they are clear, else in rationals.
 */
import { type AnalysisModel, RECORD_WORDS } from './model.ts'
import type { Supply } from './supply.ts'

/** Doubles are off by less than 1e-13 for any sum of this size; between this and zero the sign is taken from rationals. */
export const CLEAR = 1e-9

/**
 * 1 - sum over `members` of (Cd·P/Q + Co·x)/T: the share of time left by the first `count` flows of `members`, with x = 1 where
 * overhead is not charged to the budget and P/Q where it is. The sign is exact. `records`: of the model.
 */
export function longRunSlack(
  records: Float64Array,
  supply: Supply,
  uncharged: boolean,
  members: Int32Array,
  count: number,
): number {
  const { stretch } = supply
  const charge = uncharged ? 1 : stretch
  let slack = 1
  for (let k = 0; k < count; k++) {
    const i = RECORD_WORDS * members[k]!
    slack -= (records[i + 2]! * stretch + records[i + 3]! * charge) * records[i + 7]!
  }
  return Math.abs(slack) > CLEAR ? slack : exactSlack(records, supply, uncharged, members, count)
}

/** Does one of the two supplies outrun the demand of these flows in the long run? Then a busy period of theirs ends. */
export function outpaces(model: AnalysisModel, records: Float64Array, members: Int32Array, count: number): boolean {
  const { supply, delayedSupply, tightness } = model
  if (longRunSlack(records, supply, tightness.overheadUncharged, members, count) > 0) return true
  return delayedSupply !== null && longRunSlack(records, delayedSupply, false, members, count) > 0
}

/**
 * Does t = inv(ahead + sum eta(t)·C) over these flows have a solution? Iff one of the two supplies outruns their demand: in the
 * long run, or, where both are equal, when there is nothing to catch up with; the busy period then ends with the hyperperiod.
 */
export function converges(
  model: AnalysisModel,
  records: Float64Array,
  members: Int32Array,
  count: number,
  aheadNs: number,
): boolean {
  const { supply, debtNs, delayedSupply, delayedDebtNs, tightness } = model
  if (outruns(records, supply, debtNs, tightness.overheadUncharged, members, count, aheadNs)) return true
  return delayedSupply !== null && outruns(records, delayedSupply, delayedDebtNs, false, members, count, aheadNs)
}

/** 0, 1, 2, ...: all of `total` flows and stalls. */
export function everyone(total: number): Int32Array {
  if (known.length < total) known = Int32Array.from({ length: 2 * total }, (_, i) => i)
  return known
}

let known: Int32Array = new Int32Array(0)

function outruns(
  records: Float64Array,
  supply: Supply,
  debtNs: number,
  uncharged: boolean,
  members: Int32Array,
  count: number,
  aheadNs: number,
): boolean {
  const slack = longRunSlack(records, supply, uncharged, members, count)
  if (slack !== 0) return slack > 0
  let inheritedNs = aheadNs + supply.firstBlackoutNs + debtNs
  for (let k = 0; k < count; k++) inheritedNs += records[RECORD_WORDS * members[k]! + 1]!
  return supply.full && inheritedNs === 0
}

function exactSlack(
  records: Float64Array,
  supply: Supply,
  uncharged: boolean,
  members: Int32Array,
  count: number,
): number {
  const workFactor = BigInt(supply.periodNs)
  const overheadFactor = BigInt(uncharged ? supply.budgetNs : supply.periodNs)
  let denominator = BigInt(supply.budgetNs)
  for (let k = 0; k < count; k++) denominator *= BigInt(records[RECORD_WORDS * members[k]!]!)
  let numerator = denominator
  for (let k = 0; k < count; k++) {
    const i = RECORD_WORDS * members[k]!
    const cost = BigInt(records[i + 2]!) * workFactor + BigInt(records[i + 3]!) * overheadFactor
    numerator -= (denominator / (BigInt(supply.budgetNs) * BigInt(records[i]!))) * cost
  }
  if (numerator === 0n) return 0
  const slack = Number((numerator << 80n) / denominator) / 2 ** 80
  return slack !== 0 ? slack : numerator > 0n ? 2 ** -80 : -(2 ** -80)
}

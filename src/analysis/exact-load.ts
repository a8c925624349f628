/**
 * Demand that equals supply exactly in the long run (docs/analysis.md, Theorem 11). The busy period may then never end; but H later
 * everything is as late as it was, so the messages of one H are all that have to be looked at.
 *
 * Does not decide whether the two are equal in doubles that are only close: `longRunSlack` has the exact sign.
 */
import { EXACT_LIMIT } from './exact.ts'
import { type AnalysisModel, RECORD_WORDS, snapshotOf } from './model.ts'
import type { Supply } from './supply.ts'
import { longRunSlack } from './utilization.ts'

/** A longer cycle is not gone through: such a set has no bound and is refused. */
const MOST_MESSAGES = 2 ** 20

export interface ExactLoad {
  /** With the one supply that equals the demand: about the other one nothing is said after H. */
  readonly model: AnalysisModel
  /** H. */
  readonly cycleNs: number
}

/**
 * Of the first `count` of `members`, where neither supply exceeds their demand; null: it exceeds both, or the cycle has more than 2^20
 * messages. `records`: of the model. Allocates; for the rare set only.
 */
export function exactLoad(
  model: AnalysisModel,
  records: Float64Array,
  members: Int32Array,
  count: number,
): ExactLoad | null {
  const { supply, delayedSupply, delayedDebtNs, tightness } = model
  const equals = (candidate: Supply, uncharged: boolean) =>
    longRunSlack(records, candidate, uncharged, members, count) === 0
  if (equals(supply, tightness.overheadUncharged)) {
    const cycleNs = cycleOf(records, supply, tightness.overheadUncharged, members, count)
    return cycleNs === null ? null : { model: { ...snapshotOf(model), delayedSupply: null }, cycleNs }
  }
  if (delayedSupply === null || !equals(delayedSupply, false)) return null
  const cycleNs = cycleOf(records, delayedSupply, false, members, count)
  if (cycleNs === null) return null
  return {
    model: {
      ...snapshotOf(model),
      supply: delayedSupply,
      debtNs: delayedDebtNs,
      delayedSupply: null,
      tightness: { ...tightness, overheadUncharged: false },
    },
    cycleNs,
  }
}

/** A multiple of all periods in which the demand charged to the budget is a multiple of Q: inv then grows by exactly as much. */
function cycleOf(
  records: Float64Array,
  supply: Supply,
  uncharged: boolean,
  members: Int32Array,
  count: number,
): number | null {
  let cycle = 1n
  for (let k = 0; k < count; k++) {
    const periodNs = BigInt(records[RECORD_WORDS * members[k]!]!)
    cycle = (cycle / divisorOf(cycle, periodNs)) * periodNs
    if (cycle > BigInt(EXACT_LIMIT)) return null
  }
  const perCycle = (costNs: (at: number) => number) => {
    let sum = 0n
    for (let k = 0; k < count; k++) {
      const at = RECORD_WORDS * members[k]!
      sum += (cycle / BigInt(records[at]!)) * BigInt(costNs(at))
    }
    return sum
  }
  const budget = BigInt(supply.budgetNs)
  const charged = perCycle((at) => records[at + 2]! + (uncharged ? 0 : records[at + 3]!))
  if (!supply.full) cycle *= budget / divisorOf(charged, budget)
  return cycle > BigInt(EXACT_LIMIT / 4) || perCycle(() => 1) > BigInt(MOST_MESSAGES) ? null : Number(cycle)
}

function divisorOf(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b]
  return a
}

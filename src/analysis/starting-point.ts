/**
 * Where a fixed-point iteration may start: as far up as is surely not above the least solution, so that the result stays the same
 * and the iteration is short. After [Sjodin Hansson 1998], for this supply.
 *
 * In s = inv(X + sum N_j(s)·C_j) every count is at least (s + J_j)/T_j, and inv(x) and inv+(x) at least x·P/Q + first - (P - Q), so the
 * least solution of the straight lines is below that of the steps. Solved in doubles, rounded down by more than they can be off.
 */
import type { AnalysisModel } from './model.ts'
import type { Supply } from './supply.ts'

/** Most iterations end within a few rounds, before a better start pays: one that has not is moved to it after so many. */
export const LONG_ITERATION = 6

/** Doubles of these sums are off by less than 1e-13, also in a share of time. */
const ROUNDING = 1e-12

/**
 * A start for s = inv(Wd + rd·s, Wo + ro·s), with the jitter's share of the counts already in `workNs` and `softwareNs`, and the rates
 * those of the flows that are counted. A lower bound of the least solution; 0 where it says nothing.
 */
export function linearStart(
  model: AnalysisModel,
  workNs: number,
  softwareNs: number,
  workRate: number,
  softwareRate: number,
): number {
  const { supply, delayedSupply, debtNs, delayedDebtNs, tightness } = model
  const charge = tightness.overheadUncharged ? 1 : supply.stretch
  let start = solve(supply, workNs + debtNs, softwareNs, workRate, softwareRate, charge)
  if (delayedSupply !== null) {
    const { stretch } = delayedSupply
    start = Math.min(start, solve(delayedSupply, workNs + delayedDebtNs, softwareNs, workRate, softwareRate, stretch))
  }
  return start > 0 ? Math.floor(start) : 0
}

function solve(
  supply: Supply,
  workNs: number,
  softwareNs: number,
  workRate: number,
  softwareRate: number,
  charge: number,
) {
  const aheadNs = linearInverse(supply, workNs, softwareNs, charge)
  const slack = 1 - workRate * supply.stretch - softwareRate * charge
  return (aheadNs * (1 - ROUNDING)) / (Math.max(0, slack) + ROUNDING)
}

function linearInverse(supply: Supply, workNs: number, softwareNs: number, charge: number): number {
  return workNs * supply.stretch + softwareNs * charge + supply.firstBlackoutNs - supply.periodNs + supply.budgetNs
}

/**
 * The same where the count of flow j is capped, as by a deadline: s = inv(Wd + sum min((s + J_j)·rd_j, capWork_j), ...). The sum of capped
 * lines is concave, so its solution is found from above: begin with every count at its cap, and let those below it go. `flows` are
 * the first `end` words of T, J, Cd, Co and the most messages of each but one, Infinity: no cap.
 */
export function cappedStart(
  model: AnalysisModel,
  workNs: number,
  softwareNs: number,
  flows: Float64Array,
  end: number,
): number {
  const { supply, delayedSupply, debtNs, delayedDebtNs, tightness } = model
  const charge = tightness.overheadUncharged ? 1 : supply.stretch
  let start = solveCapped(supply, workNs + debtNs, softwareNs, flows, end, charge)
  if (delayedSupply !== null) {
    const { stretch } = delayedSupply
    start = Math.min(start, solveCapped(delayedSupply, workNs + delayedDebtNs, softwareNs, flows, end, stretch))
  }
  return start > 0 ? Math.floor(start) : 0
}

function solveCapped(
  supply: Supply,
  workNs: number,
  softwareNs: number,
  flows: Float64Array,
  end: number,
  charge: number,
): number {
  let start = Number.POSITIVE_INFINITY
  let active = -1
  for (;;) {
    let work = 0
    let software = 0
    let slack = 1
    let below = 0
    for (let j = 0; j < end; j += 5) {
      const periodNs = flows[j]!
      const cap = flows[j + 4]! + 1
      if (cap === Number.POSITIVE_INFINITY || cap * periodNs > start + flows[j + 1]!) {
        below++
        work += (flows[j + 1]! * flows[j + 2]!) / periodNs
        software += (flows[j + 1]! * flows[j + 3]!) / periodNs
        slack -= (flows[j + 2]! * supply.stretch + flows[j + 3]! * charge) / periodNs
      } else {
        work += cap * flows[j + 2]!
        software += cap * flows[j + 3]!
      }
    }
    const aheadNs = linearInverse(supply, workNs + work, softwareNs + software, charge)
    const solution = (aheadNs * (1 - ROUNDING)) / (Math.max(0, slack) + ROUNDING)
    // Fewer counts at their cap, never more, until none changes.
    if (below === active) return solution
    active = below
    start = solution
  }
}

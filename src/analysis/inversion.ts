/**
 * inv and inv- of one model as numbers side by side, for the innermost loops: what `startAfter` and `finishOf` find through
 * objects, and the same to the last bit. Numbers come and go in a typed array, because V8 boxes doubles that are arguments or results
 * of a call that it does not inline.
 */
import { EXACT_LIMIT, exact } from './exact.ts'
import type { AnalysisModel } from './model.ts'
import type { Supply } from './supply.ts'

/** Words of a supply. */
const WIDTH = 5

export class Inversion {
  /**
   * Of the plain supply, then of the delayed one:
   * exact: w + o + words[2] + floor((w + o·words[4] + words[3])/words[0])·words[1], where words[0] is Q, words[1] P - Q, words[2] d and the first
   * blackout, words[3] d (less 1 for what is to be finished, not started), words[4] 1 where software is charged to the budget;
   * straight line: o·(1 - words[4]) + words[2] + ceil((w + o·words[4] + words[3])·words[1]/words[0]), where words[1]/words[0] is P/Q in lowest
   * terms, words[2] the latency, words[3] d. 0 instead of the latter two where there is nothing to do.
   */
  readonly words = new Float64Array(2 * WIDTH)
  /**
   * Given: work and software. Found: when work behind them surely starts; or when they are surely finished, of which there is at least
   * 1 ns of work.
   */
  readonly demand = new Float64Array(3)
  delayed = false
  exactSupply = true

  /** Of `model` as it is now: inv where `start`, else inv-. */
  load(model: AnalysisModel, start: boolean): void {
    const { supply, delayedSupply, debtNs, delayedDebtNs, tightness } = model
    this.delayed = delayedSupply !== null
    this.exactSupply = tightness.exactSupply
    this.#describe(0, supply, debtNs, tightness.overheadUncharged ? 0 : 1, start)
    if (delayedSupply !== null) this.#describe(WIDTH, delayedSupply, delayedDebtNs, 1, start)
  }

  #describe(at: number, supply: Supply, debtNs: number, charge: number, start: boolean): void {
    const words = this.words
    words[at + 4] = charge
    if (this.exactSupply) {
      words[at] = supply.budgetNs
      words[at + 1] = supply.periodNs - supply.budgetNs
      words[at + 2] = debtNs + supply.firstBlackoutNs
      words[at + 3] = start ? debtNs : debtNs - 1
    } else {
      words[at] = supply.slopeNumerator
      words[at + 1] = supply.slopeDenominator
      words[at + 2] = supply.linearLatencyNs
      words[at + 3] = debtNs
    }
  }

  /** Finds the third number of `demand`. */
  solve(): void {
    const words = this.words
    const demand = this.demand
    if (this.exactSupply) {
      const workNs = demand[0]!
      const softwareNs = demand[1]!
      const bothNs = workNs + softwareNs
      const blackouts = Math.floor((workNs + softwareNs * words[4]! + words[3]!) / words[0]!)
      const plainNs = bothNs + words[2]! + blackouts * words[1]!
      demand[2] = plainNs
      if (this.delayed) {
        const shorter = Math.floor((bothNs + words[8]!) / words[5]!)
        const delayedNs = bothNs + words[7]! + shorter * words[6]!
        if (delayedNs < plainNs) demand[2] = delayedNs
      }
    } else {
      this.#line(0)
      const plainNs = demand[2]!
      if (this.delayed) {
        this.#line(WIDTH)
        if (plainNs < demand[2]!) demand[2] = plainNs
      }
    }
    if (!(demand[2]! <= EXACT_LIMIT)) exact(demand[2]!)
  }

  #line(at: number): void {
    const words = this.words
    const demand = this.demand
    const chargedNs = demand[1]! * words[at + 4]!
    const demandNs = demand[0]! + chargedNs + words[at + 3]!
    demand[2] = demand[1]! - chargedNs
    if (demandNs <= 0) return
    const numerator = words[at]!
    const whole = Math.floor(demandNs / numerator)
    const rest = (demandNs - whole * numerator) * words[at + 1]! + numerator - 1
    if (!(rest <= EXACT_LIMIT)) exact(rest)
    demand[2] += words[at + 2]! + whole * words[at + 1]! + Math.floor(rest / numerator)
  }
}

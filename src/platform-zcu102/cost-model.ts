/**
 * Turns a cost op into simulated time: pinned to the best, typical or worst of a profile's triple, or drawn between best and
 * worst. A scenario's overrides pin the abstract model instead: then a chunk costs what they say and the rest nothing.
 */

import type { BoardProfile } from '../boards/index.ts'
import type { Random } from '../internal/random.ts'
import { costTriples } from '../plan/index.ts'
import { COST_OPS } from '../platform/index.ts'
import type { Overrides, Scenario } from '../scenario/index.ts'

/** Draws are near the typical value, but for this share of them, which reaches up to the worst. */
const TAIL_PROBABILITY = 0.02

export class CostModel {
  readonly #mode: Scenario['costs']
  /** Of each op: best, typical, worst. */
  readonly #costsNs: Float64Array
  readonly #random: Random
  /** Actions so far, by cost op. */
  readonly actions = new Float64Array(COST_OPS.length)

  constructor(profile: BoardProfile, mode: Scenario['costs'], overrides: Overrides, random: Random) {
    this.#mode = mode
    this.#costsNs = Float64Array.from(costTriples(profile, overrides).flat())
    this.#random = random
  }

  /** Time of `count` actions, whole ns. Each draw covers the whole count: actions of one batch are alike. */
  drawNs(op: number, count: number): number {
    this.actions[op]! += count
    const best = this.#costsNs[3 * op]!
    const typical = this.#costsNs[3 * op + 1]!
    const worst = this.#costsNs[3 * op + 2]!
    switch (this.#mode) {
      case 'best':
        return best * count
      case 'typical':
        return typical * count
      case 'worst':
        return worst * count
      case 'random': {
        const high = this.#random.chance(TAIL_PROBABILITY) ? worst : Math.min(worst, 2 * typical - best)
        return Math.round((best + this.#random.unit() * (high - best)) * count)
      }
    }
  }
}

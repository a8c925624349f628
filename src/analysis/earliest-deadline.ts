/**
 * Earliest deadline first over messages, re-decided at chunk borders: the processor demand test [Baruah Rosier Howell 1990] on a
 * periodic budget, with the blocking of one chunk that has a later deadline [Jeffay Stanat Martel 1991].
 */
import { ceilDivide, exact } from './exact.ts'
import type { FlowSet } from './flow.ts'
import { type AnalysisModel, deriveModel, finishOf, ReusableModel } from './model.ts'
import type { Supply } from './supply.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { everyone, longRunSlack } from './utilization.ts'

/** The horizon is computed in doubles: a little more of it costs nothing, because the test is exact at every point. */
const ROUNDING = 1e-6

/** Demand that must be finished by `deadlineNs`, counted from the start of a busy period. */
export interface DemandTerms {
  readonly deadlineNs: number
  /** When it surely is: above `deadlineNs`. */
  readonly finishNs: number
  readonly workNs: number
  readonly blockingNs: number
  readonly overheadNs: number
  readonly supplyNs: number
  /** A flow with a deadline at this point: its message is the one that may be late. */
  readonly flow: number
}

export interface DeadlineVerdict {
  readonly schedulable: boolean
  /** A point where the test fails; null when schedulable, or when demand outruns supply in the long run. */
  readonly failure: DemandTerms | null
}

/** Does every message meet its deadline? Allocates once, not per point. */
export function earliestDeadlineVerdict(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): DeadlineVerdict {
  return new DemandTest(deriveModel(set, tightness)).verdict()
}

export function earliestDeadlineSchedulable(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): boolean {
  SCRATCH.load(set, tightness)
  return SCRATCH_TEST.failingPointNs() === null
}

export class DemandTest {
  readonly #model: AnalysisModel
  #workNs = 0
  #softwareNs = 0
  #blockingNs = 0
  #blockingOverheadNs = 0

  constructor(model: AnalysisModel) {
    this.#model = model
  }

  verdict(): DeadlineVerdict {
    const pointNs = this.failingPointNs()
    if (pointNs === null) return { schedulable: true, failure: null }
    return { schedulable: false, failure: pointNs === Number.POSITIVE_INFINITY ? null : this.#terms(pointNs) }
  }

  /** The earliest deadline that demand does not meet, of the first `points` deadlines; null: of those none. */
  firstFailure(points: number): DemandTerms | null {
    let pointNs = Number.NEGATIVE_INFINITY
    for (let k = 0; k < points && pointNs < Number.POSITIVE_INFINITY; k++) {
      pointNs = this.#firstDeadlineAfter(pointNs)
      if (this.finishNs(pointNs) > pointNs) return this.#terms(pointNs)
    }
    return null
  }

  /** A deadline that demand does not meet, null when there is none, Infinity when demand outruns supply in the long run. */
  failingPointNs(): number | null {
    const model = this.#model
    if (model.count === 0) return null
    const horizonNs = this.horizonNs()
    if (horizonNs === Number.POSITIVE_INFINITY) return horizonNs

    // Quick processor-demand analysis [Zhang Burns 2009]: what is finished at f(t) is finished for every deadline in [f(t), t],
    // because f never falls: where a flow stops blocking, a whole message of its own, which is no less, joins the demand.
    let pointNs = this.#lastDeadlineBefore(horizonNs + 1)
    while (pointNs !== Number.NEGATIVE_INFINITY) {
      const finishNs = this.finishNs(pointNs)
      if (finishNs > pointNs) return pointNs
      pointNs = this.#lastDeadlineBefore(finishNs)
    }
    return null
  }

  /**
   * f(t) = inv-(Wd(t), Wo(t)) for a deadline t: messages with release and deadline inside [0, t], behind the longest chunk of a
   * flow that can have a later deadline (or, with look-ahead, behind all that may be committed).
   */
  finishNs(pointNs: number): number {
    const model = this.#model
    let workNs = 0
    let softwareNs = 0
    let blockingNs = model.committedNs
    let blockingOverheadNs = blockingNs > 0 ? model.blockingOverheadNs : 0
    for (let i = 0; i < model.count; i++) {
      const offsetNs = model.deadlineNs[i]! - model.jitterNs[i]!
      if (offsetNs <= pointNs) {
        const messages = Math.floor((pointNs - offsetNs) / model.periodNs[i]!) + 1
        workNs += messages * model.workNs[i]!
        softwareNs += messages * model.overheadNs[i]!
      } else if (model.committedNs === 0) {
        blockingNs = Math.max(blockingNs, model.longestChunkNs[i]!)
        blockingOverheadNs = model.blockingOverheadNs
      }
    }
    this.#workNs = workNs
    this.#softwareNs = softwareNs
    this.#blockingNs = blockingNs
    this.#blockingOverheadNs = blockingOverheadNs
    const finishNs = finishOf(model, workNs + blockingNs, softwareNs + blockingOverheadNs)
    return model.total === model.count ? finishNs : this.#finishWithStalls(pointNs, finishNs)
  }

  /** Least t >= `atLeastNs` with all finished behind the stalls of [0, t). Stops beyond `pointNs`. */
  #finishWithStalls(pointNs: number, atLeastNs: number): number {
    const model = this.#model
    const workNs = this.#workNs + this.#blockingNs
    const demandedNs = this.#softwareNs + this.#blockingOverheadNs
    let finishNs = atLeastNs
    for (;;) {
      let stalledNs = 0
      for (let stall = model.count; stall < model.total; stall++) {
        stalledNs += ceilDivide(finishNs + model.jitterNs[stall]!, model.periodNs[stall]!) * model.overheadNs[stall]!
      }
      const nextNs = finishOf(model, workNs, demandedNs + stalledNs)
      if (nextNs <= finishNs || nextNs > pointNs) {
        this.#softwareNs += stalledNs
        return nextNs
      }
      finishNs = nextNs
    }
  }

  /** A time from which on every deadline is surely met: the least that one of the two supplies gives. Infinity if none does. */
  horizonNs(): number {
    const model = this.#model
    let latestOffsetNs = 0
    for (let i = 0; i < model.count; i++) {
      latestOffsetNs = Math.max(latestOffsetNs, model.deadlineNs[i]! - model.jitterNs[i]!)
    }
    let horizonNs = this.#horizonOf(model.supply, model.debtNs, model.tightness.overheadUncharged)
    if (model.delayedSupply !== null) {
      horizonNs = Math.min(horizonNs, this.#horizonOf(model.delayedSupply, model.delayedDebtNs, false))
    }
    return Math.max(latestOffsetNs, horizonNs)
  }

  /**
   * L_a of one supply: demand stays below sum (t - D + J + T)/T·C and the supply above its straight line, so they part at
   * constant / slack. No flow blocks any more beyond the last first deadline. With no slack at all they never part, unless
   * the constant is already paid; the test then has no horizon and the set is refused.
   */
  #horizonOf(supply: Supply, debtNs: number, uncharged: boolean): number {
    const model = this.#model
    const slack = longRunSlack(model, supply, uncharged, everyone(model), model.total)
    if (slack < 0) return Number.POSITIVE_INFINITY
    const stretch = supply.periodNs / supply.budgetNs
    const softwareStretch = uncharged ? 1 : stretch
    let constantNs = supply.firstBlackoutNs + (debtNs + model.committedNs) * stretch
    if (model.committedNs > 0) constantNs += model.blockingOverheadNs * softwareStretch
    if (!model.tightness.exactSupply) constantNs += supply.periodNs - supply.budgetNs
    for (let i = 0; i < model.total; i++) {
      const early = 1 - (model.deadlineNs[i]! - model.jitterNs[i]!) / model.periodNs[i]!
      constantNs += early * (model.workNs[i]! * stretch + model.overheadNs[i]! * softwareStretch)
    }
    if (slack === 0) return constantNs <= 0 ? 0 : Number.POSITIVE_INFINITY
    return exact(Math.ceil((Math.max(0, constantNs + 1) * (1 + ROUNDING)) / slack))
  }

  #lastDeadlineBefore(timeNs: number): number {
    const model = this.#model
    let lastNs = Number.NEGATIVE_INFINITY
    for (let i = 0; i < model.count; i++) {
      const offsetNs = model.deadlineNs[i]! - model.jitterNs[i]!
      if (offsetNs >= timeNs) continue
      const periodNs = model.periodNs[i]!
      lastNs = Math.max(lastNs, offsetNs + Math.floor((timeNs - 1 - offsetNs) / periodNs) * periodNs)
    }
    return lastNs
  }

  #firstDeadlineAfter(timeNs: number): number {
    const { count, periodNs, deadlineNs, jitterNs } = this.#model
    let firstNs = Number.POSITIVE_INFINITY
    for (let i = 0; i < count; i++) {
      const offsetNs = deadlineNs[i]! - jitterNs[i]!
      const periods = Math.max(0, Math.floor((timeNs - offsetNs) / periodNs[i]!) + 1)
      firstNs = Math.min(firstNs, offsetNs + periods * periodNs[i]!)
    }
    return firstNs
  }

  #terms(pointNs: number): DemandTerms {
    const model = this.#model
    const finishNs = this.finishNs(pointNs)
    const overheadNs = this.#softwareNs + this.#blockingOverheadNs
    let flow = 0
    for (let i = 0; i < model.count; i++) {
      const sinceNs = pointNs - (model.deadlineNs[i]! - model.jitterNs[i]!)
      if (sinceNs >= 0 && sinceNs % model.periodNs[i]! === 0) flow = i
    }
    return {
      deadlineNs: pointNs,
      finishNs,
      workNs: this.#workNs,
      blockingNs: this.#blockingNs,
      overheadNs,
      supplyNs: finishNs - this.#workNs - this.#blockingNs - overheadNs,
      flow,
    }
  }
}

/** Verdicts of one set after another allocate nothing. */
const SCRATCH = new ReusableModel()
const SCRATCH_TEST = new DemandTest(SCRATCH)

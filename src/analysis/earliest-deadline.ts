/**
 * Earliest deadline first over messages, re-decided at chunk borders: the processor demand test [Baruah Rosier Howell 1990] on a
 * periodic budget, with the blocking of one chunk that has a later deadline [Jeffay Stanat Martel 1991].
 */
import { ceilDivide, exact } from './exact.ts'
import { exactLoad } from './exact-load.ts'
import type { FlowSet } from './flow.ts'
import { Inversion } from './inversion.ts'
import { type AnalysisModel, deriveModel, finishOf, ReusableModel, recordsOf } from './model.ts'
import type { Supply } from './supply.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'
import { CLEAR, everyone, longRunSlack, outpaces } from './utilization.ts'

/** The horizon is computed in doubles: a little more of it costs nothing, because the test is exact at every point. */
const ROUNDING = 1e-6

/** Demand that must be finished by `deadlineNs`, counted from the start of a busy period. All in ns but the flow. */
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

/** Of the demand test. */
export interface DeadlineVerdict {
  readonly schedulable: boolean
  /** A point where the test fails; null when schedulable, or when demand outruns supply in the long run. */
  readonly failure: DemandTerms | null
}

/** Does every message meet its deadline, and if not, which may miss it? Throws as `validateFlowSet`. Allocates once, not per point. */
export function earliestDeadlineVerdict(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): DeadlineVerdict {
  return new DemandTest(deriveModel(set, tightness)).verdict()
}

/** The same verdict alone. Throws as `validateFlowSet`. Allocates nothing. */
export function earliestDeadlineSchedulable(set: FlowSet, tightness: Tightness = TIGHTNESS.A4): boolean {
  SCRATCH.load(set, tightness)
  return SCRATCH_TEST.failingPointNs() === null
}

/** The demand test of one model (docs/analysis.md §6, Theorem 7). */
export class DemandTest {
  readonly #model: AnalysisModel
  /** Of a model that stays as it is; null: those of the set that is loaded. */
  readonly #records: Float64Array | null
  readonly #inversion = new Inversion()
  #workNs = 0
  #softwareNs = 0
  #blockingNs = 0
  #blockingOverheadNs = 0

  constructor(model: AnalysisModel) {
    this.#model = model
    this.#records = model instanceof ReusableModel ? null : recordsOf(model)
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

  /**
   * A deadline that demand does not meet, null when there is none, Infinity when demand outruns supply in the long run. Default horizon:
   * that from which on no deadline fails.
   */
  failingPointNs(horizonNs = this.horizonNs()): number | null {
    const model = this.#model
    const inversion = this.#inversion
    const { count } = model
    if (count === 0) return null
    const records = this.#records ?? recordsOf(model)
    const end = 8 * count
    if (horizonNs === Number.POSITIVE_INFINITY) {
      const members = everyone(model.total)
      const balanced = outpaces(model, records, members, model.total)
        ? null
        : exactLoad(model, records, members, model.total)
      if (balanced === null) return horizonNs
      return new DemandTest(balanced.model).failingPointNs(this.#latestOffsetNs() + balanced.cycleNs)
    }
    inversion.load(model, false)
    const demand = inversion.demand

    // Quick processor-demand analysis [Zhang Burns 2009]: what is finished at f(t) is finished for every deadline in [f(t), t],
    // because f never falls: where a flow stops blocking, a whole message of its own, which is no less, joins the demand. What
    // is due before that f(t) is what is due by the last deadline before it.
    for (let beforeNs = horizonNs + 1; ; ) {
      let pointNs = Number.NEGATIVE_INFINITY
      let demandNs = 0
      let softwareNs = 0
      let blockingNs = model.committedNs
      let blockingOverheadNs = blockingNs > 0 ? model.blockingOverheadNs : 0
      for (let i = 0; i < end; i += 8) {
        const offsetNs = records[i + 4]! - records[i + 1]!
        const spanNs = beforeNs - 1 - offsetNs
        if (spanNs >= 0) {
          const periods = Math.floor(spanNs / records[i]!)
          const lastNs = offsetNs + periods * records[i]!
          if (lastNs > pointNs) pointNs = lastNs
          demandNs += records[i + 2]! + periods * records[i + 2]!
          softwareNs += records[i + 3]! + periods * records[i + 3]!
        } else if (model.committedNs === 0) {
          if (records[i + 5]! > blockingNs) blockingNs = records[i + 5]!
          blockingOverheadNs = model.blockingOverheadNs
        }
      }
      if (pointNs === Number.NEGATIVE_INFINITY) return null
      demand[0] = demandNs + blockingNs
      demand[1] = softwareNs + blockingOverheadNs
      inversion.solve()
      const finishNs = model.total === count ? demand[2]! : this.finishNs(pointNs)
      if (finishNs > pointNs) return pointNs
      beforeNs = finishNs
    }
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

  /**
   * A time from which on every deadline is surely met: the least that one of the two supplies gives. Infinity if none does, be it that
   * demand equals supply: then one cycle shows all (Theorem 11).
   *
   * L_a of one supply: demand stays below sum (t - D + J + T)/T·C and the supply above its straight line, so they part at
   * constant / slack. No flow blocks any more beyond the last first deadline.
   */
  horizonNs(): number {
    const { count, total, supply, delayedSupply, tightness } = this.#model
    const records = this.#records ?? recordsOf(this.#model)
    const uncharged = tightness.overheadUncharged
    const { stretch } = supply
    const charge = uncharged ? 1 : stretch
    let latestOffsetNs = 0
    let plainLoad = 0
    let plainEarlyNs = 0
    let load = 0
    let earlyNs = 0
    for (let i = 0; i < 8 * total; i += 8) {
      const frequency = records[i + 7]!
      const offsetNs = records[i + 4]! - records[i + 1]!
      const early = 1 - offsetNs * frequency
      const plainNs = records[i + 2]! * stretch + records[i + 3]! * charge
      const bothNs = records[i + 2]! + records[i + 3]!
      plainLoad += plainNs * frequency
      plainEarlyNs += plainNs * early
      load += bothNs * frequency
      earlyNs += bothNs * early
      if (i < 8 * count && offsetNs > latestOffsetNs) latestOffsetNs = offsetNs
    }
    let horizonNs = this.#horizonOf(supply, this.#model.debtNs, uncharged, 1 - plainLoad, plainEarlyNs)
    if (delayedSupply !== null) {
      const { stretch } = delayedSupply
      const laterNs = this.#horizonOf(
        delayedSupply,
        this.#model.delayedDebtNs,
        false,
        1 - load * stretch,
        earlyNs * stretch,
      )
      if (laterNs < horizonNs) horizonNs = laterNs
    }
    return horizonNs > latestOffsetNs ? horizonNs : latestOffsetNs
  }

  /** With no slack at all they never part. */
  #horizonOf(supply: Supply, debtNs: number, uncharged: boolean, roughSlack: number, earlyNs: number): number {
    const model = this.#model
    const slack =
      Math.abs(roughSlack) > CLEAR
        ? roughSlack
        : longRunSlack(this.#records ?? recordsOf(model), supply, uncharged, everyone(model.total), model.total)
    if (slack <= 0) return Number.POSITIVE_INFINITY
    const { stretch } = supply
    let constantNs = earlyNs + supply.firstBlackoutNs + (debtNs + model.committedNs) * stretch
    if (model.committedNs > 0) constantNs += model.blockingOverheadNs * (uncharged ? 1 : stretch)
    if (!model.tightness.exactSupply) constantNs += supply.periodNs - supply.budgetNs
    return exact(Math.ceil((Math.max(0, constantNs + 1) * (1 + ROUNDING)) / slack))
  }

  /** From here on nobody blocks. */
  #latestOffsetNs(): number {
    const { count, deadlineNs, jitterNs } = this.#model
    let latestNs = 0
    for (let i = 0; i < count; i++) latestNs = Math.max(latestNs, deadlineNs[i]! - jitterNs[i]!)
    return latestNs
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

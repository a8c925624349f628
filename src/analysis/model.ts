/**
 * The numbers that the theorems read, derived once from a flow set: costs of messages and chunks, blocking, debt, and the
 * regulator's two supplies. They are one plain object, so that a test can weaken exactly one of them and see it caught.
 */
import { exact } from './exact.ts'
import { budgetCycleNs, chunkCount, effectiveBytesPerNs, type FlowSet, validateFlowSet } from './flow.ts'
import { Supply, transferTimeNs } from './supply.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

export interface AnalysisModel {
  readonly tightness: Tightness
  /** Flows. The arrays have their entries first, then those of the stalls, and may be longer. */
  readonly count: number
  /** Flows and stalls. A stall is one message of software a period, more urgent than any and with no deadline; it may have jitter. */
  readonly total: number
  readonly periodNs: Float64Array
  readonly deadlineNs: Float64Array
  readonly jitterNs: Float64Array
  /** Cd: DMA time of a whole message. */
  readonly workNs: Float64Array
  /** Co: its software, n·h + o_m. */
  readonly overheadNs: Float64Array
  /** c(l): its last chunk. */
  readonly lastChunkNs: Float64Array
  /** Its longest chunk, which is what it can block others with. */
  readonly longestChunkNs: Float64Array
  /** h, worst. */
  readonly chunkOverheadNs: number
  /** Software of what can be ahead of a window: (1 + kappa)(h + o_m). */
  readonly blockingOverheadNs: number
  /** DMA time that can always be ahead of a window, from whatever flow: (1 + kappa)·c_max, and 0 where kappa is 0. */
  readonly committedNs: number
  /** d: most that a window can inherit of an earlier overdraft. */
  readonly debtNs: number
  /** (P, Q) for DMA work. */
  readonly supply: Supply
  /** (P, Q'') for work and overhead together; null with A4's switch off, or without blackouts to shorten. */
  readonly delayedSupply: Supply | null
  readonly delayedDebtNs: number
  /** Releases at the very instant of a start count (0: a closed interval), or not (1: a half-open one). */
  readonly openIntervalNs: 0 | 1
  /** Most messages of one busy period to look at. */
  readonly instanceLimit: number
  /** EDF responses: also look at windows that end at deadlines of the other flows. */
  readonly windowsAtEveryDeadline: boolean
}

/** Derives the model of `set`. Throws `VirtioError` where a value is unusable or the regulator could never serve. */
export function deriveModel(set: FlowSet, tightness: Tightness): AnalysisModel {
  const model = new ReusableModel()
  model.load(set, tightness)
  return model
}

/** The model of one set after another. `load` allocates only for a set that is larger than any before, or another regulator. */
export class ReusableModel implements AnalysisModel {
  tightness: Tightness = TIGHTNESS.A4
  count = 0
  total = 0
  periodNs = new Float64Array(0)
  deadlineNs = new Float64Array(0)
  jitterNs = new Float64Array(0)
  workNs = new Float64Array(0)
  overheadNs = new Float64Array(0)
  lastChunkNs = new Float64Array(0)
  longestChunkNs = new Float64Array(0)
  chunkOverheadNs = 0
  blockingOverheadNs = 0
  committedNs = 0
  debtNs = 0
  supply = Supply.unlimited()
  delayedSupply: Supply | null = null
  delayedDebtNs = 0
  openIntervalNs: 0 | 1 = 0
  instanceLimit = Number.POSITIVE_INFINITY
  windowsAtEveryDeadline = true
  /** The last one made, for the next set with the same regulator. */
  #lastDelayedSupply = Supply.unlimited()

  /** Throws as `deriveModel`; the model is then of no use until the next set. */
  load(set: FlowSet, tightness: Tightness): void {
    validateFlowSet(set)
    const { flows, dma, regulator } = set
    const { chunkBytes, messageOverheadNs, lookAhead = 0, stalls } = dma
    const { trueChunkSizes } = tightness
    const beta = effectiveBytesPerNs(dma, regulator)
    const chunkOverheadNs = dma.chunkOverheadNs[1]
    const fullChunkNs = transferTimeNs(chunkBytes, beta)
    const count = flows.length
    const total = count + (stalls === undefined ? 0 : stalls.length)
    if (total > this.periodNs.length) this.#grow(total)
    let longestNs = 0
    for (let i = 0; i < count; i++) {
      const { periodNs, deadlineNs, lengthBytes, jitterNs = 0 } = flows[i]!
      const chunks = chunkCount(lengthBytes, chunkBytes)
      const lastNs = trueChunkSizes ? transferTimeNs(lengthBytes - (chunks - 1) * chunkBytes, beta) : fullChunkNs
      const longestChunkNs = chunks > 1 ? fullChunkNs : lastNs
      const workNs = exact((chunks - 1) * fullChunkNs + lastNs)
      const overheadNs = exact(chunks * chunkOverheadNs + messageOverheadNs)
      this.periodNs[i] = periodNs
      this.deadlineNs[i] = deadlineNs
      this.jitterNs[i] = jitterNs
      this.lastChunkNs[i] = lastNs
      this.longestChunkNs[i] = longestChunkNs
      this.workNs[i] = workNs
      this.overheadNs[i] = overheadNs
      longestNs = Math.max(longestNs, longestChunkNs)
    }
    for (let i = count; i < total; i++) {
      const { periodNs, stallNs } = stalls![i - count]!
      this.periodNs[i] = periodNs
      this.deadlineNs[i] = 0
      this.jitterNs[i] = 0
      this.workNs[i] = 0
      this.overheadNs[i] = stallNs
    }
    this.tightness = tightness
    this.count = count
    this.total = total
    this.chunkOverheadNs = chunkOverheadNs
    this.blockingOverheadNs = (1 + lookAhead) * (chunkOverheadNs + messageOverheadNs)
    this.committedNs = lookAhead > 0 ? (1 + lookAhead) * longestNs : 0
    this.openIntervalNs = tightness.nonPreemptiveLastChunk ? 0 : 1
    // A chunk starts at a balance of at least 1, so the overdraft is one less than what was committed; A0 looks less closely.
    this.#deriveSupplies(set, beta, longestNs, (1 + lookAhead) * longestNs - (trueChunkSizes ? 1 : 0))
  }

  #grow(total: number): void {
    this.periodNs = new Float64Array(total)
    this.deadlineNs = new Float64Array(total)
    this.jitterNs = new Float64Array(total)
    this.workNs = new Float64Array(total)
    this.overheadNs = new Float64Array(total)
    this.lastChunkNs = new Float64Array(total)
    this.longestChunkNs = new Float64Array(total)
  }

  /**
   * The supply of DMA work, and A4's supply of work with overhead. From a refill to exhaustion at least ceil(Q/c_max) - 1 full
   * overheads pass, kappa fewer when as many chunks may still be under way without one, so the blackout is shorter by them.
   * When nothing of it is left, the budget is never exhausted and no debt ever arises. Blackouts after the first are shorter by the
   * worst overheads, where that is switched on: what those took is not waited for again (Theorem 2').
   */
  #deriveSupplies({ dma, regulator }: FlowSet, bytesPerNs: number, longestChunkNs: number, overdraftNs: number): void {
    this.debtNs = 0
    this.delayedSupply = null
    this.delayedDebtNs = 0
    if (regulator.kind !== 'budget') {
      const latencyNs = regulator.kind === 'bucket' ? transferTimeNs(regulator.burstBytes, bytesPerNs) : 0
      this.supply = sameSupply(this.supply, 1, 1, latencyNs)
      return
    }
    const { budgetNs, sharedWhileIdle = false } = regulator
    const periodNs = budgetCycleNs(regulator, bytesPerNs)
    const supply = sameSupply(this.supply, periodNs, budgetNs, periodNs - budgetNs)
    this.supply = supply
    if (supply.full) return
    if (this.tightness.sparedBudget && !sharedWhileIdle && this.#sparesBudget(periodNs, budgetNs)) {
      this.supply = sameSupply(supply, 1, 1, 0)
      return
    }
    this.debtNs = overdraftNs
    if (!this.tightness.overheadDelaysExhaustion) return
    const overheads = Math.max(0, Math.ceil(budgetNs / longestChunkNs) - 1 - (dma.lookAhead ?? 0))
    const [bestNs, worstNs] = dma.chunkOverheadNs
    const firstBudgetNs = Math.min(periodNs, budgetNs + overheads * bestNs)
    const laterBudgetNs = this.tightness.overheadHidden
      ? Math.min(periodNs, budgetNs + overheads * worstNs)
      : firstBudgetNs
    const firstNs = sharedWhileIdle ? supply.firstBlackoutNs : periodNs - firstBudgetNs
    this.#lastDelayedSupply = sameSupply(this.#lastDelayedSupply, periodNs, laterBudgetNs, firstNs)
    this.delayedSupply = this.#lastDelayedSupply
    this.delayedDebtNs = firstBudgetNs === periodNs && !sharedWhileIdle ? 0 : overdraftNs
  }

  /**
   * Is what all flows together can copy between two refills less than the budget, if nothing was ever exhausted before? A message
   * then ends within the longest busy period L without a regulator (Theorem 0).
   */
  #sparesBudget(cycleNs: number, budgetNs: number): boolean {
    let load = 0
    for (let i = 0; i < this.total; i++) load += (this.#copyingOf(i) + this.overheadNs[i]!) / this.periodNs[i]!
    if (load > SURELY_BELOW_ONE) return false
    let busyNs = 1
    for (;;) {
      let copiedNs = 0
      let nextNs = 0
      for (let i = 0; i < this.total; i++) {
        const reachNs = busyNs + this.jitterNs[i]!
        const messages = Math.ceil(reachNs / this.periodNs[i]!)
        nextNs += messages * (this.#copyingOf(i) + this.overheadNs[i]!)
        copiedNs += (Math.floor((cycleNs + reachNs) / this.periodNs[i]!) + 1) * this.#copyingOf(i)
      }
      if (copiedNs >= budgetNs) return false
      if (nextNs <= busyNs) return true
      busyNs = nextNs
    }
  }

  #copyingOf(i: number): number {
    return i < this.count ? this.workNs[i]! : 0
  }
}

/** Doubles of such sums are off by less than 1e-13. */
const SURELY_BELOW_ONE = 1 - 1e-9

/** `last` where it is the supply that is asked for, else a new one. */
function sameSupply(last: Supply, periodNs: number, budgetNs: number, firstBlackoutNs: number): Supply {
  const same = last.periodNs === periodNs && last.budgetNs === budgetNs && last.firstBlackoutNs === firstBlackoutNs
  return same ? last : new Supply(periodNs, budgetNs, firstBlackoutNs)
}

/**
 * inv(Wd, Wo): when work behind `workNs` of DMA and `softwareNs` of overhead surely starts, both since the window's start. With
 * a straight-line supply starting and finishing are the same.
 */
export function startAfter(model: AnalysisModel, workNs: number, softwareNs: number): number {
  const { supply, delayedSupply, tightness } = model
  const bothNs = workNs + softwareNs
  if (!tightness.exactSupply) return linear(model, workNs, softwareNs)
  const plainNs = tightness.overheadUncharged
    ? softwareNs + supply.invPlus(workNs + model.debtNs)
    : supply.invPlus(bothNs + model.debtNs)
  if (delayedSupply === null) return exact(plainNs)
  return exact(Math.min(plainNs, delayedSupply.invPlus(bothNs + model.delayedDebtNs)))
}

/** inv-(Wd, Wo): when `workNs` of DMA and `softwareNs` of overhead are surely finished. */
export function finishOf(model: AnalysisModel, workNs: number, softwareNs: number): number {
  const { supply, delayedSupply, tightness } = model
  const bothNs = workNs + softwareNs
  if (!tightness.exactSupply) return linear(model, workNs, softwareNs)
  const plainNs = tightness.overheadUncharged
    ? softwareNs + supply.inv(workNs + model.debtNs)
    : supply.inv(bothNs + model.debtNs)
  if (delayedSupply === null) return exact(plainNs)
  return exact(Math.min(plainNs, delayedSupply.inv(bothNs + model.delayedDebtNs)))
}

function linear(
  { supply, delayedSupply, tightness, debtNs, delayedDebtNs }: AnalysisModel,
  workNs: number,
  softwareNs: number,
) {
  const plainNs = tightness.overheadUncharged
    ? softwareNs + supply.lsbfInv(workNs + debtNs)
    : supply.lsbfInv(workNs + softwareNs + debtNs)
  if (delayedSupply === null) return exact(plainNs)
  return exact(Math.min(plainNs, delayedSupply.lsbfInv(workNs + softwareNs + delayedDebtNs)))
}

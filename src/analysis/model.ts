/**
 * The numbers that the theorems read, derived once from a flow set: costs of messages and chunks, blocking, debt, and the
 * regulator's two supplies. They are one plain object, so that a test can weaken exactly one of them and see it caught.
 */
import { EXACT_LIMIT, exact } from './exact.ts'
import { budgetCycleNs, effectiveBytesPerNs, type FlowSet, validateFlowSet, validateServer } from './flow.ts'
import { Supply, transferTimeNs } from './supply.ts'
import { TIGHTNESS, type Tightness } from './tightness.ts'

/**
 * What the analyses read: flows and stalls as arrays, and what their machine costs. Times are ns, indices those of the
 * flows given to `analysisModel`.
 */
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
  return snapshotOf(model)
}

/** The same numbers as plain properties, which stay when a reusable model takes the next set. */
export function snapshotOf(model: AnalysisModel): AnalysisModel {
  const { tightness, count, total, supply, debtNs, delayedSupply, delayedDebtNs, committedNs, openIntervalNs } = model
  const { periodNs, deadlineNs, jitterNs, workNs, overheadNs, lastChunkNs, longestChunkNs } = model
  const { chunkOverheadNs, blockingOverheadNs, instanceLimit, windowsAtEveryDeadline } = model
  return {
    tightness,
    count,
    total,
    periodNs,
    deadlineNs,
    jitterNs,
    workNs,
    overheadNs,
    lastChunkNs,
    longestChunkNs,
    chunkOverheadNs,
    blockingOverheadNs,
    committedNs,
    debtNs,
    supply,
    delayedSupply,
    delayedDebtNs,
    openIntervalNs,
    instanceLimit,
    windowsAtEveryDeadline,
  }
}

/**
 * What the innermost loops read, side by side for every flow and then every stall: T, J, Cd, Co, D, longest chunk, last chunk, 1/T. One
 * array, because V8 checks the type and the place of each that a loop reads, in every round.
 */
export const RECORD_WORDS = 8

/** The records of a model; of a reusable one those of the set that is loaded, in place. */
export function recordsOf(model: AnalysisModel): Float64Array {
  if (model instanceof ReusableModel) return model.records
  const records = new Float64Array(RECORD_WORDS * model.total)
  for (let i = 0, at = 0; i < model.total; i++, at += RECORD_WORDS) {
    records[at] = model.periodNs[i]!
    records[at + 1] = model.jitterNs[i]!
    records[at + 2] = model.workNs[i]!
    records[at + 3] = model.overheadNs[i]!
    if (i < model.count) {
      records[at + 4] = model.deadlineNs[i]!
      records[at + 5] = model.longestChunkNs[i]!
      records[at + 6] = model.lastChunkNs[i]!
    }
    records[at + 7] = 1 / model.periodNs[i]!
  }
  return records
}

/** The model of one set after another. `load` allocates only for a set that is larger than any before, or another regulator. */
export class ReusableModel implements AnalysisModel {
  tightness: Tightness = TIGHTNESS.A4
  count = 0
  total = 0
  records = new Float64Array(0)
  chunkOverheadNs = 0
  blockingOverheadNs = 0
  committedNs = 0
  debtNs = 0
  supply = Supply.unlimited()
  delayedSupply: Supply | null = null
  delayedDebtNs = 0
  openIntervalNs: 0 | 1 = 0
  readonly instanceLimit = Number.POSITIVE_INFINITY
  readonly windowsAtEveryDeadline = true
  /** The last two, for sets with the same regulator under two designs in turn. */
  #lastDelayedSupply = Supply.unlimited()
  #delayedSupplyBefore = Supply.unlimited()
  readonly #server = new Float64Array(5)

  get periodNs(): Float64Array {
    return this.#column(0)
  }
  get jitterNs(): Float64Array {
    return this.#column(1)
  }
  get workNs(): Float64Array {
    return this.#column(2)
  }
  get overheadNs(): Float64Array {
    return this.#column(3)
  }
  get deadlineNs(): Float64Array {
    return this.#column(4)
  }
  get longestChunkNs(): Float64Array {
    return this.#column(5)
  }
  get lastChunkNs(): Float64Array {
    return this.#column(6)
  }

  /** A copy: for what is rarely asked. */
  #column(word: number): Float64Array {
    const column = new Float64Array(this.total)
    for (let i = 0; i < column.length; i++) column[i] = this.records[RECORD_WORDS * i + word]!
    return column
  }

  /** Throws as `deriveModel`; the model is then of no use until the next set. */
  load(set: FlowSet, tightness: Tightness): void {
    const { flows, dma, regulator } = set
    const { lookAhead = 0, stalls } = dma
    const { trueChunkSizes } = tightness
    const beta = effectiveBytesPerNs(dma, regulator)
    const count = flows.length
    const total = count + (stalls === undefined ? 0 : stalls.length)
    if (RECORD_WORDS * total > this.records.length) this.records = new Float64Array(RECORD_WORDS * total)
    const records = this.records
    // What comes out of a Float64Array is a double for V8. Other numbers it takes for small integers, and converts back and forth.
    const server = this.#server
    server[0] = dma.chunkBytes
    server[1] = beta
    server[2] = dma.chunkOverheadNs[1]
    server[3] = dma.messageOverheadNs
    server[4] = transferTimeNs(dma.chunkBytes, beta)
    const chunkBytes = server[0]!
    const bytesPerNs = server[1]!
    const chunkOverheadNs = server[2]!
    const messageOverheadNs = server[3]!
    const fullChunkNs = server[4]!
    let usable = true
    let oddNs = 0
    let longestNs = 0
    let mostNs = 0
    for (let i = 0, at = 0; i < count; i++, at += RECORD_WORDS) {
      const flow = flows[i]!
      const { periodNs, deadlineNs, lengthBytes, jitterNs = 0 } = flow
      if (
        typeof periodNs !== 'number' ||
        typeof deadlineNs !== 'number' ||
        typeof lengthBytes !== 'number' ||
        typeof jitterNs !== 'number'
      ) {
        usable = false
        break
      }
      records[at] = periodNs
      records[at + 1] = jitterNs
      records[at + 4] = deadlineNs
      records[at + 7] = lengthBytes
      const period = records[at]!
      const jitter = records[at + 1]!
      const deadline = records[at + 4]!
      const bytes = records[at + 7]!
      usable &&= period >= 1 && deadline >= 1 && bytes >= 1 && jitter >= 0
      usable &&= period + deadline + bytes + jitter <= EXACT_LIMIT
      oddNs += period - Math.floor(period) + (deadline - Math.floor(deadline))
      oddNs += bytes - Math.floor(bytes) + (jitter - Math.floor(jitter))
      records[at + 6] = Math.ceil(bytes / chunkBytes)
      const chunks = records[at + 6]!
      records[at + 6] = trueChunkSizes ? Math.ceil((bytes - (chunks - 1) * chunkBytes) / bytesPerNs) : fullChunkNs
      const lastNs = records[at + 6]!
      const ownLongestNs = bytes > chunkBytes ? fullChunkNs : lastNs
      const workNs = (chunks - 1) * fullChunkNs + lastNs
      const overheadNs = chunks * chunkOverheadNs + messageOverheadNs
      records[at + 2] = workNs
      records[at + 3] = overheadNs
      records[at + 5] = ownLongestNs
      records[at + 7] = 1 / period
      if (ownLongestNs > longestNs) longestNs = ownLongestNs
      if (workNs > mostNs) mostNs = workNs
      if (overheadNs > mostNs) mostNs = overheadNs
    }
    // Numbers of no use have only been multiplied until here. Those whose sum is large are looked at more closely.
    if (!usable || oddNs !== 0) validateFlowSet(set)
    else validateServer(set)
    exact(mostNs)
    for (let i = count, at = RECORD_WORDS * count; i < total; i++, at += RECORD_WORDS) {
      const { periodNs, stallNs } = stalls![i - count]!
      records.fill(0, at, at + RECORD_WORDS)
      records[at] = periodNs
      records[at + 3] = stallNs
      records[at + 7] = 1 / periodNs
    }
    this.tightness = tightness
    this.count = count
    this.total = total
    this.chunkOverheadNs = dma.chunkOverheadNs[1]
    this.blockingOverheadNs = (1 + lookAhead) * (dma.chunkOverheadNs[1] + dma.messageOverheadNs)
    this.committedNs = lookAhead > 0 ? (1 + lookAhead) * longestNs : 0
    this.openIntervalNs = tightness.nonPreemptiveLastChunk ? 0 : 1
    // A chunk starts at a balance of at least 1, so the overdraft is one less than what was committed; A0 looks less closely.
    this.#deriveSupplies(set, beta, longestNs, (1 + lookAhead) * longestNs - (trueChunkSizes ? 1 : 0))
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
    const last = this.#lastDelayedSupply
    if (isSupply(last, periodNs, laterBudgetNs, firstNs)) {
      this.delayedSupply = last
    } else if (isSupply(this.#delayedSupplyBefore, periodNs, laterBudgetNs, firstNs)) {
      this.delayedSupply = this.#delayedSupplyBefore
    } else {
      this.#delayedSupplyBefore = last
      this.#lastDelayedSupply = new Supply(periodNs, laterBudgetNs, firstNs)
      this.delayedSupply = this.#lastDelayedSupply
    }
    this.delayedDebtNs = firstBudgetNs === periodNs && !sharedWhileIdle ? 0 : overdraftNs
  }

  /**
   * Is what all flows together can copy between two refills less than the budget, if nothing was ever exhausted before? A message
   * then ends within the longest busy period L without a regulator (Theorem 0).
   */
  #sparesBudget(cycleNs: number, budgetNs: number): boolean {
    const { records } = this
    const end = RECORD_WORDS * this.total
    let load = 0
    for (let at = 0; at < end; at += RECORD_WORDS) load += (records[at + 2]! + records[at + 3]!) * records[at + 7]!
    if (load > SURELY_BELOW_ONE) return false
    let busyNs = 1
    for (;;) {
      let copiedNs = 0
      let nextNs = 0
      for (let at = 0; at < end; at += RECORD_WORDS) {
        const reachNs = busyNs + records[at + 1]!
        nextNs += Math.ceil(reachNs / records[at]!) * (records[at + 2]! + records[at + 3]!)
        copiedNs += (Math.floor((cycleNs + reachNs - 1) / records[at]!) + 1) * records[at + 2]!
      }
      if (copiedNs >= budgetNs) return false
      if (nextNs <= busyNs) return true
      busyNs = nextNs
    }
  }
}

/** Doubles of such sums are off by less than 1e-13. */
const SURELY_BELOW_ONE = 1 - 1e-9

/** `last` where it is the supply that is asked for, else a new one. */
function sameSupply(last: Supply, periodNs: number, budgetNs: number, firstBlackoutNs: number): Supply {
  return isSupply(last, periodNs, budgetNs, firstBlackoutNs) ? last : new Supply(periodNs, budgetNs, firstBlackoutNs)
}

function isSupply(supply: Supply, periodNs: number, budgetNs: number, firstBlackoutNs: number): boolean {
  return supply.periodNs === periodNs && supply.budgetNs === budgetNs && supply.firstBlackoutNs === firstBlackoutNs
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

/**
 * The numbers that the theorems read, derived once from a flow set: costs of messages and chunks, blocking, debt, and the
 * regulator's two supplies. They are one plain object, so that a test can weaken exactly one of them and see it caught.
 */
import { exact } from './exact.ts'
import {
  budgetCycleNs,
  chunkCount,
  effectiveBytesPerNs,
  type FlowSet,
  lastChunkBytes,
  validateFlowSet,
} from './flow.ts'
import { Supply, transferTimeNs } from './supply.ts'
import type { Tightness } from './tightness.ts'

export interface AnalysisModel {
  readonly tightness: Tightness
  /** Flows. The arrays have their entries first, then those of the stalls. */
  readonly count: number
  /** Flows and stalls. A stall is one message of software a period, more urgent than any and with no deadline. */
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

/**
 * Derives the model of `set`; allocates. Throws `VirtioError` where a value is unusable or the regulator could never serve.
 */
export function deriveModel(set: FlowSet, tightness: Tightness): AnalysisModel {
  validateFlowSet(set)
  const { flows, dma, regulator } = set
  const beta = effectiveBytesPerNs(dma, regulator)
  const lookAhead = dma.lookAhead ?? 0
  const chunkOverheadNs = dma.chunkOverheadNs[1]
  const fullChunkNs = transferTimeNs(dma.chunkBytes, beta)
  const count = flows.length
  const stalls = dma.stalls ?? []
  const total = count + stalls.length
  const workNs = new Float64Array(total)
  const overheadNs = new Float64Array(total)
  const periodNs = new Float64Array(total)
  const deadlineNs = new Float64Array(total)
  const jitterNs = new Float64Array(total)
  const lastChunkNs = new Float64Array(count)
  const longestChunkNs = new Float64Array(count)
  let longestNs = 0
  for (let i = 0; i < count; i++) {
    const flow = flows[i]!
    const { lengthBytes } = flow
    periodNs[i] = flow.periodNs
    deadlineNs[i] = flow.deadlineNs
    jitterNs[i] = flow.jitterNs ?? 0
    const chunks = chunkCount(lengthBytes, dma.chunkBytes)
    const lastNs = tightness.trueChunkSizes
      ? transferTimeNs(lastChunkBytes(lengthBytes, dma.chunkBytes), beta)
      : fullChunkNs
    lastChunkNs[i] = lastNs
    longestChunkNs[i] = chunks > 1 ? fullChunkNs : lastNs
    workNs[i] = exact((chunks - 1) * fullChunkNs + lastNs)
    overheadNs[i] = exact(chunks * chunkOverheadNs + dma.messageOverheadNs)
    longestNs = Math.max(longestNs, longestChunkNs[i]!)
  }
  for (let k = 0; k < stalls.length; k++) {
    periodNs[count + k] = stalls[k]!.periodNs
    overheadNs[count + k] = stalls[k]!.stallNs
  }

  // A chunk starts at a balance of at least 1, so the overdraft is one less than what was committed; A0 looks less closely.
  const overdraftNs = (1 + lookAhead) * longestNs - (tightness.trueChunkSizes ? 1 : 0)
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
    blockingOverheadNs: (1 + lookAhead) * (chunkOverheadNs + dma.messageOverheadNs),
    committedNs: lookAhead > 0 ? (1 + lookAhead) * longestNs : 0,
    ...deriveSupplies(set, tightness, beta, longestNs, overdraftNs),
    openIntervalNs: tightness.nonPreemptiveLastChunk ? 0 : 1,
    instanceLimit: Number.POSITIVE_INFINITY,
    windowsAtEveryDeadline: true,
  }
}

/**
 * The supply of DMA work, and A4's supply of work with overhead. From a refill to exhaustion at least ceil(Q/c_max) - 1 full
 * overheads pass, kappa fewer when as many chunks may still be under way without one, so the blackout is shorter by them.
 * When nothing of it is left, the budget is never exhausted and no debt ever arises.
 */
function deriveSupplies(
  { dma, regulator }: FlowSet,
  tightness: Tightness,
  bytesPerNs: number,
  longestChunkNs: number,
  overdraftNs: number,
): Pick<AnalysisModel, 'supply' | 'debtNs' | 'delayedSupply' | 'delayedDebtNs'> {
  if (regulator.kind !== 'budget') {
    const latencyNs = regulator.kind === 'bucket' ? transferTimeNs(regulator.burstBytes, bytesPerNs) : 0
    return { supply: Supply.unlimited(latencyNs), debtNs: 0, delayedSupply: null, delayedDebtNs: 0 }
  }
  const { budgetNs, sharedWhileIdle = false } = regulator
  const supply = new Supply(budgetCycleNs(regulator, bytesPerNs), budgetNs)
  if (supply.full) return { supply, debtNs: 0, delayedSupply: null, delayedDebtNs: 0 }
  if (!tightness.overheadDelaysExhaustion) {
    return { supply, debtNs: overdraftNs, delayedSupply: null, delayedDebtNs: 0 }
  }
  const overheads = Math.max(0, Math.ceil(budgetNs / longestChunkNs) - 1 - (dma.lookAhead ?? 0))
  const delayedBudgetNs = Math.min(supply.periodNs, budgetNs + overheads * dma.chunkOverheadNs[0])
  const firstNs = sharedWhileIdle ? supply.firstBlackoutNs : supply.periodNs - delayedBudgetNs
  const delayedSupply = new Supply(supply.periodNs, delayedBudgetNs, firstNs)
  return {
    supply,
    debtNs: overdraftNs,
    delayedSupply,
    delayedDebtNs: delayedSupply.full && !sharedWhileIdle ? 0 : overdraftNs,
  }
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

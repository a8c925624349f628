/**
 * What is analysed: message flows that share one regulated DMA. Times are integer ns, lengths bytes; costs enter as plain
 * numbers, so the caller has already added up the steps of its platform.
 */
import { VirtioError } from '../internal/error.ts'
import { EXACT_LIMIT } from './exact.ts'

/** A sporadic flow of messages. */
export interface Flow {
  readonly name?: string
  /** Least distance of two messages, counted at their nominal releases. */
  readonly periodNs: number
  /** Relative to the nominal release; may exceed the period. */
  readonly deadlineNs: number
  readonly lengthBytes: number
  /** How long after its nominal release a message may be queued: variation of send, trap and throttling (P6). Default 0. */
  readonly jitterNs?: number
  /** Fixed priority only: smaller is more urgent. Equal ones may be served in any order. */
  readonly priority?: number
}

/** The one server: the DMA and the broker's software around each of its chunks. */
export interface DmaModel {
  readonly dmaBytesPerNs: number
  /** S: a message is moved in chunks of this size, the last one may be shorter; none is split once started. */
  readonly chunkBytes: number
  /** Software before each chunk, on the DMA's critical path: [best, worst]. With chained descriptors the best is their gap. */
  readonly chunkOverheadNs: readonly [best: number, worst: number]
  /** o_m: software once per message. */
  readonly messageOverheadNs: number
  /** kappa: chunks committed ahead of the running one, which nothing can overtake any more. Default 0. */
  readonly lookAhead?: number
  /** When a finished chunk may not be noticed, so that nobody chooses the next one. Default: never. They add up. */
  readonly stalls?: readonly Stall[]
}

/** At most the last `stallNs` of every period of `periodNs`: a MemGuard-throttled core that does not take its interrupts. */
export interface Stall {
  readonly periodNs: number
  readonly stallNs: number
}

/** Q of DMA time in every P, refilled at multiples of P, work-conserving until it is used up. Integer ns. */
export interface BudgetRegulator {
  readonly kind: 'budget'
  readonly periodNs: number
  /** DMA busy time per period, with overdraft and payback: a chunk starts while the balance is positive. */
  readonly budgetNs: number
  /** Fastest rate of the wire, when the budget really counts bytes (P2). Default: it counts time. */
  readonly wireBytesPerNs?: number
  /** How late a refill may come (P2). Default 0. */
  readonly refillJitterNs?: number
  /** True when others may drain the same budget while the broker is idle (P5). Default false. */
  readonly sharedWhileIdle?: boolean
}

/** What limits the DMA: nothing; a lower rate; a token bucket, full after any idle time; a budget of time. */
export type Regulator =
  | { readonly kind: 'none' }
  | { readonly kind: 'rate'; readonly bytesPerNs: number }
  | { readonly kind: 'bucket'; readonly bytesPerNs: number; readonly burstBytes: number }
  | BudgetRegulator

/** What every analysis takes. */
export interface FlowSet {
  readonly flows: readonly Flow[]
  readonly dma: DmaModel
  readonly regulator: Regulator
}

/** n = ceil(L / S). */
export function chunkCount(lengthBytes: number, chunkBytes: number): number {
  return Math.ceil(lengthBytes / chunkBytes)
}

/** l = L - (n - 1)·S: bytes of the last chunk. */
export function lastChunkBytes(lengthBytes: number, chunkBytes: number): number {
  return lengthBytes - (chunkCount(lengthBytes, chunkBytes) - 1) * chunkBytes
}

/** beta: what the DMA moves per ns, under a regulator that lowers its rate. */
export function effectiveBytesPerNs(dma: DmaModel, regulator: Regulator): number {
  const limited = regulator.kind === 'rate' || regulator.kind === 'bucket'
  return limited ? Math.min(dma.dmaBytesPerNs, regulator.bytesPerNs) : dma.dmaBytesPerNs
}

/** Throws `VirtioError` at the first value that no analysis can use: BAD_FLOW, BAD_DMA or BAD_REGULATOR. */
export function validateFlowSet(set: FlowSet): void {
  set.flows.forEach(({ name, periodNs, deadlineNs, lengthBytes, jitterNs = 0 }, i) => {
    const flow = `flow ${name ?? `#${i}`}`
    integer('BAD_FLOW', `${flow}: periodNs`, periodNs, 1)
    integer('BAD_FLOW', `${flow}: deadlineNs`, deadlineNs, 1)
    integer('BAD_FLOW', `${flow}: lengthBytes`, lengthBytes, 1)
    integer('BAD_FLOW', `${flow}: jitterNs`, jitterNs, 0)
  })
  validateServer(set)
}

/** Of `validateFlowSet`, what does not concern the flows. */
export function validateServer({ dma, regulator }: FlowSet): void {
  const [best, worst] = dma.chunkOverheadNs
  positive('BAD_DMA', 'dmaBytesPerNs', dma.dmaBytesPerNs)
  integer('BAD_DMA', 'chunkBytes', dma.chunkBytes, 1)
  integer('BAD_DMA', 'best chunkOverheadNs', best, 0)
  integer('BAD_DMA', 'worst chunkOverheadNs', worst, best)
  integer('BAD_DMA', 'messageOverheadNs', dma.messageOverheadNs, 0)
  integer('BAD_DMA', 'lookAhead', dma.lookAhead ?? 0, 0)
  dma.stalls?.forEach(({ periodNs, stallNs }, i) => {
    integer('BAD_DMA', `stall #${i}: periodNs`, periodNs, 1)
    integer('BAD_DMA', `stall #${i}: stallNs`, stallNs, 0)
    if (stallNs > periodNs) {
      throw new VirtioError('BAD_DMA', `stall #${i}: ${stallNs} ns exceed their period of ${periodNs} ns`)
    }
  })
  if (regulator.kind === 'rate' || regulator.kind === 'bucket') {
    positive('BAD_REGULATOR', 'bytesPerNs', regulator.bytesPerNs)
  }
  if (regulator.kind === 'bucket' && !(regulator.burstBytes >= dma.chunkBytes)) {
    throw new VirtioError(
      'BAD_REGULATOR',
      `a bucket of ${regulator.burstBytes} bytes can never hold a chunk of ${dma.chunkBytes}: raise the burst or cut smaller`,
    )
  }
  if (regulator.kind === 'budget') {
    integer('BAD_REGULATOR', 'budget periodNs', regulator.periodNs, 1)
    integer('BAD_REGULATOR', 'budgetNs', regulator.budgetNs, 0)
    if (regulator.budgetNs === 0) throw new VirtioError('BAD_REGULATOR', 'a budget of 0 ns would never serve a request')
    if (regulator.budgetNs > regulator.periodNs) {
      throw new VirtioError(
        'BAD_REGULATOR',
        `budget ${regulator.budgetNs} ns exceeds its period of ${regulator.periodNs} ns`,
      )
    }
    integer('BAD_REGULATOR', 'refillJitterNs', regulator.refillJitterNs ?? 0, 0)
    positive('BAD_REGULATOR', 'wireBytesPerNs', regulator.wireBytesPerNs ?? 1)
  }
}

function isCount(value: number, least: number): boolean {
  return value >= least && value <= EXACT_LIMIT && Math.floor(value) === value
}

function integer(code: string, what: string, value: number, least: number): void {
  if (!isCount(value, least)) {
    throw new VirtioError(code, `${what} is ${value}: an integer between ${least} and 2^52 is needed`)
  }
}

function positive(code: string, what: string, value: number): void {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY))
    throw new VirtioError(code, `${what} is ${value}: it must be positive`)
}

/**
 * The period of the budget of time that has the longest blackout of `regulator` (P2). A budget that counts bytes on a wire
 * faster than `bytesPerNs` lasts only Q·beta/betaMax, so that its blackout is P - Q·beta/betaMax, and a refill that comes late
 * lengthens it by as much: the same budget in a longer period.
 */
export function budgetCycleNs(regulator: BudgetRegulator, bytesPerNs: number): number {
  const { periodNs, budgetNs, wireBytesPerNs = bytesPerNs, refillJitterNs = 0 } = regulator
  const shortestNs = wireBytesPerNs > bytesPerNs ? Math.floor((budgetNs * bytesPerNs) / wireBytesPerNs) : budgetNs
  return periodNs + refillJitterNs + budgetNs - shortestNs
}

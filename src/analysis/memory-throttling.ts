/**
 * What MemGuard [Yun Yao Pellizzoni Caccamo Sha 2013] on a receiver's core does to messages: a core that has used up its cache
 * refills is throttled until its period ends. Four ways to live with it, which differ in who else has to wait.
 *
 *   core    |guest runs ███████|░░ throttled ░░|guest runs ███████|░░░░
 *           0              guestNs             P
 *
 * All bounds are for whatever phase the periods have. Time in EL2 takes no refills, so the guest time of a budget is a lower bound on
 * the time until it is used up.
 */
import { VirtioError } from '../internal/error.ts'
import { EXACT_LIMIT, exact } from './exact.ts'
import type { Stall } from './flow.ts'

/** MemGuard of one core. */
export interface MemoryBudget {
  /** P_m: its budget of refills is full again at multiples of it. */
  readonly periodNs: number
  /** Least guest time in which the refills can be used up; Infinity: they never are. */
  readonly guestNs: number
}

/** What a throttled core does about the broker's interrupts. */
export type WhenThrottled = 'service' | 'interruptible' | 'retarget' | 'accept'

/** Worst cases; only those that the chosen way needs are read. */
export interface ThrottleCosts {
  /** From the end of the period until the core has left its waiting. */
  readonly wakeNs: number
  /** `service`: one round of the waiting loop. `interruptible`: taking an interrupt out of it. More than a guest's core needs. */
  readonly noticeNs: number
  /** `retarget`: writing the interrupt's target, and taking a completion at a core that is not the receiver's. */
  readonly retargetNs: number
}

/** What MemGuard at a receiver's core costs its flows, and others. In ns. */
export interface ThrottleTerms {
  /** Longest that the core is throttled in one period. */
  readonly throttledNs: number
  /** Theta_r: how much later the receiving guest has handled a message. */
  readonly receiverNs: number
  /** Software that each chunk completed at this core can take more: of every flow's h, since any chunk may be ahead. */
  readonly chunkNs: number
  /** `accept`: nobody may notice a finished chunk meanwhile, so that *every* flow waits. For `DmaModel.stalls`. */
  readonly stall: Stall | null
  /** What happens, in words. */
  readonly source: string
}

const SOURCE: Readonly<Record<WhenThrottled, string>> = {
  service: 'served in the waiting loop: only the receiving guest waits for its period',
  interruptible: 'waits with interrupts enabled: only the receiving guest waits for its period',
  retarget: "the DMA's interrupt goes to another core: only the receiving guest waits for its period",
  accept: "the DMA's interrupt waits for the receiver's period, and every flow with it",
}

/** Guest time that `refills` last for at `refillsPerUs`, as MemGuard counts them; Infinity where the guest takes none. */
export function guestTimeOfRefills(refills: number, refillsPerUs: number): number {
  if (refillsPerUs === 0) return Number.POSITIVE_INFINITY
  return Math.floor((refills * 1000) / refillsPerUs)
}

/** Longest that a core is throttled in one period. Throws `VirtioError` BAD_MEMGUARD. */
export function throttledTimeNs({ periodNs, guestNs }: MemoryBudget): number {
  if (!Number.isSafeInteger(periodNs) || periodNs < 1 || periodNs > EXACT_LIMIT) {
    throw new VirtioError('BAD_MEMGUARD', `MemGuard period of ${periodNs} ns: an integer from 1 to 2^52 is needed`)
  }
  if (!(guestNs >= 1) || (guestNs !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(guestNs))) {
    throw new VirtioError(
      'BAD_MEMGUARD',
      `a MemGuard budget of ${guestNs} ns of guest time would never let its guest run`,
    )
  }
  return Math.max(0, periodNs - guestNs)
}

/**
 * Longest that throttling delays `workNs` of guest time: the core may be throttled already, and is again whenever the budget
 * has been used up in between.
 */
export function throttleDelayNs(budget: MemoryBudget, workNs: number): number {
  const throttledNs = throttledTimeNs(budget)
  if (throttledNs === 0) return 0
  return exact(throttledNs * (1 + Math.floor(Math.max(0, workNs - 1) / budget.guestNs)))
}

/**
 * Bounds for a receiver's core; null stands for a core without MemGuard. `guestWorkNs`: what the receiving guest does until it has
 * handled the message. `accept` stalls nothing where no chunk completes at this core and the broker sets no timer there: with a
 * dedicated broker, use `service`. `retarget` is for as long as another core is awake; where all may be throttled at once, use `accept`.
 */
export function throttling(
  whenThrottled: WhenThrottled,
  budget: MemoryBudget | null,
  guestWorkNs: number,
  costs: ThrottleCosts,
): ThrottleTerms {
  const source = SOURCE[whenThrottled]
  const throttledNs = budget === null ? 0 : throttledTimeNs(budget)
  if (budget === null || throttledNs === 0) return { throttledNs: 0, receiverNs: 0, chunkNs: 0, stall: null, source }
  const rounds = 1 + Math.floor(Math.max(0, guestWorkNs - 1) / budget.guestNs)
  const receiverNs = throttleDelayNs(budget, guestWorkNs) + rounds * costs.wakeNs
  const chunkNs = { service: costs.noticeNs, interruptible: costs.noticeNs, retarget: costs.retargetNs, accept: 0 }
  const stallNs = Math.min(budget.periodNs, throttledNs + costs.wakeNs)
  const stall = whenThrottled === 'accept' ? { periodNs: budget.periodNs, stallNs } : null
  return { throttledNs, receiverNs, chunkNs: chunkNs[whenThrottled], stall, source }
}

/** From the sender's call to the receiver's handler: sums around the bound of the DMA stage. Costs are worst cases in ns. */
import { type Charges, type CostOpName, chargedNs } from '../platform/index.ts'
import { exact } from './exact.ts'

interface CommonPath {
  /** The guest's own send path. */
  readonly sendNs: number
  /** Added by interrupt coalescing, `coalescingDelayNs`. */
  readonly coalescingNs: number
  /** How long a receiver that polls may not look, its polling period; default 0: it is interrupted. */
  readonly pollingNs?: number
  /** Theta: how much later a MemGuard-throttled receiver handles the message, `throttling`. */
  readonly throttleNs: number
  /** Handling in the receiving guest. */
  readonly guestIsrNs: number
}

/** A message's way where EL2 of the communicating cores is the broker. Worst cases in ns. */
export interface FloatingPath extends CommonPath {
  readonly placement: 'floating'
  /** e_tx: doorbell trap with the broker's step. */
  readonly transmitNs: number
  /** w: longest time the broker's lock is held, and m cores that can be in the queue for it. */
  readonly lockHoldNs: number
  readonly cores: number
  /** Used element and injection on the receiver's core. */
  readonly deliverNs: number
}

/** A message's way through a broker on a core of its own. Worst cases in ns. */
export interface DedicatedPath extends CommonPath {
  readonly placement: 'dedicated'
  /** The doorbell's trap. */
  readonly trapNs: number
  /** Kick IPI to the broker's core, with waiting for its current step. */
  readonly kickNs: number
  /** IPI from the broker's core, the interrupt it becomes, and the guest's handler. */
  readonly notifyNs: number
  readonly irqNs: number
}

/** In ns; `totalNs` is the sum of the others. */
export interface EndToEndTerms {
  /** Until the message is queued, without its variation where the flow's jitter already has it (P6). */
  readonly beforeNs: number
  readonly lockNs: number
  /** The DMA stage, or what stands for it. */
  readonly responseNs: number
  /** Delivery and the guest's handling. */
  readonly afterNs: number
  readonly coalescingNs: number
  readonly pollingNs: number
  readonly throttleNs: number
  readonly totalNs: number
}

/**
 * From the sender's call to the receiver having handled the message: `path` around `responseNs`, the bound of the DMA stage, R_i. Null
 * where that is null. The lock is a FIFO ticket lock, waited for at most m - 1 times w.
 */
export function endToEnd(path: FloatingPath | DedicatedPath, responseNs: number | null): EndToEndTerms | null {
  if (responseNs === null) return null
  const floating = path.placement === 'floating'
  const beforeNs = path.sendNs + (floating ? path.transmitNs : path.trapNs + path.kickNs)
  const lockNs = floating ? (path.cores - 1) * path.lockHoldNs : 0
  const afterNs = (floating ? path.deliverNs : path.notifyNs + path.irqNs) + path.guestIsrNs
  const { coalescingNs, pollingNs = 0, throttleNs } = path
  const totalNs = beforeNs + lockNs + responseNs + afterNs + coalescingNs + pollingNs + throttleNs
  return { beforeNs, lockNs, responseNs, afterNs, coalescingNs, pollingNs, throttleNs, totalNs }
}

/**
 * How long an interrupt is held back for others to share it: `count` messages, or `delayNs` after the first. Flows are sporadic, so
 * nobody promises that the others come, and only the time bounds it; 0 for a count of 1.
 */
export function coalescingDelayNs(count: number, delayNs: number): number {
  return count <= 1 ? 0 : delayNs
}

/**
 * z(L): the time that a message takes which is exchanged or lent instead of copied; no DMA. `charges`: everything from the doorbell's
 * trap to the receiver's interrupt, counted as the broker announces it (`movedMessageCharges`), not by a formula of its own.
 */
export function remapTimeNs(charges: Charges, costNs: (op: CostOpName) => number): number {
  return exact(chargedNs(charges, costNs))
}

/**
 * A flow whose messages are remapped: no DMA stage and no regulator, so nothing to wait for but the broker's lock, and
 * `remapTimeNs` instead of trap, response and delivery. `edgesNs`: the bound of the DMA stage of unaligned head and tail, which
 * the flow set then has as a flow of that length; 0 where the message is whole pages, null without a bound.
 *
 * The lock is held for a batch of pages a step, so every w, of this flow and of all others, has to be at least that.
 */
export function zeroCopyEndToEnd(
  path: FloatingPath | DedicatedPath,
  remapNs: number,
  edgesNs: number | null = 0,
): EndToEndTerms | null {
  if (edgesNs === null) return null
  const { sendNs, guestIsrNs, coalescingNs, pollingNs = 0, throttleNs } = path
  const lockNs = path.placement === 'floating' ? (path.cores - 1) * path.lockHoldNs : 0
  const beforeNs = sendNs + (path.placement === 'floating' ? 0 : path.kickNs)
  const afterNs = guestIsrNs + (path.placement === 'floating' ? 0 : path.irqNs)
  const responseNs = remapNs + edgesNs
  const totalNs = beforeNs + lockNs + responseNs + afterNs + coalescingNs + pollingNs + throttleNs
  return { beforeNs, lockNs, responseNs, afterNs, coalescingNs, pollingNs, throttleNs, totalNs }
}

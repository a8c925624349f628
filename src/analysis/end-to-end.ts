/** From the sender's call to the receiver's handler: sums around the bound of the DMA stage. Costs are worst cases in ns. */

export interface FloatingPath {
  readonly placement: 'floating'
  /** The guest's own send path. */
  readonly sendNs: number
  /** e_tx: doorbell trap with the broker's step. */
  readonly transmitNs: number
  /** w: longest time the broker's lock is held, and m cores that can be in the queue for it. */
  readonly lockHoldNs: number
  readonly cores: number
  /** Used element and injection on the receiver's core. */
  readonly deliverNs: number
  /** Added by interrupt coalescing. */
  readonly coalescingNs: number
  /** Theta: how long a MemGuard-blocked receiver cannot take the completion. */
  readonly throttleNs: number
  readonly guestIsrNs: number
}

export interface DedicatedPath {
  readonly placement: 'dedicated'
  readonly sendNs: number
  readonly trapNs: number
  /** Kick IPI to the broker's core, with waiting for its current step. */
  readonly kickNs: number
  /** IPI from the broker's core, the interrupt it becomes, and the guest's handler. */
  readonly notifyNs: number
  readonly irqNs: number
  readonly coalescingNs: number
  readonly throttleNs: number
  readonly guestIsrNs: number
}

/** `totalNs` is the sum of the others; all null-free because without a bound of the DMA stage there is none at all. */
export interface EndToEndTerms {
  /** Until the message is queued, without its variation where the flow's jitter already has it (P6). */
  readonly beforeNs: number
  readonly lockNs: number
  readonly responseNs: number
  readonly afterNs: number
  readonly throttleNs: number
  readonly totalNs: number
}

/** `responseNs`: the bound of the DMA stage, R_i, or null without one. */
export function endToEnd(path: FloatingPath | DedicatedPath, responseNs: number | null): EndToEndTerms | null {
  if (responseNs === null) return null
  const floating = path.placement === 'floating'
  const beforeNs = path.sendNs + (floating ? path.transmitNs : path.trapNs + path.kickNs)
  const lockNs = floating ? (path.cores - 1) * path.lockHoldNs : 0
  const afterNs = (floating ? path.deliverNs : path.notifyNs + path.irqNs) + path.coalescingNs + path.guestIsrNs
  const { throttleNs } = path
  const totalNs = beforeNs + lockNs + responseNs + afterNs + throttleNs
  return { beforeNs, lockNs, responseNs, afterNs, throttleNs, totalNs }
}

export interface RemapCosts {
  readonly hypercallNs: number
  /** One page table entry, and the invalidation after unmapping. */
  readonly pageEntryNs: number
  readonly invalidateNs: number
  /** Refilling what the invalidation took away. */
  readonly refillNs: number
  readonly usedNs: number
  readonly notifyNs: number
}

/** z(L) = e_hvc + pages·2·t_pte + t_tlbi + refill + used + notify: a message that is exchanged instead of copied, no DMA. */
export function remapTimeNs(pages: number, costs: RemapCosts): number {
  const { hypercallNs, pageEntryNs, invalidateNs, refillNs, usedNs, notifyNs } = costs
  return hypercallNs + pages * 2 * pageEntryNs + invalidateNs + refillNs + usedNs + notifyNs
}

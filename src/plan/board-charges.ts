/** What the board adds to the broker's charges on a message's way, and with it z(L) of docs/zero-copy.md: trap to interrupt. */
import { movedMessageCharges } from '../broker/index.ts'
import { type Charges, sumCharges } from '../platform/index.ts'
import type { MoveShape } from '../zero-copy/index.ts'

/** A guest's doorbell, up to the broker's step. */
export const DOORBELL_CHARGES: Charges = { mmioTrap: 1 }
/** An interrupt that a core of the broker takes. */
export const INTERRUPT_CHARGES: Charges = { irqEntryAck: 1 }
/** A guest is told on the core that it runs on; from another core, an IPI and its interrupt come first. */
export const INJECT_CHARGES: Charges = { injectListRegister: 1 }
export const INJECT_BY_IPI_CHARGES: Charges = { sgi: 1, irqEntryAck: 1, injectListRegister: 1 }

/**
 * z(L): all that is charged from the doorbell of a message whose pages are exchanged or lent to a VM on another core, until that VM is
 * interrupted, the message being alone under the floating broker. Guests refill their TLBs in their own time, beside it.
 */
export function remapCharges(shape: MoveShape): Charges {
  const { tlbRefill: _, ...arrival } = movedMessageCharges(shape).arrival
  return sumCharges(DOORBELL_CHARGES, arrival, INJECT_BY_IPI_CHARGES)
}

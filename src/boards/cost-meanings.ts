/** What each cost is the cost of, and so what to measure: for tables and for files that people fill in. */
import type { CostOpName } from '../platform/index.ts'

/** By cost op: what it is the cost of, in words. */
export const COST_MEANINGS: Readonly<Record<CostOpName, string>> = {
  mmioTrap: "a guest's access to an unmapped page: exit, decode, return",
  hvc: 'a hypercall: exit and return',
  irqEntryAck: 'a physical interrupt taken at EL2 and acknowledged',
  gicAccess: 'one look at the GIC for a pending interrupt, or one interrupt given another target',
  injectListRegister: 'one virtual interrupt written to a list register',
  sgi: 'one inter-processor interrupt, from the write that sends it to its arrival',
  lockCriticalSection: "taking the broker's lock, and its cache lines moving to this core",
  fetchDescriptor: 'one available element of a ring: entry, descriptors, checks',
  pick: 'choosing the most urgent message',
  messageOverhead: 'once a message, before its first transfer; contained in the others unless a scenario pins it',
  dmaSetup: 'starting one DMA transfer: registers, interrupt routing',
  dmaPerDescriptor: 'one scatter-gather descriptor, in the engine',
  usedRing: 'one used element of a ring, header of the piece included',
  pteUpdate: 'one stage-2 page table entry',
  tlbInvalidate: 'one TLB invalidation with its barrier',
  tlbRefill: 'refilling a whole TLB afterwards',
  smmuInvalidate: "one invalidation of a VM's translations in the SMMU, and waiting for it",
  cacheCleanPerLine: 'cleaning or zeroing one 64-byte line',
  copyPerLine: 'copying one 64-byte line by CPU, from and to memory',
  guestSend: 'guest: one message sent, up to the doorbell',
  guestIsr: 'guest: one virtual interrupt handled',
}

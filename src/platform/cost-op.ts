/**
 * The vocabulary of cost: every platform-relevant action the broker takes, by name. A simulated board turns a charge into
 * time, a real platform counts it, and the analysis multiplies the worst of one step by the worst cost of each.
 */
export const COST_OPS = [
  'mmioTrap', // a guest's access to an unmapped page: exit, decode, return
  'hvc', // a hypercall: exit and return
  'irqEntryAck', // a physical interrupt taken at EL2 and acknowledged
  'gicAccess', // one look for a pending interrupt, or one interrupt given another target
  'injectListRegister', // one virtual interrupt written to a list register
  'sgi', // one inter-processor interrupt, from the write of GICD_SGIR to its arrival
  'lockCriticalSection', // taking the lock, and the shared state's cache lines moving to this core
  'fetchDescriptor', // one available element: ring entry, descriptors, checks
  'pick', // choosing the most urgent message
  'messageOverhead', // once a message, before its first transfer: nothing unless a scenario pins it
  'dmaSetup', // starting one DMA transfer: registers, interrupt routing
  'dmaPerDescriptor', // one scatter-gather descriptor, in the engine
  'usedRing', // one used element, header of the piece included
  'pteUpdate', // one stage-2 page table entry
  'tlbInvalidate', // one TLB invalidation with its barrier
  'tlbRefill', // refilling a whole TLB afterwards
  'smmuInvalidate', // one invalidation of a VM's translations in the SMMU, and waiting for it
  'cacheCleanPerLine', // cleaning or zeroing one 64-byte line
  'copyPerLine', // copying one 64-byte line by CPU, from and to memory
  'guestSend', // guest: one message sent, up to the doorbell
  'guestIsr', // guest: one virtual interrupt handled
] as const

/** The name of an action that takes time: one of `COST_OPS`. */
export type CostOpName = (typeof COST_OPS)[number]

/** A cost op is a small integer, its place in `COST_OPS`: `CostOp.dmaSetup`. */
export const CostOp = Object.freeze(Object.fromEntries(COST_OPS.map((name, index) => [name, index]))) as {
  readonly [Name in CostOpName]: number
}

/** What a run counts. Reset once, when the flows start: setting up connections is not measured. */
export class Counters {
  crossCoreIpis = 0
  virtualInterrupts = 0
  dmaTransfers = 0
  /** Scatter-gather descriptors of what was moved. */
  dmaDescriptors = 0
  /** Guests' time to refill their TLBs after all their translations were invalidated. */
  tlbRefillNs = 0
  longestLockHoldNs = 0
  /** Longest time for which a core in EL2 let no interrupt in, spinning for the lock included, throttling left out. */
  longestMaskedNs = 0
  /** MemGuard's: its counter's and its timer's. Among `interrupts` too. */
  memguardInterrupts = 0
  /** DMA interrupts that found their core throttled, and had to wait. */
  delayedCompletions = 0
  /** From the end of a transfer to the acknowledgement of its interrupt, ns. */
  longestCompletionDelayNs = 0
  /** By core: entries into EL2 and physical interrupts acknowledged there. */
  readonly exits: Float64Array
  readonly interrupts: Float64Array

  constructor(coreCount: number) {
    this.exits = new Float64Array(coreCount)
    this.interrupts = new Float64Array(coreCount)
  }

  reset(): void {
    this.crossCoreIpis = 0
    this.virtualInterrupts = 0
    this.dmaTransfers = 0
    this.dmaDescriptors = 0
    this.tlbRefillNs = 0
    this.longestLockHoldNs = 0
    this.longestMaskedNs = 0
    this.memguardInterrupts = 0
    this.delayedCompletions = 0
    this.longestCompletionDelayNs = 0
    this.exits.fill(0)
    this.interrupts.fill(0)
  }
}

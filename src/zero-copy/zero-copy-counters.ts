type Count = Exclude<keyof ZeroCopyCounters, 'snapshot' | 'since'>

/** What was moved without copying, and what it took, from the start on. */
export class ZeroCopyCounters {
  /** Pages that changed owners. */
  pagesExchanged = 0
  pagesLent = 0
  /** Lent pages that came back because the borrower gave them back, and because it had to (by copying). */
  pagesReturned = 0
  pagesRevoked = 0
  /** Times that a VM got a page of a colour that is neither its own nor the pool's. */
  foreignPages = 0
  /** Invalidations of all of a VM's translations. */
  tlbFlushes = 0
  /** Messages that were to be moved and whose rest was copied, because of a page that could not be. */
  fallbacks = 0

  snapshot(): Readonly<ZeroCopyCounters> {
    return Object.assign(new ZeroCopyCounters(), this)
  }

  /** What was counted after a snapshot. */
  since(before: Readonly<ZeroCopyCounters>): Readonly<ZeroCopyCounters> {
    const counts = new ZeroCopyCounters()
    for (const key of Object.keys(counts) as Count[]) {
      counts[key] = this[key] - before[key]
    }
    return counts
  }
}

/**
 * Where the ledgers of a machine's flows keep their messages: one record for each that is under way, and the response times of those that
 * have arrived, in the order in which they did. All flows share it, so that what is written for one message lies beside what was written for
 * the one before, whichever flows they are of: with many flows, memory that each has to itself is far away when its turn comes.
 */
const FIRST_RECORDS = 64
const FIRST_ARRIVALS = 1024
/** Of records: no further one. */
export const NONE = -1

export class MessageLog {
  /** By record: when its message was released, ns; its digest, null until it is sent; the next record of its flow, or of the free ones. */
  releasedNs = new Float64Array(0)
  readonly digests: (string | null)[] = []
  next = new Int32Array(0)
  #free = NONE
  /** By arrival: the ledger, and the response time in ns. */
  #ledgers = new Int32Array(FIRST_ARRIVALS)
  #responsesNs = new Float64Array(FIRST_ARRIVALS)
  #arrivals = 0
  #ledgerCount = 0
  /** The response times by ledger, each ledger's sorted, as of so many arrivals; and where each ledger's begin. */
  #sorted = new Float64Array(0)
  #starts = new Int32Array(0)
  #sortedArrivals = -1

  /** The number of a further ledger. */
  join(): number {
    this.#sortedArrivals = -1
    return this.#ledgerCount++
  }

  /** A record for a message released at `nowNs`. Allocates when more messages are under way than ever before. */
  open(nowNs: number): number {
    if (this.#free === NONE) this.#growRecords()
    const record = this.#free
    this.#free = this.next[record]!
    this.releasedNs[record] = nowNs
    this.digests[record] = null
    this.next[record] = NONE
    return record
  }

  close(record: number): void {
    this.next[record] = this.#free
    this.#free = record
  }

  /** A message of the ledger has arrived. */
  arrived(ledger: number, responseNs: number): void {
    if (this.#arrivals === this.#ledgers.length) this.#growArrivals()
    this.#ledgers[this.#arrivals] = ledger
    this.#responsesNs[this.#arrivals++] = responseNs
  }

  /** The response times of the ledger in ns, smallest first; valid until the next arrival. */
  sortedOf(ledger: number): Float64Array {
    if (this.#sortedArrivals !== this.#arrivals) this.#sort()
    return this.#sorted.subarray(this.#starts[ledger], this.#starts[ledger + 1])
  }

  #sort(): void {
    const starts = new Int32Array(this.#ledgerCount + 1)
    const sorted = new Float64Array(this.#arrivals)
    for (let i = 0; i < this.#arrivals; i++) starts[this.#ledgers[i]! + 1]!++
    for (let ledger = 0; ledger < this.#ledgerCount; ledger++) starts[ledger + 1]! += starts[ledger]!
    const places = starts.slice()
    for (let i = 0; i < this.#arrivals; i++) sorted[places[this.#ledgers[i]!]!++] = this.#responsesNs[i]!
    for (let ledger = 0; ledger < this.#ledgerCount; ledger++) {
      sorted.subarray(starts[ledger], starts[ledger + 1]).sort()
    }
    this.#sorted = sorted
    this.#starts = starts
    this.#sortedArrivals = this.#arrivals
  }

  #growRecords(): void {
    const from = this.next.length
    const to = Math.max(FIRST_RECORDS, 2 * from)
    const [releasedNs, next] = [new Float64Array(to), new Int32Array(to)]
    releasedNs.set(this.releasedNs)
    next.set(this.next)
    for (let record = from; record < to; record++) {
      next[record] = record + 1 < to ? record + 1 : NONE
      this.digests.push(null)
    }
    this.releasedNs = releasedNs
    this.next = next
    this.#free = from
  }

  #growArrivals(): void {
    const [ledgers, responsesNs] = [new Int32Array(2 * this.#arrivals), new Float64Array(2 * this.#arrivals)]
    ledgers.set(this.#ledgers)
    responsesNs.set(this.#responsesNs)
    this.#ledgers = ledgers
    this.#responsesNs = responsesNs
  }
}

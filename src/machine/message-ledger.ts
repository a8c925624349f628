/**
 * What was sent, what arrived, and when: one record a message, from the release of its flow to the moment at which the
 * receiving guest has read its last byte. Outside the simulated machine, so that no fault in it can agree with itself.
 */
import { assert } from '../internal/assert.ts'
import { MessageLog, NONE } from './message-log.ts'

/** Times in ns; nearest-rank percentiles. */
export interface ResponseTimes {
  readonly min: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** What was observed of a flow: messages, missed deadlines, and response times in ns. */
export interface FlowResult {
  readonly messages: number
  readonly delivered: number
  readonly deadlineMisses: number
  /** null when nothing arrived. */
  readonly responseTimeNs: ResponseTimes | null
}

/** A message that has arrived: from its release to its last byte having been read it took `responseNs`. */
export interface Delivery {
  readonly flow: string
  readonly sequence: number
  readonly bytes: Uint8Array
  readonly responseNs: number
}

/** The messages of one flow, oldest first, in a log that may be shared with other flows'. */
export class FlowLedger {
  readonly deadlineNs: number
  released = 0
  delivered = 0
  mismatches = 0
  deadlineMisses = 0
  /** Of the message that arrived last. */
  lastResponseNs = 0
  readonly #log: MessageLog
  readonly #number: number
  /** Records of messages that were released and have not arrived: the oldest, the oldest that was not sent, and the youngest. */
  #oldest = NONE
  #unsent = NONE
  #youngest = NONE
  /** Messages that arrived before they were sent, and were not sent since. */
  #arrivedUnsent = 0

  constructor(deadlineNs: number, log = new MessageLog()) {
    this.deadlineNs = deadlineNs
    this.#log = log
    this.#number = log.join()
  }

  /** The sending application has a message, whether it can go at once or not. Returns its sequence number. */
  release(nowNs: number): number {
    const log = this.#log
    const before = this.#youngest
    assert(before === NONE || nowNs >= log.releasedNs[before]!, 'messages of a flow are released in order')
    const record = log.open(nowNs)
    if (before === NONE) this.#oldest = record
    else log.next[before] = record
    this.#youngest = record
    if (this.#unsent === NONE) this.#unsent = record
    return this.released++
  }

  /** The oldest message that had not gone goes; `digest` is empty when its bytes are not simulated. */
  send(digest: string): void {
    if (this.#arrivedUnsent > 0) {
      this.#arrivedUnsent--
      return
    }
    const record = this.#unsent
    assert(record !== NONE, 'a message is sent after it was released')
    this.#log.digests[record] = digest
    this.#unsent = this.#log.next[record]!
  }

  /** The next message of the flow has arrived in full; returns its sequence number, or -1 when none was released. */
  deliver(nowNs: number, digest: string): number {
    const record = this.#oldest
    if (record === NONE) {
      this.mismatches++
      return -1
    }
    const log = this.#log
    const responseNs = nowNs - log.releasedNs[record]!
    if (digest !== log.digests[record]) this.mismatches++
    if (responseNs > this.deadlineNs) this.deadlineMisses++
    log.arrived(this.#number, responseNs)
    this.lastResponseNs = responseNs
    this.#oldest = log.next[record]!
    if (record === this.#youngest) this.#youngest = NONE
    if (record === this.#unsent) {
      this.#unsent = this.#oldest
      this.#arrivedUnsent++
    }
    log.close(record)
    return this.delivered++
  }

  /** A message that never arrived has missed its deadline too. */
  result(): FlowResult {
    return {
      messages: this.released,
      delivered: this.delivered,
      deadlineMisses: this.deadlineMisses + this.released - this.delivered,
      responseTimeNs: responseTimes(this.#log.sortedOf(this.#number)),
    }
  }
}

function responseTimes(sorted: Float64Array): ResponseTimes | null {
  if (sorted.length === 0) return null
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
  return { min: sorted[0]!, p50: rank(0.5), p99: rank(0.99), max: sorted[sorted.length - 1]! }
}

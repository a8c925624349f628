/**
 * What was sent, what arrived, and when: one record a message, from the release of its flow to the moment at which the
 * receiving guest has read its last byte. Outside the simulated machine, so that no fault in it can agree with itself.
 */
import { assert } from '../internal/assert.ts'

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

export class FlowLedger {
  readonly deadlineNs: number
  delivered = 0
  mismatches = 0
  deadlineMisses = 0
  readonly #releasesNs: number[] = []
  readonly #digests: string[] = []
  readonly #responsesNs: number[] = []

  constructor(deadlineNs: number) {
    this.deadlineNs = deadlineNs
  }

  get released(): number {
    return this.#releasesNs.length
  }

  /** The sending application has a message, whether it can go at once or not. Returns its sequence number. */
  release(nowNs: number): number {
    assert(!(nowNs < this.#releasesNs.at(-1)!), 'messages of a flow are released in order')
    return this.#releasesNs.push(nowNs) - 1
  }

  /** The oldest message that had not gone goes; `digest` is empty when its bytes are not simulated. */
  send(digest: string): void {
    this.#digests.push(digest)
  }

  /** The next message of the flow has arrived in full; returns its sequence number, or -1 when none was released. */
  deliver(nowNs: number, digest: string): number {
    if (this.delivered === this.released) {
      this.mismatches++
      return -1
    }
    const sequence = this.delivered++
    const responseNs = nowNs - this.#releasesNs[sequence]!
    this.#responsesNs.push(responseNs)
    if (responseNs > this.deadlineNs) this.deadlineMisses++
    if (digest !== this.#digests[sequence]) this.mismatches++
    return sequence
  }

  /** Of a message that has arrived. */
  responseNs(sequence: number): number {
    return this.#responsesNs[sequence]!
  }

  /** A message that never arrived has missed its deadline too. */
  result(): FlowResult {
    return {
      messages: this.released,
      delivered: this.delivered,
      deadlineMisses: this.deadlineMisses + this.released - this.delivered,
      responseTimeNs: responseTimes(this.#responsesNs),
    }
  }
}

function responseTimes(samples: readonly number[]): ResponseTimes | null {
  if (samples.length === 0) return null
  const sorted = Float64Array.from(samples).sort()
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
  return { min: sorted[0]!, p50: rank(0.5), p99: rank(0.99), max: sorted[sorted.length - 1]! }
}

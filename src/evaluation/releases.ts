/** When messages are released and queued: of each flow in order, flat, reused. */
import { assert } from '../internal/assert.ts'

/** When each message of each flow is released, in ns, in arrays. */
export class Releases {
  readonly count: number
  /** Messages of flow i are those from start[i] to end[i]. */
  readonly start: Int32Array
  readonly end: Int32Array
  /** Nominal release, and when the message is queued: within the flow's jitter after it, and in order. */
  nominalNs: Float64Array
  queuedNs: Float64Array
  /** 1: a choice at the very instant of queuing has not seen the message. */
  late: Uint8Array
  #flow = -1
  #size = 0

  constructor(count: number, capacity = 256) {
    this.count = count
    this.start = new Int32Array(count)
    this.end = new Int32Array(count)
    this.nominalNs = new Float64Array(capacity)
    this.queuedNs = new Float64Array(capacity)
    this.late = new Uint8Array(capacity)
  }

  clear(): void {
    this.#flow = -1
    this.#size = 0
    this.start.fill(0)
    this.end.fill(0)
  }

  /** Appends a message: flow by flow, oldest first. Allocates only to grow. */
  add(flow: number, nominalNs: number, queuedNs = nominalNs, late = false): void {
    assert(flow >= this.#flow && flow < this.count, 'releases are added flow by flow')
    if (flow > this.#flow) {
      this.start.fill(this.#size, this.#flow + 1)
      this.end.fill(this.#size, this.#flow + 1)
      this.#flow = flow
    }
    if (this.#size === this.nominalNs.length) this.#grow()
    this.nominalNs[this.#size] = nominalNs
    this.queuedNs[this.#size] = queuedNs
    this.late[this.#size] = late ? 1 : 0
    this.#size++
    this.end.fill(this.#size, flow)
    this.start.fill(this.#size, flow + 1)
  }

  #grow(): void {
    const grown = <A extends Float64Array | Uint8Array>(from: A, to: A): A => {
      to.set(from)
      return to
    }
    this.nominalNs = grown(this.nominalNs, new Float64Array(2 * this.#size))
    this.queuedNs = grown(this.queuedNs, new Float64Array(2 * this.#size))
    this.late = grown(this.late, new Uint8Array(2 * this.#size))
  }
}

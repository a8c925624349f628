/**
 * Flows: what the analysis calls f_i, with its period, relative deadline, length and jitter, from one VM to another; and the
 * messages of one that wait, oldest first. Only as many of them are looked at as the source has buffers: what a guest sends beyond
 * that is policed (policing.ts) when it would have had one free, as if it had kept it until then. Early messages wait for their time.
 */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import type { Message } from './message-table.ts'
import { Policing } from './policing.ts'

/** A flow as the broker is told of it. Times are ns, lengths bytes. */
export interface BrokerFlow {
  /** VM indices. */
  readonly source: number
  readonly destination: number
  /** Minimum inter-arrival time and relative deadline, ns. */
  readonly periodNs: number
  readonly deadlineNs: number
  /** Arrivals may come this much early: the flow's own jitter and that of its path to the broker, ns. */
  readonly toleranceNs: number
  /** Messages with payload that the source can have under way: it has so many buffers. At least 1. */
  readonly buffers: number
  /** Longest payload of one message, bytes. */
  readonly maximumBytes: number
  /** Smaller is more urgent; used under fixed priority. */
  readonly priority: number
}

/** A flow and its messages; its numbers are copied, because with many flows each message looks at another's. */
export class FlowState implements BrokerFlow {
  readonly source: number
  readonly destination: number
  readonly periodNs: number
  readonly deadlineNs: number
  readonly toleranceNs: number
  readonly buffers: number
  readonly maximumBytes: number
  readonly priority: number
  readonly policing: Policing
  /** Oldest and youngest waiting message, and the oldest that no time was given to yet. */
  first: Message | null = null
  #last: Message | null = null
  #untimed: Message | null = null
  #controlTimed = 0
  /**
   * The time of the youngest message that has one. They leave in the order in which they came, so none competes before the one ahead of it:
   * where messages of both kinds wait for each other, neither kind comes in a burst.
   */
  #lastNs = 0
  /** Messages that came, and that left: the theorems need them served in the order in which they were queued. */
  #came = 0
  #left = 0
  /** Messages with payload whose buffers its source has not got back. */
  #holding = 0

  constructor(flow: BrokerFlow) {
    for (const key of ['periodNs', 'deadlineNs', 'buffers'] as const) {
      if (!(flow[key] > 0)) throw new VirtioError('BAD_FLOW', `flow ${key} is ${flow[key]}; it must be above 0`)
    }
    if (flow.source === flow.destination) {
      throw new VirtioError('BAD_FLOW', `a flow from VM ${flow.source} to itself needs no broker`)
    }
    this.source = flow.source
    this.destination = flow.destination
    this.periodNs = flow.periodNs
    this.deadlineNs = flow.deadlineNs
    this.toleranceNs = flow.toleranceNs
    this.buffers = flow.buffers
    this.maximumBytes = flow.maximumBytes
    this.priority = flow.priority
    this.policing = new Policing(this)
  }

  /** The youngest message; `waitedNs`: how long the receiver has been out of buffers until now, in all. False: it is beyond those that the source has buffers for. */
  append(message: Message, nowNs: number, waitedNs: number): boolean {
    message.next = null
    message.order = this.#came++
    if (message.totalBytes > 0) this.#holding++
    if (this.first === null) this.first = message
    else this.#last!.next = message
    this.#last = message
    this.#untimed ??= message
    this.#giveTimes(nowNs, waitedNs)
    return this.#untimed === null
  }

  /** Takes the oldest message out: all of it has arrived, or never will. */
  remove(nowNs: number, waitedNs: number): Message {
    const message = this.first
    assert(message !== null && message.order === this.#left, 'messages of a flow leave in the order in which they came')
    this.#left++
    this.first = message.next
    if (message.totalBytes > 0) this.policing.leave(nowNs, waitedNs)
    else this.#controlTimed--
    if (message.fedNs > message.eligibleNs && message.totalBytes > 0) this.#postpone(message)
    this.#giveTimes(nowNs, waitedNs)
    return message
  }

  /** `gone` has waited for receive buffers until `fedNs`: those behind it that have their times come as long after it as they would have. */
  #postpone(gone: Message): void {
    const { policing } = this
    let tatNs = policing.after(gone.fedNs, gone.forgivenNs, 0)
    let youngestNs = 0
    let controlNs = 0
    this.#lastNs = gone.fedNs
    for (let message = this.first; message !== this.#untimed && message !== null; message = message.next) {
      if (message.totalBytes > 0) {
        message.eligibleNs = Math.max(this.#lastNs, policing.postponed(message.eligibleNs, tatNs))
        youngestNs = message.eligibleNs
        tatNs = policing.after(message.eligibleNs, message.forgivenNs, tatNs)
      } else {
        message.eligibleNs = policing.controlBehind(message.eligibleNs, Math.max(this.#lastNs, controlNs))
        controlNs = policing.afterControl(message.eligibleNs)
      }
      this.#lastNs = message.eligibleNs
      message.deadlineNs = message.eligibleNs + this.deadlineNs
    }
    policing.postpone(youngestNs, tatNs)
  }

  /** Its source gets a buffer back: of a message that has left. */
  giveBack(message: Message): void {
    if (message.totalBytes > 0) this.#holding--
  }

  /** All buffers of its source are in use: the next message has to wait for one. */
  get isFull(): boolean {
    return this.#holding >= this.buffers
  }

  /** Messages beyond those that the source has buffers for. */
  get untimed(): number {
    return this.#untimed === null ? 0 : this.#came - this.#untimed.order
  }

  #giveTimes(nowNs: number, waitedNs: number): void {
    for (let message = this.#untimed; message !== null; message = message.next) {
      this.#untimed = message
      if (!this.policing.admits(message.totalBytes, this.#controlTimed)) return
      if (message.totalBytes > 0) {
        message.eligibleNs = this.policing.arrive(nowNs, waitedNs)
        message.forgivenNs = this.policing.forgivenNs
        if (message.eligibleNs < this.#lastNs) {
          message.eligibleNs = this.#lastNs
          this.policing.postpone(this.#lastNs, this.policing.after(this.#lastNs, message.forgivenNs, 0))
        }
      } else {
        message.eligibleNs = this.policing.controlBehind(this.policing.control(nowNs), this.#lastNs)
        this.#controlTimed++
      }
      this.#lastNs = message.eligibleNs
      message.deadlineNs = message.eligibleNs + this.deadlineNs
    }
    this.#untimed = null
  }
}

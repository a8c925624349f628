/**
 * The messages that wait, by flow, and which of them is the most urgent: FIFO within a flow, earliest deadline or fixed
 * priority between flows. A handful of flows, so choosing is a scan.
 */
import { FlowState } from './flow.ts'
import { type Message, MessageTable } from './message-table.ts'
import type { RelayContext } from './relay-context.ts'

export class FlowQueues {
  readonly states: readonly FlowState[]
  readonly messages: MessageTable
  /** Waiting messages that the CPU moves: most of the time none, and then nobody looks for them. */
  cpuMessages = 0
  readonly #context: RelayContext

  constructor(context: RelayContext) {
    this.#context = context
    this.states = context.config.flows.map((flow) => new FlowState(flow))
    this.messages = new MessageTable(context.router.headerBytes)
  }

  /** Appends a message to its flow, with its proper time and deadline. */
  enqueue(message: Message, nowNs: number): void {
    message.queued = true
    if (message.byCpu) this.cpuMessages++
    this.states[message.flow]!.append(message, nowNs, this.#waitedNs(message, nowNs))
  }

  /** Takes the oldest message out of its flow: all of it has arrived, or never will. */
  dequeue(state: FlowState, nowNs: number): Message {
    const message = state.remove(nowNs, this.#waitedNs(state.first!, nowNs))
    message.queued = false
    if (message.byCpu) this.cpuMessages--
    return message
  }

  /** For how long its receiver has been out of buffers, in all. */
  #waitedNs({ destination }: Message, nowNs: number): number {
    return this.#context.endpoints[destination]!.starvedNs(nowNs)
  }

  /** From now on the DMA moves the rest of it. */
  leaveToDma(message: Message): void {
    message.byCpu = false
    this.cpuMessages--
  }

  /** May this message compete now? */
  competes(message: Message, nowNs: number): boolean {
    return message.eligibleNs <= nowNs
  }

  /** The most urgent message for the DMA whose receiver has a buffer. With `than`, only what is more urgent than it. */
  pick(nowNs: number, than: Message | null): Message | null {
    let best = than
    for (const state of this.states) {
      const message = state.first
      if (message === null || message.byCpu || message === than || !this.competes(message, nowNs)) continue
      if (best !== null && !this.precedes(message, best)) continue
      if (!this.#context.endpoints[message.destination]!.unreachable && this.#context.hasBuffer(message.destination)) {
        best = message
      }
    }
    return best === than ? null : best
  }

  /** Whether `message` is the more urgent of the two. */
  precedes(message: Message, other: Message): boolean {
    return this.#context.config.scheduler === 'edf'
      ? message.deadlineNs < other.deadlineNs
      : this.states[message.flow]!.flow.priority < this.states[other.flow]!.flow.priority
  }

  /** The earliest time at which a message that has to wait may compete; Infinity when none waits for its time. */
  nextEligibleNs(nowNs: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { first } of this.states) {
      if (first !== null && !this.competes(first, nowNs)) earliest = Math.min(earliest, first.eligibleNs)
    }
    return earliest
  }
}

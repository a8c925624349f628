/**
 * The messages that wait, by flow, and which of them is the most urgent: FIFO within a flow, earliest deadline or fixed priority
 * between flows. What a choice costs grows with the flows that have something to send now, not with those that there are: the first
 * message of each flow is in one of three trees, by the time until which it waits, or by its urgency.
 */
import { LeastKeys } from '../internal/least-keys.ts'
import { FlowState } from './flow.ts'
import { type Message, MessageTable } from './message-table.ts'
import type { RelayContext } from './relay-context.ts'

export class FlowQueues {
  readonly states: readonly FlowState[]
  readonly messages: MessageTable
  readonly #context: RelayContext
  /** First messages: by the time from which they compete; and those that do, for the DMA and for the CPU, by urgency. */
  readonly #early: LeastKeys
  readonly #forDma: LeastKeys
  readonly #forCpu: LeastKeys
  /** By VM: its flows, and how many messages of them wait. */
  readonly #flowsOf: readonly (readonly number[])[]
  readonly #waitingOf: Int32Array

  constructor(context: RelayContext) {
    const { flows } = context.config
    this.#context = context
    this.states = flows.map((flow) => new FlowState(flow))
    this.messages = new MessageTable(context.router.headerBytes)
    this.#early = new LeastKeys(flows.length)
    this.#forDma = new LeastKeys(flows.length)
    this.#forCpu = new LeastKeys(flows.length)
    this.#flowsOf = context.endpoints.map(({ vm }) =>
      flows.flatMap(({ source, destination }, flow) => (source === vm || destination === vm ? flow : [])),
    )
    this.#waitingOf = new Int32Array(context.endpoints.length)
  }

  /** Appends a message to its flow, with its proper time and deadline. False: the flow has more of them than its source has buffers. */
  enqueue(message: Message, nowNs: number): boolean {
    const state = this.states[message.flow]!
    message.queued = true
    const expected = state.append(message, nowNs, this.#waitedNs(message, nowNs))
    this.#count(message, 1)
    if (state.first === message) this.#place(message.flow)
    return expected
  }

  /** Takes the oldest message out of its flow: all of it has arrived, or never will. */
  dequeue(state: FlowState, nowNs: number): Message {
    const message = state.remove(nowNs, this.#waitedNs(state.first!, nowNs))
    message.queued = false
    message.starved = false
    this.#count(message, -1)
    this.#place(message.flow)
    return message
  }

  /** From now on the DMA moves the rest of it: a message that is the first of its flow. */
  leaveToDma(message: Message): void {
    message.byCpu = false
    this.#place(message.flow)
  }

  /** Flows from or to the VM; empty while none of their messages waits. */
  flowsWaitingOf(vm: number): readonly number[] {
    return this.#waitingOf[vm] === 0 ? [] : this.#flowsOf[vm]!
  }

  #count({ source, destination }: Message, step: 1 | -1): void {
    this.#waitingOf[source]! += step
    this.#waitingOf[destination]! += step
  }

  /** For how long its receiver has been out of buffers, in all. */
  #waitedNs({ destination }: Message, nowNs: number): number {
    return this.#context.endpoints[destination]!.starvedNs(nowNs)
  }

  /** The most urgent message for the DMA whose receiver has a buffer. With `than`, only what is more urgent than it. */
  pick(nowNs: number, than: Message | null): Message | null {
    this.#admit(nowNs)
    const limit = than === null ? Number.POSITIVE_INFINITY : this.#urgencyOf(than)
    return this.#best(this.#forDma, limit, this.hasBuffer)
  }

  /** The most urgent message for the CPU of which `movable` says that it can go on. */
  pickForCpu(nowNs: number, movable: (message: Message) => boolean): Message | null {
    this.#admit(nowNs)
    return this.#best(this.#forCpu, Number.POSITIVE_INFINITY, movable)
  }

  /**
   * Whether the receiver has a buffer for it; keeps account of its waiting for one. Its deadline counts from when it got one: a receiver
   * that holds its buffers back, and then gives them, does not make what waited for them more urgent than all others.
   */
  readonly hasBuffer = (message: Message): boolean => {
    const has = this.#context.hasBuffer(message.destination)
    if (has && message.starved) {
      const state = this.states[message.flow]!
      message.fedNs = this.#context.port.now()
      message.deadlineNs = message.fedNs + state.deadlineNs
      if (state.first === message) this.#letCompete(message.flow)
    }
    message.starved = !has
    return has
  }

  /** In the order of the flows, each that is more urgent than the best so far is looked at; of equals the first wins. */
  #best(ready: LeastKeys, limit: number, movable: (message: Message) => boolean): Message | null {
    const { endpoints } = this.#context
    let best: Message | null = null
    let below = limit
    for (let flow = ready.firstBelow(below); flow >= 0; flow = ready.firstBelow(below, flow + 1)) {
      const message = this.states[flow]!.first!
      const { source, destination } = message
      if (endpoints[destination]!.unreachable || endpoints[source]!.gone || !movable(message)) continue
      // Looked at, it may have become less urgent.
      const urgency = ready.get(flow)
      if (!(urgency < below)) continue
      best = message
      below = urgency
    }
    return best
  }

  /** Smaller is more urgent. */
  #urgencyOf({ flow, deadlineNs }: Message): number {
    return this.#context.config.scheduler === 'edf' ? deadlineNs : this.states[flow]!.priority
  }

  /** The earliest time at which a message that has to wait may compete; Infinity when none waits for its time. */
  nextEligibleNs(nowNs: number): number {
    this.#admit(nowNs)
    return this.#early.least
  }

  /** Lets those compete whose time has come. */
  #admit(nowNs: number): void {
    while (this.#early.least <= nowNs) this.#letCompete(this.#early.leastIndex)
  }

  #letCompete(flow: number): void {
    const message = this.states[flow]!.first!
    this.#early.delete(flow)
    const ready = message.byCpu ? this.#forCpu : this.#forDma
    ready.set(flow, this.#urgencyOf(message))
  }

  /** The first message of the flow is another one, or goes another way. */
  #place(flow: number): void {
    const { first } = this.states[flow]!
    this.#forDma.delete(flow)
    this.#forCpu.delete(flow)
    // One whose time has come is let in at the next choice.
    if (first === null) this.#early.delete(flow)
    else this.#early.set(flow, first.eligibleNs)
  }
}

/**
 * Flows and their policing. A flow is what the analysis calls f_i: period, relative deadline, length, jitter, from one VM
 * to another. A guest that sends more, or earlier, than its flow declares must not cost another flow its deadline, so
 * every message gets the earliest time at which it may compete: a generic cell rate test (ITU-T I.371) with the flow's
 * period and jitter. Under EDF an early message competes at once, with the deadline of its proper time; under fixed
 * priority it waits.
 */
import { VirtioError } from '../internal/error.ts'
import type { Message } from './message-table.ts'

export interface BrokerFlow {
  /** VM indices. */
  readonly source: number
  readonly destination: number
  /** Minimum inter-arrival time and relative deadline, ns. */
  readonly periodNs: number
  readonly deadlineNs: number
  /** Arrivals may come this much early: the flow's own jitter and that of its path to the broker, ns. */
  readonly toleranceNs: number
  /** Longest payload of one message, bytes. */
  readonly maximumBytes: number
  /** Smaller is more urgent; used under fixed priority. */
  readonly priority: number
}

/** Messages without payload (connection control, credit) may come in short bursts, this many a period. */
const CONTROL_MESSAGES_A_PERIOD = 4

export class FlowState {
  readonly flow: BrokerFlow
  /** Oldest and youngest waiting message. */
  first: Message | null = null
  last: Message | null = null
  /** Theoretical arrival times of the rate test. */
  #payloadTatNs = 0
  #controlTatNs = 0

  constructor(flow: BrokerFlow) {
    for (const key of ['periodNs', 'deadlineNs'] as const) {
      if (!(flow[key] > 0)) throw new VirtioError('BAD_FLOW', `flow ${key} is ${flow[key]}; it must be above 0 ns`)
    }
    if (flow.source === flow.destination) {
      throw new VirtioError('BAD_FLOW', `a flow from VM ${flow.source} to itself needs no broker`)
    }
    this.flow = flow
  }

  /** Earliest time at which a message that arrives now may compete; `nowNs` itself when it keeps to its period. */
  police(nowNs: number, payloadBytes: number): number {
    const { periodNs, toleranceNs } = this.flow
    if (payloadBytes === 0) {
      const eligibleNs = Math.max(nowNs, this.#controlTatNs - periodNs)
      this.#controlTatNs = Math.max(eligibleNs, this.#controlTatNs) + periodNs / CONTROL_MESSAGES_A_PERIOD
      return eligibleNs
    }
    const eligibleNs = Math.max(nowNs, this.#payloadTatNs - toleranceNs)
    this.#payloadTatNs = Math.max(eligibleNs, this.#payloadTatNs) + periodNs
    return eligibleNs
  }
}

/**
 * Policing: the earliest time at which a message may compete, so that a guest that sends more, or earlier, than its flow
 * declares costs no other flow its deadline. A generic cell rate test (ITU-T I.371) with the flow's period T and tolerance tau
 * keeps a theoretical arrival time, TAT. Of a message with payload that comes at a,
 *
 *   eligible = max(a, TAT - tau)        TAT' = max(TAT, eligible - f) + T        f = min(credit, max(0, a - TAT))
 *
 * f forgives back-pressure: a source that could not send, because the broker held all of its buffers, comes late and then catches
 * up. Without f its lateness would move TAT, and with it the rest of its backlog, for ever.
 *
 *   credit(t) = the most, over all s <= t, of (time in [s, t] in which the flow was *held*) - (time in it in which a buffer was free)
 *
 * and at most f after a message that was late, 0 after one that was not. A flow is held while `buffers` messages of it wait, all
 * eligible, and its receiver has not run out of receive buffers: then only the broker can be the cause. A guest that sends early, and
 * a receiver that posts no buffers, earn nothing. What is not used within the time that it took to earn is lost.
 *
 * A message that waits for its receiver's buffers has not competed until it gets them. When it has gone, those behind it that have their
 * times already get them anew, as if it had become eligible then (`postpone`): a receiver that holds its buffers back, and then gives
 * them all, does not let its flows come in a burst.
 *
 * So in any window of w ns, at most floor((w + tau + c) / T) + 1 messages become eligible, c being the credit when it begins and the
 * time held in it. A flow whose messages never wait longer than (buffers - 1) T - tau is never held, and c is 0.
 *
 * An honest message (its source late by at most tau without the broker, and back with the next message at most T/2 after it gets a
 * buffer) is eligible when it comes.
 */

/** Messages without payload (connection control, credit) compete at most so often a period, none of them early. */
export const CONTROL_MESSAGES_A_PERIOD = 1
/** So many of them are looked at, at once: a guest has so many slots for them on each connection. */
export const CONTROL_MESSAGES_TIMED = 4

export interface DeclaredRate {
  /** Minimum inter-arrival time, ns. */
  readonly periodNs: number
  /** Arrivals may come this much early, ns. */
  readonly toleranceNs: number
  /** Messages with payload that its source can have under way. */
  readonly buffers: number
}

/**
 * The rate test of one flow. `waitedNs` is always the time for which its receiver has been out of buffers in all, up to the `nowNs`
 * beside it; both never go back.
 */
export class Policing {
  readonly #rate: DeclaredRate
  #tatNs = 0
  #controlTatNs = 0
  /** The credit at `#settledNs`. */
  #creditNs = 0
  #settledNs = 0
  #settledWaitNs = 0
  /** Messages with payload under test, and from when on the flow is held; Infinity while it has a buffer free. */
  #underWay = 0
  #heldFromNs = Number.POSITIVE_INFINITY

  constructor(rate: DeclaredRate) {
    this.#rate = rate
  }

  /** Whether one more message is looked at, or waits until one of those before it has left. */
  admits(payloadBytes: number, controlUnderWay: number): boolean {
    return payloadBytes === 0 ? controlUnderWay < CONTROL_MESSAGES_TIMED : this.#underWay < this.#rate.buffers
  }

  /** A message without payload: the earliest time at which it may compete. */
  control(nowNs: number): number {
    const eligibleNs = Math.max(nowNs, this.#controlTatNs)
    this.#controlTatNs = this.afterControl(eligibleNs)
    return eligibleNs
  }

  /** The time of one without payload that is `eligibleNs`, and competes from `aheadNs` on at the earliest: the next comes a period later. */
  controlBehind(eligibleNs: number, aheadNs: number): number {
    const laterNs = Math.max(eligibleNs, aheadNs)
    this.#controlTatNs = Math.max(this.#controlTatNs, this.afterControl(laterNs))
    return laterNs
  }

  /** When the next one may compete behind one that does from `eligibleNs` on. */
  afterControl(eligibleNs: number): number {
    return eligibleNs + this.#rate.periodNs / CONTROL_MESSAGES_A_PERIOD
  }

  /** What the message that came last was forgiven. */
  get forgivenNs(): number {
    return this.#creditNs
  }

  /** Earliest time for a message whose time was `eligibleNs`, and of which `forgivenNs` was forgiven, behind one that ends at `tatNs`. */
  postponed(eligibleNs: number, tatNs: number): number {
    return Math.max(eligibleNs, tatNs - this.#rate.toleranceNs)
  }

  /** The theoretical arrival time behind a message that became eligible at `eligibleNs`. */
  after(eligibleNs: number, forgivenNs: number, tatNs: number): number {
    return Math.max(tatNs, eligibleNs - forgivenNs) + this.#rate.periodNs
  }

  /** Messages under test got later times: the youngest may compete at `youngestNs`, the next is expected at `tatNs`. */
  postpone(youngestNs: number, tatNs: number): void {
    this.#tatNs = Math.max(this.#tatNs, tatNs)
    if (this.#heldFromNs < Number.POSITIVE_INFINITY) this.#heldFromNs = Math.max(this.#heldFromNs, youngestNs)
  }

  /** A message with payload comes: the earliest time at which it may compete; `nowNs` itself when it keeps to its rate. */
  arrive(nowNs: number, waitedNs: number): number {
    const { periodNs, toleranceNs, buffers } = this.#rate
    this.#settle(nowNs, waitedNs)
    this.#creditNs = Math.min(this.#creditNs, Math.max(0, nowNs - this.#tatNs))
    const eligibleNs = Math.max(nowNs, this.#tatNs - toleranceNs)
    this.#tatNs = Math.max(this.#tatNs, eligibleNs - this.#creditNs) + periodNs
    if (++this.#underWay === buffers) this.#heldFromNs = eligibleNs
    return eligibleNs
  }

  /** One has arrived, or never will: its buffer goes back. */
  leave(nowNs: number, waitedNs: number): void {
    this.#settle(nowNs, waitedNs)
    this.#underWay--
    this.#heldFromNs = Number.POSITIVE_INFINITY
  }

  /** What a message that comes at `nowNs` may be late, ns. */
  creditNs(nowNs: number, waitedNs: number): number {
    this.#settle(nowNs, waitedNs)
    return this.#creditNs
  }

  #settle(nowNs: number, waitedNs: number): void {
    if (this.#underWay < this.#rate.buffers) this.#creditNs = Math.max(0, this.#creditNs - (nowNs - this.#settledNs))
    else {
      const heldNs = nowNs - Math.max(this.#settledNs, this.#heldFromNs) - (waitedNs - this.#settledWaitNs)
      this.#creditNs += Math.max(0, heldNs)
    }
    this.#settledNs = nowNs
    this.#settledWaitNs = waitedNs
  }
}

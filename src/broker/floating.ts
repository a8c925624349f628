/**
 * Floating placement: the broker runs on the core that kicks, or that takes the DMA's interrupt, under one FIFO lock. No
 * core is given up for it. The next transfer is dispatched before the last one is announced, the DMA's interrupt goes to
 * the receiver's core, and whoever can be told without an interrupt of another core is.
 *
 * The lock is let go between steps, so that its longest hold does not depend on the length of a message.
 */
import { assert } from '../internal/assert.ts'
import { BrokerCause, BrokerQueue, CostOp, type PlatformPort, StepResult } from '../platform/index.ts'
import type { Broker } from './broker.ts'
import type { EndpointQueues } from './endpoint.ts'
import type { Relay } from './relay.ts'

/** The broker that runs on whichever core kicks it or takes the completion interrupt, under one ticket lock. */
export class FloatingBroker implements Broker {
  readonly #port: PlatformPort
  readonly #relay: Relay
  /** By core: causes still to be handled, as bits; the arguments of a doorbell and a reset; whether the core spins for the lock. */
  readonly #causes: Int32Array
  readonly #doorbell: Int32Array
  readonly #leaving: Int32Array
  readonly #spinning: Uint8Array
  /** By `vm * 2 + queue`: rung while the VM rests, because it made the broker work for nothing, and not answered yet. */
  readonly #waiting: Uint8Array

  constructor(port: PlatformPort, relay: Relay, coreCount: number) {
    this.#port = port
    this.#relay = relay
    this.#causes = new Int32Array(coreCount)
    this.#doorbell = new Int32Array(coreCount)
    this.#leaving = new Int32Array(coreCount)
    this.#spinning = new Uint8Array(coreCount)
    this.#waiting = new Uint8Array(2 * relay.endpoints.length)
  }

  enter(core: number, cause: number, argument: number): number {
    if (this.#spinning[core] !== 0) assert(false, `core ${core} enters the broker while it spins for its lock`)
    if (this.#mayWait(core, cause, argument)) return StepResult.done
    this.#causes[core]! |= 1 << cause
    if (cause === BrokerCause.doorbell) this.#doorbell[core] = argument
    if (cause === BrokerCause.detach) this.#leaving[core] = argument
    return this.#lockAndStep(core)
  }

  resume(core: number): number {
    if (this.#spinning[core] === 0) return this.#lockAndStep(core)
    this.#spinning[core] = 0
    return this.#step(core)
  }

  attach(vm: number, queues: EndpointQueues): void {
    this.#relay.attach(vm, queues)
  }

  isAttached(vm: number): boolean {
    return this.#relay.isAttached(vm)
  }

  /**
   * What a guest asks for that need not be answered now: whoever rings for nothing takes the lock only so often. A doorbell that waits is
   * answered by the core's timer; a driver that resets its device asks again.
   */
  #mayWait(core: number, cause: number, argument: number): boolean {
    if (this.#causes[core] !== 0 || this.#relay.movesPages(core)) return false
    if (cause === BrokerCause.detach) return this.#relay.restsUntilNs(argument) > 0
    if (cause !== BrokerCause.doorbell) return false
    const vm = argument >> 1
    // A broker that waits for no buffers, or for more than there are, looks at the ring before it waits again.
    if ((argument & 1) === BrokerQueue.receive && !this.#relay.mayFeed(vm)) return true
    const untilNs = this.#relay.restsUntilNs(vm)
    if (untilNs === 0) return false
    this.#waiting[argument] = 1
    this.#relay.answerLater(core, untilNs)
    return true
  }

  #lockAndStep(core: number): number {
    if (!this.#port.acquireLock(core)) {
      this.#spinning[core] = 1
      return StepResult.waitLock
    }
    return this.#step(core)
  }

  #step(core: number): number {
    const relay = this.#relay
    relay.beginStep(core)
    this.#port.charge(CostOp.lockCriticalSection, 1)
    const fetching = this.#handleCauses(core)
    relay.harvestAwaited(core)
    const dropping = relay.dropLost(core)
    relay.dispatch(core)
    // Before the engine is through with the first piece; what has arrived can wait that long.
    const extending = relay.extend(core)
    const moving = relay.moveByCpu(core)
    const announcing = relay.announce(core)
    relay.releaseHeld(core)
    let unfinished = fetching || dropping || announcing || relay.awaitsDma(core)
    // A guest does not wait until all pages of a message have been moved, however many those are.
    if (moving && (unfinished || !relay.moveLater(core))) unfinished = true
    // A guest that was told of its message does not wait until the chain of the next one is complete.
    if (extending && (unfinished || !relay.extendLater(core))) unfinished = true
    if (!unfinished) relay.leave(core)
    this.#port.releaseLock(core)
    return unfinished ? StepResult.more : StepResult.done
  }

  /** One of the core's doorbells that have waited long enough, unless it answers another already: as a cause. Sees to the next one. */
  #answerWaiting(core: number, causes: number): number {
    const relay = this.#relay
    const nowNs = this.#port.now()
    let found = causes & (1 << BrokerCause.doorbell)
    let nextNs = Number.POSITIVE_INFINITY
    for (const { core: own, restsUntilNs, vm } of relay.endpoints) {
      for (const doorbell of own === core ? [2 * vm + BrokerQueue.receive, 2 * vm + BrokerQueue.transmit] : []) {
        if (this.#waiting[doorbell] === 0) continue
        if (restsUntilNs <= nowNs && found === 0) {
          this.#waiting[doorbell] = 0
          this.#doorbell[core] = doorbell
          found = 1 << BrokerCause.doorbell
        } else nextNs = Math.min(nextNs, Math.max(nowNs, restsUntilNs))
      }
    }
    if (nextNs < Number.POSITIVE_INFINITY) relay.answerLater(core, nextNs)
    return found
  }

  /** True: the doorbell, or a reset, needs another step. */
  #handleCauses(core: number): boolean {
    const relay = this.#relay
    let causes = this.#causes[core]!
    let left = 0
    if (causes & (1 << BrokerCause.dmaInterrupt)) relay.harvest()
    if (causes & (1 << BrokerCause.timer)) {
      relay.timerFired(core)
      causes |= this.#answerWaiting(core, causes)
    }
    if (causes & (1 << BrokerCause.takeOver)) relay.takeOver()
    if (causes & (1 << BrokerCause.doorbell)) {
      const vm = this.#doorbell[core]! >> 1
      if ((this.#doorbell[core]! & 1) === BrokerQueue.receive) relay.refilled(vm)
      else if (relay.fetch(core, vm)) {
        const untilNs = relay.restsUntilNs(vm)
        if (untilNs === 0) left |= 1 << BrokerCause.doorbell
        else {
          this.#waiting[this.#doorbell[core]!] = 1
          relay.answerLater(core, untilNs)
        }
      }
    }
    if (causes & (1 << BrokerCause.detach) && relay.detach(core, this.#leaving[core]!)) left |= 1 << BrokerCause.detach
    this.#causes[core] = left
    return left !== 0
  }
}

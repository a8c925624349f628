/**
 * Dedicated placement, RTSS 2021 as reconstructed (docs/interrupts.md): the broker has a core of its own. A VM's core
 * only forwards: a kick becomes an IPI to the broker. The broker moves one piece at a time, tells the receiver after each
 * and the sender after the last, then decides again. Non-preemptive; no lock, because nobody shares its state.
 */
import { BrokerCause, BrokerQueue, type PlatformPort, StepResult } from '../platform/index.ts'
import type { Broker } from './broker.ts'
import type { EndpointQueues } from './endpoint.ts'
import type { Relay } from './relay.ts'

/** The broker on a core of its own (RTSS 2021): doorbells and completions wake it by interrupts between cores. */
export class DedicatedBroker implements Broker {
  readonly #port: PlatformPort
  readonly #relay: Relay
  readonly #core: number
  /** By `vm * 2 + queue`: kicked and not looked at since. VMs' cores set it; the broker's core clears it, and looks then. */
  readonly #kicked: Uint8Array
  /** By VM: its driver resets its device, and that is not complete. */
  readonly #leaving: Uint8Array

  constructor(port: PlatformPort, relay: Relay, core: number) {
    this.#port = port
    this.#relay = relay
    this.#core = core
    this.#kicked = new Uint8Array(2 * relay.endpoints.length)
    this.#leaving = new Uint8Array(relay.endpoints.length)
  }

  enter(core: number, cause: number, argument: number): number {
    if (core !== this.#core) {
      this.#forward(core, cause, argument)
      return StepResult.done
    }
    if (cause === BrokerCause.dmaInterrupt) this.#relay.harvest()
    if (cause === BrokerCause.timer) this.#relay.timerFired(core)
    return this.resume(core)
  }

  resume(core: number): number {
    const relay = this.#relay
    relay.beginStep(core)
    let fetching = false
    for (let doorbell = 0; doorbell < this.#kicked.length; doorbell++) {
      if (this.#kicked[doorbell] === 0) continue
      // Who made it work for nothing rests.
      const vm = doorbell >> 1
      if ((doorbell & 1) === BrokerQueue.transmit && relay.restsUntilNs(vm) > 0) continue
      // Cleared first: a kick that comes while the queue is looked at must not be lost.
      this.#kicked[doorbell] = 0
      if ((doorbell & 1) === BrokerQueue.receive) relay.refilled(vm)
      else if (relay.fetch(core, vm)) {
        this.#kicked[doorbell] = 1
        if (relay.restsUntilNs(vm) === 0) fetching = true
      }
    }
    let leaving = false
    for (let vm = 0; vm < this.#leaving.length; vm++) {
      if (this.#leaving[vm] === 0) continue
      if (relay.detach(core, vm)) leaving = true
      else if (!relay.isAttached(vm)) this.#leaving[vm] = 0
    }
    const dropping = relay.dropLost(core)
    const moving = relay.moveByCpu(core)
    const announcing = relay.announce(core)
    if (!announcing) relay.dispatch(core)
    relay.releaseHeld(core)
    relay.answerLater(core, this.#restsOverNs())
    return announcing || dropping || fetching || leaving || moving ? StepResult.more : StepResult.done
  }

  /** When the first of the VMs that rest has rested: whoever kicks until then tells nobody. Infinity: none rests. */
  #restsOverNs(): number {
    let overNs = Number.POSITIVE_INFINITY
    for (const { vm } of this.#relay.endpoints) {
      const untilNs = this.#relay.restsUntilNs(vm)
      if (untilNs > 0) overNs = Math.min(overNs, untilNs)
    }
    return overNs
  }

  attach(vm: number, queues: EndpointQueues): void {
    this.#relay.attach(vm, queues)
  }

  isAttached(vm: number): boolean {
    return this.#relay.isAttached(vm)
  }

  /**
   * On a VM's core. A refill matters only to a broker that waits for it. The broker is not told again of what it has not looked at yet, nor of
   * what it will look at when the VM has rested; a driver that resets its device then asks again.
   */
  #forward(core: number, cause: number, argument: number): void {
    const relay = this.#relay
    if (cause === BrokerCause.detach) {
      if (!relay.isAttached(argument) || this.#leaving[argument] === 1 || relay.restsUntilNs(argument) > 0) return
      this.#leaving[argument] = 1
    } else {
      const vm = argument >> 1
      const receives = (argument & 1) === BrokerQueue.receive
      if (this.#kicked[argument] === 1 || (receives && !relay.mayFeed(vm))) return
      this.#kicked[argument] = 1
      if (!receives && relay.restsUntilNs(vm) > 0) return
    }
    this.#port.sendIpi(core, this.#core)
  }
}

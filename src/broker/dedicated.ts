/**
 * Dedicated placement, RTSS 2021 as reconstructed (docs/interrupts.md): the broker has a core of its own. A VM's core
 * only forwards: a kick becomes an IPI to the broker. The broker moves one piece at a time, tells the receiver after each
 * and the sender after the last, then decides again. Non-preemptive; no lock, because nobody shares its state.
 */
import { BrokerCause, BrokerQueue, type PlatformPort, StepResult } from '../platform/index.ts'
import type { Broker } from './broker.ts'
import type { EndpointQueues } from './endpoint.ts'
import type { Relay } from './relay.ts'

export class DedicatedBroker implements Broker {
  readonly #port: PlatformPort
  readonly #relay: Relay
  readonly #core: number
  /** By `vm * 2 + queue`: kicked and not looked at since. VMs' cores set it; the broker's core clears it, and looks then. */
  readonly #kicked: Uint8Array

  constructor(port: PlatformPort, relay: Relay, core: number) {
    this.#port = port
    this.#relay = relay
    this.#core = core
    this.#kicked = new Uint8Array(2 * relay.endpoints.length)
  }

  enter(core: number, cause: number, argument: number): number {
    if (core !== this.#core) {
      this.#forward(core, argument)
      return StepResult.done
    }
    if (cause === BrokerCause.dmaInterrupt) this.#relay.harvest()
    if (cause === BrokerCause.timer) this.#relay.timerFired(core)
    return this.resume(core)
  }

  resume(core: number): number {
    const relay = this.#relay
    let fetching = false
    for (let doorbell = 0; doorbell < this.#kicked.length; doorbell++) {
      if (this.#kicked[doorbell] === 0) continue
      // Cleared first: a kick that comes while the queue is looked at must not be lost.
      this.#kicked[doorbell] = 0
      const vm = doorbell >> 1
      if ((doorbell & 1) === BrokerQueue.receive) relay.refilled(vm)
      else if (relay.fetch(core, vm)) {
        this.#kicked[doorbell] = 1
        fetching = true
      }
    }
    const moving = relay.moveByCpu(core)
    const announcing = relay.announce(core)
    if (!announcing) relay.dispatch(core)
    relay.releaseHeld(core)
    return announcing || fetching || moving ? StepResult.more : StepResult.done
  }

  attach(vm: number, queues: EndpointQueues): void {
    this.#relay.attach(vm, queues)
  }

  detach(core: number, vm: number): boolean {
    return this.#relay.detach(core, vm)
  }

  /** On a VM's core. A refill matters only to a broker that waits for it. */
  #forward(core: number, doorbell: number): void {
    if ((doorbell & 1) === BrokerQueue.receive && !this.#relay.endpoints[doorbell >> 1]!.starved) return
    this.#kicked[doorbell] = 1
    this.#port.sendIpi(core, this.#core)
  }
}

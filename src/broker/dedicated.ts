/**
 * Dedicated placement, RTSS 2021 as reconstructed (realtime-model.md §1): the broker has a core of its own. A VM's core
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
  /** VMs that kicked and were not looked at since. Their cores write it, the broker's core clears it. */
  readonly #kicked: Uint8Array

  constructor(port: PlatformPort, relay: Relay, core: number) {
    this.#port = port
    this.#relay = relay
    this.#core = core
    this.#kicked = new Uint8Array(relay.endpoints.length)
  }

  enter(core: number, cause: number, argument: number): number {
    if (core !== this.#core) {
      this.#forward(core, argument >> 1, argument & 1)
      return StepResult.done
    }
    if (cause === BrokerCause.dmaInterrupt) this.#relay.harvest()
    if (cause === BrokerCause.timer) this.#relay.timerFired(core)
    return this.resume(core)
  }

  resume(core: number): number {
    const relay = this.#relay
    let fetching = false
    for (let vm = 0; vm < this.#kicked.length; vm++) {
      if (this.#kicked[vm] === 0) continue
      if (relay.fetch(core, vm)) fetching = true
      else this.#kicked[vm] = 0
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
  #forward(core: number, vm: number, queue: number): void {
    if (queue === BrokerQueue.transmit) this.#kicked[vm] = 1
    else if (this.#relay.endpoints[vm]!.starved) this.#relay.refilled(vm)
    else return
    this.#port.sendIpi(core, this.#core)
  }
}

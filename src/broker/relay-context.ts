/** What the parts of the relay share: configuration, the platform, the VMs, and which core runs the current step. */
import {
  checkArray,
  checkBoolean,
  checkInteger,
  checkNumber,
  checkObject,
  checkWord,
  MAX_SAFE,
  refuseOption,
} from '../internal/check-option.ts'
import type { PlatformPort } from '../platform/index.ts'
import type { DeviceRing } from '../virtqueue/index.ts'
import { type ColorPolicy, type TransferPolicy, ZeroCopy } from '../zero-copy/index.ts'
import { ANNOUNCE_BATCH, LONGEST_REST_NS, USELESS_BATCH } from './batches.ts'
import { Endpoint } from './endpoint.ts'
import type { BrokerFlow } from './flow.ts'
import type { Message } from './message-table.ts'
import type { Router } from './router.ts'
import { WakeUps } from './wake-ups.ts'

/** How the relay works: scheduler, sizes of pieces, and its limits a step. */
export interface RelayConfig {
  readonly scheduler: 'edf' | 'fp'
  /** Largest piece, bytes. */
  readonly chunkBytes: number
  /** `adaptive`: the rest of a message is chained behind its first piece; `piece`: one piece a transfer. */
  readonly chaining: 'adaptive' | 'piece'
  /** Receive queues ask for no kick unless a message waits for a buffer. */
  readonly suppressRefillKicks: boolean
  /**
   * A receiver is interrupted once for this many messages, or `coalesceDelayNs` after the first that waits for the others,
   * whichever comes first; 1: for whatever has arrived, at once.
   */
  readonly coalesceCount: number
  readonly coalesceDelayNs: number
  /**
   * Between VMs of one core, a transfer that keeps the DMA busy for at most this long is waited for instead of raising an
   * interrupt; 0: none is.
   */
  readonly waitForDmaNs: number
  /** Core that takes the DMA's completion interrupts, or `receiver` for the core of the VM that receives. */
  readonly interruptCore: number | 'receiver'
  readonly policy: TransferPolicy
  /** Which VM may get pages of which colour. Default: any of any. */
  readonly colors?: ColorPolicy
  /** The broker's own frames for exchange: zeroed, mapped nowhere, of colours that every VM may have. Default: none. */
  readonly spareFrames?: readonly number[]
  /**
   * By VM: receive buffers that its driver keeps posted. A message that has waited for some goes on when there are as many as a transfer
   * takes, or half of these. Default: one at a time.
   */
  readonly receiveBuffers?: readonly number[]
  /** Cores that may run a step. */
  readonly coreCount: number
  /** Core of each VM, by VM index. */
  readonly cores: readonly number[]
  readonly flows: readonly BrokerFlow[]
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkRelayConfig(config: RelayConfig): void {
  checkInteger('chunkBytes', config.chunkBytes, 1, MAX_SAFE, 'bytes')
  checkInteger('coalesceCount', config.coalesceCount, 1, MAX_SAFE, 'messages')
  checkNumber('coalesceDelayNs', config.coalesceDelayNs, 0, MAX_SAFE, 'ns')
  checkNumber('waitForDmaNs', config.waitForDmaNs, 0, MAX_SAFE, 'ns')
  checkInteger('coreCount', config.coreCount, 1, 2 ** 16)
  checkWord('scheduler', config.scheduler, ['edf', 'fp'])
  checkWord('chaining', config.chaining, ['adaptive', 'piece'])
  checkBoolean('suppressRefillKicks', config.suppressRefillKicks)
  const { interruptCore } = config
  if (interruptCore !== 'receiver') checkInteger('interruptCore', interruptCore, 0, config.coreCount - 1)
  checkArray('cores', config.cores, 'an array of cores')
  for (const core of config.cores) checkInteger('cores', core, 0, config.coreCount - 1)
  const { receiveBuffers = [] } = config
  checkArray('receiveBuffers', receiveBuffers, 'an array of counts')
  for (const count of receiveBuffers) checkInteger('receiveBuffers', count, 1, 32_768)
  checkArray('flows', config.flows, 'an array of BrokerFlow')
  for (const [i, flow] of config.flows.entries()) checkFlow(`flows[${i}]`, flow, config.cores.length)
}

const FLOW_NUMBERS = ['periodNs', 'deadlineNs', 'toleranceNs', 'buffers', 'maximumBytes', 'priority'] as const

/** The types of its members; what they may be, `FlowState` says. */
function checkFlow(name: string, flow: BrokerFlow, vmCount: number): void {
  checkObject(name, flow, 'a BrokerFlow')
  for (const key of ['source', 'destination'] as const) checkInteger(`${name}.${key}`, flow[key], 0, vmCount - 1)
  for (const key of FLOW_NUMBERS) {
    if (typeof flow[key] !== 'number' || Number.isNaN(flow[key])) refuseOption(`${name}.${key}`, flow[key], 'a number')
  }
}

/** Why a message was not, or not fully, delivered. `scattered`: it is in more parts than its bytes are worth. */
export type RefusalReason = 'header' | 'too-long' | 'scattered' | 'unreachable'

/** What a platform may want to hear of the relay's work. */
export interface RelayObserver {
  onRefused?(vm: number, reason: RefusalReason): void
}

export class RelayContext {
  readonly port: PlatformPort
  readonly config: RelayConfig
  readonly router: Router
  readonly observer: RelayObserver
  readonly endpoints: readonly Endpoint[]
  /** Null when everything is copied. */
  readonly zeroCopy: ZeroCopy<Message> | null
  readonly wakeUps: WakeUps
  /** By core: a VM of its own has been interrupted and cannot run until the core leaves the broker. */
  readonly guestWaits: Uint8Array
  /**
   * By VM: receive buffers that have to be at hand before anything goes on to it, once it has run out of them: as many as a transfer takes, or
   * half of what it keeps posted.
   */
  readonly #wantedAgain: readonly number[]
  /** The core that runs the current step, and how many there were. */
  core = 0
  #step = 0
  #furtherFetches = 0

  constructor(port: PlatformPort, config: RelayConfig, router: Router, observer: RelayObserver) {
    this.port = port
    this.config = config
    this.router = router
    this.observer = observer
    const restNs = (vm: number) =>
      config.flows.reduce(
        (leastNs, { source, destination, periodNs }) =>
          source === vm || destination === vm ? Math.min(leastNs, periodNs) : leastNs,
        LONGEST_REST_NS,
      )
    this.endpoints = config.cores.map((core, vm) => new Endpoint(vm, core, restNs(vm)))
    this.zeroCopy = ZeroCopy.on(port, { ...config, vmCount: config.cores.length })
    this.wakeUps = new WakeUps(port, config.coreCount)
    this.guestWaits = new Uint8Array(config.coreCount)
    this.#wantedAgain = config.cores.map((_, vm) =>
      Math.max(1, Math.min(ANNOUNCE_BATCH, Math.floor((config.receiveBuffers?.[vm] ?? 1) / 2))),
    )
  }

  /** Shows a VM what was staged in one of its queues, and interrupts it if the ring says so. */
  publish(vm: number, queue: DeviceRing): void {
    queue.publish()
    if (queue.needsNotification()) this.#interrupt(vm)
  }

  /** On the core of the VM, which runs no guest until the step ends, once a step: the interrupt is pending already. */
  #interrupt(vm: number): void {
    const endpoint = this.endpoints[vm]!
    if (endpoint.core === this.core) {
      if (endpoint.interruptedInStep === this.#step) return
      endpoint.interruptedInStep = this.#step
      this.guestWaits[this.core] = 1
    }
    this.port.interruptGuest(this.core, vm)
  }

  /**
   * Shows a receiver what was staged for it, with which `messages` more are complete. The interrupt that its ring asks for may
   * be held back: for more to come, and to be told with it.
   */
  publishReceived(endpoint: Endpoint, messages: number): void {
    const { receive } = endpoint.queues!
    if (this.config.coalesceCount === 1) {
      this.publish(endpoint.vm, receive)
      return
    }
    receive.publish()
    const asked = receive.needsNotification()
    if (endpoint.heldBy < 0) {
      if (!asked) return
      endpoint.heldBy = this.core
      endpoint.heldUntilNs = this.port.now() + this.config.coalesceDelayNs
      endpoint.heldMessages = 0
    }
    endpoint.heldMessages += messages
  }

  /**
   * Ends a step: lets the interrupts go for which enough messages have come, whose VM has to refill its ring, or whose time is
   * up. Their time is up on the core that holds them: there the timer is set, and that core is mostly the receiver's.
   */
  releaseHeld(): void {
    if (this.config.coalesceCount === 1) return
    let untilNs = Number.POSITIVE_INFINITY
    for (const endpoint of this.endpoints) {
      const { heldBy, heldMessages, heldUntilNs, starved, watched } = endpoint
      if (heldBy < 0) continue
      const due = heldBy === this.core && this.port.now() >= heldUntilNs
      if (due || starved || watched || heldMessages >= this.config.coalesceCount) {
        endpoint.heldBy = -1
        this.#interrupt(endpoint.vm)
      } else if (heldBy === this.core) untilNs = Math.min(untilNs, heldUntilNs)
    }
    this.wakeUps.forHeld(this.core, untilNs)
  }

  /**
   * True when a receive buffer of the VM is at hand; of one that has run out of them, when there are as many again as `#wantedAgain` says:
   * who gives them one by one does not make a transfer of each. Where there are fewer, its ring asks for a kick when there are enough.
   */
  hasBuffer(vm: number): boolean {
    const endpoint = this.endpoints[vm]!
    const pool = endpoint.pool!
    const queue = endpoint.queues!.receive
    const wanted = endpoint.starved ? this.#wantedAgain[vm]! : 1
    if (pool.count < wanted) this.takeBuffers(vm, wanted - pool.count)
    if (pool.count >= wanted) {
      if (endpoint.starved) this.#feed(endpoint)
      return true
    }
    if (queue.violation !== null) return false
    endpoint.starve(this.port.now())
    // Armed until buffers are at hand: those that came meanwhile may be none that a message fits. A VM that posts many of those has
    // some of them looked at in each step; it gets them back, and kicks when it posts others.
    const again = this.#wantedAgain[vm]!
    // A ring too small for that never has them: the VM has asked for less than its scenario says.
    while (
      pool.count < again &&
      queue.delayNotifications(Math.min(again - pool.count, queue.size)) &&
      this.#maySpend(endpoint)
    )
      this.takeBuffers(vm, again - pool.count)
    if (pool.count < again) return false
    this.#feed(endpoint)
    return true
  }

  /**
   * Whether the VM may have given back what a message, or a sender, waits for, so that its kick is worth the lock. May be asked without it: whoever looks
   * for a buffer, with the lock, looks at the ring.
   */
  mayFeed(vm: number): boolean {
    const { pool, queues, starved, watched } = this.endpoints[vm]!
    if (pool === null) return false
    if (watched && queues!.receive.claimsAvailable(1)) return true
    return starved && queues!.receive.claimsAvailable(this.#wantedAgain[vm]! - pool.count)
  }

  /**
   * Takes up to `limit` receive buffers from the ring. Those that nothing can be received into go straight back, and the VM is told, up
   * to a number in each step. True: that ended it, or the limit did, and there may be more.
   */
  takeBuffers(vm: number, limit: number): boolean {
    const endpoint = this.endpoints[vm]!
    // Nothing is looked for while it rests: what it has given back by then counts as kept.
    if (!this.#maySpend(endpoint)) return endpoint.uselessInStep === this.#step && endpoint.uselessFetches > 0
    const pool = endpoint.pool!
    const { fetches, looked, refused, refusedFetches } = pool
    const work = pool.refill(limit, USELESS_BATCH - endpoint.uselessFetches)
    this.#furtherFetches += pool.fetches - fetches - (pool.looked - looked)
    if (pool.refused > refused) {
      endpoint.uselessFetches += pool.refusedFetches - refusedFetches
      this.rest(vm)
      this.publish(vm, endpoint.queues!.receive)
    }
    return work >= limit || !this.#maySpend(endpoint)
  }

  /**
   * From now on the VM kicks when it makes receive buffers available; or, not `watched`, no longer on that account. Whoever takes buffers
   * meanwhile has it asked again. True: there are some that it does not kick for; look, and call again.
   */
  watch(vm: number, watched: boolean): boolean {
    const endpoint = this.endpoints[vm]!
    const queue = endpoint.queues?.receive
    if (queue === undefined || queue.violation !== null) return false
    if (watched) {
      endpoint.watched = true
      // One that rests is looked at when it has rested.
      return queue.enableNotifications() && this.port.now() >= endpoint.restsUntilNs
    }
    if (!endpoint.watched) return false
    endpoint.watched = false
    if (!endpoint.starved && this.config.suppressRefillKicks) queue.disableNotifications()
    return false
  }

  /** Fetches in this step for receive buffers of more descriptors than one covers, beyond one for each. A batch that takes buffers counts them. */
  get furtherFetches(): number {
    return this.#furtherFetches
  }

  /** Whether more useless buffers of the VM may be looked at in this step. */
  #maySpend(endpoint: Endpoint): boolean {
    // Its own doorbell, or whoever has something for it, comes back when it has rested.
    if (this.port.now() < endpoint.restsUntilNs && endpoint.uselessInStep !== this.#step) {
      this.wakeUps.forWork(this.core, endpoint.restsUntilNs)
      return false
    }
    if (endpoint.uselessInStep !== this.#step) {
      endpoint.uselessInStep = this.#step
      endpoint.uselessFetches = 0
    }
    return endpoint.uselessFetches < USELESS_BATCH
  }

  /** The VM made the broker work for nothing, and is not looked at for a while: so others do not wait for more of that. */
  rest(vm: number): void {
    const endpoint = this.endpoints[vm]!
    endpoint.restsUntilNs = Math.max(endpoint.restsUntilNs, this.port.now() + endpoint.restNs)
  }

  /** `core` begins a step. */
  beginStep(core: number): void {
    this.core = core
    this.#furtherFetches = 0
    this.#step++
  }

  /** The VM posted receive buffers while a message waited for one, or a sender for pages that they bring back. */
  refilled(vm: number): void {
    const { pool, starved } = this.endpoints[vm]!
    if (starved && pool !== null) this.hasBuffer(vm)
  }

  #feed(endpoint: Endpoint): void {
    endpoint.feed(this.port.now())
    if (this.config.suppressRefillKicks) endpoint.queues!.receive.disableNotifications()
    else endpoint.queues!.receive.enableNotifications()
  }
}

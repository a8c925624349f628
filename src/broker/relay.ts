/**
 * The relay: what a broker does with messages, whichever core it runs on. They come in from transmit queues (`fetch`), wait
 * by flow, are moved by the DMA (`dispatch`, `extend`, `harvest`) or by remapping pages (`moveByCpu`), and go out through
 * receive queues (`announce`). Every call does a bounded amount of work; the placements (floating.ts, dedicated.ts) decide
 * where and in which order. With a lock around it, any core may call.
 *
 * Nothing here trusts a guest: extents are physical and lie in the guest's own memory, and a queue that breaks stops only
 * itself. A message that can no longer arrive is dropped, so that its sender gets its buffer back.
 */
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { CostOp, NO_INTERRUPT, PlatformCapability, type PlatformPort } from '../platform/index.ts'
import type { ZeroCopy } from '../zero-copy/index.ts'
import { CHAIN_BATCH, DROP_BATCH, EXTEND_BATCH } from './batches.ts'
import type { Endpoint, EndpointQueues } from './endpoint.ts'
import { FlowQueues } from './flow-queues.ts'
import { Intake } from './intake.ts'
import type { Message } from './message-table.ts'
import { Outlet } from './outlet.ts'
import { PageMover } from './page-mover.ts'
import { ReceivePool } from './receive-pool.ts'
import type { Regulator } from './regulator.ts'
import { checkRelayConfig, type RelayConfig, RelayContext, type RelayObserver } from './relay-context.ts'
import type { Router } from './router.ts'
import type { Transfer } from './transfer.ts'

/**
 * Moves messages between rings: takes them in, schedules them, starts transfers and finishes them. Both brokers share
 * it, and hold the lock around every call.
 */
export class Relay {
  readonly #port: PlatformPort
  readonly #context: RelayContext
  readonly #regulator: Regulator
  readonly #queues: FlowQueues
  readonly #intake: Intake
  readonly #outlet: Outlet
  readonly #pages: PageMover
  readonly #chains: boolean
  /** Of every piece but a message's last, at least: what a receive buffer has to hold. */
  readonly #pieceBytes: number
  /** The transfer that the DMA runs. */
  #running: Transfer | null = null

  constructor(
    port: PlatformPort,
    config: RelayConfig,
    router: Router,
    regulator: Regulator,
    observer: RelayObserver = {},
  ) {
    checkRelayConfig(config)
    assert(regulator.isFull, 'the regulator starts full')
    this.#port = port
    this.#context = new RelayContext(port, config, router, observer)
    this.#regulator = regulator
    this.#queues = new FlowQueues(this.#context)
    this.#intake = new Intake(this.#context, this.#queues)
    this.#outlet = new Outlet(this.#context, this.#queues)
    this.#pages = new PageMover(this.#context, this.#queues, this.#outlet)
    this.#pieceBytes = Math.min(config.chunkBytes, PAGE_SIZE)
    this.#chains = config.chaining === 'adaptive' && (port.capabilities & PlatformCapability.dmaChaining) !== 0
  }

  get endpoints(): readonly Endpoint[] {
    return this.#context.endpoints
  }

  /** The VM's driver set DRIVER_OK: its queues are live. */
  attach(vm: number, queues: EndpointQueues): void {
    const { config, endpoints, router, zeroCopy } = this.#context
    const endpoint = endpoints[vm]!
    assert(endpoint.queues === null, `VM ${vm} is attached already`)
    endpoint.queues = queues
    // A piece is never split: a buffer that holds less than one would make more of it.
    endpoint.pool = new ReceivePool(this.#port, vm, queues, router.headerBytes, this.#pieceBytes, zeroCopy)
    endpoint.feed(this.#port.now())
    zeroCopy?.ledger.retain(queues.rings)
    if (config.suppressRefillKicks) queues.receive.disableNotifications()
  }

  /** From `attach` until the end of a reset: the broker may read and write the VM's memory. */
  isAttached(vm: number): boolean {
    return this.endpoints[vm]!.queues !== null
  }

  /**
   * The VM's driver resets its device: a batch of what has to end before that is complete. True: call again. False: it is complete, and
   * from now on nothing of the VM is read or written, and its RAM is its own; or, while `isAttached`, the DMA still moves bytes from or
   * to it and has been asked to stop, and the caller asks again after the next DMA interrupt.
   */
  detach(core: number, vm: number): boolean {
    this.#context.core = core
    const endpoint = this.endpoints[vm]!
    const { queues, pool } = endpoint
    if (queues === null) return false
    endpoint.leaving = true
    const running = this.#running?.message
    if (running && (running.source === vm || running.destination === vm)) {
      this.#stop(this.#running!)
      return false
    }
    let left = DROP_BATCH
    left -= this.#dropLostOf(endpoint, left)
    if (left === 0 || !this.#pages.settleLoansOf(vm)) return true
    left -= this.#outlet.drop(endpoint, left)
    left -= pool!.close(left)
    if (left === 0) return true
    this.#context.zeroCopy?.ledger.release(queues.rings)
    this.#intake.forget(vm)
    endpoint.queues = null
    endpoint.pool = null
    endpoint.leaving = false
    endpoint.watched = false
    endpoint.announcer = -1
    endpoint.heldBy = -1
    this.#context.rest(vm)
    return false
  }

  /** Called first in each step. */
  beginStep(core: number): void {
    this.#context.beginStep(core)
  }

  /** Takes a batch of new messages from the VM's transmit queue. True: call again. */
  fetch(core: number, vm: number): boolean {
    this.#context.core = core
    return this.#intake.fetch(vm)
  }

  /** The VM posted receive buffers while a message waited for one, or a sender for pages that they bring back. */
  refilled(vm: number): void {
    this.#context.refilled(vm)
  }

  /** Whether a kick of the VM's receive queue needs an answer: a message waits, and there may be enough now. Without the lock, too. */
  mayFeed(vm: number): boolean {
    return this.#context.mayFeed(vm)
  }

  /**
   * Until when doorbells and resets of the VM need not be answered, ns; 0: they have to be. May be asked without the lock: a rest that begins
   * meanwhile is found the next time.
   */
  restsUntilNs(vm: number): number {
    const { restsUntilNs } = this.endpoints[vm]!
    return this.#port.now() < restsUntilNs ? restsUntilNs : 0
  }

  /** The core moves pages, and has left for its guests: whatever it comes back for, it goes on. */
  movesPages(core: number): boolean {
    return this.#pages.isWorker(core)
  }

  /** The core answers, at `timeNs`, doorbells that wait; Infinity: none does. For that core, with the lock or without. */
  answerLater(core: number, timeNs: number): void {
    this.#context.wakeUps.forDoorbells(core, timeNs)
  }

  /** Writes a batch of used elements of what has arrived, and notifies who asked for it. True: call again. */
  announce(core: number): boolean {
    this.#context.core = core
    return this.#outlet.announce()
  }

  /**
   * Starts the next transfer of the most urgent message if the DMA is free and the budget allows. If the DMA is busy with
   * something less urgent, stops that at the next piece border. What has to wait for a time arms the timer.
   */
  dispatch(core: number): void {
    this.#context.core = core
    const now = this.#port.now()
    const running = this.#running
    if (running !== null) {
      if (this.#chains && !running.stopped && this.#queues.pick(now, running.message) !== null) this.#stop(running)
    } else {
      const message = this.#queues.pick(now, null)
      const startableNs = message === null ? now : this.#startableNs(message, now)
      if (startableNs > now) this.#wakeAt(startableNs)
      else if (message !== null) this.#start(message)
    }
    this.#wakeAt(this.#queues.nextEligibleNs(now))
  }

  #startableNs(message: Message, nowNs: number): number {
    const bytes = this.#nextPieceBytes(
      this.endpoints[message.destination]!.pool!,
      message.totalBytes - message.movedBytes,
    )
    return this.#regulator.startableAt(nowNs, this.#port.dmaBusyNs(bytes))
  }

  /** Of a message with `restBytes` to go, the next piece: what the next receive buffer takes of it. */
  #nextPieceBytes(pool: ReceivePool, restBytes: number): number {
    return Math.min(restBytes, this.#context.config.chunkBytes, pool.first.payloadCapacity)
  }

  #start(message: Message): void {
    const { config, endpoints } = this.#context
    const transfer = this.#outlet.open(message)
    this.#running = transfer
    this.#port.charge(CostOp.pick, 1)
    if (message.movedBytes === 0) this.#port.charge(CostOp.messageOverhead, 1)
    this.#addPiece(transfer, this.#nextPieceBytes(transfer.pool!, message.totalBytes - transfer.plannedBytes))
    this.#port.charge(CostOp.dmaSetup, 1)
    transfer.startNs = this.#port.now()
    const { core } = endpoints[message.destination]!
    const here = core === transfer.core && core === endpoints[message.source]!.core
    transfer.awaited = here && this.#port.dmaBusyNs(message.totalBytes) <= config.waitForDmaNs
    if (transfer.awaited) this.#port.dmaStart(transfer.list, NO_INTERRUPT)
    else this.#port.dmaStart(transfer.list, config.interruptCore === 'receiver' ? core : config.interruptCore)
  }

  /** Takes in what this core waited for, once the DMA has moved it. */
  harvestAwaited(core: number): void {
    if (this.awaitsDma(core) && this.#port.dmaIdle()) this.harvest()
  }

  /** A transfer runs that this core waits for: its step has to be followed by another. */
  awaitsDma(core: number): boolean {
    const running = this.#running
    return running?.awaited === true && running.core === core
  }

  /**
   * Chains a batch of further pieces behind the transfer that this core started. True: call again. Called right after
   * `dispatch`: the engine still moves the first piece.
   */
  extend(core: number): boolean {
    const transfer = this.#running
    if (!this.#chains || transfer === null || transfer.core !== core || transfer.closed) return false
    this.#context.core = core
    const message = transfer.message!
    const { destination, totalBytes } = message
    const pool = transfer.pool!
    for (let left = EXTEND_BATCH; left > 0 && !transfer.closed && transfer.plannedBytes < totalBytes; ) {
      const { furtherFetches } = this.#context
      const wanted = Math.min(left, Math.ceil((totalBytes - transfer.plannedBytes) / this.#pieceBytes))
      if (pool.count === 0) this.#context.takeBuffers(destination, Math.min(wanted, CHAIN_BATCH))
      const added = this.#context.hasBuffer(destination) ? this.#chain(transfer, wanted) : 0
      // No buffer, no budget, or the engine had already stopped: then the interrupt brings the rest.
      if (added === 0 || !this.#port.dmaExtend(transfer.list)) transfer.closed = true
      left -= added + this.#context.furtherFetches - furtherFetches
    }
    return !transfer.closed && transfer.plannedBytes < totalBytes
  }

  /**
   * Ends a step whose `extend` was not done. True: a guest of this core waits to run, so the core leaves, and comes back by its
   * timer while half of what is chained has still to be moved. False: it may as well go on at once.
   */
  extendLater(core: number): boolean {
    const now = this.#port.now()
    const { startNs, busyNs } = this.#running!
    const atNs = now + (startNs + busyNs - now) / 2
    const later = this.#context.guestWaits[core] === 1 && atNs > now
    this.#context.wakeUps.forChain(core, later ? atNs : Number.POSITIVE_INFINITY)
    return later
  }

  /** The core has nothing to go on with: its guest runs. */
  leave(core: number): void {
    this.#context.guestWaits[core] = 0
  }

  /** Plans up to `limit` further pieces into the buffers at hand, as far as the budget goes; returns how many. */
  #chain(transfer: Transfer, limit: number): number {
    const { totalBytes } = transfer.message!
    const pool = transfer.pool!
    const now = this.#port.now()
    let added = 0
    while (added < limit && pool.count > 0 && transfer.plannedBytes < totalBytes) {
      const bytes = this.#nextPieceBytes(pool, totalBytes - transfer.plannedBytes)
      if (!this.#regulator.mayFollow(now, transfer.busyNs, this.#port.dmaBusyNs(bytes))) break
      this.#addPiece(transfer, bytes)
      added++
    }
    return added
  }

  #addPiece(transfer: Transfer, bytes: number): void {
    transfer.addPiece(transfer.pool!.shift()!, bytes, this.#context.router.headerBytes)
    transfer.busyNs += this.#port.dmaBusyNs(bytes)
  }

  /** No further pieces, and the engine pauses where it still can. */
  #stop(transfer: Transfer): void {
    transfer.closed = true
    transfer.stopped = true
    this.#port.dmaPause()
  }

  /** The DMA's list ended or paused: settles the budget, takes back what was not moved, queues the rest for `announce`. */
  harvest(): void {
    const transfer = this.#running
    assert(transfer !== null, 'a DMA interrupt without a transfer')
    this.#running = null
    const moved = this.#port.dmaCompletedPieces()
    while (transfer.pieces > moved) transfer.pool!.unshift(transfer.buffers[--transfer.pieces]!)
    this.#settle(transfer)
    this.#outlet.arrive(transfer)
  }

  /** Charges the pieces that were moved, each with the time that it kept the DMA busy. */
  #settle({ message, pieceBytes, pieces }: Transfer): void {
    for (let piece = 0; piece < pieces; piece++) {
      const bytes = pieceBytes[piece]!
      const busyNs = this.#port.dmaBusyNs(bytes)
      this.#regulator.charge(this.#port.dmaPieceEndNs(piece) - busyNs, busyNs)
      message!.advance(bytes)
    }
  }

  /** Moves messages without payload, and those whose pages are exchanged or lent. True: call again. */
  moveByCpu(core: number): boolean {
    this.#context.core = core
    return this.#pages.step()
  }

  /**
   * Ends a step whose `moveByCpu` was not done. True: guests of this core have interrupts to take, so the core leaves, and comes
   * back when they have none left. False: it may as well go on at once.
   */
  moveLater(core: number): boolean {
    this.#context.core = core
    return this.#pages.later()
  }

  /** The pages that are moved without copying, and their counts; null where everything is copied. */
  get zeroCopy(): ZeroCopy<Message> | null {
    return this.#context.zeroCopy
  }

  /**
   * Ends a batch of what can never arrive: messages to a VM that is gone or broke its receive queue, or from one that is gone. True: call again.
   */
  dropLost(core: number): boolean {
    this.#context.core = core
    let left = DROP_BATCH
    for (const endpoint of this.endpoints) {
      if (endpoint.unreachable && left > 0) left -= this.#dropLostOf(endpoint, left)
    }
    return left === 0
  }

  /**
   * Up to `limit` units of it: messages, and pages that were on their way; returns how many. A message to a VM that is gone waits for its time,
   * and those behind it come a period later, as if it had arrived: so nobody is made to send more by a receiver that resets again and again.
   */
  #dropLostOf({ vm }: Endpoint, limit: number): number {
    const { endpoints, observer } = this.#context
    const nowNs = this.#port.now()
    let left = limit
    for (const flow of this.#queues.flowsWaitingOf(vm)) {
      const state = this.#queues.states[flow]!
      const { source, destination } = state
      const { gone } = endpoints[source]!
      if (!endpoints[destination]!.unreachable && !gone) continue
      left -= this.#pages.abandon(flow, left)
      for (; left > 0 && state.first !== null && state.first !== this.#running?.message; left--) {
        if (!gone && state.first.eligibleNs > nowNs) break
        if (!gone) state.first.fedNs = nowNs
        observer.onRefused?.(source, 'unreachable')
        this.#outlet.completeIfOver(this.#queues.dequeue(state, nowNs))
      }
      if (left === 0) break
    }
    return limit - left
  }

  #wakeAt(timeNs: number): void {
    if (timeNs < Number.POSITIVE_INFINITY) this.#context.wakeUps.forWork(this.#context.core, timeNs)
  }

  /** The core's timer fired; whatever it was for, the step finds it. */
  timerFired(core: number): void {
    this.#context.wakeUps.fired(core)
  }

  /** Some core may not look for work when it was going to: the next `dispatch` sees to it that this one does. */
  takeOver(): void {
    this.#context.wakeUps.takeOver()
  }

  /** Ends a step: lets interrupts go that were held back, or sees to it that they will be. */
  releaseHeld(core: number): void {
    this.#context.core = core
    this.#context.releaseHeld()
  }
}

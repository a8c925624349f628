/**
 * The simulated board, and the platform port that the broker sees of it. It turns the broker's steps into time: a step runs
 * at once, its charges add up to how long the core was in EL2, and what it started (a transfer, an IPI, the lock's release)
 * happens at the moment within the step at which it was asked for.
 *
 *   guest ── doorbell ──▶ trap ─┐
 *   DMA, timer, IPI ──▶ pend ───┴▶ EL2 section: entry cost ─▶ step ─▶ (spin | more steps | next interrupt) ─▶ back to guest
 *
 * While a core is in EL2 its interrupts are masked; they are taken between steps and before it leaves. A core that MemGuard
 * throttles waits in EL2 before it leaves; `broker.memguard` says which interrupts reach it there.
 */
import type { Broker } from '../broker/index.ts'
import { assert } from '../internal/assert.ts'
import { BrokerCause, CostOp, type DmaList, NO_INTERRUPT, type PlatformPort, StepResult } from '../platform/index.ts'
import { CoreLevel } from '../sim/index.ts'
import { BoardMappings } from './board-mappings.ts'
import {
  BoardEvent,
  type BoardParts,
  CAPABILITIES,
  CAUSE_OF_INTERRUPT,
  EL2,
  HARDWARE,
  INJECT,
  LINES_PER_PAGE,
  MEMGUARD_EVENTS,
  THROTTLE,
} from './board-parts.ts'
import { CoreStates } from './core-states.ts'
import { DmaChannel } from './dma-channel.ts'
import { PhysicalInterrupt } from './gic.ts'
import { TraceKind, Track } from './trace-names.ts'

export class Board implements PlatformPort {
  readonly capabilities = CAPABILITIES
  readonly #parts: BoardParts
  #broker: Broker | null = null

  /** Local time of the step that runs. */
  #localNs = 0
  readonly #coreCount: number
  readonly #state: CoreStates
  readonly #channel: DmaChannel
  readonly #mappings: BoardMappings

  constructor(parts: BoardParts, coreCount: number) {
    this.#parts = parts
    this.#channel = new DmaChannel(parts)
    this.#mappings = new BoardMappings(parts)
    this.#coreCount = coreCount
    this.#state = new CoreStates(coreCount)
  }

  connect(broker: Broker): void {
    this.#broker = broker
  }

  // ---- entering and leaving EL2

  /** A guest wrote the doorbell of `queue` on `core`, which runs it: the access traps. */
  trap(core: number, vm: number, queue: number): void {
    this.#parts.hardware?.doorbell(core, vm, queue)
    this.#trap(core, BrokerCause.doorbell, vm * 2 + queue)
  }

  /** A guest resets its device, whose registers trap, or asks whether that is complete: the broker first, then the registers answer. */
  trapReset(core: number, vm: number): void {
    this.#state.resetting[core] = vm
    this.#trap(core, BrokerCause.detach, vm)
  }

  /** A guest of `core` has finished something: if it was the last, it waits for interrupts, and that traps where the broker asked. */
  guestFinished(core: number): void {
    const { cores, guestsBusy } = this.#parts
    if (this.#state.lent[core] === 0 || !cores.isIdle(core, CoreLevel.hypervisor) || guestsBusy(core)) return
    this.#parts.hardware?.idle(core)
    this.#trap(core, BrokerCause.guestIdle, 0)
  }

  #trap(core: number, cause: number, argument: number): void {
    const { kernel, costs } = this.#parts
    this.#enterEl2(core, TraceKind.trap)
    this.#state.cause[core] = cause
    this.#state.argument[core] = argument
    kernel.schedule(kernel.now + costs.drawNs(CostOp.mmioTrap, 1), EL2, BoardEvent.enterBroker, core, 0)
  }

  /** A physical interrupt for `core`: taken now if the core is not busy in EL2, else before it leaves. */
  #raise(core: number, interrupt: number, sender = 0): void {
    const { gic, cores, hardware, memguard } = this.#parts
    hardware?.raise(core, interrupt, sender)
    gic.pend(core, interrupt, sender)
    if (cores.isIdle(core, CoreLevel.hypervisor)) {
      hardware?.leaveGuest(core)
      this.#enterEl2(core, TraceKind.interrupt)
    } else if (this.#state.waiting[core] === 0 || memguard.isDeaf(core)) return
    this.#state.waiting[core] = 0
    this.#state.maskedSinceNs[core] = this.#parts.kernel.now
    this.#takeInterrupt(core)
  }

  #enterEl2(core: number, kind: number): void {
    const { kernel, cores, counters, memguard } = this.#parts
    if (!cores.enter(core)) assert(false, `core ${core} is in EL2 already`)
    memguard.guestStops(core)
    counters.exits[core]!++
    this.#state.sectionStartNs[core] = kernel.now
    this.#state.maskedSinceNs[core] = kernel.now
    this.#state.sectionKind[core] = kind
  }

  /** Acknowledges the next pending interrupt of a core in EL2, and calls the broker after its cost. */
  #takeInterrupt(core: number): void {
    const { kernel, gic, costs, counters, hardware, memguard, trace } = this.#parts
    const interrupt = gic.acknowledge(core)
    hardware?.acknowledge(core, interrupt)
    counters.interrupts[core]!++
    if (interrupt >= PhysicalInterrupt.newPeriod) counters.memguardInterrupts++
    if (interrupt === PhysicalInterrupt.dma) {
      counters.longestCompletionDelayNs = Math.max(counters.longestCompletionDelayNs, kernel.now - this.#channel.endNs)
    }
    trace.instant(TraceKind.interrupt, Track.core(core), kernel.now, interrupt, 0)
    this.#state.cause[core] = CAUSE_OF_INTERRUPT[interrupt]!
    // A core that looks for interrupts while it waits takes no exception for them.
    const polled = memguard.whenThrottled === 'service' && memguard.isThrottled(core)
    const costNs = costs.drawNs(polled ? CostOp.gicAccess : CostOp.irqEntryAck, 1)
    kernel.schedule(kernel.now + costNs, EL2, BoardEvent.enterBroker, core, 0)
  }

  #enterBroker(core: number): void {
    const cause = this.#state.cause[core]!
    if (cause >= 0) {
      this.#goesOn(core)
      this.#after(core, this.#broker!.enter(core, cause, this.#state.argument[core]!))
      return
    }
    this.#parts.hardware?.enter(core)
    this.#localNs = this.#parts.kernel.now
    if (cause === INJECT) this.#injectPending(core)
    if (cause === THROTTLE) this.#throttle(core)
    this.#after(core, StepResult.done)
  }

  #resumeBroker(core: number): void {
    this.#goesOn(core)
    this.#after(core, this.#broker!.resume(core))
  }

  /** Whatever the broker enters for, its step goes on with what was left. */
  #goesOn(core: number): void {
    this.#parts.hardware?.enter(core)
    this.#localNs = this.#parts.kernel.now
    this.#state.unfinished[core] = 0
    this.#state.lent[core] = 0
  }

  /** What follows a step, once its charges have passed. */
  #after(core: number, result: number): void {
    const { kernel } = this.#parts
    if (result === StepResult.waitLock) return // resumed by the lock's release
    if (result === StepResult.more) this.#state.unfinished[core] = 1
    else if (this.#state.unfinished[core] === 0) this.#answerReset(core)
    kernel.schedule(this.#localNs, EL2, BoardEvent.leave, core, 0)
  }

  #answerReset(core: number): void {
    const vm = this.#state.resetting[core]!
    this.#state.resetting[core] = -1
    if (vm >= 0) this.#parts.onStatusAccess(vm)
  }

  /** Between steps: pending interrupts first, then unfinished work, then back to the guest unless it is throttled. */
  #leave(core: number): void {
    const { kernel, cores, counters, gic, guestsBusy, memguard, trace } = this.#parts
    counters.longestMaskedNs = Math.max(counters.longestMaskedNs, kernel.now - this.#state.maskedSinceNs[core]!)
    this.#state.maskedSinceNs[core] = kernel.now
    if (gic.hasPending(core) && !memguard.isDeaf(core)) this.#takeInterrupt(core)
    else if (this.#state.unfinished[core] === 1) this.#resumeBroker(core)
    else if (this.#state.lent[core] === 1 && (memguard.isThrottled(core) || !guestsBusy(core))) {
      this.#state.cause[core] = BrokerCause.guestIdle
      this.#enterBroker(core)
    } else if (memguard.isThrottled(core)) this.#state.waiting[core] = 1
    else {
      const start = this.#state.sectionStartNs[core]!
      trace.span(
        this.#state.sectionKind[core]!,
        Track.core(core),
        start,
        kernel.now - start,
        this.#state.cause[core]!,
        0,
      )
      cores.leave(core)
      memguard.guestRuns(core)
    }
  }

  // ---- MemGuard

  #throttle(core: number): void {
    const { memguard } = this.#parts
    if (!memguard.throttle(core) || memguard.whenThrottled !== 'retarget') return
    this.charge(CostOp.gicAccess, 1)
    const taker = this.#takerOf(core)
    if (taker === core) return
    this.#moveInterrupts(core, taker)
    if (this.#hasTimer(core)) this.#sgi(core, taker, BoardEvent.takeOver, 0)
  }

  /** A new period of a core. It comes back from its waiting, and sees to what waited for lack of a core that listens. */
  #beginPeriod(core: number): void {
    const { kernel, memguard, trace, vmCores } = this.#parts
    const sinceNs = memguard.replenish(core)
    if (sinceNs >= 0) {
      trace.span(TraceKind.throttled, Track.core(core), sinceNs, kernel.now - sinceNs, core, 0)
      if (memguard.whenThrottled === 'retarget') {
        for (const other of vmCores) {
          if (!memguard.isThrottled(other)) continue
          this.#moveInterrupts(other, core)
          if (this.#hasTimer(other)) this.#raise(core, PhysicalInterrupt.takeOver)
        }
      }
    }
    this.#raise(core, PhysicalInterrupt.newPeriod)
  }

  /** Who takes what is meant for `core`: where it is deaf and interrupts are retargeted, the first VM core that is not. */
  #takerOf(core: number): number {
    const { memguard, vmCores } = this.#parts
    if (memguard.whenThrottled !== 'retarget' || !memguard.isThrottled(core)) return core
    return vmCores.find((other) => !memguard.isThrottled(other)) ?? core
  }

  #moveInterrupts(from: number, to: number): void {
    const { gic } = this.#parts
    if (gic.withdraw(from, PhysicalInterrupt.dma)) this.#raise(to, PhysicalInterrupt.dma)
    if (gic.withdraw(from, PhysicalInterrupt.takeOver)) this.#raise(to, PhysicalInterrupt.takeOver)
  }

  /** The broker's timer of this core is set, or has fired and is not acknowledged. */
  #hasTimer(core: number): boolean {
    const { gic, kernel } = this.#parts
    const atNs = this.#state.timers[core]!
    return (atNs >= kernel.now && atNs < Number.POSITIVE_INFINITY) || gic.isPending(core, PhysicalInterrupt.timer)
  }

  /** Handles one of the board's events. False: it is not one of them. */
  handle(kind: number, a: number, b: number): boolean {
    switch (kind) {
      case BoardEvent.enterBroker:
        this.#enterBroker(a)
        break
      case BoardEvent.leave:
        this.#leave(a)
        break
      case BoardEvent.unlock:
        this.#unlock(a)
        break
      case BoardEvent.dmaEnd:
        this.#endDma()
        break
      case BoardEvent.ipi:
        this.#raise(a, PhysicalInterrupt.kick, b % this.#coreCount)
        break
      case BoardEvent.injectByIpi:
        this.#parts.gic.ask(a, Math.floor(b / this.#coreCount))
        this.#raise(a, PhysicalInterrupt.guest, b % this.#coreCount)
        break
      case BoardEvent.timer:
        if (this.#state.timers[a] === this.#parts.kernel.now) this.#raise(a, PhysicalInterrupt.timer)
        break
      case BoardEvent.takeOver:
        this.#raise(this.#takerOf(a), PhysicalInterrupt.takeOver, b % this.#coreCount)
        break
      case MEMGUARD_EVENTS.exhausted:
        this.#raise(a, PhysicalInterrupt.exhausted)
        break
      case MEMGUARD_EVENTS.period:
        this.#beginPeriod(a)
        break
      default:
        return false
    }
    return true
  }

  // ---- the port: time and lock

  now(): number {
    return this.#localNs
  }

  charge(op: number, count: number): void {
    if (count > 0) this.#localNs += this.#parts.costs.drawNs(op, count)
  }

  acquireLock(core: number): boolean {
    return this.#parts.lock.acquire(core)
  }

  releaseLock(core: number): void {
    const { kernel, counters } = this.#parts
    counters.longestLockHoldNs = Math.max(counters.longestLockHoldNs, this.#localNs - kernel.now)
    kernel.schedule(this.#localNs, HARDWARE, BoardEvent.unlock, core, 0)
  }

  #unlock(core: number): void {
    const next = this.#parts.lock.release(core)
    if (next >= 0) this.#resumeBroker(next)
  }

  // ---- the port: interrupts

  interruptGuest(fromCore: number, vm: number): void {
    const core = this.#parts.vmCores[vm]!
    if (core === fromCore) {
      this.charge(CostOp.injectListRegister, 1)
      this.#inject(vm)
      return
    }
    this.#sgi(fromCore, core, BoardEvent.injectByIpi, vm)
  }

  sendIpi(fromCore: number, toCore: number): void {
    this.#sgi(fromCore, toCore, BoardEvent.ipi, 0)
  }

  /** The event's second argument: `argument`, and who sent it. */
  #sgi(from: number, to: number, event: number, argument: number): void {
    const { kernel, costs, counters } = this.#parts
    counters.crossCoreIpis++
    const atNs = this.#localNs + costs.drawNs(CostOp.sgi, 1)
    kernel.schedule(atNs, HARDWARE, event, to, argument * this.#coreCount + from)
  }

  #injectPending(core: number): void {
    for (const vm of this.#parts.gic.takeAsked(core)) {
      this.charge(CostOp.injectListRegister, 1)
      this.#inject(vm)
    }
  }

  #inject(vm: number): void {
    const { gic, counters, hardware, vmCores, onGuestInterrupt } = this.#parts
    hardware?.inject(vm)
    if (!gic.inject(vmCores[vm]!, vm)) return
    counters.virtualInterrupts++
    onGuestInterrupt(vm)
  }

  setTimer(core: number, timeNs: number): void {
    const { kernel } = this.#parts
    const atNs = Math.max(Math.ceil(timeNs), Math.ceil(this.#localNs))
    this.#state.timers[core] = atNs
    if (atNs < Number.POSITIVE_INFINITY) kernel.schedule(atNs, HARDWARE, BoardEvent.timer, core, 0)
  }

  yieldToGuest(core: number): boolean {
    const { guestsBusy, memguard } = this.#parts
    if (memguard.isThrottled(core) || !guestsBusy(core)) return false
    this.#state.lent[core] = 1
    return true
  }

  // ---- the port: DMA

  dmaBusyNs(bytes: number): number {
    return this.#parts.dma.busyNs(bytes)
  }

  dmaStart(list: DmaList, interruptCore: number): void {
    this.#channel.start(list, interruptCore, this.#localNs)
  }

  dmaExtend(_list: DmaList): boolean {
    return this.#channel.extend(this.#localNs)
  }

  dmaPause(): boolean {
    return this.#channel.pause(this.#localNs)
  }

  dmaIdle(): boolean {
    return !this.#parts.dma.busy
  }

  dmaCompletedPieces(): number {
    return this.#channel.completedPieces
  }

  dmaPieceEndNs(piece: number): number {
    return this.#parts.dma.pieceEndNs(piece)
  }

  #endDma(): void {
    const { counters, memguard } = this.#parts
    this.#channel.finish()
    if (this.#channel.interruptCore === NO_INTERRUPT) return
    const core = this.#takerOf(this.#channel.interruptCore)
    if (memguard.isDeaf(core)) counters.delayedCompletions++
    this.#raise(core, PhysicalInterrupt.dma)
  }

  // ---- the port: stage 2

  stage2Unmap(vm: number, guestAddress: number): number {
    this.charge(CostOp.pteUpdate, 1)
    return this.#mappings.unmap(vm, guestAddress)
  }

  stage2Map(vm: number, guestAddress: number, frame: number, writable: boolean): void {
    this.charge(CostOp.pteUpdate, 1)
    this.#mappings.map(vm, guestAddress, frame, writable)
  }

  stage2Protect(vm: number, guestAddress: number, writable: boolean): void {
    this.charge(CostOp.pteUpdate, 1)
    this.#mappings.protect(vm, guestAddress, writable)
  }

  tlbInvalidate(vm: number, guestAddress: number, pages: number): void {
    this.charge(CostOp.tlbInvalidate, pages)
    this.#parts.hardware?.invalidate(vm, guestAddress, pages)
  }

  tlbInvalidateAll(vm: number): void {
    this.charge(CostOp.tlbInvalidate, 1)
    this.#parts.hardware?.invalidateAll(vm)
    this.#parts.onTlbFlush(vm)
  }

  smmuInvalidate(_vm: number): void {
    this.charge(CostOp.smmuInvalidate, 1)
  }

  scrubFrame(frame: number): void {
    this.charge(CostOp.cacheCleanPerLine, LINES_PER_PAGE)
    this.#mappings.scrub(frame)
  }

  copyFrame(from: number, to: number): void {
    this.charge(CostOp.copyPerLine, LINES_PER_PAGE)
    this.#mappings.copy(from, to)
  }

  frameColor(frame: number): number {
    return this.#parts.dram.colorOf(frame)
  }
}

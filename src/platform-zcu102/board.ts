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
import { PAGE_SIZE } from '../memory/index.ts'
import { BrokerCause, CostOp, type DmaList, NO_INTERRUPT, type PlatformPort, StepResult } from '../platform/index.ts'
import { CoreLevel } from '../sim/index.ts'
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
import { DmaChannel } from './dma-channel.ts'
import { PhysicalInterrupt } from './gic.ts'
import { TraceKind, Track } from './trace-names.ts'

export class Board implements PlatformPort {
  readonly capabilities = CAPABILITIES
  readonly #parts: BoardParts
  #broker: Broker | null = null

  /** Local time of the step that runs. */
  #localNs = 0
  /** By core: when its EL2 section began, and what it is for (the trace's kind). */
  readonly #sectionStartNs: Float64Array
  readonly #sectionKind: Int32Array
  /** By core: since when it has not let an interrupt in. */
  readonly #maskedSinceNs: Float64Array
  /** By core: cause and argument of the broker entry that follows the entry cost. */
  readonly #cause: Int32Array
  readonly #argument: Int32Array
  /** By core: the broker returned `more` and wants to go on after pending interrupts. */
  readonly #unfinished: Uint8Array
  /** By core: throttled, in EL2, and nothing to do. */
  readonly #waiting: Uint8Array
  /** By core: the broker left it to its guests and wants it back. */
  readonly #lent: Uint8Array
  /** By core: the VM whose registers answer before the core leaves, or -1. */
  readonly #resetting: Int32Array
  readonly #timers: Float64Array
  readonly #channel: DmaChannel

  constructor(parts: BoardParts, coreCount: number) {
    this.#parts = parts
    this.#channel = new DmaChannel(parts)
    this.#sectionStartNs = new Float64Array(coreCount)
    this.#sectionKind = new Int32Array(coreCount)
    this.#maskedSinceNs = new Float64Array(coreCount)
    this.#cause = new Int32Array(coreCount)
    this.#argument = new Int32Array(coreCount)
    this.#unfinished = new Uint8Array(coreCount)
    this.#waiting = new Uint8Array(coreCount)
    this.#lent = new Uint8Array(coreCount)
    this.#resetting = new Int32Array(coreCount).fill(-1)
    this.#timers = new Float64Array(coreCount)
  }

  connect(broker: Broker): void {
    this.#broker = broker
  }

  // ---- entering and leaving EL2

  /** A guest wrote the doorbell of `queue` on `core`, which runs it: the access traps. */
  trap(core: number, vm: number, queue: number): void {
    this.#trap(core, BrokerCause.doorbell, vm * 2 + queue)
  }

  /** A guest resets its device, whose registers trap, or asks whether that is complete: the broker first, then the registers answer. */
  trapReset(core: number, vm: number): void {
    this.#resetting[core] = vm
    this.#trap(core, BrokerCause.detach, vm)
  }

  /** A guest of `core` has finished something: if it was the last, it waits for interrupts, and that traps where the broker asked. */
  guestFinished(core: number): void {
    const { cores, guestsBusy } = this.#parts
    if (this.#lent[core] === 0 || !cores.isIdle(core, CoreLevel.hypervisor) || guestsBusy(core)) return
    this.#trap(core, BrokerCause.guestIdle, 0)
  }

  #trap(core: number, cause: number, argument: number): void {
    const { kernel, costs } = this.#parts
    this.#enterEl2(core, TraceKind.trap)
    this.#cause[core] = cause
    this.#argument[core] = argument
    kernel.schedule(kernel.now + costs.drawNs(CostOp.mmioTrap, 1), EL2, BoardEvent.enterBroker, core, 0)
  }

  /** A physical interrupt for `core`: taken now if the core is not busy in EL2, else before it leaves. */
  #raise(core: number, interrupt: number): void {
    const { gic, cores, memguard } = this.#parts
    gic.pend(core, interrupt)
    if (cores.isIdle(core, CoreLevel.hypervisor)) this.#enterEl2(core, TraceKind.interrupt)
    else if (this.#waiting[core] === 0 || memguard.isDeaf(core)) return
    this.#waiting[core] = 0
    this.#maskedSinceNs[core] = this.#parts.kernel.now
    this.#takeInterrupt(core)
  }

  #enterEl2(core: number, kind: number): void {
    const { kernel, cores, counters, memguard } = this.#parts
    if (!cores.enter(core)) assert(false, `core ${core} is in EL2 already`)
    memguard.guestStops(core)
    counters.exits[core]!++
    this.#sectionStartNs[core] = kernel.now
    this.#maskedSinceNs[core] = kernel.now
    this.#sectionKind[core] = kind
  }

  /** Acknowledges the next pending interrupt of a core in EL2, and calls the broker after its cost. */
  #takeInterrupt(core: number): void {
    const { kernel, gic, costs, counters, memguard, trace } = this.#parts
    const interrupt = gic.acknowledge(core)
    counters.interrupts[core]!++
    if (interrupt >= PhysicalInterrupt.newPeriod) counters.memguardInterrupts++
    if (interrupt === PhysicalInterrupt.dma) {
      counters.longestCompletionDelayNs = Math.max(counters.longestCompletionDelayNs, kernel.now - this.#channel.endNs)
    }
    trace.instant(TraceKind.interrupt, Track.core(core), kernel.now, interrupt, 0)
    this.#cause[core] = CAUSE_OF_INTERRUPT[interrupt]!
    // A core that looks for interrupts while it waits takes no exception for them.
    const polled = memguard.whenThrottled === 'service' && memguard.isThrottled(core)
    const costNs = costs.drawNs(polled ? CostOp.gicAccess : CostOp.irqEntryAck, 1)
    kernel.schedule(kernel.now + costNs, EL2, BoardEvent.enterBroker, core, 0)
  }

  #enterBroker(core: number): void {
    const cause = this.#cause[core]!
    if (cause >= 0) {
      this.#goesOn(core)
      this.#after(core, this.#broker!.enter(core, cause, this.#argument[core]!))
      return
    }
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
    this.#localNs = this.#parts.kernel.now
    this.#unfinished[core] = 0
    this.#lent[core] = 0
  }

  /** What follows a step, once its charges have passed. */
  #after(core: number, result: number): void {
    const { kernel } = this.#parts
    if (result === StepResult.waitLock) return // resumed by the lock's release
    if (result === StepResult.more) this.#unfinished[core] = 1
    else if (this.#unfinished[core] === 0) this.#answerReset(core)
    kernel.schedule(this.#localNs, EL2, BoardEvent.leave, core, 0)
  }

  #answerReset(core: number): void {
    const vm = this.#resetting[core]!
    this.#resetting[core] = -1
    if (vm >= 0) this.#parts.onStatusAccess(vm)
  }

  /** Between steps: pending interrupts first, then unfinished work, then back to the guest unless it is throttled. */
  #leave(core: number): void {
    const { kernel, cores, counters, gic, guestsBusy, memguard, trace } = this.#parts
    counters.longestMaskedNs = Math.max(counters.longestMaskedNs, kernel.now - this.#maskedSinceNs[core]!)
    this.#maskedSinceNs[core] = kernel.now
    if (gic.hasPending(core) && !memguard.isDeaf(core)) this.#takeInterrupt(core)
    else if (this.#unfinished[core] === 1) this.#resumeBroker(core)
    else if (this.#lent[core] === 1 && (memguard.isThrottled(core) || !guestsBusy(core))) {
      this.#cause[core] = BrokerCause.guestIdle
      this.#enterBroker(core)
    } else if (memguard.isThrottled(core)) this.#waiting[core] = 1
    else {
      const start = this.#sectionStartNs[core]!
      trace.span(this.#sectionKind[core]!, Track.core(core), start, kernel.now - start, this.#cause[core]!, 0)
      cores.leave(core)
      memguard.guestRuns(core)
    }
  }

  // ---- MemGuard

  #throttle(core: number): void {
    const { counters, costs, kernel, memguard } = this.#parts
    if (!memguard.throttle(core) || memguard.whenThrottled !== 'retarget') return
    this.charge(CostOp.gicAccess, 1)
    const taker = this.#takerOf(core)
    if (taker === core) return
    this.#moveInterrupts(core, taker)
    if (!this.#hasTimer(core)) return
    counters.crossCoreIpis++
    kernel.schedule(this.#localNs + costs.drawNs(CostOp.sgi, 1), HARDWARE, BoardEvent.takeOver, taker, 0)
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
    const atNs = this.#timers[core]!
    return (atNs >= kernel.now && atNs < Number.POSITIVE_INFINITY) || gic.isPending(core, PhysicalInterrupt.timer)
  }

  /** Handles one of the board's events. False: it is not one of them. */
  handle(kind: number, a: number, b: number): boolean {
    switch (kind) {
      case BoardEvent.enterBroker:
        this.#enterBroker(a)
        return true
      case BoardEvent.leave:
        this.#leave(a)
        return true
      case BoardEvent.unlock:
        this.#unlock(a)
        return true
      case BoardEvent.dmaEnd:
        this.#endDma()
        return true
      case BoardEvent.ipi:
        this.#raise(a, PhysicalInterrupt.kick)
        return true
      case BoardEvent.injectByIpi:
        this.#parts.gic.ask(a, b)
        this.#raise(a, PhysicalInterrupt.guest)
        return true
      case BoardEvent.timer:
        if (this.#timers[a] === this.#parts.kernel.now) this.#raise(a, PhysicalInterrupt.timer)
        return true
      case BoardEvent.takeOver:
        this.#raise(this.#takerOf(a), PhysicalInterrupt.takeOver)
        return true
      case MEMGUARD_EVENTS.exhausted:
        this.#raise(a, PhysicalInterrupt.exhausted)
        return true
      case MEMGUARD_EVENTS.period:
        this.#beginPeriod(a)
        return true
    }
    return false
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
    const { kernel, costs, counters, vmCores } = this.#parts
    const core = vmCores[vm]!
    if (core === fromCore) {
      this.charge(CostOp.injectListRegister, 1)
      this.#inject(vm)
      return
    }
    counters.crossCoreIpis++
    kernel.schedule(this.#localNs + costs.drawNs(CostOp.sgi, 1), HARDWARE, BoardEvent.injectByIpi, core, vm)
  }

  sendIpi(_fromCore: number, toCore: number): void {
    const { kernel, costs, counters } = this.#parts
    counters.crossCoreIpis++
    kernel.schedule(this.#localNs + costs.drawNs(CostOp.sgi, 1), HARDWARE, BoardEvent.ipi, toCore, 0)
  }

  #injectPending(core: number): void {
    for (const vm of this.#parts.gic.takeAsked(core)) {
      this.charge(CostOp.injectListRegister, 1)
      this.#inject(vm)
    }
  }

  #inject(vm: number): void {
    const { gic, counters, vmCores, onGuestInterrupt } = this.#parts
    if (!gic.inject(vmCores[vm]!, vm)) return
    counters.virtualInterrupts++
    onGuestInterrupt(vm)
  }

  setTimer(core: number, timeNs: number): void {
    const { kernel } = this.#parts
    const atNs = Math.max(Math.ceil(timeNs), Math.ceil(this.#localNs))
    this.#timers[core] = atNs
    if (atNs < Number.POSITIVE_INFINITY) kernel.schedule(atNs, HARDWARE, BoardEvent.timer, core, 0)
  }

  yieldToGuest(core: number): boolean {
    const { guestsBusy, memguard } = this.#parts
    if (memguard.isThrottled(core) || !guestsBusy(core)) return false
    this.#lent[core] = 1
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
    return this.#parts.stage2[vm]!.unmap(guestAddress)
  }

  stage2Map(vm: number, guestAddress: number, frame: number, writable: boolean): void {
    this.charge(CostOp.pteUpdate, 1)
    this.#parts.stage2[vm]!.map(guestAddress, frame, writable)
  }

  stage2Protect(vm: number, guestAddress: number, writable: boolean): void {
    this.charge(CostOp.pteUpdate, 1)
    this.#parts.stage2[vm]!.protect(guestAddress, writable)
  }

  tlbInvalidate(_vm: number, _guestAddress: number, pages: number): void {
    this.charge(CostOp.tlbInvalidate, pages)
  }

  tlbInvalidateAll(vm: number): void {
    this.charge(CostOp.tlbInvalidate, 1)
    this.#parts.onTlbFlush(vm)
  }

  smmuInvalidate(_vm: number): void {
    this.charge(CostOp.smmuInvalidate, 1)
  }

  scrubFrame(frame: number): void {
    this.charge(CostOp.cacheCleanPerLine, LINES_PER_PAGE)
    this.#parts.dram.zeroFrame(frame)
  }

  copyFrame(from: number, to: number): void {
    this.charge(CostOp.copyPerLine, LINES_PER_PAGE)
    this.#parts.dram.move(from * PAGE_SIZE, to * PAGE_SIZE, PAGE_SIZE)
  }

  frameColor(frame: number): number {
    return this.#parts.dram.colorOf(frame)
  }
}

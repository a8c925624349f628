/**
 * MemGuard (Yun, Yao, Pellizzoni, Caccamo, Sha: RTAS 2013) on the cores of VMs: a core may take so many cache refills in each
 * of its periods, then it is throttled: it waits in EL2 until the next period.
 *
 *   period   |<------------- P ------------->|
 *   guest    ████████▌ EL2 ▐█████            ████     refills are taken while the guest runs, at the rate of its load
 *                                ░░░░░░░░░░░░         throttled, until the timer of the next period
 *
 * Time in EL2 is not charged: the counter of refills leaves EL2 out (PMEVTYPER.NSH = 0), so the broker neither uses up a
 * VM's budget nor is ever stopped half-way through a step. The load is even: a budget is a span of guest time.
 */

import type { RefillBudget } from '../plan/index.ts'
import type { EventKernel } from '../sim/index.ts'

/** What a throttled core does about the broker's interrupts. */
export type WhenThrottled = 'service' | 'interruptible' | 'retarget' | 'accept'

/** Kinds of the two kernel events, whose argument is the core, and their priority. */
export interface MemGuardEvents {
  readonly exhausted: number
  readonly period: number
  readonly priority: number
}

export class MemGuard {
  readonly whenThrottled: WhenThrottled
  readonly #kernel: EventKernel
  readonly #events: MemGuardEvents
  /** By core; null: not regulated. */
  readonly #budgets: readonly (RefillBudget | null)[]
  /** By core: guest time left in this period, and since when the guest runs (-1: it does not). */
  readonly #leftNs: Float64Array
  readonly #runsSinceNs: Float64Array
  readonly #periodEndNs: Float64Array
  /** By core: handles of pending events, 0 for none. */
  readonly #exhaustion: Float64Array
  readonly #period: Float64Array
  readonly #throttled: Uint8Array
  readonly #throttledSinceNs: Float64Array
  readonly #throttledNs: Float64Array
  #active = false

  constructor(
    kernel: EventKernel,
    events: MemGuardEvents,
    whenThrottled: WhenThrottled,
    budgets: readonly (RefillBudget | null)[],
  ) {
    const cores = budgets.length
    this.#kernel = kernel
    this.#events = events
    this.whenThrottled = whenThrottled
    this.#budgets = budgets
    this.#leftNs = new Float64Array(cores)
    this.#runsSinceNs = new Float64Array(cores).fill(-1)
    this.#periodEndNs = new Float64Array(cores)
    this.#exhaustion = new Float64Array(cores)
    this.#period = new Float64Array(cores)
    this.#throttled = new Uint8Array(cores)
    this.#throttledSinceNs = new Float64Array(cores)
    this.#throttledNs = new Float64Array(cores)
  }

  /** Full budgets from `startNs` on, until when nothing happens; no core is in EL2. */
  start(startNs: number): void {
    this.#active = true
    this.#budgets.forEach((budget, core) => {
      if (budget === null) return
      // A phase is the rest of the period that is under way.
      this.#beginPeriod(core, startNs + (budget.phaseNs > 0 ? budget.phaseNs : budget.periodNs))
      this.#run(core, startNs)
    })
  }

  /** Nothing is throttled any more; a core that is comes back at the end of its period. */
  stop(): void {
    this.#active = false
    this.#budgets.forEach((_, core) => {
      this.#cancelExhaustion(core)
      if (this.isThrottled(core)) return
      this.#kernel.cancel(this.#period[core]!)
      this.#period[core] = 0
    })
  }

  /** The core leaves EL2. */
  guestRuns(core: number): void {
    if (this.#active && this.#budgets[core] !== null) this.#run(core, this.#kernel.now)
  }

  /** The core enters EL2. */
  guestStops(core: number): void {
    if (this.#runsSinceNs[core]! < 0) return
    this.#leftNs[core]! -= this.#kernel.now - this.#runsSinceNs[core]!
    this.#runsSinceNs[core] = -1
    this.#cancelExhaustion(core)
  }

  /** In the handler of the counter's interrupt: the core waits from now on, unless a new period has begun meanwhile. */
  throttle(core: number): boolean {
    if (!this.#active || this.#leftNs[core]! > 0) return false
    this.#throttled[core] = 1
    this.#throttledSinceNs[core] = this.#kernel.now
    return true
  }

  /** The event of a period's end: a full budget again. Returns since when the core was throttled, or -1. */
  replenish(core: number): number {
    const { now } = this.#kernel
    const wasThrottled = this.isThrottled(core)
    this.#throttled[core] = 0
    this.#period[core] = 0
    if (wasThrottled) this.#throttledNs[core]! += now - this.#throttledSinceNs[core]!
    if (this.#active) {
      const running = this.#runsSinceNs[core]! >= 0
      if (running) this.guestStops(core)
      this.#beginPeriod(core, now + this.#budgets[core]!.periodNs)
      if (running) this.#run(core, now)
    }
    return wasThrottled ? this.#throttledSinceNs[core]! : -1
  }

  isThrottled(core: number): boolean {
    return this.#throttled[core] === 1
  }

  /** Throttled, and deaf to everything but the timer of the next period. */
  isDeaf(core: number): boolean {
    return this.isThrottled(core) && (this.whenThrottled === 'retarget' || this.whenThrottled === 'accept')
  }

  /** Time that the core was throttled for, up to now; ns. */
  throttledNs(core: number): number {
    const running = this.isThrottled(core) ? this.#kernel.now - this.#throttledSinceNs[core]! : 0
    return this.#throttledNs[core]! + running
  }

  #run(core: number, nowNs: number): void {
    this.#runsSinceNs[core] = nowNs
    const atNs = nowNs + this.#leftNs[core]!
    if (atNs >= this.#periodEndNs[core]!) return
    this.#exhaustion[core] = this.#kernel.schedule(atNs, this.#events.priority, this.#events.exhausted, core, 0)
  }

  #beginPeriod(core: number, endNs: number): void {
    this.#leftNs[core] = this.#budgets[core]!.guestNs
    this.#periodEndNs[core] = endNs
    this.#period[core] = this.#kernel.schedule(endNs, this.#events.priority, this.#events.period, core, 0)
  }

  #cancelExhaustion(core: number): void {
    this.#kernel.cancel(this.#exhaustion[core]!)
    this.#exhaustion[core] = 0
  }
}

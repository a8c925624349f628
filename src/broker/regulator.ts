/**
 * Regulators of the DMA (realtime-model.md §4): when may the next piece start? They are asked only while no transfer is
 * running, and told afterwards when its pieces really started.
 */
import { VirtioError } from '../internal/error.ts'

export interface Regulator {
  /** The earliest time, not before `nowNs`, at which a piece may start. Never infinite: what can never start is refused when configured. */
  startableAt(nowNs: number): number
  /** May one more piece be chained behind pieces of `committedNs` busy time in all? Asked right after `startableAt` said now. */
  mayFollow(committedNs: number): boolean
  /** A piece of `busyNs` started at `startNs`; starts are reported in order. */
  charge(startNs: number, busyNs: number): void
}

/** No regulation in software: none at all, or the engine's own rate control, which lengthens `busyNs` instead. */
export class NoRegulator implements Regulator {
  startableAt(nowNs: number): number {
    return nowNs
  }

  mayFollow(): boolean {
    return true
  }

  charge(): void {}
}

/**
 * Q ns of DMA busy time in every period of P ns, refilled at multiples of P, work-conserving until empty. A piece may
 * start while the balance is positive; what it overdraws is paid back from the next refill.
 */
export class BudgetRegulator implements Regulator {
  readonly budgetNs: number
  readonly periodNs: number
  #balanceNs: number
  /** Refills already applied: multiples of P up to this one. */
  #refills = 0

  constructor(budgetNs: number, periodNs: number) {
    if (!(periodNs > 0)) throw new VirtioError('BAD_REGULATOR', `regulator period ${periodNs} ns: it must be above 0`)
    if (!(budgetNs > 0 && budgetNs <= periodNs)) {
      throw new VirtioError(
        'BAD_REGULATOR',
        `regulator budget ${budgetNs} ns: it must be in (0, ${periodNs}], its period`,
      )
    }
    this.budgetNs = budgetNs
    this.periodNs = periodNs
    this.#balanceNs = budgetNs
  }

  startableAt(nowNs: number): number {
    this.#refill(nowNs)
    if (this.#balanceNs > 0) return nowNs
    const missing = Math.floor(-this.#balanceNs / this.budgetNs) + 1
    return (this.#refills + missing) * this.periodNs
  }

  /** Only what is in the account now: a refill that may come in between is not counted on. */
  mayFollow(committedNs: number): boolean {
    return this.#balanceNs > committedNs
  }

  charge(startNs: number, busyNs: number): void {
    this.#refill(startNs)
    this.#balanceNs -= busyNs
  }

  #refill(nowNs: number): void {
    const due = Math.floor(nowNs / this.periodNs)
    if (due <= this.#refills) return
    this.#balanceNs = Math.min(this.budgetNs, this.#balanceNs + (due - this.#refills) * this.budgetNs)
    this.#refills = due
  }
}

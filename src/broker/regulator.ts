/**
 * Regulators of the DMA: when may the next piece start? They are asked before a
 * transfer and while it grows, and told afterwards when its pieces really started. They count DMA busy time, c(b) of the analysis.
 */

import { assert } from '../internal/assert.ts'
import { checkInteger, MAX_SAFE } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'

/**
 * Says when the next piece may start on the DMA. It is asked before a transfer and while it grows, and charged when
 * pieces have started. Times are ns; `busyNs` is DMA busy time.
 */
export interface Regulator {
  /** Nothing that was charged is still missing. A regulator starts full: the theorems need all of the first budget (docs/analysis.md). */
  readonly isFull: boolean
  /**
   * The earliest time, not before `nowNs`, at which a piece of `busyNs` may start. Never infinite: what can never start is
   * refused when the regulator is made.
   */
  startableAt(nowNs: number, busyNs: number): number
  /** May a piece of `busyNs` be chained behind pieces of `committedNs` in all, of which none was reported yet? */
  mayFollow(nowNs: number, committedNs: number, busyNs: number): boolean
  /** A piece of `busyNs` started at `startNs`; starts are reported in order. */
  charge(startNs: number, busyNs: number): void
}

/** No regulation in software: none at all, or the engine's own rate control, which lengthens `busyNs` instead. */
export class NoRegulator implements Regulator {
  readonly isFull = true

  startableAt(nowNs: number): number {
    return nowNs
  }

  mayFollow(): boolean {
    return true
  }

  charge(): void {}
}

export interface BucketOptions {
  /** Rate at which the bucket fills, and how much it holds. */
  readonly bytesPerNs: number
  readonly burstBytes: number
  /** Longest piece, which the bucket has to hold. */
  readonly chunkBytes: number
  /** What the engine moves while it runs. */
  readonly dmaBytesPerNs: number
}

/**
 * Token bucket: a piece may start once the bucket holds all of it, and takes it out then, so that any interval of t ns sees
 * at most burst + rate * t start. The state is one time, as in ITU-T I.371's virtual scheduling: when the bucket will be full.
 */
export class BucketRegulator implements Regulator {
  /** The burst as DMA busy time, and how much busy time comes in per ns. */
  readonly burstNs: number
  readonly share: number
  #fullNs = Number.NEGATIVE_INFINITY

  constructor({ bytesPerNs, burstBytes, chunkBytes, dmaBytesPerNs }: BucketOptions) {
    if (!(bytesPerNs > 0 && Number.isFinite(bytesPerNs))) {
      throw new VirtioError('BAD_REGULATOR', `bucket rate ${bytesPerNs} bytes/ns: it must be above 0`)
    }
    checkInteger('chunkBytes', chunkBytes, 1, MAX_SAFE, 'bytes')
    checkInteger('burstBytes', burstBytes, 1, MAX_SAFE, 'bytes')
    if (!(dmaBytesPerNs > 0 && Number.isFinite(dmaBytesPerNs))) {
      throw new VirtioError('BAD_REGULATOR', `the engine moves ${dmaBytesPerNs} bytes/ns: it must be above 0`)
    }
    if (!(burstBytes >= chunkBytes)) {
      throw new VirtioError(
        'BAD_REGULATOR',
        `a bucket of ${burstBytes} bytes can never hold a chunk of ${chunkBytes}: raise the burst or cut smaller`,
      )
    }
    this.burstNs = Math.ceil(burstBytes / dmaBytesPerNs)
    this.share = bytesPerNs / dmaBytesPerNs
  }

  get isFull(): boolean {
    return this.#fullNs === Number.NEGATIVE_INFINITY
  }

  startableAt(nowNs: number, busyNs: number): number {
    if (!(busyNs <= this.burstNs)) assert(false, `a piece of ${busyNs} ns for a bucket of ${this.burstNs} ns`)
    return Math.max(nowNs, Math.ceil(this.#fullNs - (this.burstNs - busyNs) / this.share))
  }

  /** What comes in until that piece starts is not counted on. */
  mayFollow(nowNs: number, committedNs: number, busyNs: number): boolean {
    return Math.max(0, this.#fullNs - nowNs) <= (this.burstNs - committedNs - busyNs) / this.share
  }

  charge(startNs: number, busyNs: number): void {
    this.#fullNs = Math.max(startNs, this.#fullNs) + busyNs / this.share
  }
}

/**
 * Q ns of DMA busy time in every period of P ns, refilled at multiples of P, work-conserving until empty. A piece may
 * start while the balance is positive; what it overdraws is paid back from the next refills, as many as it takes. So a piece
 * longer than Q is served too, rarely.
 */
export class BudgetRegulator implements Regulator {
  readonly budgetNs: number
  readonly periodNs: number
  #balanceNs: number
  /** Refills already applied: multiples of P up to this one. */
  #refills = 0

  constructor(budgetNs: number, periodNs: number) {
    if (!(periodNs > 0 && Number.isFinite(periodNs))) {
      throw new VirtioError('BAD_REGULATOR', `regulator period ${periodNs} ns: it must be above 0, and finite`)
    }
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

  get isFull(): boolean {
    return this.#balanceNs === this.budgetNs
  }

  startableAt(nowNs: number): number {
    this.#refill(nowNs)
    if (this.#balanceNs > 0) return nowNs
    const missing = Math.floor(-this.#balanceNs / this.budgetNs) + 1
    return (this.#refills + missing) * this.periodNs
  }

  /** Only what is in the account: a refill that may come in between is not counted on. */
  mayFollow(_nowNs: number, committedNs: number): boolean {
    return this.#balanceNs > committedNs
  }

  /** The balance falls while the DMA is busy: what a piece takes after a refill is taken from what that gave. */
  charge(startNs: number, busyNs: number): void {
    const endNs = startNs + busyNs
    for (let atNs = startNs; atNs < endNs; ) {
      this.#refill(atNs)
      const untilNs = Math.min(endNs, (this.#refills + 1) * this.periodNs)
      this.#balanceNs -= untilNs - atNs
      atNs = untilNs
    }
  }

  #refill(nowNs: number): void {
    const due = Math.floor(nowNs / this.periodNs)
    if (due <= this.#refills) return
    this.#balanceNs = Math.min(this.budgetNs, this.#balanceNs + (due - this.#refills) * this.budgetNs)
    this.#refills = due
  }
}

/** A FIFO ticket lock as pure state: who holds it, and who waits in which order. Time passes elsewhere. */
import { assert } from '../internal/assert.ts'

export class TicketLock {
  #holder = -1
  readonly #waiting: number[] = []

  /** Core that holds the lock, or -1. */
  get holder(): number {
    return this.#holder
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** True: `core` holds the lock now. False: it waits, behind whoever came first. */
  acquire(core: number): boolean {
    assert(core !== this.#holder && !this.#waiting.includes(core), `core ${core} has or wants the lock already`)
    if (this.#holder >= 0) {
      this.#waiting.push(core)
      return false
    }
    this.#holder = core
    return true
  }

  /** Hands the lock on; returns the next holder, or -1. */
  release(core: number): number {
    assert(core === this.#holder, `core ${core} releases a lock that core ${this.#holder} holds`)
    this.#holder = this.#waiting.shift() ?? -1
    return this.#holder
  }
}

/**
 * State of a FIFO ticket lock: who holds it and who waits, in order of asking. Pure state: asking takes no time here, and what
 * waiting costs is the machine's business. With critical sections of at most w, a core waits at most (cores - 1) * w.
 */
import { assert } from '../internal/assert.ts'

/** A lock that cores get in the order in which they asked for it, each holding or waiting once at most. */
export class TicketLock {
  /** Cores in order of their tickets, the holder's first. A core is in it once at most, so it never overflows. */
  readonly #ring: Int32Array
  readonly #hasTicket: Uint8Array
  #serving = 0
  #tickets = 0

  /** A lock for the cores 0..cores - 1. */
  constructor(cores: number) {
    assert(Number.isInteger(cores) && cores > 0, `a lock for ${cores} cores`)
    this.#ring = new Int32Array(cores)
    this.#hasTicket = new Uint8Array(cores)
  }

  /** The core that holds the lock, or -1. */
  get holder(): number {
    return this.#tickets === 0 ? -1 : this.#ring[this.#serving]
  }

  /** How many cores wait; the holder does not. */
  get waiting(): number {
    return Math.max(0, this.#tickets - 1)
  }

  isWaiting(core: number): boolean {
    return this.#hasTicket[core] === 1 && this.holder !== core
  }

  /** Draws a ticket. True: the core holds the lock now. False: it waits, and a `release` will name it. */
  acquire(core: number): boolean {
    if (this.#hasTicket[core] !== 0)
      assert(false, `core ${core} holds the lock, waits for it, or is not one of its cores`)
    this.#ring[(this.#serving + this.#tickets) % this.#ring.length] = core
    this.#hasTicket[core] = 1
    this.#tickets++
    return this.#tickets === 1
  }

  /** Hands the lock to the core that asked first, and returns that core; -1 when nobody waits. */
  release(core: number): number {
    if (!(this.#tickets > 0 && this.holder === core))
      assert(false, `core ${core} releases a lock that is held by ${this.holder}`)
    this.#hasTicket[core] = 0
    this.#serving = (this.#serving + 1) % this.#ring.length
    this.#tickets--
    return this.holder
  }
}

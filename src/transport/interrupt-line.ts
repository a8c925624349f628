/** A level-triggered interrupt line between a device and a driver in one process. */
import { checkBoolean, checkFunction } from '../internal/check-option.ts'
import { afterEvents } from './device-host.ts'

/** Calls of the handler before the event loop has its turn: for a line that never goes down. */
const CALLS_IN_A_ROW = 1024

/**
 * Takes the interrupt in a microtask when the line goes up, and again as long as it stays up: what an interrupt controller and a core
 * do. Give `set` to the device's transport, and the driver's `takeInterrupt` to the constructor.
 */
export class InterruptLine {
  readonly #take: () => boolean
  #level = false
  #scheduled = false

  /** `take` runs the driver's handler, and returns false when there is none: the line then waits for its next rise. */
  constructor(take: () => boolean) {
    checkFunction('take', take)
    this.#take = take
  }

  /** Whether the line is up. */
  get level(): boolean {
    return this.#level
  }

  /** The line goes up or down. Never calls the driver inline. */
  set(level: boolean): void {
    checkBoolean('level', level)
    this.#level = level
    if (!level || this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#run())
  }

  #run(): void {
    for (let call = 0; call < CALLS_IN_A_ROW; call++) {
      if (!this.#level || !this.#take()) {
        this.#scheduled = false
        return
      }
    }
    afterEvents(() => this.#run())
  }
}

/**
 * The broker's timers: a platform has one a core, five things need it. Work that has to wait (for budget, for its time) may be
 * woken on any core; an interrupt that is held back is let go by the core that holds it, a chain that was left unfinished is
 * continued by the core that builds it, and pages are moved on by the core that moves them, should its guest never rest.
 */
import type { PlatformPort } from '../platform/index.ts'

const NEVER = Number.POSITIVE_INFINITY

export class WakeUps {
  readonly #port: PlatformPort
  /** By core: when it has to look for work, let an interrupt go, continue its chain, move pages, answer doorbells; and what its timer is set to. */
  readonly #workNs: Float64Array
  readonly #holdNs: Float64Array
  readonly #chainNs: Float64Array
  readonly #pagesNs: Float64Array
  readonly #timerNs: Float64Array
  readonly #doorbellsNs: Float64Array

  constructor(port: PlatformPort, coreCount: number) {
    this.#port = port
    this.#workNs = new Float64Array(coreCount).fill(NEVER)
    this.#holdNs = new Float64Array(coreCount).fill(NEVER)
    this.#chainNs = new Float64Array(coreCount).fill(NEVER)
    this.#pagesNs = new Float64Array(coreCount).fill(NEVER)
    this.#timerNs = new Float64Array(coreCount).fill(NEVER)
    this.#doorbellsNs = new Float64Array(coreCount).fill(NEVER)
  }

  /** Somebody looks for work at `timeNs` or earlier: `core`, unless another does already. */
  forWork(core: number, timeNs: number): void {
    for (const other of this.#workNs) if (other <= timeNs) return
    this.#workNs[core] = timeNs
    this.#program(core)
  }

  /** The calling core has to let interrupts go at `timeNs`; Infinity: it holds none. */
  forHeld(core: number, timeNs: number): void {
    this.#holdNs[core] = timeNs
    this.#program(core)
  }

  /** The calling core has to continue its chain at `timeNs`; Infinity: it has none to continue. */
  forChain(core: number, timeNs: number): void {
    this.#chainNs[core] = timeNs
    this.#program(core)
  }

  /** The calling core has to move pages on at `timeNs`; Infinity: it has none to move, or does already. */
  forPages(core: number, timeNs: number): void {
    this.#pagesNs[core] = timeNs
    this.#program(core)
  }

  /** The calling core has to answer doorbells at `timeNs` that it has left waiting; Infinity: there are none. */
  forDoorbells(core: number, timeNs: number): void {
    this.#doorbellsNs[core] = timeNs
    this.#program(core)
  }

  /** The core's timer fired; whatever it was for, the step that follows finds it and asks again. */
  fired(core: number): void {
    this.#workNs[core] = NEVER
    this.#holdNs[core] = NEVER
    this.#chainNs[core] = NEVER
    this.#pagesNs[core] = NEVER
    this.#doorbellsNs[core] = NEVER
    this.#timerNs[core] = NEVER
  }

  /** Nobody is counted on any more to look for work. Timers that are set fire all the same, on their cores. */
  takeOver(): void {
    this.#workNs.fill(NEVER)
  }

  #program(core: number): void {
    const timeNs = Math.min(
      this.#workNs[core]!,
      this.#holdNs[core]!,
      this.#chainNs[core]!,
      this.#pagesNs[core]!,
      this.#doorbellsNs[core]!,
    )
    if (timeNs === this.#timerNs[core]) return
    this.#timerNs[core] = timeNs
    this.#port.setTimer(core, timeNs)
  }
}

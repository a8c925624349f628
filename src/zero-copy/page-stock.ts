/**
 * The broker's own frames in the exchange pool. With a clean one at hand, a sender gets that for the page that it gave away,
 * and the receiver's old page is scrubbed later, when nobody waits for it; without, it is scrubbed at once and goes back
 * itself. Either way everybody keeps the number of pages that they had.
 */
import type { PlatformPort } from '../platform/index.ts'
import type { FrameLedger } from './frame-ledger.ts'
import { PageState } from './page-state.ts'

/**
 * The broker's own frames in the exchange pool: clean ones to give at once, and others to be scrubbed when nobody
 * waits.
 */
export class PageStock {
  readonly #port: PlatformPort
  readonly #ledger: FrameLedger
  readonly #spare: number[] = []
  readonly #stale: number[] = []

  /** `frames`: mapped nowhere and zeroed, of colours that every VM may have. */
  constructor(port: PlatformPort, ledger: FrameLedger, frames: readonly number[]) {
    this.#port = port
    this.#ledger = ledger
    for (const frame of frames) {
      ledger.adopt(frame)
      this.#spare.push(frame)
    }
  }

  /** Pages that wait to be scrubbed. */
  get stale(): number {
    return this.#stale.length
  }

  get clean(): number {
    return this.#spare.length
  }

  /** A clean frame for `dirty`, an in-flight frame, which the stock keeps; -1 when it has none, and then it keeps nothing. */
  swap(dirty: number): number {
    const clean = this.#spare.pop()
    if (clean === undefined) return -1
    this.#ledger.move(clean, PageState.inFlight)
    this.#ledger.move(dirty, PageState.stale)
    this.#stale.push(dirty)
    return clean
  }

  /** Scrubs up to `limit` pages. */
  tidy(limit: number): void {
    for (let left = limit; left > 0 && this.#stale.length > 0; left--) {
      const frame = this.#stale.pop()!
      this.#port.scrubFrame(frame)
      this.#ledger.move(frame, PageState.spare)
      this.#spare.push(frame)
    }
  }
}

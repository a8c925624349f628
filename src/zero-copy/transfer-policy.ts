/**
 * Copy or remap? A message is remapped when all of it is whole pages and it is long enough to pay for the page table work
 * (realtime-model.md §8). The threshold is data: it depends on the cost of the TLB.
 */
import { PAGE_SIZE, type SegmentList } from '../memory/index.ts'

export type TransferMode = 'copy' | 'remap' | 'auto'

export class TransferPolicy {
  readonly #thresholdPages: number

  /** `remap` remaps whatever can be; `auto` from `thresholdPages` on; `copy` nothing. */
  constructor(mode: TransferMode, thresholdPages = 11) {
    this.#thresholdPages = mode === 'copy' ? Number.POSITIVE_INFINITY : mode === 'remap' ? 1 : thresholdPages
  }

  get remaps(): boolean {
    return this.#thresholdPages < Number.POSITIVE_INFINITY
  }

  /** Whether the payload may and should change owners instead of being copied. */
  prefersRemap(payload: SegmentList): boolean {
    let bytes = 0
    for (let i = 0; i < payload.count; i++) {
      if (payload.address[i]! % PAGE_SIZE !== 0 || payload.length[i]! % PAGE_SIZE !== 0) return false
      bytes += payload.length[i]!
    }
    return bytes / PAGE_SIZE >= this.#thresholdPages
  }
}

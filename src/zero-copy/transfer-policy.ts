/**
 * Copy, exchange or lend? By size, alignment and what the platform can do (docs/zero-copy.md has the table). Whole pages in
 * the middle of a message change owners or are lent; the bytes before and behind them are copied. The thresholds are data:
 * they depend on what the TLB costs.
 */
import { checkInteger, MAX_SAFE } from '../internal/check-option.ts'
import { PAGE_SIZE, type SegmentList } from '../memory/index.ts'
import { PlatformCapability } from '../platform/index.ts'

/** As asked for: `auto` exchanges what is long enough to pay for it. */
export type TransferMode = 'copy' | 'remap' | 'lend' | 'auto'

/** As decided for one message. */
export const TransferWay = { copy: 0, exchange: 1, lend: 2 } as const
export type TransferWay = (typeof TransferWay)[keyof typeof TransferWay]

/** Break-even of `auto` when a whole TLB has to be refilled afterwards, in pages. */
const AUTO_PAGES = 11

/** From here on one invalidation of all of a VM's translations, refill included, costs less than one for each page. */
const FLUSH_PAGES = 64

/** More than a head and a tail: scattered buffers, whose remains would cost more than their pages save. */
const MAX_COPIED_BYTES = 2 * PAGE_SIZE

/** When to move pages, and when to copy. */
export interface TransferPolicyOptions {
  /** Messages with fewer bytes in whole pages are copied. Default: 11 pages for `auto`, else one. */
  readonly thresholdBytes?: number | null
  /** As many pages at once have all of the VM's translations invalidated together. Default 64. */
  readonly flushPages?: number
  /** Pages that one VM may have borrowed at a time; what goes beyond is copied. Default 512. */
  readonly lentPages?: number
}

/** Decides for each message whether its pages are moved or its bytes copied. */
export class TransferPolicy {
  readonly mode: TransferMode
  readonly thresholdBytes: number
  readonly flushPages: number
  readonly lentPages: number

  constructor(mode: TransferMode, options: TransferPolicyOptions = {}) {
    const { thresholdBytes, flushPages = FLUSH_PAGES, lentPages = 512 } = options
    checkInteger('thresholdBytes', thresholdBytes ?? 0, 0, MAX_SAFE, 'bytes')
    checkInteger('flushPages', flushPages, 1, MAX_SAFE, 'pages')
    checkInteger('lentPages', lentPages, 0, MAX_SAFE, 'pages')
    this.mode = mode
    this.thresholdBytes = Math.max(PAGE_SIZE, thresholdBytes ?? (mode === 'auto' ? AUTO_PAGES : 1) * PAGE_SIZE)
    this.flushPages = flushPages
    this.lentPages = lentPages
  }

  /** What the policy comes to on a platform with these capabilities, for messages that fit. */
  wayOn(capabilities: number): TransferWay {
    if (this.mode === 'copy') return TransferWay.copy
    const needed = this.mode === 'lend' ? PlatformCapability.lend : PlatformCapability.remap
    if ((capabilities & needed) === 0) return TransferWay.copy
    return this.mode === 'lend' ? TransferWay.lend : TransferWay.exchange
  }

  /**
   * Whether this payload has enough whole pages, and few enough other bytes, which are not strewn between the pages: each page, and each
   * run of bytes between two, takes a receive buffer of its own. A message may take one more than its bytes need, for a head.
   */
  fits(payload: SegmentList): boolean {
    let pageBytes = 0
    let bytes = 0
    let buffers = 0
    /** Other bytes since the last whole page. */
    let run = 0
    for (let i = 0; i < payload.count; i++) {
      const start = payload.address[i]!
      const end = start + payload.length[i]!
      const firstPage = Math.ceil(start / PAGE_SIZE)
      const pages = Math.max(0, Math.floor(end / PAGE_SIZE) - firstPage)
      bytes += end - start
      if (pages === 0) run += end - start
      else {
        pageBytes += pages * PAGE_SIZE
        buffers += pages + Math.ceil((run + firstPage * PAGE_SIZE - start) / PAGE_SIZE)
        run = end % PAGE_SIZE
      }
    }
    buffers += Math.ceil(run / PAGE_SIZE)
    const enough = pageBytes >= this.thresholdBytes && bytes - pageBytes < MAX_COPIED_BYTES
    return enough && buffers <= Math.ceil(bytes / PAGE_SIZE) + 1
  }
}

/**
 * What it takes to move the pages of one message, as actions with a price: the middle of z(L) of docs/zero-copy.md. The same
 * counts that the broker announces, one message alone, so that a bound and a simulation can be compared.
 */
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { Charges } from '../platform/index.ts'
import { MAX_RUN_PAGES } from './page-exchange.ts'
import { TransferWay } from './transfer-policy.ts'

/** Bytes of a cache line. */
export const LINE_BYTES = 64
const LINES_PER_PAGE = PAGE_SIZE / LINE_BYTES

/** A message that is moved by pages: which way, and how many. */
export interface MoveShape {
  readonly way: TransferWay
  /** Whole pages, at least one. */
  readonly pages: number
  /** Bytes in front of them and behind them, which are copied; each below a page. */
  readonly headBytes?: number
  readonly tailBytes?: number
  /** From this many pages on all translations of both VMs are invalidated at once; Infinity: never. */
  readonly flushPages: number
  /** Devices reach guest memory through an SMMU. */
  readonly smmu: boolean
  /** Clean pages at hand in the exchange pool. Default 0. */
  readonly spares?: number
}

/** What it costs to move a message by its pages. */
export interface MoveCharges {
  /** Before the receiver can be told. */
  readonly arrival: Charges
  /** Afterwards: scrubbing what the pool took in, and bringing lent pages back. */
  readonly later: Charges
}

/** Pages that are taken, invalidated and put together. */
export function pageRuns(pages: number): number[] {
  const runs: number[] = []
  for (let left = pages; left > 0; left -= MAX_RUN_PAGES) runs.push(Math.min(left, MAX_RUN_PAGES))
  return runs
}

/** Counts by action. `tlbRefill` is paid by the two guests in their own time, everything else in the hypervisor layer. */
export function moveCharges(shape: MoveShape): MoveCharges {
  const { way, pages, headBytes = 0, tailBytes = 0, flushPages, smmu, spares = 0 } = shape
  assert(way !== TransferWay.copy && pages > 0, 'only whole pages are moved')
  const runs = pageRuns(pages)
  const flushes = runs.filter((run) => run >= flushPages).length
  const byPage = runs.reduce((sum, run) => (run >= flushPages ? sum : sum + run), 0)
  const lends = way === TransferWay.lend
  const edges = Math.ceil(headBytes / LINE_BYTES) + Math.ceil(tailBytes / LINE_BYTES)
  const pooled = Math.min(pages, spares)
  return {
    arrival: {
      // Unmapped and mapped at either end; or made read-only at one, and its own frame replaced by the lent one at the other.
      pteUpdate: (lends ? 3 : 4) * pages,
      tlbInvalidate: 2 * (flushes + byPage),
      tlbRefill: 2 * flushes,
      smmuInvalidate: smmu ? 2 * runs.length : 0,
      cacheCleanPerLine: lends ? 0 : LINES_PER_PAGE * (pages - pooled),
      copyPerLine: edges,
    },
    later: lends ? returnCharges(pages, smmu ? pages : 0) : { cacheCleanPerLine: LINES_PER_PAGE * pooled },
  }
}

/** Lent pages that are given back, in so many batches; each batch has one invalidation in the SMMU. */
export function returnCharges(pages: number, smmuInvalidate: number): Charges {
  return { pteUpdate: 3 * pages, tlbInvalidate: pages, smmuInvalidate }
}

/** What revoking them costs more: the borrower gets copies. */
export function revokeCharges(pages: number): Charges {
  return { copyPerLine: LINES_PER_PAGE * pages }
}

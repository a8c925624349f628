/**
 * What it takes to move one message of whole pages, as actions with a price: z(L) of docs/zero-copy.md. The same counts that
 * the broker announces, one message alone, so that a bound and a simulation can be compared.
 */
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { CostOpName } from '../platform/index.ts'
import { TransferWay } from './transfer-policy.ts'

const LINE_BYTES = 64
const LINES_PER_PAGE = PAGE_SIZE / LINE_BYTES

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
  /** The exchange pool has clean pages at hand. */
  readonly spares?: boolean
}

export type Charges = Partial<Readonly<Record<CostOpName, number>>>

export interface MoveCharges {
  /** Before the receiver can be told. */
  readonly arrival: Charges
  /** Afterwards: scrubbing what the pool took in, and bringing lent pages back. */
  readonly later: Charges
}

/** Counts by action. `tlbRefill` is paid by the two guests in their own time, everything else in the hypervisor layer. */
export function moveCharges(shape: MoveShape): MoveCharges {
  const { way, pages, headBytes = 0, tailBytes = 0, flushPages, smmu, spares = false } = shape
  assert(way !== TransferWay.copy && pages > 0, 'only whole pages are moved')
  const flushes = pages >= flushPages
  const lends = way === TransferWay.lend
  const edges = Math.ceil(headBytes / LINE_BYTES) + Math.ceil(tailBytes / LINE_BYTES)
  const scrubbed = LINES_PER_PAGE * pages
  return {
    arrival: {
      // Unmapped and mapped at either end; or made read-only at one, and its own frame replaced by the lent one at the other.
      pteUpdate: (lends ? 3 : 4) * pages,
      tlbInvalidate: flushes ? 2 : 2 * pages,
      tlbRefill: flushes ? 2 : 0,
      smmuInvalidate: smmu ? 2 : 0,
      cacheCleanPerLine: lends || spares ? 0 : scrubbed,
      copyPerLine: edges,
    },
    later: lends
      ? { pteUpdate: 3 * pages, tlbInvalidate: pages, smmuInvalidate: smmu ? pages : 0 }
      : { cacheCleanPerLine: spares ? scrubbed : 0 },
  }
}

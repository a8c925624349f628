/** What the bounds of both schedulers, and of chains, are made of. */
import { assert } from '../internal/assert.ts'
import { exact } from './exact.ts'

/** What a bound is made of; `responseNs` is the sum of the next six less `releaseNs`. All in ns but the counts. */
export interface ResponseTerms {
  /** From nominal release to the end of the last chunk. */
  readonly responseNs: number
  /** DMA time of the flow's own messages, the analysed one and those of its busy period before it. */
  readonly ownWorkNs: number
  /** DMA time of messages that may go first. */
  readonly interferenceNs: number
  /** DMA time of chunks that were started, or committed, before. */
  readonly blockingNs: number
  /** Software around all of those chunks. */
  readonly overheadNs: number
  /** Waiting for budget: blackouts and inherited debt. */
  readonly supplyNs: number
  readonly jitterNs: number
  /** Nominal release of the worst message, counted from the first one of its busy period. */
  readonly releaseNs: number
  /** Which message of the busy period is the worst, from 1, and how many there are. */
  readonly instance: number
  readonly instances: number
}

/**
 * The terms with the one that is left when all others are known: what of the response is waiting for budget. It cannot be negative, for
 * the supply is never above sbf(t) = t.
 */
export function responseTerms(known: Omit<ResponseTerms, 'supplyNs'>): ResponseTerms {
  const { responseNs, ownWorkNs, interferenceNs, blockingNs, overheadNs, jitterNs, releaseNs, instance, instances } =
    known
  const sinceStartNs = exact(responseNs + releaseNs) - jitterNs
  const supplyNs = sinceStartNs - ownWorkNs - interferenceNs - blockingNs - overheadNs
  if (!(supplyNs >= 0 && interferenceNs >= 0)) assert(false, `terms exceed their sum of ${sinceStartNs} ns`)
  return {
    responseNs,
    ownWorkNs,
    interferenceNs,
    blockingNs,
    overheadNs,
    supplyNs,
    jitterNs,
    releaseNs,
    instance,
    instances,
  }
}

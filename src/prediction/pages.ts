/**
 * Messages whose pages are exchanged or lent: what that costs a step of the broker, and the guests. Where a page may turn out not to be
 * movable, the rest of its message goes to the DMA, from whichever page on; such a message is given both: the work for all of its
 * pages, and its DMA stage.
 */
import { LOOK_BATCH, PAGE_BATCH, REVOKE_BATCH } from '../broker/index.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import { CostOp, sumCharges } from '../platform/index.ts'
import { LINE_BYTES, returnCharges, revokeCharges } from '../zero-copy/index.ts'
import { pageRuns, worstNs } from './charges.ts'
import { onceFor, PAGE_STEP } from './once.ts'
import type { SoftwareCosts } from './software.ts'
import { messagesWithin, type System, type SystemFlow } from './system.ts'

const LINES = PAGE_SIZE / LINE_BYTES

/** In one step of the broker: units, of which a message copies its head and its tail, and the ends of runs. */
export function pageStepNs(system: System): number {
  return onceFor(system, PAGE_STEP, 0, () => pageStepWorstNs(system))
}

function pageStepWorstNs(system: System): number {
  const { flows, lends, worst } = system
  const moving = flows.filter(({ pages }) => pages !== 'copied')
  if (moving.length === 0) return 0
  const entriesNs = 2 * worst(CostOp.pteUpdate)
  const putNs = lends ? entriesNs : entriesNs + LINES * worst(CostOp.cacheCleanPerLine)
  const pageNs = Math.max(putNs, 2 * worst(CostOp.tlbInvalidate))
  const copies = Math.min(PAGE_BATCH, 2 * moving.length)
  const runs = pageStepRuns(system)
  const revokedNs = lends ? worstNs(system, sumCharges(returnCharges(REVOKE_BATCH, 1), revokeCharges(REVOKE_BATCH))) : 0
  return (
    copies * Math.max(pageNs, LINES * worst(CostOp.copyPerLine)) +
    (PAGE_BATCH - copies) * pageNs +
    runs * 2 * (worst(CostOp.smmuInvalidate) + worst(CostOp.tlbInvalidate)) +
    revokedNs
  )
}

/** Runs of pages that one step can have a part of: the shorter the shortest message, the more. 0: no pages are moved. */
export function pageStepRuns({ flows }: System): number {
  const moving = flows.filter(({ pages }) => pages !== 'copied')
  if (moving.length === 0) return 0
  const shortest = Math.min(...moving.map(({ lengthBytes }) => Math.floor(lengthBytes / PAGE_SIZE)))
  return 1 + Math.ceil(PAGE_BATCH / (2 * Math.max(1, shortest)))
}

/** Receive buffers that one step takes because of pages: for pages, and to look for lent ones; and in how many batches. */
export function pageStepBuffers({ flows, lends }: System): { readonly buffers: number; readonly batches: number } {
  const moving = flows.filter(({ pages }) => pages !== 'copied')
  const taken = moving.length > 0 ? PAGE_BATCH : 0
  const borrowers = lends ? new Set(moving.map(({ destination }) => destination)).size : 0
  return { buffers: taken + borrowers * LOOK_BATCH, batches: taken + borrowers }
}

/** Guests of a core refill the TLBs that were invalidated as a whole. */
export function tlbRefillsWithin(
  system: System,
  software: SoftwareCosts,
  core: number,
  windowNs: number,
  spans: readonly number[],
): number {
  let refillsNs = 0
  for (const flow of system.flows) {
    const refills = tlbRefillsOf(system, software, flow)
    if (refills === 0) continue
    const ends = (flow.sourceCore === core ? 1 : 0) + (flow.destinationCore === core ? 1 : 0)
    const messages = messagesWithin(flow, spans[flow.index]!, windowNs)
    refillsNs += ends * messages * refills * system.worst(CostOp.tlbRefill)
  }
  return refillsNs
}

/** The same for one message, on all cores. */
export function tlbRefillNs(system: System, software: SoftwareCosts, flow: SystemFlow): number {
  return 2 * tlbRefillsOf(system, software, flow) * system.worst(CostOp.tlbRefill)
}

/** How often one message makes each of its guests refill its TLB. */
export function tlbRefillsOf(
  { flushPages, lends, scenario }: System,
  software: SoftwareCosts,
  flow: SystemFlow,
): number {
  if (flow.pages === 'copied') return 0
  // Nobody borrows more than he may, so that no run is longer; and each has so many pages at least.
  const longest = lends ? Math.min(flow.movable, scenario.broker.lentPages) : flow.movable
  if (longest < flushPages) return 0
  return Math.min(pageRuns(flow.movable) + Math.ceil(software.waits(flow)), Math.floor(flow.movable / flushPages))
}

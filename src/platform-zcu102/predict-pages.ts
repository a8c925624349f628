/**
 * Messages whose pages are exchanged: what that costs the broker and the guests. Where a page may turn out not to be movable, the rest of
 * its message goes to the DMA, from whichever page on; such a message is given both: the work for all of its pages, and its DMA stage.
 */
import { PAGE_SIZE } from '../memory/index.ts'
import { CostOp } from '../platform/index.ts'
import { messagesWithin, type System, type SystemFlow } from './predict-system.ts'

/** Units of work in a step: a page taken, invalidated, put or scrubbed, or a piece copied. */
const PAGE_BATCH = 16
const UNITS_A_PAGE = 4
/** Pages of one run, and from how many on a whole TLB is invalidated. */
const RUN_PAGES = 512
const LINES = PAGE_SIZE / 64

/** Steps that the pages of a message take. */
export function pageSteps(flow: SystemFlow): number {
  return flow.pages !== 'copied' ? Math.ceil((UNITS_A_PAGE * flow.pieces) / PAGE_BATCH) + 2 : 0
}

/** Of one message, wherever it runs: four entries, two invalidations and a scrub a page, head and tail copied. */
export function pageWorkNs(system: System, flow: SystemFlow): number {
  if (flow.pages === 'copied') return 0
  const { worst } = system
  const pageNs = 4 * worst(CostOp.pteUpdate) + 2 * worst(CostOp.tlbInvalidate) + LINES * worst(CostOp.cacheCleanPerLine)
  const runNs = 2 * (worst(CostOp.tlbInvalidate) + worst(CostOp.smmuInvalidate))
  const copiedNs = 4 * LINES * worst(CostOp.copyPerLine)
  const stepsNs = pageSteps(flow) * worst(CostOp.lockCriticalSection)
  // What is moved arrives apart from what is left to the DMA, and may have to be told to another core.
  const arrivalNs = worst(CostOp.usedRing) + worst(CostOp.irqEntryAck) + worst(CostOp.injectListRegister)
  return flow.pieces * pageNs + runsOf(flow) * runNs + copiedNs + stepsNs + arrivalNs
}

/** In one step of the broker: units, of which a message copies its head and its tail, and the ends of runs. */
export function pageStepNs(system: System): number {
  const { flows, worst } = system
  const moving = flows.filter(({ pages }) => pages !== 'copied')
  if (moving.length === 0) return 0
  const scrubNs = 2 * worst(CostOp.pteUpdate) + LINES * worst(CostOp.cacheCleanPerLine)
  const pageNs = Math.max(scrubNs, 2 * worst(CostOp.tlbInvalidate))
  const copies = Math.min(PAGE_BATCH, 2 * moving.length)
  const shortest = Math.min(...moving.map(({ lengthBytes }) => Math.floor(lengthBytes / PAGE_SIZE)))
  const runs = 1 + Math.ceil(PAGE_BATCH / (2 * Math.max(1, shortest)))
  return (
    copies * Math.max(pageNs, LINES * worst(CostOp.copyPerLine)) +
    (PAGE_BATCH - copies) * pageNs +
    runs * 2 * (worst(CostOp.smmuInvalidate) + worst(CostOp.tlbInvalidate))
  )
}

/** Guests of a core refill the TLBs that were invalidated as a whole. */
export function tlbRefillsWithin(system: System, core: number, windowNs: number, spans: readonly number[]): number {
  let refillsNs = 0
  for (const flow of system.flows) {
    if (flow.pages === 'copied') continue
    const ends = (flow.sourceCore === core ? 1 : 0) + (flow.destinationCore === core ? 1 : 0)
    const messages = messagesWithin(flow, spans[flow.index]!, windowNs)
    refillsNs += ends * messages * runsOf(flow) * system.worst(CostOp.tlbRefill)
  }
  return refillsNs
}

function runsOf(flow: SystemFlow): number {
  return Math.ceil(flow.pieces / RUN_PAGES) + 1
}

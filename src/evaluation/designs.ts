/**
 * What a design makes of a load: the software on the DMA-critical path, from the cost table of a board. The sums are those of
 * the broker's loop without contention for its lock, whose wait belongs to the end-to-end bound.
 */
import { type Flow, type FlowSet, type Regulator, remapTimeNs } from '../analysis/index.ts'
import type { Random } from '../internal/random.ts'
import type { CostOpName } from '../platform/index.ts'
import { type BoardProfile, remapCharges } from '../platform-zcu102/index.ts'
import { TransferPolicy, TransferWay } from '../zero-copy/index.ts'

/** The designs that are compared. */
export const DESIGN_NAMES = ['dedicated', 'floating', 'floating-look-ahead', 'zero-copy'] as const
/** One of `DESIGN_NAMES`. */
export type DesignName = (typeof DESIGN_NAMES)[number]

/** What stands for the longest time of an action: its worst, or its typical, as if a board had shown that to be the worst. */
export type CostLevel = 'typical' | 'worst'

export interface DesignOverheads {
  /** h: [best, worst]. */
  readonly chunkOverheadNs: readonly [best: number, worst: number]
  /** o_m. */
  readonly messageOverheadNs: number
  readonly lookAhead: number
  /** Software between a refill and the first chunk after it, where that is not a chunk's own. */
  readonly refillDelayNs: number
}

/** Completion interrupt, a receive buffer, the choice, and the next transfer. */
const NEXT_TRANSFER: readonly CostOpName[] = ['irqEntryAck', 'fetchDescriptor', 'pick', 'dmaSetup', 'dmaPerDescriptor']
/** One transfer first, then everything else: announcing the last chunk overlaps with copying the next. */
const FLOATING_TRANSFER: readonly CostOpName[] = [...NEXT_TRANSFER, 'lockCriticalSection']
const FLOATING_MESSAGE: readonly CostOpName[] = ['lockCriticalSection', 'fetchDescriptor', 'messageOverhead']

interface SoftwarePath {
  readonly chunk: readonly CostOpName[]
  readonly message: readonly CostOpName[]
  readonly refill: readonly CostOpName[]
}

const PATHS: Readonly<Record<DesignName, SoftwarePath>> = {
  dedicated: {
    // Announces a chunk, with an IPI, before it starts the next. How much of an IPI holds its sender is not known: all of it.
    chunk: [...NEXT_TRANSFER, 'usedRing', 'sgi'],
    // The kick's interrupt, the head of the message, and its sender's notification: all on one core.
    message: ['irqEntryAck', 'fetchDescriptor', 'messageOverhead', 'usedRing', 'sgi'],
    refill: [],
  },
  floating: { chunk: FLOATING_TRANSFER, message: FLOATING_MESSAGE, refill: [] },
  // A message is one chain. It takes a start of its own, and one for the chain that it may have paused; so does an empty budget.
  'floating-look-ahead': {
    chunk: ['dmaPerDescriptor'],
    message: [...FLOATING_MESSAGE, ...FLOATING_TRANSFER, ...FLOATING_TRANSFER],
    refill: FLOATING_TRANSFER,
  },
  'zero-copy': { chunk: FLOATING_TRANSFER, message: FLOATING_MESSAGE, refill: [] },
}

/** What a design adds to each chunk, message and refill on a board, in ns. */
export function designOverheads(profile: BoardProfile, design: DesignName, level: CostLevel): DesignOverheads {
  const { chunk, message, refill } = PATHS[design]
  const sum = (ops: readonly CostOpName[], place: 0 | 1 | 2) =>
    ops.reduce((total, op) => total + profile.costsNs[op].value[place], 0)
  const highest = level === 'typical' ? 1 : 2
  return {
    chunkOverheadNs: [sum(chunk, 0), sum(chunk, highest)],
    messageOverheadNs: sum(message, highest),
    // PAUSE reaches the first descriptor that is not prefetched.
    lookAhead: design === 'floating-look-ahead' ? 1 + profile.dmaPrefetchedPieces.value : 0,
    refillDelayNs: sum(refill, highest),
  }
}

const PAGE_BYTES = 4096

/** Of more, every page costs the same. */
const MOST_PAGES = 1024

/** Pages from which on exchanging a message takes less time than copying it takes the DMA: z(L) < c(L), as the machine charges z. */
export function remapThresholdPages(profile: BoardProfile, level: CostLevel): number {
  const costNs = (op: CostOpName) => profile.costsNs[op].value[level === 'typical' ? 1 : 2]
  const { flushPages } = new TransferPolicy('remap')
  for (let pages = MOST_PAGES; pages > 0; pages--) {
    const exchangeNs = remapTimeNs(remapCharges({ way: TransferWay.exchange, pages, flushPages, smmu: true }), costNs)
    if (exchangeNs < (pages * PAGE_BYTES) / profile.dmaBytesPerNs.value) continue
    return pages === MOST_PAGES ? Number.POSITIVE_INFINITY : pages + 1
  }
  return 1
}

/** The set that the DMA sees under a design. Flows that the zero-copy design exchanges instead have left it. */
export function underDesign(
  flows: readonly Flow[],
  { refillDelayNs, ...overheads }: DesignOverheads,
  chunkBytes: number,
  dmaBytesPerNs: number,
  regulator: Regulator,
): FlowSet {
  // Software after a refill is to the supply what a late refill is.
  const delayed = regulator.kind === 'budget' ? { ...regulator, refillJitterNs: refillDelayNs } : regulator
  return { flows, dma: { dmaBytesPerNs, chunkBytes, ...overheads }, regulator: delayed }
}

/** Flows that stay with the DMA when every second sender, drawn at random, has page-aligned buffers. */
export function copiedFlows(flows: readonly Flow[], thresholdPages: number, random: Random): Flow[] {
  return flows.filter((flow) => {
    const aligned = random.chance(0.5)
    return !aligned || flow.lengthBytes < thresholdPages * PAGE_BYTES
  })
}

/** Share of time that demand takes in the long run: copying at the pace of its budget, software at its own. */
export function longRunLoad({ flows, dma, regulator }: FlowSet): number {
  const stretch = regulator.kind === 'budget' ? regulator.periodNs / regulator.budgetNs : 1
  return flows.reduce((load, { lengthBytes, periodNs }) => {
    const chunks = Math.ceil(lengthBytes / dma.chunkBytes)
    const softwareNs = chunks * dma.chunkOverheadNs[1] + dma.messageOverheadNs
    return load + ((lengthBytes / dma.dmaBytesPerNs) * stretch + softwareNs) / periodNs
  }, 0)
}

/** A scenario under one design as its prediction sees it: where flows run, how they are cut, and what every action costs. */
import { type Regulator, transferTimeNs } from '../analysis/index.ts'
import type { BoardProfile } from '../boards/index.ts'
import { ANNOUNCE_BATCH } from '../broker/index.ts'
import { assert } from '../internal/assert.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { Design } from '../plan/index.ts'
import {
  BUFFERS_PER_FLOW,
  chainingOf,
  costTriples,
  dmaBytesPerNs,
  interruptsOf,
  isPinned,
  planColors,
  refillBudgets,
} from '../plan/index.ts'
import { CostOp } from '../platform/index.ts'
import type { FlowSpec, InterruptSpec, Scenario } from '../scenario/index.ts'
import { TransferPolicy } from '../zero-copy/index.ts'

export interface SystemFlow {
  readonly index: number
  readonly name: string
  /** VM indices, and the cores of those. */
  readonly source: number
  readonly destination: number
  readonly sourceCore: number
  readonly destinationCore: number
  readonly periodNs: number
  readonly deadlineNs: number
  readonly lengthBytes: number
  /** Of its releases, without what it inherits from the flow before. */
  readonly jitterNs: number
  readonly pieces: number
  /** DMA time of all pieces. */
  readonly workNs: number
  /** Data messages from one credit update of the receiver to the next; Infinity: it sends none. */
  readonly creditEvery: number
  /**
   * What becomes of its pages: copied by the DMA; tried to be exchanged or lent, and copied from the first on that cannot be; or
   * moved, because nothing can stand in the way: whole pages on both sides, any colour will do, and nobody borrows too many.
   */
  readonly pages: 'copied' | 'tried' | 'moved'
  /** Most pages of a message that can be exchanged or lent; 0: none, though it may be tried. */
  readonly movable: number
  /** The flow whose arrivals release it, or -1. */
  readonly after: number
  readonly computeNs: number
}

/** A core's guests are stopped for at most the last `throttledNs` of each period; two interrupts a period say when. */
export interface Throttle {
  readonly periodNs: number
  readonly throttledNs: number
  readonly interruptsNs: number
}

/** VMs of which nothing is believed, and what they cost a step of the broker. */
export interface Against {
  readonly vms: ReadonlySet<number>
  /** w, whatever they do. */
  readonly holdNs: number
  /** Longest hold of one of their cores that does nothing for any message. */
  readonly uselessNs: number
}

export interface System {
  readonly scenario: Scenario
  readonly design: Design
  readonly pinned: boolean
  readonly flows: readonly SystemFlow[]
  readonly vmCores: readonly number[]
  /** Cores that have VMs, ascending. */
  readonly cores: readonly number[]
  readonly chains: boolean
  /** Pages of some flow may be exchanged or lent. */
  readonly moves: boolean
  /** Pages that are moved are lent, not exchanged. */
  readonly lends: boolean
  /** Pages moved together, from which on all translations of a VM are invalidated at once. */
  readonly flushPages: number
  /** Cores that MemGuard throttles give the DMA's interrupt, and work that is due, to another. */
  readonly roams: boolean
  readonly interrupts: InterruptSpec
  /** Worst and best cost of one action, by `CostOp`. */
  readonly worst: (op: number) => number
  readonly best: (op: number) => number
  readonly bytesPerNs: number
  /** Largest piece: what the scenario asks for, as far as a receive buffer holds it. */
  readonly chunkBytes: number
  readonly fullPieceNs: number
  /** Longest piece of any flow. */
  readonly longestPieceNs: number
  readonly regulator: Regulator
  /** Pieces that a PAUSE no longer stops: those that the engine has fetched, and the one after the one in flight. */
  readonly committedPieces: number
  /** Credit updates that can be in one batch: one a flow, where there are any. */
  readonly controls: number
  /**
   * All that has arrived is announced in the step that takes it in: by the core that the DMA interrupts, which is its receiver's. A step that leaves
   * something, of pages that it moves, of more pieces than it announces at once, or beside control packets, leaves it to whichever core comes next.
   */
  readonly announcesAtOnce: boolean
  /** MemGuard, by core; absent where there is none. */
  readonly throttles: ReadonlyMap<number, Throttle>
  /** A transfer between VMs of one core is waited for when it keeps the DMA busy no longer than this. */
  readonly waitForDmaNs: number
  /** Absent: all guests keep to their flows and rings. */
  readonly against?: Against
}

export function systemOf(scenario: Scenario, design: Design, profile: BoardProfile): System {
  const { broker, overrides, vms } = scenario
  const triples = costTriples(profile, overrides)
  const pinned = isPinned(overrides)
  const chains = chainingOf(scenario, design) === 'adaptive'
  const interrupts = interruptsOf(scenario, design)
  const bytesPerNs = dmaBytesPerNs(scenario, profile)
  const chunkBytes = Math.min(broker.chunkBytes, PAGE_SIZE)
  const flows = scenario.flows.map((flow, index): SystemFlow => {
    const vmOf = (name: string) => vms.findIndex((vm) => vm.name === name)
    const [source, destination] = [vmOf(flow.from), vmOf(flow.to)]
    const pieces = Math.ceil(flow.lengthBytes / chunkBytes)
    const lastBytes = flow.lengthBytes - (pieces - 1) * chunkBytes
    // vsock tells its peer after half a buffer; how many messages a run has is known.
    const creditEvery = Math.ceil(flow.creditBytes / 2 / flow.lengthBytes)
    const messages = Math.ceil(scenario.durationNs / flow.periodNs)
    return {
      index,
      name: flow.name,
      source,
      destination,
      sourceCore: vms[source]!.core,
      destinationCore: vms[destination]!.core,
      periodNs: flow.periodNs,
      deadlineNs: flow.deadlineNs,
      lengthBytes: flow.lengthBytes,
      jitterNs: flow.jitterNs,
      pieces,
      workNs: (pieces - 1) * transferTimeNs(chunkBytes, bytesPerNs) + transferTimeNs(lastBytes, bytesPerNs),
      creditEvery: creditEvery > messages ? Number.POSITIVE_INFINITY : creditEvery,
      pages: pagesOf(scenario, design, flow),
      movable: movableOf(scenario, design, profile, flow),
      after: flow.after === null ? -1 : scenario.flows.findIndex(({ name }) => name === flow.after),
      computeNs: flow.computeNs,
    }
  })
  // When it throttles a core and when it wakes it; and what asks for the other core that is to take its interrupts.
  const retargetNs = broker.memguard === 'retarget' ? triples[CostOp.gicAccess]![2] : 0
  const throttles = throttlesOf(scenario, profile, 2 * triples[CostOp.irqEntryAck]![2] + retargetNs)
  const longestBytes = Math.min(chunkBytes, Math.max(...flows.map(({ lengthBytes }) => lengthBytes)))
  const moves = flows.some(({ pages }) => pages !== 'copied')
  const controls = flows.filter(({ creditEvery }) => creditEvery < Number.POSITIVE_INFINITY).length
  return {
    scenario,
    design,
    pinned,
    flows,
    vmCores: vms.map(({ core }) => core),
    cores: [...new Set(vms.map(({ core }) => core))].sort((a, b) => a - b),
    chains,
    moves,
    lends: design === 'floating' && broker.transfer === 'lend',
    flushPages: broker.flushPages,
    roams: design === 'floating' && broker.memguard === 'retarget' && throttles.size > 0,
    interrupts,
    worst: (op) => triples[op]![2],
    best: (op) => triples[op]![0],
    bytesPerNs,
    chunkBytes,
    fullPieceNs: transferTimeNs(chunkBytes, bytesPerNs),
    longestPieceNs: transferTimeNs(longestBytes, bytesPerNs),
    regulator: regulatorOf(scenario, bytesPerNs),
    committedPieces: chains ? 1 + profile.dmaPrefetchedPieces.value : 0,
    controls,
    announcesAtOnce: !moves && controls === 0 && (!chains || flows.every(({ pieces }) => pieces < ANNOUNCE_BATCH)),
    throttles,
    waitForDmaNs: design === 'floating' && interrupts.waitForShort && !pinned ? triples[CostOp.irqEntryAck]![1] : 0,
  }
}

/** Whole pages of a message that is long enough for them to be moved; 0: it is copied. */
function wholePages({ remapThresholdBytes, transfer }: Scenario['broker'], { lengthBytes }: FlowSpec): number {
  const policy = new TransferPolicy(transfer, { thresholdBytes: remapThresholdBytes })
  const pages = Math.floor(lengthBytes / PAGE_SIZE)
  return pages * PAGE_SIZE >= policy.thresholdBytes ? pages : 0
}

/** With `refuse` a VM only ever has pages of its own colours, so that none fits a VM which has no colour in common with it. */
function movableOf({ broker, vms }: Scenario, design: Design, profile: BoardProfile, flow: FlowSpec): number {
  const { colorPolicy, poolColors, transfer } = broker
  if (design === 'dedicated' || transfer === 'copy') return 0
  if (colorPolicy === 'refuse') {
    const plan = planColors(profile.pageColors.value, vms, poolColors)
    const colorsOf = (name: string) => plan.vms[vms.findIndex((vm) => vm.name === name)]!
    const theirs = colorsOf(flow.to)
    if (!colorsOf(flow.from).some((color) => theirs.includes(color))) return 0
  }
  return wholePages(broker, flow)
}

function pagesOf({ broker, flows, vms }: Scenario, design: Design, flow: FlowSpec): SystemFlow['pages'] {
  const { colorPolicy, lentPages, transfer } = broker
  if (design === 'dedicated' || transfer === 'copy') return 'copied'
  const movable = (other: FlowSpec) => wholePages(broker, other)
  if (movable(flow) === 0) return 'copied'
  const borrowed = flows.reduce((sum, other) => (other.to === flow.to ? sum + MOST_UNDER_WAY * movable(other) : sum), 0)
  const free = colorPolicy === 'accept' && vms.every(({ buffers }) => buffers === 'page-aligned')
  return free && (transfer !== 'lend' || borrowed <= lentPages) ? 'moved' : 'tried'
}

function throttlesOf(scenario: Scenario, profile: BoardProfile, interruptsNs: number): Map<number, Throttle> {
  const throttles = new Map<number, Throttle>()
  refillBudgets(scenario, profile).forEach((budget, core) => {
    if (budget === null) return
    const { guestNs, periodNs } = budget
    throttles.set(core, { periodNs, throttledNs: Math.max(0, periodNs - guestNs), interruptsNs })
  })
  return throttles
}

/** Most that MemGuard stops the guests of a core in any window: at the end of every period. */
export function throttledWithin({ throttles }: System, core: number, windowNs: number): number {
  const throttle = throttles.get(core)
  return throttle === undefined ? 0 : (Math.floor(windowNs / throttle.periodNs) + 1) * throttle.throttledNs
}

/**
 * Most that all cores of the broker are throttled at once, and take no interrupts, in any window: as the one is that sleeps least;
 * null where some core never is.
 */
export function allAsleep({ cores, throttles }: System): Throttle | null {
  let least: Throttle | null = null
  for (const core of cores) {
    const throttle = throttles.get(core)
    if (throttle === undefined || throttle.throttledNs === 0) return null
    if (least === null || throttle.throttledNs / throttle.periodNs < least.throttledNs / least.periodNs)
      least = throttle
  }
  return least
}

/** The rate that the engine keeps is in `bytesPerNs` already. */
function regulatorOf({ broker }: Scenario, bytesPerNs: number): Regulator {
  const { regulator } = broker
  if (regulator.kind === 'rate') return { kind: 'rate', bytesPerNs }
  return regulator
}

/** Messages of a flow that can be between its guests at once: a sender has so many buffers. */
export const MOST_UNDER_WAY = BUFFERS_PER_FLOW

/**
 * Messages of a flow that anything can be done for in a window: those nominally released in it, or at most `spanNs` before it. Nothing
 * is counted from a span that is not known: whoever does not know it has no bound.
 */
export function messagesWithin(flow: SystemFlow, spanNs: number, windowNs: number): number {
  return Math.floor((windowNs + knownSpan(flow, spanNs)) / flow.periodNs) + 1
}

/** `spanNs`, which nothing is counted from if it is not known. */
export function knownSpan(flow: SystemFlow, spanNs: number): number {
  if (!(spanNs < Number.POSITIVE_INFINITY)) assert(false, `the messages of ${flow.name} are under way for a known time`)
  return spanNs
}

/** Messages that the VMs of a core send. */
export function sendsWithin({ flows }: System, core: number, windowNs: number, spans: readonly number[]): number {
  let sends = 0
  for (const flow of flows) {
    if (flow.sourceCore === core) sends += messagesWithin(flow, spans[flow.index]!, windowNs)
  }
  return sends
}

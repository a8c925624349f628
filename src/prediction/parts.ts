/**
 * What a round of a prediction is made of: what software costs, what it takes from cores, when messages are queued, all of it from how long
 * messages are under way.
 */
import { PAGE_SIZE } from '../memory/index.ts'
import { arrivalToleranceNs } from '../plan/index.ts'
import { CostOp, chargedNs } from '../platform/index.ts'
import { moveCharges, TransferWay } from '../zero-copy/index.ts'
import { isForeign } from './against.ts'
import { CoreLoad } from './cores.ts'
import { countedSoftware } from './counted.ts'
import { softwareWithin } from './dma.ts'
import { FoundOn } from './found-on.ts'
import type { Starts } from './least-fixed-point.ts'
import { type Scarcity, scarcityOf } from './obstacles.ts'
import { beforeNs, computedNs, returnedNs, trailNs } from './path.ts'
import type { SoftwareCosts } from './software.ts'
import { MOST_UNDER_WAY, type System, type SystemFlow } from './system.ts'

/** What one round is made of, from how long messages, and then their loans, are under way. Found when it is asked for. */
export class Parts {
  readonly system: System
  readonly spans: readonly number[]
  readonly starts: Starts
  readonly scarcity: Scarcity
  /** By flow: messages that may have buffers of their sender when the next one is released. */
  readonly lentBefore: readonly number[]
  readonly software: SoftwareCosts
  #loads: ReadonlyMap<number, CoreLoad> | null = null
  #everything: ((windowNs: number) => number) | null = null
  #sentNs: readonly number[] | null = null
  #inheritedNs: readonly number[] | null = null

  /**
   * `interrupts`: whether a message of the flow may interrupt the chain of another. `received`: messages of the flow that have receive buffers
   * at once, as far as another bound than `spans` is known.
   */
  constructor(
    system: System,
    spans: readonly number[],
    settledNs: number,
    starts: Starts,
    interrupts: (flow: SystemFlow) => boolean = () => true,
    received?: (flow: SystemFlow) => number,
  ) {
    const { lends } = system
    this.system = system
    this.spans = spans
    this.starts = starts
    const within = (flow: SystemFlow, spanNs: number) => Math.floor(spanNs / flow.periodNs) + 1
    const underWay = (flow: SystemFlow) => within(flow, spans[flow.index]!)
    // A loan begins before its message arrives, and is due a period later.
    const loanSpanNs = (flow: SystemFlow) =>
      lends && flow.movable > 0 ? spans[flow.index]! + flow.periodNs + settledNs : spans[flow.index]!
    // Until then it has a buffer of its sender.
    this.lentBefore = system.flows.map((flow) =>
      lends && flow.movable > 0
        ? Math.floor(loanSpanNs(flow) / flow.periodNs)
        : Math.floor(spans[flow.index]! / flow.periodNs),
    )
    const scarcity = scarcityOf(system, underWay, received, spans, this.lentBefore)
    this.scarcity = scarcity
    this.software = countedSoftware(system, {
      // A sender has no more buffers.
      messages: (flow) => Math.min(MOST_UNDER_WAY, underWay(flow)),
      handedBackNs: (flow) => spans[flow.index]!,
      loanSpanNs,
      starves: (vm) => scarcity.receivers[vm]!,
      waits: (flow) => scarcity.senders[flow.index]!,
      early: (flow) => mayComeEarly(system, flow, spans[flow.index]!),
      interrupts,
    })
  }

  get loads(): ReadonlyMap<number, CoreLoad> {
    const { system, software, spans } = this
    this.#loads ??= new Map(
      system.cores.map((core) => [core, new CoreLoad(system, core, software, spans, this.everything)]),
    )
    return this.#loads
  }

  get everything(): (windowNs: number) => number {
    this.#everything ??= softwareWithin(this.system, this.software, this.spans)
    return this.#everything
  }

  get sentNs(): readonly number[] {
    const { system, software, spans, starts } = this
    // With pinned overheads nothing takes time but the preparation of pieces, and a message that comes meanwhile is seen before
    // that piece has been copied: as if it had come to the abstract server at once.
    const atOnce = system.pinned && system.throttles.size === 0
    if (this.#sentNs !== null) return this.#sentNs
    // The same for all that are sent from one core.
    const sent = new Map<number, number>()
    this.#sentNs = system.flows.map((flow) => {
      // What is not believed of a sender is counted from when the broker may serve it.
      if (isForeign(system, flow)) return 0
      const core = flow.sourceCore
      const sentNs =
        sent.get(core) ?? (atOnce ? 0 : beforeNs(system, core, this.loads.get(core)!, software, spans, starts))
      sent.set(core, sentNs)
      return sentNs
    })
    return this.#sentNs
  }

  /** Of a flow after another: how much later than at best its release comes. */
  get inheritedNs(): readonly number[] {
    const { system, software, spans, starts } = this
    this.#inheritedNs ??= system.flows.map((flow) => {
      if (flow.after < 0) return 0
      const computed = computedNs(system, flow, this.loads.get(flow.sourceCore)!, software, spans, starts)
      return Math.max(0, spans[flow.after]! - bestNs(system, system.flows[flow.after]!) + computed - flow.computeNs)
    })
    return this.#inheritedNs
  }

  get trailNs(): number {
    return trailNs(this.system, this.software)
  }
}

/**
 * Whether the rate test may hold a message back. Where every one reaches the broker within the tolerance of its nominal release none is early
 * (docs/prediction.md §3, "The rate test"). Credit updates have a rate of their own, and what is not believed has none.
 */
function mayComeEarly(system: System, flow: SystemFlow, spanNs: number): boolean {
  if (flow.creditEvery < Number.POSITIVE_INFINITY || isForeign(system, flow)) return true
  return spanNs > arrivalToleranceNs(system.scenario, flow.index)
}

/** Whether a message of a flow may interrupt the chain of another: which is stopped behind what it is committed to, and the piece in flight. */
export function interrupting(
  system: System,
  { scheduler, ranks }: { readonly scheduler: 'fp' | 'edf'; readonly ranks: readonly number[] },
): (flow: SystemFlow) => boolean {
  const { committedPieces, flows } = system
  const last = asked.get(system)
  if (last?.scheduler === scheduler && last.ranks === ranks) return last.interrupts
  // Of those that are long it precedes some if it precedes the one that all others precede.
  const urgency = ({ index, deadlineNs }: SystemFlow) => (scheduler === 'fp' ? ranks[index]! : deadlineNs)
  const long = flows.filter(({ pages, pieces }) => pages !== 'moved' && pieces > 1 + committedPieces)
  const least = long.reduce((most, flow) => Math.max(most, urgency(flow)), Number.NEGATIVE_INFINITY)
  const interrupts = (flow: SystemFlow) => urgency(flow) < least
  asked.set(system, { scheduler, ranks, interrupts })
  return interrupts
}

interface Asked {
  readonly scheduler: 'fp' | 'edf'
  readonly ranks: readonly number[]
  readonly interrupts: (flow: SystemFlow) => boolean
}

/** What `interrupting` was asked for last. */
const asked = new FoundOn<System, Asked>()

/**
 * By flow: how late a message may be queued, from its nominal release, for another reason than that the broker held all buffers of its
 * sender, which its rate test forgives (src/broker/policing.ts). Where it may wait for one of these, a message is late by its jitter and by
 * the gaps between a buffer's coming back and the next message's coming; each counts twice, as it takes from the credit, but a period passes
 * with each. Infinity: not known.
 */
export function unforgivenOf(parts: Parts): number[] {
  const { system, scarcity, inheritedNs, sentNs } = parts
  return system.flows.map((flow, i) => {
    const releasedNs = flow.jitterNs + inheritedNs[i]!
    // What follows a message that waited for its receiver's buffers comes a period after it got them.
    if (scarcity.receivers[flow.destination]) return Number.POSITIVE_INFINITY
    if (!scarcity.senders[i]) return releasedNs + sentNs[i]!
    // The rate test knows of no loans.
    if (system.lends && flow.movable > 0) return Number.POSITIVE_INFINITY
    const { spans, software, loads, everything, starts } = parts
    const source = loads.get(flow.sourceCore)!
    const backNs = returnedNs(system, flow, source, software, spans, everything, sentNs[i]!, starts)
    return 2 * backNs <= flow.periodNs ? releasedNs + Math.max(sentNs[i]!, 2 * backNs) : Number.POSITIVE_INFINITY
  })
}

/** From the nominal release of the first flow of a chain to that of a later one, at best. */
export function pathBestNs(system: System, flow: SystemFlow): number {
  let startNs = 0
  for (let hop = flow; hop.after >= 0; hop = system.flows[hop.after]!) {
    startNs += bestNs(system, system.flows[hop.after]!) + hop.computeNs
  }
  return startNs
}

/** From nominal release to arrival at best. */
function bestNs({ best, interrupts, design, flushPages, lends }: System, flow: SystemFlow): number {
  const guestNs = best(CostOp.guestSend) + best(CostOp.guestIsr)
  const waitsNs = interrupts.pollingNs > 0 || design === 'dedicated' ? 0 : best(CostOp.irqEntryAck)
  const inNs = best(CostOp.mmioTrap) + best(CostOp.fetchDescriptor)
  const copiedNs = best(CostOp.pick) + best(CostOp.dmaSetup) + flow.workNs
  if (flow.pages === 'copied') return guestNs + inNs + copiedNs + waitsNs
  // As many whole pages as it surely has, and all of them scrubbed later.
  const way = lends ? TransferWay.lend : TransferWay.exchange
  const pages = Math.max(1, Math.floor(flow.lengthBytes / PAGE_SIZE) - 1)
  const { arrival } = moveCharges({ way, pages, flushPages, smmu: true, spares: pages })
  const movedNs = chargedNs({ ...arrival, tlbRefill: 0 }, (op) => best(CostOp[op]))
  return guestNs + inNs + Math.min(copiedNs, movedNs)
}

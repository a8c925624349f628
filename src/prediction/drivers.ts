/** What the VMs of a core do with their devices in any window: they send, handle interrupts, poll, and refill their TLBs. */
import { CostOp } from '../platform/index.ts'
import { FoundByCore } from './found-by-core.ts'
import { FoundOn } from './found-on.ts'
import { tlbRefillsOf } from './pages.ts'
import type { SoftwareCosts } from './software.ts'
import { knownSpan, type System, type SystemFlow } from './system.ts'

/** Runs of interrupt handlers, and of polls, of all VMs of a core. */
export function handlerRunsWithin(
  system: System,
  software: SoftwareCosts,
  core: number,
  windowNs: number,
  spans: readonly number[],
): number {
  return driversOf(system, software, core, spans).runsWithin(windowNs)
}

/** By the costs of a round and by its spans: of every core. */
const known = new FoundOn<SoftwareCosts, Map<readonly number[], Drivers[]>>()

/** The same object for the same spans and costs. */
export function driversOf(system: System, software: SoftwareCosts, core: number, spans: readonly number[]): Drivers {
  let bySpans = known.get(software)
  if (bySpans === undefined) {
    bySpans = new Map()
    known.set(software, bySpans)
  }
  let byCore = bySpans.get(spans)
  if (byCore === undefined) {
    byCore = []
    bySpans.set(spans, byCore)
  }
  byCore[core] ??= new Drivers(system, software, core, spans)
  return byCore[core]
}

/** Interrupts of a VM that no message which is under way accounts for any more: one in its handler, and one that waits. */
export const HANDLED_LATER = 2

/** Of a step: period, offset, runs, time. */
const WORDS = 4

/** What the VMs of a core do with their devices in any window. */
export class Drivers {
  /**
   * Because of messages: runs of handlers; and the time of those, of sends, and of refills of TLBs that were invalidated as a whole. Steps of
   * both have a period and an offset.
   */
  readonly #steps: number[]
  #end = 0
  readonly #handlerNs: number
  /** VMs that poll, and their period. */
  readonly #polling: number
  readonly #pollingNs: number
  /** In any window, whatever is under way. */
  readonly #once: number

  constructor(system: System, software: SoftwareCosts, core: number, spans: readonly number[]) {
    const { flows, interrupts } = system
    const { counted, once, vms } = countedOf(system, software, core)
    this.#steps = new Array(2 * WORDS * flows.length)
    this.#handlerNs = system.worst(CostOp.guestIsr)
    this.#pollingNs = interrupts.pollingNs
    this.#polling = interrupts.pollingNs > 0 ? vms : 0
    this.#once = once
    for (let i = 0; i < flows.length; i++) {
      const [runs, ownNs] = [counted[2 * i]!, counted[2 * i + 1]!]
      if (runs === 0 && ownNs === 0) continue
      const flow = flows[i]!
      const { periodNs } = flow
      const spanNs = knownSpan(flow, spans[i]!)
      // Its sender hears of lent pages when they are back.
      const toldNs = runs === 0 ? spanNs : knownSpan(flow, Math.max(spanNs, software.loanSpanNs(flow)))
      const handledNs = runs * this.#handlerNs
      if (toldNs === spanNs) this.#add(periodNs, spanNs, runs, ownNs + handledNs)
      else {
        this.#add(periodNs, spanNs, 0, ownNs)
        this.#add(periodNs, toldNs, runs, handledNs)
      }
    }
  }

  #add(periodNs: number, offsetNs: number, runs: number, timeNs: number): void {
    const steps = this.#steps
    const end = this.#end
    steps[end] = periodNs
    steps[end + 1] = offsetNs
    steps[end + 2] = runs
    steps[end + 3] = timeNs
    this.#end = end + WORDS
  }

  #within(windowNs: number, word: 2 | 3): number {
    const steps = this.#steps
    let sum = 0
    for (let at = 0; at < this.#end; at += WORDS) {
      sum += (Math.floor((windowNs + steps[at + 1]!) / steps[at]!) + 1) * steps[at + word]!
    }
    return sum
  }

  /** Runs of interrupt handlers, and of polls. */
  runsWithin(windowNs: number): number {
    return this.#within(windowNs, 2) + this.#otherRunsWithin(windowNs)
  }

  /** Sends, interrupt handlers, polls, and refills of TLBs; ns. */
  timeWithin(windowNs: number): number {
    return this.#within(windowNs, 3) + this.#otherRunsWithin(windowNs) * this.#handlerNs
  }

  #otherRunsWithin(windowNs: number): number {
    let runs = this.#once
    if (this.#polling > 0) runs += this.#polling * (Math.floor(windowNs / this.#pollingNs) + 2)
    return runs
  }
}

/** Of one message of each flow, one after the other: runs of handlers; sends and refills of TLBs, ns. Once: runs in any window. */
interface Counted {
  readonly counted: readonly number[]
  readonly once: number
  readonly vms: number
}

/** By the costs that they are made of; and by core. */
const countedBy = new FoundByCore<Counted>()

/** What does not depend on how long messages are under way, but by the costs. */
function countedOf(system: System, software: SoftwareCosts, core: number): Counted {
  return countedBy.of(software.events, core, () => countedAnew(system, software, core))
}

function countedAnew(system: System, software: SoftwareCosts, core: number): Counted {
  const { chains, flows, interrupts, vmCores } = system
  const polls = interrupts.pollingNs > 0
  const receives = flows.some(({ destinationCore }) => destinationCore === core)
  const split = chains && receives && !polls
  const counted: number[] = new Array(2 * flows.length)
  flows.forEach((flow, i) => {
    // Sent buffers that come back interrupt their sender even if it polls.
    const injections = !polls || flow.sourceCore === core ? injectionsOf(system, software, core, flow) : 0
    // Transfers that were interrupted are two.
    const again = software.restarts(flow) + software.transfersAnExhaustion * software.exhaustions(flow)
    counted[2 * i] = injections + (split ? again : 0)
    const ends = (flow.sourceCore === core ? 1 : 0) + (flow.destinationCore === core ? 1 : 0)
    const sentNs = flow.sourceCore === core ? system.worst(CostOp.guestSend) : 0
    counted[2 * i + 1] = sentNs + ends * tlbRefillsOf(system, software, flow) * system.worst(CostOp.tlbRefill)
  })
  const vms = vmCores.filter((other) => other === core).length
  const splitOnce = software.transfersAnExhaustion * software.exhaustionsOnce + software.restartsOnce
  const once = HANDLED_LATER * vms + (split ? splitOnce : 0)
  return { counted, once, vms }
}

/** Virtual interrupts that a core's VMs can be sent because of one flow: pieces of one message come in so many transfers. */
export function injectionsOf(system: System, software: SoftwareCosts, core: number, flow: SystemFlow): number {
  const control = Math.min(1, system.controls)
  const sends = flow.sourceCore === core ? software.completions(flow) + 2 * control : 0
  // What is moved of it arrives apart, and in parts where its receiver runs out of buffers.
  const moved = flow.pages === 'copied' ? 0 : 1 + software.waits(flow)
  const receives = flow.destinationCore === core ? software.transfers(flow) + moved + control : 0
  return sends + receives
}

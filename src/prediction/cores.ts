/**
 * Time that the hypervisor layer takes on each core in any window: entries of its own, and spinning for what other cores do
 * under the lock. Events are counted by the messages that can have any in the window: those released within it or within
 * their span before it.
 */
import { ANNOUNCE_BATCH, EXTEND_BATCH, FETCH_BATCH, PAGE_REST_NS } from '../broker/index.ts'
import { CostOp } from '../platform/index.ts'
import { foreignControlWithin } from './against.ts'
import {
  chainTimerCharges,
  chainTimers,
  pageSteps,
  restCharges,
  TAKE_OVER_CHARGES,
  TAKE_OVERS,
  worstNs,
} from './charges.ts'
import { handlerRunsWithin } from './drivers.ts'
import { FoundByCore } from './found-by-core.ts'
import { onceFor } from './once.ts'
import { pageStepNs, tlbRefillsWithin } from './pages.ts'
import { awaitedNs, interruptWorstNs, type SoftwareCosts } from './software.ts'
import { Staircase } from './staircase.ts'
import { knownSpan, type System, type SystemFlow, sendsWithin, type Throttle } from './system.ts'

/** What is constant in a window of 18 minutes does not show in its rate. */
export const LONG_NS = 2 ** 40

/** Time on this core, time that other cores hold the lock for, and how often this core takes the lock. */
interface Share {
  readonly ownNs: number
  readonly othersNs: number
  readonly locks: number
}

const NOTHING: Share = { ownNs: 0, othersNs: 0, locks: 0 }
const COUNTED_WORDS = 11

export class CoreLoad {
  readonly #system: System
  readonly #core: number
  readonly #software: SoftwareCosts
  readonly #spans: readonly number[]
  /**
   * By flow: its period, and of one message the time on this core, on others, and the locks; of its transfers the same; how often it
   * makes others restart, its pieces, how often it uses up a budget, and its timers when it comes early.
   */
  readonly #counted: readonly number[]
  /** By flow: its span. */
  readonly #spansNs: readonly number[]
  /** Of lent pages that come back: time on this core, and locks. */
  readonly #loansNs: Staircase
  readonly #loanLocks: Staircase
  /** Of a transfer of whatever flow. */
  readonly #worst: Share
  /** Some flow's transfers end here. */
  readonly #receives: boolean
  readonly #throttle: Throttle | undefined
  readonly #everything: (windowNs: number) => number

  /** `everything`: all software of the broker in any window. While a core of the floating broker spins another runs some of it. */
  constructor(
    system: System,
    core: number,
    software: SoftwareCosts,
    spans: readonly number[],
    everything: (windowNs: number) => number = () => Number.POSITIVE_INFINITY,
  ) {
    const floating = system.design === 'floating'
    this.#system = system
    this.#core = core
    this.#software = software
    this.#spans = spans
    this.#everything = floating ? everything : () => Number.POSITIVE_INFINITY
    this.#throttle = system.throttles.get(core)
    this.#receives = system.roams || system.flows.some((flow) => flow.destinationCore === core)
    const { flows } = system
    const { counted, worst } = countedOf(system, software, core)
    this.#worst = worst
    this.#counted = counted
    this.#spansNs = flows.map((flow, i) => knownSpan(flow, spans[i]!))
    this.#loansNs = new Staircase()
    this.#loanLocks = new Staircase()
    for (const flow of system.lends ? flows : []) {
      const steps = software.loanSteps(flow)
      if (steps === 0) continue
      const loanSpanNs = knownSpan(flow, software.loanSpanNs(flow))
      this.#loansNs.add(flow.periodNs, loanSpanNs, software.loan(flow) + steps * software.beginNs)
      this.#loanLocks.add(flow.periodNs, loanSpanNs, steps)
    }
  }

  /** I_k(t): most that the core loses in any window of `windowNs`. */
  within(windowNs: number): number {
    // What guests that are not believed cause is counted wherever it runs.
    const { against, design } = this.#system
    if (against !== undefined && design === 'floating') return Math.ceil(this.#everything(windowNs))
    return Math.ceil(Math.min(this.#within(windowNs), this.#everything(windowNs)))
  }

  #within(windowNs: number): number {
    const { cores, design } = this.#system
    const { stepNs, surplusNs } = this.#software
    let ownNs = this.#memguardWithin(windowNs)
    let othersNs = 0
    let locks = 0
    let transfersNs = 0
    let othersTransfersNs = 0
    let transferLocks = 0
    let arrivals = 0
    let restarts = this.#receives ? this.#software.restartsOnce : 0
    let pieces = 0
    let exhaustions = this.#software.exhaustionsOnce
    let early = 0
    const counted = this.#counted
    const spansNs = this.#spansNs
    for (let i = 0, at = 0; i < spansNs.length; i++, at += COUNTED_WORDS) {
      const messages = Math.floor((windowNs + spansNs[i]!) / counted[at]!) + 1
      ownNs += messages * counted[at + 1]!
      othersNs += messages * counted[at + 2]!
      locks += messages * counted[at + 3]!
      transfersNs += messages * counted[at + 4]!
      othersTransfersNs += messages * counted[at + 5]!
      transferLocks += messages * counted[at + 6]!
      restarts += messages * counted[at + 7]!
      pieces += messages * counted[at + 8]!
      exhaustions += messages * counted[at + 9]!
      early += messages * counted[at + 10]!
      arrivals += messages
    }
    ownNs += this.#loansNs.within(windowNs)
    locks += this.#loanLocks.within(windowNs)
    const takeOvers = this.#takeOversWithin(windowNs)
    ownNs += takeOvers * (takeOverNs(this.#system) + this.#software.beginNs)
    locks += takeOvers
    // What comes in between makes one transfer two: a more urgent message, or the end of the budget.
    const split = restarts + this.#software.transfersAnExhaustion * (this.#receives ? exhaustions : 0)
    const worst = this.#worst
    // The one DMA ends no more of them than it can copy pieces, of which a message has one that may be short.
    const copied = this.#copiedWithin(windowNs) + arrivals + 1
    const ownTransfersNs = Math.min(transfersNs + split * worst.ownNs, copied * worst.ownNs)
    if (design === 'dedicated') {
      return ownNs + ownTransfersNs + foreignControlWithin(this.#system, this.#core, windowNs, this.#spans)
    }
    // The broker lets a message that comes early wait for its time.
    const timers = early + this.#software.timersAnExhaustion * exhaustions + this.#bucketTimersWithin(windowNs, pieces)
    const rests = restsWithin(this.#system, this.#software, this.#core, windowNs, this.#spans)
    ownNs += timers * (this.#software.timerNs + this.#software.beginNs) + surplusNs
    ownNs += rests * (restNs(this.#system) + this.#software.beginNs)
    locks += timers + Math.min(transferLocks + split * worst.locks, copied * worst.locks)
    // Every transfer is this core's or another's, and so is every hold: it spins for as many as it asks, and as there are.
    const allTransfersNs = Math.min(
      ownTransfersNs + othersTransfersNs + split * worst.othersNs,
      copied * Math.max(worst.ownNs, worst.othersNs),
    )
    const others = cores.length - 1
    // Who comes back to pages is the one that moves them: the others hold the lock for less.
    const spinsNs = (locks * stepNs + rests * (stepNs - pageStepNs(this.#system))) * others
    return ownNs + Math.min(ownTransfersNs + spinsNs, allTransfersNs + othersNs + surplusNs + others * stepNs)
  }

  /** Share of the core that is lost in the long run. */
  get rate(): number {
    return this.within(LONG_NS) / LONG_NS
  }

  /** MemGuard's own interrupts. */
  #memguardWithin(windowNs: number): number {
    const throttle = this.#throttle
    return throttle === undefined ? 0 : (Math.floor(windowNs / throttle.periodNs) + 2) * throttle.interruptsNs
  }

  /** Other cores, and this one, are throttled and leave what they would have noticed to this one. */
  #takeOversWithin(windowNs: number): number {
    if (!this.#system.roams) return 0
    let takeOvers = 0
    for (const { periodNs } of this.#system.throttles.values()) {
      takeOvers += TAKE_OVERS * (Math.floor(windowNs / periodNs) + 2)
    }
    return takeOvers
  }

  #copiedWithin(windowNs: number): number {
    return Math.floor(windowNs / (this.#system.fullPieceNs + this.#software.bestAfterChoiceNs)) + 1
  }

  /** `pieces`: of all messages in the window. Each may have to wait for tokens. */
  #bucketTimersWithin(windowNs: number, pieces: number): number {
    return this.#system.regulator.kind === 'bucket' ? Math.min(pieces, this.#copiedWithin(windowNs)) : 0
  }
}

interface Counted {
  /** As `CoreLoad` counts. */
  readonly counted: readonly number[]
  /** Of a transfer of whatever flow. */
  readonly worst: Share
}

/** By the costs that they are made of; and by core. */
const countedBy = new FoundByCore<Counted>()

/** What does not depend on how long messages are under way, but by the costs. */
function countedOf(system: System, software: SoftwareCosts, core: number): Counted {
  return countedBy.of(software.events, core, () => countedAnew(system, software, core))
}

function countedAnew(system: System, software: SoftwareCosts, core: number): Counted {
  const { design, flows } = system
  const floating = design === 'floating'
  const counted: number[] = new Array(COUNTED_WORDS * flows.length)
  const worst = { ownNs: 0, othersNs: 0, locks: 0 }
  flows.forEach((flow, i) => {
    const message = floating ? floatingMessage(system, software, core, flow) : dedicatedMessage(system, core, flow)
    const transfer = floating
      ? floatingTransfer(system, software, core, flow)
      : dedicatedTransfer(system, software, core, flow)
    worst.ownNs = Math.max(worst.ownNs, transfer.ownNs)
    worst.othersNs = Math.max(worst.othersNs, transfer.othersNs)
    worst.locks = Math.max(worst.locks, transfer.locks)
    const count = software.transfers(flow)
    const at = COUNTED_WORDS * i
    counted[at] = flow.periodNs
    counted[at + 1] = message.ownNs
    counted[at + 2] = message.othersNs
    counted[at + 3] = message.locks
    counted[at + 4] = count * transfer.ownNs
    counted[at + 5] = count * transfer.othersNs
    counted[at + 6] = count * transfer.locks
    counted[at + 7] = software.restarts(flow)
    counted[at + 8] = flow.pieces
    counted[at + 9] = software.exhaustions(flow)
    counted[at + 10] = software.earlyTimers(flow)
  })
  return { counted, worst }
}

/** Doorbell, pieces, the way back of both sides' buffers, and now and then a credit update the other way. */
function floatingMessage(system: System, software: SoftwareCosts, core: number, flow: SystemFlow): Share {
  const { worst } = system
  const lockNs = worst(CostOp.lockCriticalSection)
  const fetchNs = worst(CostOp.fetchDescriptor)
  const usedNs = worst(CostOp.usedRing)
  const injectionNs = interruptWorstNs(system) + worst(CostOp.injectListRegister)
  const sends = flow.sourceCore === core
  // Where interrupts go to whichever core is awake, so does what follows from them.
  const receives = flow.destinationCore === core || system.roams
  const control = flow.creditEvery < Number.POSITIVE_INFINITY ? 1 : 0

  const doorbellNs = (1 + 1 / FETCH_BATCH) * lockNs + fetchNs + software.beginNs
  // Steps that announce, and those that extend.
  const batches = Math.ceil(flow.pieces / Math.min(ANNOUNCE_BATCH, EXTEND_BATCH))
  const announceNs = flow.pieces * usedNs + usedNs + batches * lockNs + awaitedNs(system, flow)
  // Whichever core started a transfer chains the rest of it.
  const extendNs =
    flow.pieces * fetchNs +
    (system.chains ? batches * lockNs : 0) +
    chainTimersNs(system, flow) +
    software.pagesNs(flow) +
    pageSteps(flow, software.pages(flow)) * software.beginNs
  const updateNs = control * (2 * lockNs + 2 * fetchNs + software.beginNs + 2 * usedNs)
  const held = flow.pages !== 'copied' && system.interrupts.coalesceCount > 1 ? 1 : 0
  const heldHoldNs = held * (lockNs + software.beginNs + worst(CostOp.injectListRegister))
  let ownNs = extendNs
  let othersNs = 0
  if (sends) {
    ownNs +=
      worst(CostOp.mmioTrap) +
      doorbellNs +
      software.completions(flow) * injectionNs +
      control * (injectionNs * 2 + software.refillKickNs + software.beginNs)
  } else othersNs += doorbellNs + control * (lockNs + software.beginNs)
  if (receives)
    ownNs +=
      announceNs + held * 2 * injectionNs + heldHoldNs + updateNs + control * (worst(CostOp.mmioTrap) + injectionNs)
  else othersNs += announceNs + heldHoldNs + updateNs
  return {
    ownNs,
    othersNs,
    locks:
      2 * batches +
      pageSteps(flow, software.pages(flow)) +
      (sends ? 2 + control : 0) +
      (receives ? batches + held + 3 * control : 0),
  }
}

function chainTimersNs(system: System, flow: SystemFlow): number {
  if (!system.chains || chainTimers(flow) === 0) return 0
  return onceFor(system, 'chain timers', flow.index, () => worstNs(system, chainTimerCharges(system, flow)))
}

function floatingTransfer(system: System, software: SoftwareCosts, core: number, flow: SystemFlow): Share {
  const { chains, worst } = system
  const lockNs = worst(CostOp.lockCriticalSection)
  const kickNs = software.refillKick(flow)
  const kickHoldNs = kickNs > 0 ? lockNs + software.beginNs : 0
  const endNs = lockNs + software.beginNs + worst(CostOp.injectListRegister)
  // What has arrived may wait for a timer before its receiver is told, and then for another core.
  const held = system.interrupts.coalesceCount > 1 ? 1 : 0
  const injectionNs = interruptWorstNs(system) + worst(CostOp.injectListRegister)
  // A step that finds the chain at its end, or closed.
  const long = chains && flow.pieces > 1 + EXTEND_BATCH
  const extendNs = long ? 2 * lockNs : 0
  const isReceiver = flow.destinationCore === core
  const heldNs = held * (interruptWorstNs(system) + endNs)
  const locks = (long ? 2 : 0) + held
  if (!isReceiver && !system.roams) return { ownNs: extendNs + heldNs, othersNs: endNs + kickHoldNs, locks }
  return {
    ownNs:
      interruptWorstNs(system) +
      endNs +
      extendNs +
      heldNs +
      (isReceiver && (held > 0 || system.roams) ? injectionNs : 0) +
      (kickNs > 0 ? worst(CostOp.mmioTrap) + kickHoldNs : 0),
    othersNs: 0,
    locks: 1 + locks + (kickNs > 0 ? 1 : 0),
  }
}

/** On a VM's core the dedicated broker only forwards and injects. */
function dedicatedMessage(system: System, core: number, flow: SystemFlow): Share {
  const { worst } = system
  const injectionNs = interruptWorstNs(system) + worst(CostOp.injectListRegister)
  const trapNs = worst(CostOp.mmioTrap)
  const control = flow.creditEvery < Number.POSITIVE_INFINITY ? 1 : 0
  const bothNs = trapNs + injectionNs
  return {
    ownNs:
      (flow.sourceCore === core ? (1 + control) * bothNs : 0) + (flow.destinationCore === core ? control * bothNs : 0),
    othersNs: 0,
    locks: 0,
  }
}

function dedicatedTransfer(system: System, software: SoftwareCosts, core: number, flow: SystemFlow): Share {
  const { worst } = system
  if (flow.destinationCore !== core) return NOTHING
  const kickNs = software.refillKick(flow) > 0 ? worst(CostOp.mmioTrap) : 0
  return { ownNs: interruptWorstNs(system) + worst(CostOp.injectListRegister) + kickNs, othersNs: 0, locks: 0 }
}

/**
 * Times that a core which moves pages comes back from its guests. They have each time sent or handled something; or they, and what
 * EL2 does on that core without calling the broker, have taken so long that its timer brings it back.
 */
export function restsWithin(
  system: System,
  software: SoftwareCosts,
  core: number,
  windowNs: number,
  spans: readonly number[],
): number {
  const { flows, throttles, worst } = system
  if (flows.every(({ pages }) => pages === 'copied')) return 0
  const runs = handlerRunsWithin(system, software, core, windowNs, spans)
  const sends = sendsWithin(system, core, windowNs, spans)
  const throttle = throttles.get(core)
  const busyNs =
    runs * handledWorstNs(system) +
    sends * worst(CostOp.guestSend) +
    tlbRefillsWithin(system, software, core, windowNs, spans) +
    (throttle === undefined ? 0 : (Math.floor(windowNs / throttle.periodNs) + 2) * throttle.interruptsNs)
  return runs + sends + Math.floor(busyNs / PAGE_REST_NS) + 1
}

/** A core that moves pages comes back from its guests. */
export function restNs(system: System): number {
  return onceFor(system, 'rest', 0, () => worstNs(system, restCharges(system)))
}

/** A core takes over what a throttled one would have noticed. */
export function takeOverNs(system: System): number {
  return onceFor(system, 'take over', 0, () => worstNs(system, TAKE_OVER_CHARGES))
}

/** A virtual interrupt: injected for another core, and handled. */
export function handledWorstNs(system: System): number {
  return interruptWorstNs(system) + system.worst(CostOp.injectListRegister) + system.worst(CostOp.guestIsr)
}

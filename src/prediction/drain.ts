/**
 * The one window in which the machine drains (docs/prediction.md §3): from an instant at which nothing is under way but what waits for a
 * time, until all is done that has come since. It needs no other bound. How long it is does not depend on how long any message is under
 * way: at most one message a period of each flow is in it, which the broker's rate test sees to. So a flow for which no time is
 * known takes none from the others.
 */
import { type AnalysisModel, TIGHTNESS } from '../analysis/index.ts'
import { arrivalToleranceNs, receiveBuffersOf } from '../plan/index.ts'
import { CostOp } from '../platform/index.ts'
import { LOAN_STEPS } from './charges.ts'
import { CoreLoad, LONG_NS } from './cores.ts'
import { besideDmaNs, deafCores, dmaModelOf, flowSetOf, softwareWithin, timesLeftToGuests } from './dma.ts'
import { HANDLED_LATER } from './drivers.ts'
import { FoundOn } from './found-on.ts'
import { LIMIT_NS, Starts } from './least-fixed-point.ts'
import { waitsForCredit } from './obstacles.ts'
import { interrupting, Parts, pathBestNs, unforgivenOf } from './parts.ts'
import { driversWithin } from './path.ts'
import type { Rounds, Tightening } from './rounds.ts'
import type { SoftwareCosts } from './software.ts'
import { MOST_UNDER_WAY, messagesWithin, type System, type SystemFlow, throttledWithin } from './system.ts'
import { eachLoanNsOf, triedOf } from './tried.ts'
import { finishNs, refillWaitsNs, SIGNALS_A_MESSAGE, suppliedNs, toldNs, waitsToBeTold } from './window.ts'

export interface Drain {
  /** By flow: from nominal release until read, until nothing is done any more, and until one that came early may compete; Infinity: not known. */
  readonly readNs: readonly number[]
  readonly spans: readonly number[]
  readonly earlyNs: readonly number[]
  /** From its beginning to its end; Infinity: there is none. */
  readonly lengthNs: number
  /** Messages of a flow that can have receive buffers at once; and the buffers that so can be asked for, by VM. */
  received(flow: SystemFlow): number
  readonly needed: readonly number[]
  readonly settled: SettledDrain | null
  readNsOf(name: Tightening): readonly number[]
  /** Of a round whose window has no end; null: there is none. */
  readonly shares: DrainShares | null
}

/** What is counted one after another in a long window, of each ns of it: all together are 1 or more where it has no end. */
export interface DrainShares {
  readonly copying: number
  /** Waiting for budget or tokens. */
  readonly supply: number
  /** The broker's software and its interrupts. */
  readonly broker: number
  /** Guests' code, as far as nothing else goes on. */
  readonly guests: number
  readonly throttled: number
}

/** Where a drain may start of a system that has as much of everything, or more. */
export interface SettledDrain {
  readonly spans: readonly number[]
  /** From its beginning to its end. */
  readonly lengthNs: number
  readonly starts: Starts
  readonly readNs: readonly number[]
  readonly earlyNs: readonly number[]
  received(flow: SystemFlow): number
  readonly needed: readonly number[]
}

export const NO_DRAIN: Drain = {
  readNs: [],
  spans: [],
  earlyNs: [],
  lengthNs: Number.POSITIVE_INFINITY,
  received: () => Number.POSITIVE_INFINITY,
  needed: [],
  settled: null,
  readNsOf: () => [],
  shares: null,
}

/** More rounds than that: something grows without end, and is taken for it. */
const MOST_ROUNDS = 100

/** The one window in which the machine drains, as far as it is a bound. `from`: of a system with as much of everything or less. */
export function drainOf(system: System, rounds: Rounds, from: SettledDrain | null = null): Drain {
  return system.pinned || !rounds.asWindow ? NO_DRAIN : settleDrain(system, rounds, from)
}

/** In rounds from below, until nothing changes. */
function settleDrain(system: System, rounds: Rounds, from: SettledDrain | null): Drain {
  const { flows } = system
  const none = flows.map(() => Number.POSITIVE_INFINITY)
  const noDrain = { ...NO_DRAIN, spans: none, readNs: none, readNsOf: () => none }
  const starts = from?.starts.copy() ?? new Starts()
  let spans: readonly number[] = from?.spans ?? flows.map(() => 0)
  let lengthNs = from?.lengthNs ?? 0
  for (let round = 0; round <= MOST_ROUNDS; round++) {
    // A loan that is due is something to do, and done when the window ends.
    const settledNs = system.lends ? lengthNs : 0
    const received = receivedIn(system, lengthNs)
    const parts = new Parts(system, spans, settledNs, starts, interrupting(system, rounds), received)
    const unforgiven = once(() => (spans.includes(Number.POSITIVE_INFINITY) ? none : unforgivenOf(parts)))
    const still = flows.map(() => 0)
    const modelFor = (name: Tightening) => dmaModelOf(system, flowSetOf(system, parts.software, still), TIGHTNESS[name])
    const lengthOf = (name: Tightening) => starts.solve(`drain ${name}`, 0, drainOfParts(parts, modelFor(name), spans))
    const drainedNs = lengthOf('A4')
    if (!(drainedNs < Number.POSITIVE_INFINITY)) return { ...noDrain, shares: sharesOf(parts, modelFor('A4'), spans) }
    // What waits to be told may have the credit that a sender waits for, while nothing is under way.
    if (waitsToBeTold(system) && lackingCredit(system, drainedNs).includes(true)) return noDrain
    const startsIn = (windowNs: number) => startsOf(parts, windowNs, unforgiven)
    const readIn = (windowNs: number) => startsIn(windowNs).map((startNs) => limited(windowNs + startNs))
    const readNs = readIn(drainedNs)
    const less = readNs.some((read, i) => read + parts.trailNs < spans[i]!)
    if (from !== null && (less || drainedNs < lengthNs)) return settleDrain(system, rounds, null)
    const grown = readNs.map((read, i) => Math.max(spans[i]!, read + parts.trailNs))
    if (drainedNs <= lengthNs && grown.every((span, i) => span === spans[i])) {
      const earlyNs = startsIn(drainedNs)
      const { needed } = parts.scarcity
      const settled = { spans, lengthNs, starts, readNs, earlyNs, received, needed }
      // Under another analysis it may have no end.
      const readUntil = (endNs: number) => (endNs < Number.POSITIVE_INFINITY ? readIn(endNs) : none)
      return { ...settled, settled, readNsOf: (name) => readUntil(lengthOf(name)), shares: null }
    }
    spans = grown
    lengthNs = Math.max(lengthNs, drainedNs)
  }
  return noDrain
}

/**
 * Of each flow the messages that can have receive buffers at once, where the machine drains in `windowNs`: those of one drain. What waits to
 * be told when it begins is of one before (docs/prediction.md §3, "Told later").
 */
function receivedIn(system: System, windowNs: number): (flow: SystemFlow) => number {
  const acrossNs = waitsToBeTold(system) ? 2 * windowNs + toldNs(system) : windowNs
  const reaches = reachesOf(system, acrossNs)
  return (flow) => messagesWithin(flow, reaches[flow.index]!, acrossNs)
}

/**
 * By flow: a message counts in a drain of `windowNs` if the release of its chain was at most so long before it. One that the rate test holds
 * back when it begins does not add to them: then at most one a period may compete (docs/prediction.md §3, "The rate test").
 */
function reachesOf(system: System, windowNs: number): number[] {
  const { flows } = system
  const reaches: number[] = []
  for (const flow of chainOrder(flows)) {
    const { after, index, jitterNs, periodNs } = flow
    const releasedNs = after < 0 ? jitterNs : reaches[after]! + releasedLaterNs(system, jitterNs, windowNs)
    // What waits for credit is behind one that is held back: as many are queued as the sender has buffers, before they may compete.
    const waits = lacksCredit(system, flow, releasedNs, windowNs)
    reaches[index] = releasedNs + (waits ? (MOST_UNDER_WAY - 1) * periodNs : 0)
  }
  return reaches
}

/**
 * Whether the sender of a flow may wait for credit in a drain of `windowNs` (docs/prediction.md §3, "Credit"): before it, all that was read has
 * been announced, but for less than half of the credit.
 */
function lacksCredit(system: System, flow: SystemFlow, releasedNs: number, windowNs: number): boolean {
  if (flow.creditEvery === Number.POSITIVE_INFINITY) return false
  const held = windowNs > arrivalToleranceNs(system.scenario, flow.index) ? MOST_UNDER_WAY : 0
  return waitsForCredit(system, flow, held + messagesWithin(flow, releasedNs, windowNs))
}

/** By flow: whether its sender may wait for credit where the machine drains in `windowNs`. */
export function lackingCredit(system: System, windowNs: number): boolean[] {
  const reaches = reachesOf(system, windowNs)
  return system.flows.map((flow) => lacksCredit(system, flow, reaches[flow.index]!, windowNs))
}

/** What released a message may be held back, or wait for a poll, when all that was under way is done; and so may it itself, by its jitter. */
function releasedLaterNs(system: System, jitterNs: number, windowNs: number): number {
  return jitterNs > 0 || waitsToBeTold(system) ? windowNs + jitterNs : 0
}

/**
 * By flow, from the nominal release: latest that a message is released, and may compete, where all is done `windowNs` later. Infinity: not
 * known, because a sender may wait for buffers that messages have which are held back; or because what waited for receive buffers holds
 * the next one back for longer than it was held back itself; or because it may wait for credit.
 */
function startsOf(
  { system, scarcity }: Pick<Parts, 'system' | 'scarcity'>,
  windowNs: number,
  unforgiven: () => readonly number[],
): number[] {
  const { flows, scenario } = system
  const startNs: number[] = []
  const ownNs: number[] = []
  const lacking = lackingCredit(system, windowNs)
  for (const flow of chainOrder(flows)) {
    const { after, index, jitterNs, periodNs } = flow
    const bestNs = pathBestNs(system, flow)
    const releasedNs = after < 0 ? jitterNs : startNs[after]! + releasedLaterNs(system, jitterNs, windowNs)
    // Queued at most a window later; what is above the tolerance holds the next ones back.
    const toleranceNs = arrivalToleranceNs(scenario, index)
    const queuedNs = releasedNs + windowNs - bestNs
    // Mostly all of it is within the tolerance, and why it is late does not matter.
    const unforgivenNs = queuedNs > toleranceNs ? unforgiven()[index]! : 0
    const lateNs = Math.max(0, Math.min(queuedNs, unforgivenNs) - toleranceNs)
    const forgives = unforgivenNs < Number.POSITIVE_INFINITY
    const falls = scarcity.receivers[flow.destination]! && windowNs > toleranceNs
    const piles = lateNs > 0 && !forgives && windowNs - toleranceNs > MOST_UNDER_WAY * periodNs
    const grows = lacking[index]! || falls || piles
    startNs[index] = grows ? Number.POSITIVE_INFINITY : Math.max(releasedNs, lateNs > 0 ? bestNs + lateNs : 0)
    ownNs[index] = Math.max(0, startNs[index] - bestNs)
  }
  return ownNs
}

/** By the flows of a system. */
const orders = new FoundOn<readonly SystemFlow[], readonly SystemFlow[]>()

/** Each flow behind the one that releases it. */
function chainOrder(flows: readonly SystemFlow[]): readonly SystemFlow[] {
  let order = orders.get(flows)
  if (order === undefined) {
    const depth = (flow: SystemFlow): number => (flow.after < 0 ? 0 : 1 + depth(flows[flow.after]!))
    order = [...flows].sort((a, b) => depth(a) - depth(b))
    orders.set(flows, order)
  }
  return order
}

/** Of the window that was looked at last: copying, and whatever else goes on, guests and throttling included; ns. */
const looked = new Float64Array(2)

/**
 * When a window of so many ns is through with everything that any message in it can wait for. `spans`: as they are known so far. What is
 * found for one window is used for the next, if that reaches as far back.
 */
function drainOfParts(
  { system, software, scarcity }: Pick<Parts, 'system' | 'software' | 'scarcity'>,
  model: AnalysisModel,
  spans: readonly number[],
): (windowNs: number) => number {
  const { cores, design, flows, roams, vmCores, worst } = system
  const sgiNs = worst(CostOp.sgi)
  const toldAtNs = toldNs(system)
  const signals = flows.map(
    (flow) =>
      SIGNALS_A_MESSAGE +
      (flow.creditEvery < Number.POSITIVE_INFINITY ? 4 : 0) +
      (design === 'dedicated' || roams ? software.transfers(flow) : 0),
  )
  const besideNsOf = flows.map((flow) => besideDmaNs(system, software, flow))
  const twiceNsOf = flows.map((flow) => triedOf(system, software, flow).twiceNs)
  const guestsWithin = guestsAlone(system, software)
  const reaching = (reaches: readonly number[]) => {
    const costs = withLoans(system, software, reaches, spans)
    const loads = design === 'dedicated' ? cores.map((core) => new CoreLoad(system, core, costs, reaches)) : []
    return { reaches, costs, loads, within: softwareWithin(system, costs, reaches) }
  }
  let last: ReturnType<typeof reaching> | null = null
  return (windowNs) => {
    const reaches = reachesOf(system, windowNs)
    if (last === null || reaches.some((reachNs, i) => reachNs !== last!.reaches[i])) last = reaching(reaches)
    const { costs, loads, within } = last
    let workNs = 0
    // What no message accounts for any more: an interrupt that is held back.
    let elseNs = vmCores.length * (costs.timerNs + sgiNs) + within(windowNs)
    for (const load of loads) elseNs += load.within(windowNs)
    guestsWithin(costs, last.reaches, windowNs)
    elseNs += alone[0]! + alone[1]!
    // The first transfer of the window, and those that had to wait before.
    let besideNs = -(1 + costs.exhaustionsOnce + costs.waitsOnce) * system.fullPieceNs
    for (const flow of flows) {
      const messages = messagesWithin(flow, reaches[flow.index]!, windowNs)
      workNs += messages * model.workNs[flow.index]!
      besideNs += messages * besideNsOf[flow.index]!
      elseNs += returnWaitsNs(system, costs, flow, windowNs)
      elseNs += messages * (signals[flow.index]! * sgiNs - twiceNsOf[flow.index]!)
    }
    elseNs -= neverLentNs(system, costs, last.reaches, windowNs)
    scarcity.receivers.forEach((starves, vm) => {
      if (starves) elseNs += refillWaitsNs(system, vm, windowNs, reaches)
    })
    elseNs -= Math.max(0, besideNs)
    looked[0] = workNs
    looked[1] = elseNs
    return toldAtNs + finishNs(model, workNs, elseNs)
  }
}

function sharesOf(parts: Parts, model: AnalysisModel, spans: readonly number[]): DrainShares {
  drainOfParts(parts, model, spans)(LONG_NS)
  const [workNs, elseNs] = [looked[0]!, looked[1]!]
  const [guestsNs, throttledNs] = [alone[0]!, alone[1]!]
  const share = (timeNs: number) => timeNs / LONG_NS
  return {
    copying: share(workNs),
    supply: share(suppliedNs(model, workNs, elseNs) - workNs - elseNs),
    broker: share(elseNs - guestsNs - throttledNs),
    guests: share(guestsNs),
    throttled: share(throttledNs),
  }
}

/**
 * Time in which nothing goes on but guests' code, or would if their cores were not throttled (docs/prediction.md §3, "Guests alone"): all that
 * guests do; or, of their handlers, what can be pending whenever the broker has left something to them.
 */
function guestsAlone(system: System, software: SoftwareCosts) {
  const { cores, design, flows, moves, throttles, vmCores, worst } = system
  const { pollingNs } = system.interrupts
  const isrNs = worst(CostOp.guestIsr)
  const sendNs = worst(CostOp.guestSend)
  const whole = moves || design === 'dedicated'
  const deaf = deafCores(system)
  const timesOf = flows.map((flow) => timesLeftToGuests(system, software, flow))
  const vmsOf = cores.map((core) => vmCores.filter((other) => other === core).length)
  const sourceOf = flows.map(({ sourceCore }) => cores.indexOf(sourceCore))
  const computesNs = flows.map((flow) => (flow.after < 0 ? 0 : flow.computeNs))
  // Of each core: messages that it sends, and computations before them, ns.
  const sends = cores.map(() => 0)
  const computations = cores.map(() => 0)
  return (costs: SoftwareCosts, reaches: readonly number[], windowNs: number): void => {
    sends.fill(0)
    computations.fill(0)
    let times = 1 + costs.waitsOnce
    for (let i = 0; i < flows.length; i++) {
      const messages = messagesWithin(flows[i]!, reaches[i]!, windowNs)
      times += messages * timesOf[i]!
      sends[sourceOf[i]!]! += messages
      computations[sourceOf[i]!]! += messages * computesNs[i]!
    }
    const pendingNs = HANDLED_LATER * vmCores.length * times * isrNs
    let [allNs, sentNs, computedNs] = [0, 0, 0]
    for (let k = 0; k < cores.length; k++) {
      const pollsNs = pollingNs > 0 ? vmsOf[k]! * (Math.floor(windowNs / pollingNs) + 2) * isrNs : 0
      sentNs += sends[k]! * sendNs + pollsNs
      allNs += driversWithin(system, costs, cores[k]!, windowNs, reaches)
      computedNs += computations[k]!
    }
    // A core that moves pages leaves the broker whenever its guests have something to do.
    const doneNs = computedNs + (moves ? allNs : Math.min(allNs, pendingNs + sentNs))
    let throttledNs = 0
    for (const core of cores) {
      const throttle = throttles.get(core)
      // Where that keeps the broker waiting it is counted with its software.
      if (deaf || throttle === undefined || throttle.throttledNs === 0) continue
      const awakeNs = throttle.periodNs - throttle.throttledNs
      // Between two of them what is pending has run for as long as the core was awake.
      const periods = whole || awakeNs <= 0 ? Number.POSITIVE_INFINITY : times + Math.floor(doneNs / awakeNs)
      throttledNs += Math.min(throttledWithin(system, core, windowNs), periods * throttle.throttledNs)
    }
    alone[0] = doneNs
    alone[1] = throttledNs
  }
}

/** Of the window that was looked at last: guests' code and throttling while nothing else goes on, ns. */
const alone = new Float64Array(2)

/**
 * The costs, with the loans that come back in a window. Those that are not due when it begins have the sender's buffers, and began at most
 * when their messages had been read.
 */
function withLoans(
  system: System,
  software: SoftwareCosts,
  reaches: readonly number[],
  spans: readonly number[],
): SoftwareCosts {
  if (!system.lends) return { ...software, loanSpanNs: ({ index }) => reaches[index]! }
  const loans = system.flows.map((flow) => {
    const { index, periodNs } = flow
    const heldNs = reaches[index]! + MOST_UNDER_WAY * periodNs
    return Math.max(reaches[index]!, Math.min(heldNs, pathBestNs(system, flow) + spans[index]! + periodNs))
  })
  return { ...software, loanSpanNs: ({ index }) => loans[index]! }
}

/** A sender that waits for lent pages hears of them by an IPI, also of those before the window; and a receiver that polls gives them back late. */
function returnWaitsNs(system: System, costs: SoftwareCosts, flow: SystemFlow, windowNs: number): number {
  if (!system.lends || flow.movable === 0) return 0
  return (
    messagesWithin(flow, costs.loanSpanNs(flow), windowNs) * (system.worst(CostOp.sgi) + system.interrupts.pollingNs)
  )
}

/**
 * Of the loans of messages before a window, what is counted too much: a VM has borrowed no more pages than it may when the window begins, and
 * no more than it has receive buffers for.
 */
function neverLentNs(system: System, costs: SoftwareCosts, reaches: readonly number[], windowNs: number): number {
  const { flows, lends, scenario, vmCores } = system
  if (!lends) return 0
  let muchNs = 0
  vmCores.forEach((_, vm) => {
    let [countedNs, stepsNs, eachNs] = [0, 0, 0]
    for (const flow of flows) {
      if (flow.destination !== vm || costs.loan(flow) === 0) continue
      const loans =
        messagesWithin(flow, costs.loanSpanNs(flow), windowNs) - messagesWithin(flow, reaches[flow.index]!, windowNs)
      countedNs += loans * costs.loan(flow)
      stepsNs += loans * LOAN_STEPS * costs.timerNs
      eachNs = Math.max(eachNs, eachLoanNsOf(system, costs, flow))
    }
    const pages = Math.min(scenario.broker.lentPages, receiveBuffersOf(scenario, vm))
    muchNs += Math.max(0, countedNs - stepsNs - pages * eachNs)
  })
  return muchNs
}

function limited(timeNs: number): number {
  return timeNs < LIMIT_NS ? timeNs : Number.POSITIVE_INFINITY
}

/** `find()`, when it is asked for, and once. */
function once<T>(find: () => T): () => T {
  let found: { readonly value: T } | null = null
  return () => {
    found ??= { value: find() }
    return found.value
  }
}

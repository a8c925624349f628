/**
 * The way of a message outside of the DMA stage: from its release until the broker has it queued, and from the end of its last
 * piece until the receiving guest has read it. Both are busy windows of a core, because guests run only when EL2 does not.
 */
import { CostOp } from '../platform/index.ts'
import type { CoreLoad } from './cores.ts'
import { driversOf, handlerRunsWithin } from './drivers.ts'
import type { Starts } from './least-fixed-point.ts'
import { tlbRefillsWithin } from './pages.ts'
import { interruptWorstNs, type SoftwareCosts } from './software.ts'
import { messagesWithin, type System, type SystemFlow, sendsWithin, throttledWithin } from './system.ts'

/** From nominal release, jitter apart, until a message that is sent from a core is queued. */
export function beforeNs(
  system: System,
  core: number,
  load: CoreLoad,
  software: SoftwareCosts,
  spans: readonly number[],
  starts: Starts,
): number {
  const { design, worst } = system
  const queuedNs = starts.solve(
    'queued',
    core,
    (windowNs) =>
      driversWithin(system, software, core, windowNs, spans) +
      load.within(windowNs) +
      throttledWithin(system, core, windowNs),
  )
  // An IPI, and what the broker is in the middle of.
  return design === 'floating' ? queuedNs : queuedNs + worst(CostOp.sgi) + interruptWorstNs(system) + software.stepNs
}

/** From the end of the last piece to the receiver's handler having read it. */
export function afterNs(
  system: System,
  flow: SystemFlow,
  load: CoreLoad,
  software: SoftwareCosts,
  spans: readonly number[],
  softwareWithin: (windowNs: number) => number,
  starts: Starts,
): number {
  const { announcesAtOnce, design, interrupts, roams, vmCores, worst } = system
  const core = flow.destinationCore
  const handlerNs = worst(CostOp.guestIsr)
  const interruptNs = interruptWorstNs(system)
  const polls = interrupts.pollingNs > 0
  const held = interrupts.coalesceCount > 1 ? interrupts.coalesceDelayNs : 0
  // Whoever holds an interrupt back lets it go by a timer, and over an IPI when the guest is elsewhere.
  const releasedNs =
    interrupts.coalesceCount > 1
      ? worst(CostOp.sgi) + 2 * interruptNs + software.stepNs * system.cores.length + deafNs(system)
      : 0
  // In between nothing of this message runs: but what comes meanwhile does, and the core may be throttled anew.
  const waitsNs = held + releasedNs + interrupts.pollingNs
  const handledNs = starts.solve('handled', flow.destination, (windowNs) => {
    // Handlers of the core run in turn; its own VM's runs for this message and all before it.
    let guestNs = handlerNs
    if (polls) guestNs += sendsWithin(system, core, windowNs, spans) * worst(CostOp.guestSend)
    const others = vmCores.filter((other, vm) => other === core && vm !== flow.destination).length
    guestNs +=
      others > 0 || polls
        ? handlersWithin(system, software, core, windowNs, spans)
        : tlbRefillsWithin(system, software, core, windowNs, spans)
    return waitsNs + guestNs + load.within(windowNs) + throttledWithin(system, core, windowNs)
  })
  // Whichever core announces tells the receiver's.
  const roamedNs = roams ? starts.solve('roamed', 0, softwareWithin) : 0
  const elsewhereNs = roams || !announcesAtOnce ? worst(CostOp.sgi) + roamedNs : 0
  const toldNs = design === 'floating' ? elsewhereNs : 2 * (interruptNs + software.stepNs) + worst(CostOp.sgi)
  return toldNs + handledNs
}

/** Longest that a core which holds an interrupt back may be throttled, and not hear its timer. */
function deafNs({ design, scenario, throttles }: System): number {
  const { memguard } = scenario.broker
  if (design === 'dedicated' || (memguard !== 'accept' && memguard !== 'retarget')) return 0
  return Math.max(0, ...[...throttles.values()].map(({ throttledNs }) => throttledNs))
}

/** Longest that an interrupt is held back in which nothing runs for it: the delay, an IPI, and what that core does not hear. */
export function heldBackNs(system: System): number {
  const { interrupts, worst } = system
  return interrupts.coalesceCount > 1 ? interrupts.coalesceDelayNs + worst(CostOp.sgi) + deafNs(system) : 0
}

/**
 * From when a message is queued until its pages have been tried: then the rest of it goes to the DMA. And from when a loan is due
 * until its pages are back. Some core works on that all the time, or its guests go first, so the window ends when all of what can
 * be in it does.
 */
export function pagesNs(
  system: System,
  software: SoftwareCosts,
  spans: readonly number[],
  softwareWithin: (windowNs: number) => number,
  starts: Starts,
): number {
  return starts.solve(
    'pages',
    0,
    (windowNs) => deviceWorkWithin(system, software, windowNs, spans) + softwareWithin(windowNs),
  )
}

/** What guests do with their devices, on all cores: whichever moves pages leaves them for its own. */
export function deviceWorkWithin(
  system: System,
  software: SoftwareCosts,
  windowNs: number,
  spans: readonly number[],
): number {
  let guestNs = 0
  for (const core of system.cores) guestNs += driversWithin(system, software, core, windowNs, spans)
  return guestNs
}

/**
 * From nominal release, jitter apart, until a message has been read that never sees the DMA. At every instant the sender's guest, the
 * receiver's, the broker on some core, or the guests that it left its work for are busy, so that it is one window.
 */
export function movedNs(
  system: System,
  flow: SystemFlow,
  software: SoftwareCosts,
  spans: readonly number[],
  softwareWithin: (windowNs: number) => number,
  /** Messages of the flow that it may have to wait for, because they have all buffers of its sender. */
  returns: number,
  starts: Starts,
): number {
  const { interrupts, worst } = system
  // Who polls gives back late what was lent to it.
  const polls = system.lends ? 1 + returns : 1
  const waitsNs = (1 + 3 * returns) * worst(CostOp.sgi) + heldBackNs(system) + polls * interrupts.pollingNs
  return starts.solve(
    'moved',
    flow.index,
    (windowNs) =>
      waitsNs +
      worst(CostOp.guestIsr) +
      deviceWorkWithin(system, software, windowNs, spans) +
      throttledWithin(system, flow.sourceCore, windowNs) +
      throttledWithin(system, flow.destinationCore, windowNs) +
      softwareWithin(windowNs),
  )
}

/**
 * From when all of a message has arrived until its sender, which waits for its buffer, has sent the next one: it is announced, the
 * sender is told, and its guest runs.
 */
export function returnedNs(
  system: System,
  flow: SystemFlow,
  load: CoreLoad,
  software: SoftwareCosts,
  spans: readonly number[],
  softwareWithin: (windowNs: number) => number,
  sentNs: number,
  starts: Starts,
): number {
  const { announcesAtOnce, design, worst } = system
  // Then its sender is told, and sends as it sends any message.
  if (announcesAtOnce) return software.stepNs + worst(CostOp.sgi) + sentNs
  return starts.solve(
    'returned',
    flow.sourceCore,
    (windowNs) =>
      3 * worst(CostOp.sgi) +
      softwareWithin(windowNs) +
      (design === 'dedicated' ? load.within(windowNs) : 0) +
      driversWithin(system, software, flow.sourceCore, windowNs, spans) +
      throttledWithin(system, flow.sourceCore, windowNs),
  )
}

/** From the release of a computation to its end: lowest on its core, in turn with the others there. */
export function computedNs(
  system: System,
  flow: SystemFlow,
  load: CoreLoad,
  software: SoftwareCosts,
  spans: readonly number[],
  starts: Starts,
): number {
  const { flows, worst } = system
  const core = flow.sourceCore
  return starts.solve('computed', core, (windowNs) => {
    let guestNs = 0
    for (const other of flows) {
      if (other.sourceCore !== core) continue
      const messages = messagesWithin(other, spans[other.index]!, windowNs)
      guestNs += messages * ((other.after >= 0 ? other.computeNs : 0) + worst(CostOp.guestSend))
    }
    return (
      guestNs +
      handlersWithin(system, software, core, windowNs, spans) +
      load.within(windowNs) +
      throttledWithin(system, core, windowNs)
    )
  })
}

/** What the VMs of a core do with their devices: they send, and handle interrupts. */
export function driversWithin(
  system: System,
  software: SoftwareCosts,
  core: number,
  windowNs: number,
  spans: readonly number[],
): number {
  return driversOf(system, software, core, spans).timeWithin(windowNs)
}

/** Interrupt handlers, and polls, of all VMs of a core. */
export function handlersWithin(
  system: System,
  software: SoftwareCosts,
  core: number,
  windowNs: number,
  spans: readonly number[],
): number {
  const runs = handlerRunsWithin(system, software, core, windowNs, spans)
  return runs * system.worst(CostOp.guestIsr) + tlbRefillsWithin(system, software, core, windowNs, spans)
}

/**
 * From when a message has been read until the credit update that it may cause is queued. What else follows (its buffers go back both
 * ways) is in every window once: a core does one thing at a time, and a VM has at most one interrupt waiting.
 */
export function trailNs(system: System, software: SoftwareCosts): number {
  const { controls, worst, cores } = system
  if (controls === 0) return worst(CostOp.sgi)
  return (
    worst(CostOp.sgi) +
    interruptWorstNs(system) +
    worst(CostOp.injectListRegister) +
    software.refillKickNs +
    cores.length * software.stepNs
  )
}

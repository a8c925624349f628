/**
 * What a flow's bound has to allow for when VMs that are not its ends do whatever they can (docs/prediction.md §9). A system against such
 * VMs is the same system with more of everything that they can cause: the rounds of the prediction find its bounds like any other's.
 *
 *   useless   doorbells, resets and receive buffers that the broker handles for nothing: after each the VM rests
 *   messages  of their flows come as the broker's rate test lets them, in as many parts as it admits, and arrive buffer by buffer
 *   control   of each of their connections four packets a period, and what honest guests answer
 *   masking   a core of theirs that takes an interrupt may be in a useless entry first
 */
import {
  ANNOUNCE_BATCH,
  CONTROL_MESSAGES_A_PERIOD,
  CONTROL_MESSAGES_TIMED,
  DROP_BATCH,
  EXTENTS_PER_PAGE,
  fetchesOf,
  LONGEST_REST_NS,
  MESSAGE_DESCRIPTORS,
  PAGE_REST_NS,
  RECEIVE_EXTENTS,
  USELESS_BATCH,
} from '../broker/index.ts'
import { CostOp, sumCharges, timesCharges } from '../platform/index.ts'
import { arrivalToleranceNs } from './hops.ts'
import { pageSteps, worstNs } from './predict-charges.ts'
import { longestHoldNs } from './predict-hold.ts'
import { type Against, MOST_UNDER_WAY, type System, type SystemFlow } from './predict-system.ts'
import { receiveBuffersOf } from './vm.ts'

const LONGEST_MESSAGE = fetchesOf(MESSAGE_DESCRIPTORS)
const LONGEST_BUFFER = fetchesOf(RECEIVE_EXTENTS)

/** The system when nothing is believed of `vms`. */
export function systemAgainst(system: System, vms: ReadonlySet<number>): System {
  const { flows, scenario } = system
  const against: Against = { vms, holdNs: longestHoldNs(system), uselessNs: uselessNs(system) }
  const hostile = { ...system, against }
  return {
    ...hostile,
    flows: flows.map((flow) => {
      if (!isForeign(hostile, flow)) return flow
      return {
        ...flow,
        // When its messages may compete, and nothing else, says when they come.
        jitterNs: arrivalToleranceNs(scenario, flow.index),
        after: vms.has(flow.source) ? -1 : flow.after,
        pages: flow.pages === 'moved' ? 'tried' : flow.pages,
      }
    }),
  }
}

/**
 * Useless entries of the VM, and looks at useless receive buffers of it, in any window: after each it rests. One may be under way when the
 * window begins; and a step that answers it may find both.
 */
export function uselessWithin(system: System): readonly { readonly periodNs: number; readonly costNs: number }[] {
  const { against, scenario, worst } = system
  if (against === undefined) return []
  return [...against.vms].map((vm) => {
    const { name } = scenario.vms[vm]!
    const periods = scenario.flows
      .filter(({ from, to }) => from === name || to === name)
      .map(({ periodNs }) => periodNs)
    const periodNs = Math.min(LONGEST_REST_NS, ...periods)
    return { periodNs, costNs: against.uselessNs + worst(CostOp.irqEntryAck) }
  })
}

/** One end of the flow is a VM of which nothing is believed. */
export function isForeign({ against }: System, flow: SystemFlow): boolean {
  return against !== undefined && (against.vms.has(flow.source) || against.vms.has(flow.destination))
}

/** Its receiver gives receive buffers when it likes. */
export function isWithheld({ against }: System, flow: SystemFlow): boolean {
  return against?.vms.has(flow.destination) ?? false
}

/**
 * Transfers of a message to such a receiver: each has as many pieces as the broker waits for, or the rest of it; of one whose queue the scenario
 * makes small, one.
 */
export function withheldTransfers({ scenario }: System, { destination, pieces }: SystemFlow): number {
  if (scenario.vms[destination]!.queueSize !== null) return pieces
  const posted = receiveBuffersOf(scenario, destination)
  return 1 + Math.ceil(pieces / Math.max(1, Math.min(ANNOUNCE_BATCH, Math.floor(posted / 2))))
}

/** Around one of its messages, beside what an honest one has: descriptors, extents, and a core that is left to its guest. */
export function foreignMessageNs(system: System, flow: SystemFlow): number {
  const { against, worst } = system
  if (against === undefined) return 0
  const restsNs = pageSteps(flow, flow.movable) * PAGE_REST_NS
  if (!isForeign(system, flow)) return restsNs
  const sends = against.vms.has(flow.source)
  const fetches =
    (sends ? LONGEST_MESSAGE - 1 : 0) + (isWithheld(system, flow) ? flow.pieces * (LONGEST_BUFFER - 1) : 0)
  const extents =
    (sends ? MESSAGE_DESCRIPTORS + flow.pieces : 0) +
    (isWithheld(system, flow) ? flow.pieces * (RECEIVE_EXTENTS - 1) : 0)
  return restsNs + fetches * worst(CostOp.fetchDescriptor) + extents * worst(CostOp.dmaPerDescriptor)
}

/** Around one transfer: it may end, or be chained, on a core of theirs, whose guest has just rung a doorbell that is not answered yet. */
export function maskedNs({ against, worst }: System): number {
  return against === undefined ? 0 : worst(CostOp.mmioTrap)
}

/** Pieces of theirs that were started or committed before a window: in as many extents as are admitted. */
export function scatteredNs({ against, committedPieces, worst }: System): number {
  if (against === undefined) return 0
  return (2 + committedPieces) * (EXTENTS_PER_PAGE + RECEIVE_EXTENTS) * worst(CostOp.dmaPerDescriptor)
}

/** Control packets of a flow's connection from VMs of which nothing is believed: one each `periodNs`, and so much earlier. */
export function foreignControl(system: System, flow: SystemFlow, spanNs: number) {
  const { against } = system
  const directions = [flow.source, flow.destination].filter((vm) => against?.vms.has(vm)).length
  return {
    directions,
    periodNs: flow.periodNs / CONTROL_MESSAGES_A_PERIOD,
    jitterNs: flow.periodNs + Math.max(0, spanNs - flow.jitterNs),
  }
}

/** Resets that end all the messages which the flows of these VMs may have at the broker: few come in, so that is once in any window. */
export function resetsNs(system: System): number {
  const { against, flows } = system
  if (against === undefined) return 0
  const messages = MOST_UNDER_WAY + CONTROL_MESSAGES_TIMED + DROP_BATCH
  const steps = Math.ceil(messages / DROP_BATCH) + 1
  const foreign = flows.filter((flow) => isForeign(system, flow)).length
  const stepNs = worstNs(system, { lockCriticalSection: 1, usedRing: DROP_BATCH, injectListRegister: 1 })
  return foreign * steps * stepNs
}

/** Around one of these: it is delivered to an honest guest, which handles it, and answers; on whichever core, it is counted here. */
export function foreignControlNs(system: System): number {
  const delivered = { lockCriticalSection: 2, fetchDescriptor: 2, usedRing: 2, irqEntryAck: 1, injectListRegister: 1 }
  return worstNs(system, sumCharges({ mmioTrap: 1 }, timesCharges(2, delivered))) + system.worst(CostOp.guestIsr)
}

/**
 * Receive buffers that such packets may have at one end of the flow at once: those that waited behind a message, a burst behind these, and
 * what comes while they are handled.
 */
export function foreignControlUnderWay(system: System, flow: SystemFlow, spanNs: number): number {
  const { directions, periodNs } = foreignControl(system, flow, spanNs)
  // A span need not be known where there are none.
  if (directions === 0) return 0
  return (
    directions *
    (CONTROL_MESSAGES_TIMED +
      CONTROL_MESSAGES_A_PERIOD +
      1 +
      Math.floor(Math.max(0, spanNs - flow.jitterNs) / periodNs))
  )
}

/** What a doorbell, a reset or a look for receive buffers may make the broker do for nothing. */
function uselessNs(system: System): number {
  return worstNs(system, {
    lockCriticalSection: 1,
    fetchDescriptor: Math.max(LONGEST_MESSAGE, USELESS_BATCH + LONGEST_BUFFER - 1),
    usedRing: Math.max(1, USELESS_BATCH + 1),
    injectListRegister: 1,
  })
}

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
  EXTEND_BATCH,
  EXTENTS_PER_PAGE,
  FETCH_BATCH,
  FETCHED_DESCRIPTORS,
  fetchesOf,
  fetchesWorth,
  LONGEST_REST_NS,
  MESSAGE_DESCRIPTORS,
  PAGE_REST_NS,
  RECEIVE_EXTENTS,
  STEP_CHARGES,
  TRANSFER_CHARGES,
  USELESS_BATCH,
} from '../broker/index.ts'
import { arrivalToleranceNs, receiveBuffersOf } from '../plan/index.ts'
import { CostOp, sumCharges, timesCharges } from '../platform/index.ts'
import { pageSteps, worstNs } from './charges.ts'
import { longestHoldNs } from './hold.ts'
import { type Against, MOST_UNDER_WAY, type System, type SystemFlow } from './system.ts'

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
 * What a VM that is not believed makes the broker do and no message accounts for, in any window: after an entry for nothing, and after a
 * reset, it rests. One may be under way when the window begins, and a step that answers it may find both. Between two rests it may send as much
 * as its flows have buffers for, of which nothing may compete yet.
 */
export function uselessWithin(
  system: System,
): readonly { readonly periodNs: number; readonly jitterNs: number; readonly costNs: number }[] {
  const { against, scenario, worst } = system
  if (against === undefined) return []
  return [...against.vms].flatMap((vm) => {
    const { name } = scenario.vms[vm]!
    const periods = scenario.flows
      .filter(({ from, to }) => from === name || to === name)
      .map(({ periodNs }) => periodNs)
    const periodNs = Math.min(LONGEST_REST_NS, ...periods)
    // A core's timer, or an interrupt of the dedicated broker; which comes back when the rest is over, whether somebody has kicked or not.
    const entries = system.design === 'dedicated' ? 2 : 1
    const uselessNs = Math.max(against.uselessNs, resetNs(system, vm)) + entries * worst(CostOp.irqEntryAck)
    return [
      { periodNs, jitterNs: periodNs, costNs: uselessNs },
      { periodNs, jitterNs: 0, costNs: heldBackNs(system, vm) },
    ]
  })
}

/** Connections of a VM: those on which it sends with payload, all of them, and fetches for a message on each of the former. */
function connectionsOf({ flows }: System, vm: number) {
  const sent = flows.filter(({ source }) => source === vm)
  return {
    sent: sent.length,
    all: sent.length + flows.filter(({ destination }) => destination === vm).length,
    fetches: sent.reduce((sum, { lengthBytes }) => sum + fetchesWorth(lengthBytes), 0),
  }
}

/**
 * Messages that come and may not compete yet: each has a doorbell, and is fetched. Doorbells of those before the window find nothing, nor may
 * that for receive buffers. And when one of a believed sender has gone to the VM, it sends the next one, which waits for its time.
 */
function heldBackNs(system: System, vm: number): number {
  const { fetches, sent, all } = connectionsOf(system, vm)
  const messages = sent * MOST_UNDER_WAY
  const controls = all * CONTROL_MESSAGES_TIMED
  const answered = all - sent
  // A dedicated broker is interrupted for each.
  const told = system.design === 'dedicated' ? 1 : 0
  const ownNs = worstNs(system, {
    lockCriticalSection: (messages + controls) * (1 + 1 / FETCH_BATCH) + FETCH_BATCH + 1,
    fetchDescriptor: MOST_UNDER_WAY * fetches + controls,
    irqEntryAck: told * (messages + controls + FETCH_BATCH + 1),
  })
  const nextNs = worstNs(system, {
    mmioTrap: 1,
    lockCriticalSection: 1 + 1 / FETCH_BATCH,
    fetchDescriptor: 1,
    irqEntryAck: told,
  })
  return ownNs + answered * (nextNs + system.worst(CostOp.guestSend))
}

/** A reset: steps that end what waits, messages of others that are not believed either among it; receive buffers are fetched anew. */
function resetNs(system: System, vm: number): number {
  const { against, flows } = system
  const { all } = connectionsOf(system, vm)
  const buffers = EXTEND_BATCH + LONGEST_BUFFER
  // Those with times, of both kinds, and those beyond.
  const each = MOST_UNDER_WAY + CONTROL_MESSAGES_TIMED + DROP_BATCH
  const ended = all * each
  const returned = flows.filter(({ source, destination }) => destination === vm && against!.vms.has(source)).length
  return worstNs(system, {
    lockCriticalSection: 2 + Math.ceil((ended + buffers) / DROP_BATCH),
    fetchDescriptor: buffers,
    usedRing: returned * each,
    injectListRegister: 1,
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
 * Transfers of a message to such a receiver: it runs out of buffers once, and from then on gets as many at once as the broker waits for; one
 * whose queue the scenario makes small, one. What others use up to the same receiver is in theirs.
 */
export function withheldTransfers({ scenario }: System, { destination, pieces }: SystemFlow): number {
  if (scenario.vms[destination]!.queueSize !== null) return pieces
  const posted = receiveBuffersOf(scenario, destination)
  return Math.min(pieces, 1 + Math.ceil(pieces / Math.max(1, Math.min(ANNOUNCE_BATCH, Math.floor(posted / 2)))))
}

/** Around one of its messages, beside what an honest one has: descriptors, extents, and a core that is left to its guest. */
export function foreignMessageNs(system: System, flow: SystemFlow): number {
  const { against, worst } = system
  if (against === undefined) return 0
  const restsNs = pageSteps(flow, flow.movable) * PAGE_REST_NS
  if (!isForeign(system, flow)) return restsNs
  const sends = against.vms.has(flow.source)
  const fetches =
    (sends ? fetchesWorth(flow.lengthBytes) - 1 : 0) +
    (isWithheld(system, flow) ? flow.pieces * (LONGEST_BUFFER - 1) : 0)
  // Pieces are cut at the borders of its descriptors, and at those of pages that do not follow each other in physical memory.
  const extents =
    (sends ? fetchesWorth(flow.lengthBytes) + FETCHED_DESCRIPTORS + (ramIsWhole(system) ? 0 : flow.pieces) : 0) +
    (isWithheld(system, flow) ? flow.pieces * (RECEIVE_EXTENTS - 1) : 0)
  const toldNs =
    isWithheld(system, flow) && system.design === 'dedicated'
      ? withheldTransfers(system, flow) * worst(CostOp.irqEntryAck)
      : 0
  return restsNs + toldNs + fetches * worst(CostOp.fetchDescriptor) + extents * worst(CostOp.dmaPerDescriptor)
}

/** What control packets of such VMs take from a core with a dedicated broker, in any window: they are told of, and answered. */
export function foreignControlWithin(system: System, core: number, windowNs: number, spans: readonly number[]): number {
  const { against, flows, vmCores } = system
  if (against === undefined) return 0
  const eachNs = worstNs(system, { mmioTrap: 1, irqEntryAck: 2, injectListRegister: 2 })
  let packets = 0
  for (const flow of flows) {
    const here = [flow.source, flow.destination].filter((vm) => !against.vms.has(vm) && vmCores[vm] === core).length
    const { directions, jitterNs, periodNs } = foreignControl(system, flow, spans[flow.index]!)
    if (directions > 0) packets += here * (Math.floor((windowNs + jitterNs) / periodNs) + 1)
  }
  return packets * eachNs
}

/** Pages of a VM that follow each other lie so in physical memory: none changes owners, and none has a colour. */
function ramIsWhole({ scenario }: System): boolean {
  return scenario.broker.transfer === 'copy' && scenario.vms.every(({ colors }) => colors === null)
}

/**
 * Around one transfer that ends on a core of theirs, whose guest has just rung a doorbell that is not answered yet; and a step for what its
 * receiver gives back, when it has run out of buffers.
 */
export function maskedNs(system: System, flow: SystemFlow): number {
  const { against, design, roams, worst } = system
  // The dedicated broker's core has no guests, and it is told of a refill as of a message.
  if (against === undefined || design === 'dedicated') return 0
  const trapNs = roams || isWithheld(system, flow) ? worst(CostOp.mmioTrap) : 0
  return trapNs + (isWithheld(system, flow) ? worst(CostOp.lockCriticalSection) : 0)
}

/** Pieces of theirs that were started or committed before a window: in as many extents as are admitted. */
export function scatteredNs({ against, committedPieces, worst }: System): number {
  if (against === undefined) return 0
  return (2 + committedPieces) * (EXTENTS_PER_PAGE + RECEIVE_EXTENTS) * worst(CostOp.dmaPerDescriptor)
}

/** Control packets of a flow's connection from VMs of which nothing is believed: one each `periodNs`, and those that are on their way. */
export function foreignControl(system: System, flow: SystemFlow, spanNs: number) {
  const { against, worst } = system
  const directions = [flow.source, flow.destination].filter((vm) => against?.vms.has(vm)).length
  return {
    directions,
    periodNs: flow.periodNs / CONTROL_MESSAGES_A_PERIOD,
    // None competes before a message that it is behind: it is on its way for no longer, and an interrupt.
    jitterNs: Math.max(0, spanNs - flow.jitterNs) + 2 * worst(CostOp.sgi),
  }
}

/**
 * Around one of these: it is delivered to an honest guest, which handles it, and answers; on whichever core, it is counted here. The answer
 * takes a receive buffer, of which a transfer's worth makes one transfer more.
 */
export function foreignControlNs(system: System): number {
  const delivered = { lockCriticalSection: 2, fetchDescriptor: 2, usedRing: 2, irqEntryAck: 1, injectListRegister: 1 }
  const transfer = sumCharges(TRANSFER_CHARGES, STEP_CHARGES, STEP_CHARGES, {
    irqEntryAck: 1,
    injectListRegister: 1,
    mmioTrap: 1,
  })
  return (
    worstNs(
      system,
      sumCharges({ mmioTrap: 1 }, timesCharges(2, delivered), timesCharges(2 / ANNOUNCE_BATCH, transfer)),
    ) + system.worst(CostOp.guestIsr)
  )
}

/** Receive buffers that such packets may have at one end of the flow at once. */
export function foreignControlUnderWay(system: System, flow: SystemFlow, spanNs: number): number {
  const { directions, jitterNs, periodNs } = foreignControl(system, flow, spanNs)
  // A span need not be known where there are none.
  return directions === 0 ? 0 : directions * (1 + Math.floor(jitterNs / periodNs))
}

/** What a doorbell or a look for receive buffers may make the broker do for nothing, or for a message in more parts than it is worth. */
function uselessNs(system: System): number {
  return (
    worstNs(system, {
      lockCriticalSection: 1,
      fetchDescriptor: Math.max(LONGEST_MESSAGE, USELESS_BATCH + LONGEST_BUFFER - 1),
      usedRing: Math.max(1, USELESS_BATCH + 1),
      injectListRegister: 1,
    }) +
    MESSAGE_DESCRIPTORS * system.worst(CostOp.dmaPerDescriptor)
  )
}

/**
 * What a message may have to wait for besides the DMA: its sender's buffers, receive buffers, credit. Some of these waits are in the
 * bounds (`Scarcity`, docs/prediction.md §4); for the others, where they can occur, no bound is given, and the reason is.
 */

import { CONTROL_SLOTS, receiveBuffersOf, TRANSMIT_QUEUE_SIZE } from '../plan/index.ts'
import { MAX_QUEUE_SIZE } from '../virtqueue/index.ts'
import { foreignControlUnderWay, isForeign } from './against.ts'
import { MOST_UNDER_WAY, type System, type SystemFlow } from './system.ts'

/** What can be all in use at once. */
export interface Scarcity {
  /** By VM: its receive buffers; and how many of them can be asked for at once. */
  readonly receivers: readonly boolean[]
  readonly needed: readonly number[]
  /** By flow: the message buffers of its sender. */
  readonly senders: readonly boolean[]
  /** None of either. */
  readonly none: boolean
}

/** Half a window is announced at a time: room for that, for what is under way, and for the announcement's own way. */
const CREDIT_MESSAGES = 12
/** Of a transmit queue: a message's header and payload. */
const DESCRIPTORS_A_MESSAGE = 2

/**
 * `underWay`: messages of a flow between release and the return of all buffers; `received`: those that have receive buffers at once, default:
 * as many. `before`: messages that may have a buffer of their sender when the next one is released, by flow.
 */
export function scarcityOf(
  system: System,
  underWay: (flow: SystemFlow) => number,
  received: (flow: SystemFlow) => number = () => Number.POSITIVE_INFINITY,
  spans: readonly number[] = [],
  before: readonly number[] = system.flows.map((flow) => underWay(flow) - 1),
): Scarcity {
  const { against, flows } = system
  // What is not believed counts from when it may compete, and has buffers.
  const senders = flows.map((flow) => !isForeign(system, flow) && before[flow.index]! >= MOST_UNDER_WAY)
  const needed = system.vmCores.map((_, vm) => {
    if (against?.vms.has(vm)) return 0
    const incoming = flows.filter(({ destination }) => destination === vm)
    const control = flows.filter(({ source, creditEvery }) => source === vm && creditEvery < Number.POSITIVE_INFINITY)
    return incoming.reduce(
      // What is only tried to be moved may need one buffer more, for a head.
      (sum, flow) => sum + Math.min(underWay(flow), received(flow)) * (flow.pieces + (flow.pages === 'tried' ? 1 : 0)),
      control.length + controlTo(system, vm, spans),
    )
  })
  const receivers = needed.map((count, vm) => count > postedBuffers(system, vm))
  return {
    receivers,
    needed,
    senders,
    none: against === undefined && !senders.includes(true) && !receivers.includes(true),
  }
}

/** Control packets of VMs that are not believed, to a VM: each takes one of its buffers. */
function controlTo(system: System, vm: number, spans: readonly number[]): number {
  return system.flows.reduce((sum, flow) => {
    const { destination, index, source } = flow
    return source === vm || destination === vm ? sum + foreignControlUnderWay(system, flow, spans[index] ?? 0) : sum
  }, 0)
}

/** Receive buffers that a VM keeps posted. */
export function postedBuffers({ scenario }: System, vm: number): number {
  return Math.min(receiveBuffersOf(scenario, vm), MAX_QUEUE_SIZE / 2)
}

/**
 * Whether the sender of a flow may wait for credit. `unread`: of its messages beside those that its receiver has read and not announced yet, how
 * many it may have sent at most for which it has not heard of their credit (docs/prediction.md §3, "Credit").
 */
export function waitsForCredit(system: System, flow: SystemFlow, unread: number): boolean {
  if (flow.creditEvery === Number.POSITIVE_INFINITY) return false
  const messages = creditMessages(system, flow)
  return messages < CREDIT_MESSAGES || messages < flow.creditEvery - 1 + unread
}

/** Whole messages that a flow's credit is enough for. */
export function creditMessages({ scenario }: System, { index, lengthBytes }: SystemFlow): number {
  return Math.floor(scenario.flows[index]!.creditBytes / lengthBytes)
}

/** Waits of one flow that no analysis here bounds, whatever the load: each with what removes it. */
export function creditObstaclesOf(system: System): string[] {
  return system.flows
    .filter((flow) => waitsForCredit(system, flow, 0))
    .map(({ name }) => `flow ${name}: its sender may wait for credit; ${CREDIT_MESSAGES} messages of credit are enough`)
}

/** The same of a VM, which leave no flow a bound. */
export function vmObstaclesOf(system: System): string[] {
  const { flows, scenario, vmCores } = system
  const obstacles: string[] = []
  vmCores.forEach((_, vm) => {
    const { name } = scenario.vms[vm]!
    const updates = flows.filter(({ source, destination, creditEvery }) => {
      return (source === vm || destination === vm) && creditEvery < Number.POSITIVE_INFINITY
    }).length
    if (updates > CONTROL_SLOTS) {
      obstacles.push(
        `VM ${name}: ${updates} flows may have credit updates under way at once, it has buffers for ${CONTROL_SLOTS}`,
      )
    }
    const sent = flows.filter(({ source }) => source === vm).length
    const descriptors = sent * MOST_UNDER_WAY * DESCRIPTORS_A_MESSAGE + CONTROL_SLOTS
    if (descriptors > TRANSMIT_QUEUE_SIZE) {
      obstacles.push(
        `VM ${name}: the messages of ${sent} flows may fill its transmit queue of ${TRANSMIT_QUEUE_SIZE} descriptors; ` +
          `${Math.floor((TRANSMIT_QUEUE_SIZE - CONTROL_SLOTS) / (MOST_UNDER_WAY * DESCRIPTORS_A_MESSAGE))} flows a sender are enough`,
      )
    }
  })
  return obstacles
}

/** The queues and buffers of a VM's guest, by which the machine is built and from which the prediction counts. */
import { PAGE_SIZE } from '../memory/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { MAX_QUEUE_SIZE } from '../virtqueue/index.ts'

/** Messages of one flow that can be under way at once; a sender that is further behind waits. */
export const BUFFERS_PER_FLOW = 4
/** Payload that one receive buffer takes. */
export const RECEIVE_PAYLOAD_BYTES = PAGE_SIZE
/** Header slots of each connection for packets without payload: a peer that takes none of them stops only that. */
export const CONTROL_SLOTS = 4
export const TRANSMIT_QUEUE_SIZE = 256
/** Receive buffers beyond those for messages: control packets. */
const SPARE_RECEIVE_BUFFERS = 32

/** Enough for two messages of every incoming flow, as far as the queue can hold them. */
export function receiveBuffersOf(scenario: Scenario, vm: number): number {
  const { flows, vms } = scenario
  const { name, queueSize } = vms[vm]!
  const wanted = flows
    .filter((flow) => flow.to === name)
    .reduce((sum, flow) => sum + 2 * Math.ceil(flow.lengthBytes / Math.min(scenario.broker.chunkBytes, PAGE_SIZE)), 0)
  return Math.min(wanted + SPARE_RECEIVE_BUFFERS, (queueSize ?? MAX_QUEUE_SIZE) / 2)
}

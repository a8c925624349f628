/** The broker between VMs: one relay, two placements. Knows rings and buffers, no device type and no platform. Public as `virtio-sdk/broker`. */
export {
  ANNOUNCE_BATCH,
  CHAIN_BATCH,
  DROP_BATCH,
  EXTEND_BATCH,
  EXTENTS_PER_PAGE,
  FETCH_BATCH,
  FETCHED_DESCRIPTORS,
  FIRST_BUFFERS,
  LONGEST_REST_NS,
  LOOK_BATCH,
  MESSAGE_DESCRIPTORS,
  PAGE_BATCH,
  PAGE_REST_NS,
  RECEIVE_BYTES,
  RECEIVE_EXTENTS,
  REVOKE_BATCH,
  USELESS_BATCH,
} from './batches.ts'
export type { Broker } from './broker.ts'
export {
  announceSteps,
  COMPLETE_CHARGES,
  copyCharges,
  extendSteps,
  FETCH_CHARGES,
  FIRST_TRANSFER_CHARGES,
  fetchesOf,
  fetchesWorth,
  type MoveSteps,
  movedMessageCharges,
  movedPieces,
  moveSteps,
  PIECE_CHARGES,
  STEP_CHARGES,
  TRANSFER_CHARGES,
} from './charges.ts'
export { DedicatedBroker } from './dedicated.ts'
export { Endpoint, type EndpointQueues } from './endpoint.ts'
export { FloatingBroker } from './floating.ts'
export type { BrokerFlow } from './flow.ts'
export { CONTROL_MESSAGES_A_PERIOD, CONTROL_MESSAGES_TIMED } from './policing.ts'
export { BucketRegulator, BudgetRegulator, NoRegulator, type Regulator } from './regulator.ts'
export { Relay } from './relay.ts'
export type { RefusalReason, RelayConfig, RelayObserver } from './relay-context.ts'
export type { Router } from './router.ts'

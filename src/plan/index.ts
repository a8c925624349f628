/**
 * A scenario resolved once on a board: ranks, costs, buffers, colours. Read by the machine and by the prediction; simulates and proves nothing.
 */
export { arrivalToleranceNs } from './arrival-tolerance.ts'
export { assumptionsOf } from './assumptions.ts'
export {
  DOORBELL_CHARGES,
  INJECT_BY_IPI_CHARGES,
  INJECT_CHARGES,
  INTERRUPT_CHARGES,
  remapCharges,
} from './board-charges.ts'
export { checkBoard } from './check-board.ts'
export { ColoredFrames, type ColorPlan, type ColorWish, planColors } from './colors.ts'
export type { Design } from './design.ts'
export {
  BUFFERS_PER_FLOW,
  CONTROL_SLOTS,
  RECEIVE_PAYLOAD_BYTES,
  receiveBuffersOf,
  TRANSMIT_QUEUE_SIZE,
} from './guest-queues.ts'
export { interruptsOf } from './interrupts.ts'
export { chainingOf, costTriples, isPinned } from './pinned.ts'
export { prioritiesOf } from './priorities.ts'
export { longestThrottleNs, type RefillBudget, refillBudgets } from './refill-budgets.ts'
export { refuseImpossible } from './refuse-impossible.ts'
export { dmaBytesPerNs, regulatorOf } from './regulation.ts'

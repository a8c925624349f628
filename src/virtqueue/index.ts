/** Split virtqueues, both sides, and chains as byte streams. Public as `virtio-sdk/virtqueue`. */
export { BufferList } from './chain/buffer-list.ts'
export { ChainReader, ChainWriter } from './chain/chain-stream.ts'
export { DescriptorChain } from './chain/descriptor-chain.ts'
export { type Request, RequestQueue } from './request-queue.ts'
export type { RequestState } from './request-state.ts'
export { SplitDeviceQueue } from './split/split-device-queue.ts'
export type { SplitDeviceState } from './split/split-device-state.ts'
export { SplitDriverQueue, UsedBuffer } from './split/split-driver-queue.ts'
export type { SplitDriverState } from './split/split-driver-state.ts'
export {
  layoutSplitQueue,
  MAX_QUEUE_SIZE,
  type SplitQueueLayout,
  type SplitQueueLocation,
  splitQueueBytes,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
} from './split/split-layout.ts'
export type {
  ChainLimits,
  SplitDeviceQueueConfig,
  SplitDriverQueueConfig,
  SplitQueueConfig,
  UsedLengthPolicy,
  ViolationPolicy,
} from './split/split-queue-config.ts'
export { VIOLATION_CLAUSES, type Violation, type ViolationRule } from './violation.ts'

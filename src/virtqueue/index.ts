/** Virtqueues, both sides, split and packed, and chains as byte streams. Knows no device. Public as `virtio-sdk/virtqueue`. */
export { BufferList } from './chain/buffer-list.ts'
export { ChainReader, ChainWriter } from './chain/chain-stream.ts'
export { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from './chain/descriptor.ts'
export { DescriptorChain } from './chain/descriptor-chain.ts'
export { indirectTablesBytes } from './chain/driver-tables.ts'
export type { DeviceRing } from './device-ring.ts'
export type { DriverRing } from './driver-ring.ts'
export { PackedDeviceQueue } from './packed/packed-device-queue.ts'
export { PackedDriverQueue } from './packed/packed-driver-queue.ts'
export {
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from './packed/packed-layout.ts'
export { layoutRing, openDeviceRing, openDriverRing, ringAreaBytes, ringBytes, ringSizeAtMost } from './queue.ts'
export { type Request, RequestQueue } from './request-queue.ts'
export type { RequestState } from './request-state.ts'
export type { RingLayout } from './ring-area.ts'
export {
  type ChainLimits,
  type DeviceRingConfig,
  type DriverRingConfig,
  MAX_QUEUE_SIZE,
  type RingConfig,
  type RingLocation,
  type UsedLengthPolicy,
  type ViolationPolicy,
} from './ring-config.ts'
export type {
  DeviceRingState,
  DriverRingState,
  PackedChainState,
  PackedDeviceState,
  PackedDriverState,
  QueueFormat,
  RingState,
  SplitDeviceState,
  SplitDriverState,
} from './ring-state.ts'
export { SplitDeviceQueue } from './split/split-device-queue.ts'
export { SplitDriverQueue } from './split/split-driver-queue.ts'
export { layoutSplitQueue, VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from './split/split-layout.ts'
export { UsedBuffer } from './used-buffer.ts'
export {
  PACKED_VIOLATION_CLAUSES,
  type PackedViolationRule,
  type SplitViolationRule,
  VIOLATION_CLAUSES,
  type Violation,
  type ViolationRule,
} from './violation.ts'

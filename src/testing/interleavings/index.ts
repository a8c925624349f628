/** All interleavings of real code over shared memory; part of `virtio-sdk/testing`. Needs no other package. */
export type { FenceOrder, Order } from './access.ts'
export type { DeviceAction } from './device-script.ts'
export type { DriverAction, SleepRule } from './driver-script.ts'
export {
  exploreInterleavings,
  type InterleavingFailure,
  type InterleavingOptions,
  type InterleavingReplay,
  type InterleavingReport,
  type InterleavingTarget,
  MEMORY_MODELS,
  type MemoryModelName,
  replayInterleaving,
} from './explore-interleavings.ts'
export type { ExploredSide, SideProgram } from './explored-side.ts'
export {
  type AttachPackedDevice,
  type AttachPackedDriver,
  type PackedExchange,
  type PackedExchangeSides,
  packedExchange,
} from './packed-exchange.ts'
export {
  type AttachDevice,
  type AttachDriver,
  type ExchangeSides,
  type RingExchange,
  ringExchange,
} from './ring-exchange.ts'
export type { ScheduleRow } from './schedule.ts'
export { STANDARD_EXCHANGES, type StandardExchange } from './standard-exchanges.ts'

/**
 * The testing kit without the parts that make things up: everything of `virtio-sdk/testing` but `queueCommands`, `fuzz` and `replay`.
 * Public as `virtio-sdk/testing/core`; needs no other package.
 */

export {
  type BuffersOut,
  drawPackedRing,
  type HostilePackedOptions,
  type HostilePackedReport,
  mustInterruptPacked,
  mustKickPacked,
  nextPackedAvailable,
  nextPackedUsed,
  PACKED_RING_RULES,
  type PackedAvailableAnswer,
  type PackedChain,
  type PackedDescriptor,
  type PackedFault,
  type PackedRing,
  type PackedRingRule,
  type PackedUsedAnswer,
  ReferencePackedDevice,
  ReferencePackedDriver,
  type RingPosition,
  readPackedDescriptor,
  referencePackedDevice,
  referencePackedDriver,
  runHostilePackedDevice,
  runHostilePackedRings,
  type UsedBuffer,
} from '../format/packed/index.ts'
export { drawRing } from '../format/split/draw-ring.ts'
export {
  type HostileDeviceOptions,
  type HostileDeviceReport,
  runHostileDevice,
} from '../format/split/hostile-device.ts'
export { HostileDriver, type HostileDriverOptions } from '../format/split/hostile-ring.ts'
export { type HostileReport, type HostileRunOptions, runHostileRings } from '../format/split/hostile-run.ts'
export { ReferenceDevice, ReferenceDriver, referenceDevice, referenceDriver } from '../format/split/reference-peers.ts'
export {
  type AvailableAnswer,
  availableAnswers,
  type ByteRange,
  mustInterrupt,
  mustKick,
  nextAvailable,
  nextUsed,
  type ReferenceChain,
  type ReferenceFault,
  RING_RULES,
  type RingRule,
  type UsedAnswer,
  usedAnswers,
} from '../format/split/reference-split-ring.ts'
export { ringProgram } from '../format/split/ring-program.ts'
export {
  type Descriptor,
  type RingMemory,
  readDescriptor,
  type SplitRing,
  type WritableRingMemory,
  writeDescriptor,
} from '../format/split/split-ring-format.ts'
export { HOSTILE_LAYOUTS, type HostileLayout, type HostileMemory, hostileMemory } from '../hostile-memory.ts'
export {
  type AttachDevice,
  type AttachDriver,
  type AttachPackedDevice,
  type AttachPackedDriver,
  type DeviceAction,
  type DriverAction,
  type ExchangeSides,
  type ExploredSide,
  exploreInterleavings,
  type FenceOrder,
  type InterleavingFailure,
  type InterleavingOptions,
  type InterleavingReplay,
  type InterleavingReport,
  type InterleavingTarget,
  MEMORY_MODELS,
  type MemoryModelName,
  type Order,
  type PackedExchange,
  type PackedExchangeSides,
  packedExchange,
  type RingExchange,
  replayInterleaving,
  ringExchange,
  type ScheduleRow,
  type SideProgram,
  type SleepRule,
  STANDARD_EXCHANGES,
  type StandardExchange,
} from '../interleavings/index.ts'
export { QueueMismatch } from '../mismatch.ts'
export { type MockChain, MockDevice } from '../mock-device.ts'
export { type Framing, MockDriver, type MockDriverOptions, MockRequest } from '../mock-driver.ts'
export { CallTimeout, TargetGone } from '../museum/bounded-call.ts'
export type { ExhibitResult, MuseumReport, Verdict } from '../museum/exhibit.ts'
export { museumJUnit, museumTable } from '../museum/render.ts'
export { type ExhibitReplay, replayExhibit } from '../museum/replay.ts'
export { type MuseumOptions, type MuseumTarget, runMuseum } from '../museum/run-museum.ts'
export { type MemoryPart, type SeenStore, TooManyReads, WatchedMemory } from '../museum/watched-memory.ts'
export { type PackedQueueProgram, printProgram, type QueueCommand, type QueueProgram } from '../queue-program.ts'
export type {
  CacheMaintenance,
  DeviceQueueTarget,
  DeviceQueueUnderTest,
  DriverQueueTarget,
  DriverQueueUnderTest,
  DriverRing,
  PackedDeviceTarget,
  PackedDriverRing,
  PackedDriverTarget,
  PackedFeature,
  SavedDeviceQueue,
  TakenChain,
  TargetFault,
  TargetLack,
  UsedElement,
} from '../queue-targets.ts'
export { type PackedTargets, type QueueTargets, referenceModel } from '../reference-model.ts'
export { type LineChannel, remoteDevice, remotePackedDevice } from '../remote-device.ts'
export { RingChecker, type RingCheckerOptions } from '../ring-checker.ts'
export { type AttackOptions, type AttackReport, attackDevice } from '../transport/attack-device.ts'
export { attackDriver, type DriverAttackOptions, type DriverAttackReport } from '../transport/attack-driver.ts'
export type {
  DeviceBehindTransport,
  DevicePort,
  DriverBehindTransport,
  DriverUnderAttack,
} from '../transport/device-port.ts'
export { PortTransport } from '../transport/port-transport.ts'
export { behindSharedMemory, SharedMemoryPort } from '../transport/shared-memory-port.ts'

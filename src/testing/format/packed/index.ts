/** The packed ring in the testing kit: its specification, its peers, and what a target of it is held against. */
export type { BuffersOut, UsedBuffer } from '../ring-format.ts'
export { drawPackedRing } from './draw-packed-ring.ts'
export { runHostilePackedDevice } from './hostile-packed-device.ts'
export { type HostilePackedOptions, type HostilePackedReport, runHostilePackedRings } from './hostile-packed-driver.ts'
export {
  type PackedDescriptor,
  type PackedRing,
  type RingPosition,
  readPackedDescriptor,
} from './packed-ring-format.ts'
export {
  ReferencePackedDevice,
  ReferencePackedDriver,
  referencePackedDevice,
  referencePackedDriver,
} from './reference-packed-peers.ts'
export {
  mustInterruptPacked,
  mustKickPacked,
  nextPackedAvailable,
  nextPackedUsed,
  PACKED_RING_RULES,
  type PackedAvailableAnswer,
  type PackedChain,
  type PackedFault,
  type PackedRingRule,
  type PackedUsedAnswer,
} from './reference-packed-ring.ts'

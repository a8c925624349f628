/** What a split queue is configured with, once: its place, what was negotiated, and what happens when the peer is wrong. */
import type { SplitQueueLocation } from './split-layout.ts'
import type { Violation } from './violation.ts'

/**
 * What a malformed chain costs the driver. `reject`: the chain comes back with length 0 and the queue goes on. `latch`: the
 * queue hands out nothing more until it is reset, completions still drain. `needs-reset`: the same, and whoever owns the
 * device sets DEVICE_NEEDS_RESET. A fault of the ring itself latches under every policy.
 */
export type ViolationPolicy = 'reject' | 'latch' | 'needs-reset'

/**
 * What a device costs itself that says it wrote more than a chain has room for. `reject`: the driver gives it up. `clamp`: a violation is
 * reported, and the completion says as much as there was room.
 */
export type UsedLengthPolicy = 'reject' | 'clamp'

/** A split virtqueue to work on: its place, and the features that shape it. */
export interface SplitQueueConfig extends SplitQueueLocation {
  /** VIRTIO_F_EVENT_IDX was negotiated. */
  readonly eventIdx?: boolean
  /** VIRTIO_F_INDIRECT_DESC was negotiated. */
  readonly indirect?: boolean
  /** Which queue of its device, for messages. Default 0. */
  readonly index?: number
  /** Told of every violation, off the hot path. */
  readonly onViolation?: (violation: Violation) => void
}

/** What a device accepts as one chain: a longer one is a violation. For devices that have to bound what one look at a queue takes. */
export interface ChainLimits {
  /** In bytes (VQS-FRM-DEV-02). Default and most: 2^32 - 1. */
  readonly maxChainBytes?: number
  /** In buffers, at least 1. Default and most: the queue's size. */
  readonly maxChainBuffers?: number
}

/** The configuration of `SplitDeviceQueue`. */
export interface SplitDeviceQueueConfig extends SplitQueueConfig, ChainLimits {
  /** Default `needs-reset`. */
  readonly policy?: ViolationPolicy
  /**
   * Told of each range of guest memory that the device wrote, by guest-physical address: buffers when their request is given back (by
   * `RequestQueue`; who uses the ring itself knows his buffers), the used ring when it is published. For an emulator that has to
   * throw away translated code.
   */
  readonly onWrite?: (address: number, lengthBytes: number) => void
}

/** The configuration of `SplitDriverQueue`. */
export interface SplitDriverQueueConfig extends SplitQueueConfig {
  /** Address of `size` indirect tables, one per ring slot: size × indirectLength × 16 bytes in one piece, 4-byte aligned. */
  readonly indirectArea?: number
  /** Entries of each table, 1..size. */
  readonly indirectLength?: number
  /** Default `reject`. */
  readonly usedLength?: UsedLengthPolicy
}

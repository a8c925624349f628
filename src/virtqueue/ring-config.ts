/** What a ring is opened with, of either format: its place, what was negotiated, and what happens when the peer is wrong. */
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMemory,
  checkObject,
  checkWord,
  MAX_U16,
  MAX_U32,
} from '../internal/check-option.ts'
import type { GuestMemory } from '../memory/guest-memory.ts'
import type { Violation } from './violation.ts'

/** Most entries of a virtqueue. */
export const MAX_QUEUE_SIZE = 32768

/**
 * What a malformed chain costs the driver. `reject`: the chain comes back with length 0 and the queue goes on. `latch`: the
 * queue hands out nothing more until it is reset, completions still drain. `needs-reset`: the same, and whoever owns the
 * device sets DEVICE_NEEDS_RESET. A fault of the ring itself latches under every policy.
 */
export type ViolationPolicy = 'reject' | 'latch' | 'needs-reset'
export const VIOLATION_POLICIES: readonly ViolationPolicy[] = ['reject', 'latch', 'needs-reset']

/**
 * What a device costs itself that says it wrote more than a chain has room for. `reject`: the driver gives it up. `clamp`: a violation is
 * reported, and the completion says as much as there was room.
 */
export type UsedLengthPolicy = 'reject' | 'clamp'
export const USED_LENGTH_POLICIES: readonly UsedLengthPolicy[] = ['reject', 'clamp']

/** Where a ring is, and of how many entries. */
export interface RingLocation {
  /** Entries, 1..32768: of a split ring a power of two (IMP-VQS-02). */
  readonly size: number
  /** Guest-physical addresses, aligned as the format asks: 16, 2 and 4 for a split ring (VQS-DRV-01). */
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
}

/** A ring to work on: its place, and the features that shape it. */
export interface RingConfig extends RingLocation {
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

/** The device side of a ring. */
export interface DeviceRingConfig extends RingConfig, ChainLimits {
  /** Default `needs-reset`. */
  readonly policy?: ViolationPolicy
  /**
   * Told of each range of guest memory that the device wrote, by guest-physical address: buffers when their request is given back (by
   * `RequestQueue`; who uses the ring itself knows his buffers), the used ring when it is published. For an emulator that has to
   * throw away translated code.
   */
  readonly onWrite?: (address: number, lengthBytes: number) => void
}

/** The driver side of a ring. */
export interface DriverRingConfig extends RingConfig {
  /** Address of `size` indirect tables, one per ring slot: size × indirectLength × 16 bytes in one piece, 4-byte aligned. */
  readonly indirectArea?: number
  /** Entries of each table, 1..size. */
  readonly indirectLength?: number
  /** Default `reject`. */
  readonly usedLength?: UsedLengthPolicy
}

/** What both sides take. Throws `VirtioError` INVALID_OPTION; areas and size are the ring's to check. */
function checkRingConfig(memory: GuestMemory, config: RingConfig): void {
  checkMemory('memory', memory)
  checkObject('config', config)
  const { eventIdx = false, indirect = false, index = 0, onViolation } = config
  checkBoolean('eventIdx', eventIdx)
  checkBoolean('indirect', indirect)
  checkInteger('index', index, 0, MAX_U16)
  if (onViolation !== undefined) checkFunction('onViolation', onViolation)
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkDeviceRingConfig(memory: GuestMemory, config: DeviceRingConfig): void {
  checkRingConfig(memory, config)
  checkChainLimits('config', config)
  const { policy, onWrite } = config
  if (policy !== undefined) checkWord('policy', policy, VIOLATION_POLICIES)
  if (onWrite !== undefined) checkFunction('onWrite', onWrite)
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkDriverRingConfig(memory: GuestMemory, config: DriverRingConfig): void {
  checkRingConfig(memory, config)
  const { indirectLength = 0, usedLength } = config
  checkInteger('indirectLength', indirectLength, 0, MAX_QUEUE_SIZE, 'entries')
  if (usedLength !== undefined) checkWord('usedLength', usedLength, USED_LENGTH_POLICIES)
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkChainLimits(name: string, limits: ChainLimits): void {
  checkObject(name, limits, 'ChainLimits')
  const { maxChainBytes = 0, maxChainBuffers = 1 } = limits
  checkInteger('maxChainBytes', maxChainBytes, 0, MAX_U32, 'bytes')
  checkInteger('maxChainBuffers', maxChainBuffers, 1, MAX_QUEUE_SIZE, 'buffers')
}

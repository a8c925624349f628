/**
 * What survives of a ring in a snapshot, whatever its format: plain data, as JSON keeps it. The memory is saved by its owner. Saved states
 * are foreign input: they are checked like a peer's ring.
 *
 * Where a side is in the ring is two u16, the form in which vhost-user carries them: free-running indices of a split ring; of a packed
 * one a slot, and the wrap counter in bit 15.
 */
import { refuseState, requireVersion, type STATE_VERSION } from '../internal/saved-state.ts'
import { U16_MASK } from '../internal/u16.ts'
import { isViolation, type Violation } from './violation.ts'

/** The layouts of a virtqueue that are here. */
export type QueueFormat = 'split' | 'packed'

/** What both sides of a ring save. */
export interface RingState {
  readonly version: typeof STATE_VERSION
  readonly format: QueueFormat
  readonly size: number
  /** Where the next chain is made available: by the driver, or found by the device. */
  readonly nextAvailable: number
  /** Where the next chain is used: by the device, or found by the driver. */
  readonly nextUsed: number
  /** What was published and `needsNotification` has not answered for. */
  readonly unsignalled: number
  readonly notificationsEnabled: boolean
  readonly violation: Violation | null
}

/** What the device side of a split ring saves. */
export interface SplitDeviceState extends RingState {
  readonly format: 'split'
  /** Chains that the device took and has not given back. */
  readonly inFlight: readonly { readonly id: number; readonly writableBytes: number }[]
}

/** What the driver side of a split ring saves: its shadows, since the shared descriptors are not to be trusted. */
export interface SplitDriverState extends RingState {
  readonly format: 'split'
  /** What its event field holds. */
  readonly event: number
  /** Ring descriptors of each chain that the device has, head first. */
  readonly outstanding: readonly { readonly slots: readonly number[]; readonly writableBytes: number }[]
}

/** A chain in a packed ring: its buffer id, and how many slots of the ring it takes. */
export interface PackedChainState {
  readonly id: number
  readonly slots: number
  readonly writableBytes: number
}

/** What the device side of a packed ring saves. */
export interface PackedDeviceState extends RingState {
  readonly format: 'packed'
  readonly inFlight: readonly PackedChainState[]
}

/** What the driver side of a packed ring saves. */
export interface PackedDriverState extends RingState {
  readonly format: 'packed'
  readonly outstanding: readonly PackedChainState[]
}

/** What a `DeviceRing` saves. */
export type DeviceRingState = SplitDeviceState | PackedDeviceState

/** What a `DriverRing` saves. */
export type DriverRingState = SplitDriverState | PackedDriverState

/** Throws `VirtioError` INVALID_STATE unless `state` can be of a ring of this format and size, as far as both sides have the same. */
export function checkRingState(state: RingState, format: QueueFormat, size: number): void {
  requireVersion('queue', state)
  requireState(state.format === format, `it is of a ring of format ${state.format}, this one is ${format}`)
  requireState(state.size === size, `it is of a queue of ${state.size} entries, this one has ${size}`)
  requireState(isU16(state.nextAvailable) && isU16(state.nextUsed), 'nextAvailable and nextUsed must be 0..65535')
  requireState(Number.isSafeInteger(state.unsignalled) && state.unsignalled >= 0, 'unsignalled must be a count')
  requireState(typeof state.notificationsEnabled === 'boolean', 'notificationsEnabled must be true or false')
  requireState(state.violation === null || isViolation(state.violation), 'violation must be null or a violation')
}

/** Throws `VirtioError` INVALID_STATE. */
export function requireState(condition: boolean, rule: string): void {
  if (!condition) refuseState('queue', rule)
}

export function isU16(value: number): boolean {
  return (value & U16_MASK) === value
}

/**
 * The device side of a virtqueue, whatever its format: what a device, a broker or a transport knows of a ring.
 *
 *   popAvailable ... addUsed ... publish, then needsNotification      while there is work
 *   enableNotifications; true: look again                             before waiting for the driver
 *
 * Where the three areas are, what lies in them and how positions are counted is behind it. `openDeviceRing` makes one.
 */
import type { GuestMemory } from '../memory/guest-memory.ts'
import type { DescriptorChain } from './chain/descriptor-chain.ts'
import type { ViolationPolicy } from './ring-config.ts'
import type { DeviceRingState, QueueFormat } from './ring-state.ts'
import type { Violation } from './violation.ts'

/**
 * The device side of a virtqueue. One agent runs it. Nothing in it blocks or notifies; it allocates for violations, growing chains and
 * saved states only. What the driver does wrong is a `violation` and breaks this ring only; a mistake of the caller is an assertion.
 */
export interface DeviceRing {
  readonly format: QueueFormat
  readonly memory: GuestMemory
  readonly size: number
  /** EVENT_IDX was negotiated. */
  readonly eventIdx: boolean
  /** Which queue of its device. */
  readonly index: number
  readonly policy: ViolationPolicy
  /** Why the ring is broken, until it is reset; null while it works. */
  readonly violation: Violation | null
  /** The last chain returned under policy `reject`, and how many were since the last reset. */
  readonly lastRejection: Violation | null
  readonly rejections: number
  /** Chains popped and not yet given back. */
  readonly inFlight: number
  /** Counts resets: whoever completes later compares, and drops what belongs to an earlier life of the ring. */
  readonly generation: number
  /** Told of every range that the device wrote, when somebody wants to know; see `DeviceRingConfig.onWrite`. */
  readonly onWrite: ((address: number, lengthBytes: number) => void) | null

  /**
   * Fills `chain` with the next request. False: nothing is there, or the ring is broken, or, with policy `reject`, enough malformed
   * chains were returned for one turn (`availableCount()` is not 0 then). Rejected chains are staged as used: publish after the last call.
   */
  popAvailable(chain: DescriptorChain): boolean
  /** Stages chain `id` as used, with the bytes written into its device-writable part. Asserts that it is in flight and has room for them. */
  addUsed(id: number, writtenBytes: number): void
  /** Writable bytes of a chain in flight; -1 for an id that is not. */
  writableBytesOf(id: number): number
  /** Shows the driver everything staged. */
  publish(): void
  /** Whether the driver wants to be notified of what was published since the last call. Ask once a batch, after `publish`. */
  needsNotification(): boolean
  /** Asks the driver to notify from now on. True: more arrived meanwhile, poll again instead of waiting. */
  enableNotifications(): boolean
  /** With EVENT_IDX: asks to be notified when `count` chains wait (1..size); true: so many do. Else as `enableNotifications`. */
  delayNotifications(count: number): boolean
  /** Asks for silence, as far as the driver honours it. The device must poll. */
  disableNotifications(): void
  /**
   * Chains waiting, by a fresh look; where the format does not say how many (packed), they are walked, as far as `most`, default all.
   * What cannot be breaks the ring and counts as none.
   */
  availableCount(most?: number): number
  /**
   * Whether the driver claims that `count` chains wait; where the format does not say how many, that any does. Changes nothing and judges
   * nothing, so any agent may ask: what it hears may be old, and is for deciding whether to look.
   */
  claimsAvailable(count: number): boolean
  /** Back to the state of a new ring (VQRST-DEV-02). Writes nothing; chains in flight are forgotten. */
  reset(): void
  /** Plain data for a snapshot, taken between batches. Throws `VirtioError` NOT_RESTORABLE while something is staged. */
  saveState(): DeviceRingState
  /**
   * Takes over a saved state; throws `VirtioError` INVALID_STATE and changes nothing when it is not one of this ring. The owner polls once
   * afterwards: what was made available before the snapshot brings no notification (museum 29).
   */
  restoreState(state: DeviceRingState): void
}

/**
 * The driver side of a virtqueue, whatever its format: what a driver or a guest model knows of a ring.
 *
 *   add ... publish, then needsNotification; popUsed                  while there is work
 *   enableNotifications; true: look again                             before waiting for the device
 *
 * Where the three areas are, what lies in them and how positions are counted is behind it. `openDriverRing` makes one.
 */
import type { GuestMemory } from '../memory/guest-memory.ts'
import type { BufferList } from './chain/buffer-list.ts'
import type { DriverRingState, QueueFormat } from './ring-state.ts'
import type { UsedBuffer } from './used-buffer.ts'
import type { Violation } from './violation.ts'

/**
 * The driver side of a virtqueue. One agent runs it. Nothing in it blocks or notifies; it allocates for violations and saved states
 * only. What the device does wrong is a `violation` and breaks this ring only; a mistake of the caller is an assertion.
 */
export interface DriverRing {
  readonly format: QueueFormat
  readonly memory: GuestMemory
  readonly size: number
  /** Which queue of its device. */
  readonly index: number
  /** EVENT_IDX and INDIRECT_DESC were negotiated. */
  readonly eventIdx: boolean
  readonly indirect: boolean
  /** Ring descriptors that `add` may still take. */
  readonly freeDescriptors: number
  /** Chains added and not yet popped as used. */
  readonly outstanding: number
  /** What the device did wrong; the ring then takes and gives nothing until it is reset. */
  readonly violation: Violation | null

  /**
   * Stages one chain and returns its id, or -1: not enough free descriptors, or the device is broken. The first `direct` buffers take
   * ring descriptors, the rest one indirect table: all direct by default, 0 for a table alone. The buffers stay the device's until
   * `popUsed` returns the id.
   */
  add(buffers: BufferList, direct?: number): number
  /** Writable bytes of a chain that is outstanding; -1 for an id that is not. */
  writableBytesOf(id: number): number
  /** Shows the device everything staged. */
  publish(): void
  /** Whether the device wants to be notified of what was published since the last call. Ask once a batch, after `publish`. */
  needsNotification(): boolean
  /** Fills `used` with the next completion and frees its descriptors. False: none, or the device is broken: then nothing was freed. */
  popUsed(used: UsedBuffer): boolean
  /** Asks the device to notify at the next completion. True: some are there already, poll again instead of waiting. */
  enableNotifications(): boolean
  /** With EVENT_IDX: asks to be notified when `count` more chains have completed (1..size); true: so many have. Else as `enableNotifications`. */
  delayNotifications(count: number): boolean
  /** Asks for silence, as far as the device honours it. The driver must poll. */
  disableNotifications(): void
  /** A new ring in the same place: everything outstanding is forgotten. The device was reset before. */
  reset(): void
  /** Plain data for a snapshot, taken between batches. Throws `VirtioError` NOT_RESTORABLE while something is staged. */
  saveState(): DriverRingState
  /** Takes over a saved state; throws `VirtioError` INVALID_STATE and changes nothing when it is not one of this ring. */
  restoreState(state: DriverRingState): void
}

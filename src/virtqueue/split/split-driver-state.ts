/** What survives of a driver-side queue in a snapshot: the shadows, since the shared table is not to be trusted. */
import { u16Distance } from '../../internal/u16.ts'
import { isViolation, type Violation } from '../violation.ts'
import { isIndex, requireState } from './split-device-state.ts'

/** Plain data, as JSON keeps it. The memory is saved by its owner. */
export interface SplitDriverState {
  readonly size: number
  readonly availableIndex: number
  readonly nextUsed: number
  /** Chains published that `needsNotification` has not answered for. */
  readonly unkicked: number
  readonly notificationsEnabled: boolean
  readonly usedEvent: number
  /** Ring descriptors of each chain that the device has, head first. */
  readonly outstanding: readonly { readonly slots: readonly number[]; readonly writableBytes: number }[]
  readonly violation: Violation | null
}

/** Throws `VirtioError` INVALID_STATE unless `state` can be the state of a queue of `size` entries. */
export function checkDriverState(state: SplitDriverState, size: number): void {
  requireState(state !== null && typeof state === 'object', 'not an object')
  requireState(state.size === size, `it is of a queue of ${state.size} entries, this one has ${size}`)
  requireState(isIndex(state.availableIndex) && isIndex(state.nextUsed), 'availableIndex and nextUsed must be 0..65535')
  requireState(isIndex(state.usedEvent), 'usedEvent must be 0..65535')
  requireState(Number.isSafeInteger(state.unkicked) && state.unkicked >= 0, 'unkicked must be a count')
  requireState(typeof state.notificationsEnabled === 'boolean', 'notificationsEnabled must be true or false')
  requireState(Array.isArray(state.outstanding), 'outstanding must be an array')
  const taken = new Set<number>()
  requireState(state.violation === null || isViolation(state.violation), 'violation must be null or a violation')
  for (const entry of state.outstanding) {
    requireState(entry !== null && typeof entry === 'object', 'outstanding must hold objects')
    const { slots, writableBytes } = entry
    requireState(Array.isArray(slots) && slots.length > 0, 'a chain has at least one slot')
    requireState(writableBytes >>> 0 === writableBytes, `a chain cannot have ${writableBytes} writable bytes`)
    for (const slot of slots) {
      requireState(
        Number.isInteger(slot) && slot >= 0 && slot < size && !taken.has(slot),
        `slot ${slot} is out of range or taken twice`,
      )
      taken.add(slot)
    }
  }
  const published = u16Distance(state.availableIndex, state.nextUsed)
  const chains = state.outstanding.length
  requireState(published === chains, `the indices are ${published} apart, but ${chains} chains are outstanding`)
}

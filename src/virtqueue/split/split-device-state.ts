/** What survives of a device-side queue in a snapshot. Saved states are foreign input: they are checked like a peer's ring. */
import { VirtioError } from '../../internal/error.ts'
import { U16_MASK, u16Distance } from '../../internal/u16.ts'
import { isViolation, type Violation } from '../violation.ts'

/** Plain data, as JSON keeps it. The memory is saved by its owner. */
export interface SplitDeviceState {
  readonly size: number
  readonly nextAvailable: number
  readonly usedIndex: number
  /** Elements published that `needsNotification` has not answered for. */
  readonly unsignalled: number
  readonly notificationsEnabled: boolean
  readonly inFlight: readonly { readonly id: number; readonly writableBytes: number }[]
  readonly violation: Violation | null
}

/** Throws `VirtioError` INVALID_STATE unless `state` can be the state of a queue of `size` entries (museum 30). */
export function checkDeviceState(state: SplitDeviceState, size: number): void {
  requireState(state !== null && typeof state === 'object', 'not an object')
  requireState(state.size === size, `it is of a queue of ${state.size} entries, this one has ${size}`)
  requireState(isIndex(state.nextAvailable) && isIndex(state.usedIndex), 'nextAvailable and usedIndex must be 0..65535')
  requireState(Number.isSafeInteger(state.unsignalled) && state.unsignalled >= 0, 'unsignalled must be a count')
  requireState(typeof state.notificationsEnabled === 'boolean', 'notificationsEnabled must be true or false')
  requireState(Array.isArray(state.inFlight), 'inFlight must be an array')
  const heads = new Set<number>()
  requireState(state.violation === null || isViolation(state.violation), 'violation must be null or a violation')
  for (const entry of state.inFlight) {
    requireState(entry !== null && typeof entry === 'object', 'inFlight must hold objects')
    const { id, writableBytes } = entry
    requireState(
      Number.isInteger(id) && id >= 0 && id < size && !heads.has(id),
      `head ${id} is out of range or there twice`,
    )
    requireState(writableBytes >>> 0 === writableBytes, `head ${id} cannot have ${writableBytes} writable bytes`)
    heads.add(id)
  }
  // Every chain that was popped has been used or is in flight.
  const popped = u16Distance(state.nextAvailable, state.usedIndex)
  requireState(popped === heads.size, `the indices are ${popped} apart, but ${heads.size} chains are in flight`)
}

export function requireState(condition: boolean, rule: string): void {
  if (!condition) throw new VirtioError('INVALID_STATE', `saved queue state: ${rule}`)
}

export function isIndex(value: number): boolean {
  return (value & U16_MASK) === value
}

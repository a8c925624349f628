/** The driver side of a split ring in a snapshot: what `restoreState` refuses. */
import { u16Distance } from '../../internal/u16.ts'
import { checkRingState, type DriverRingState, isU16, requireState, type SplitDriverState } from '../ring-state.ts'

/** Throws `VirtioError` INVALID_STATE unless `saved` can be the state of a queue of `size` entries, and returns it as one. */
export function checkDriverState(saved: DriverRingState, size: number): SplitDriverState {
  checkRingState(saved, 'split', size)
  const state = saved as SplitDriverState
  requireState(isU16(state.event), 'event must be 0..65535')
  requireState(Array.isArray(state.outstanding), 'outstanding must be an array')
  const taken = new Set<number>()
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
  const published = u16Distance(state.nextAvailable, state.nextUsed)
  const chains = state.outstanding.length
  requireState(published === chains, `the indices are ${published} apart, but ${chains} chains are outstanding`)
  return state
}

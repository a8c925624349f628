/** The device side of a split ring in a snapshot: what `restoreState` refuses. */
import { u16Distance } from '../../internal/u16.ts'
import { checkRingState, type DeviceRingState, requireState, type SplitDeviceState } from '../ring-state.ts'

/** Throws `VirtioError` INVALID_STATE unless `saved` can be the state of a queue of `size` entries, and returns it as one (museum 30). */
export function checkDeviceState(saved: DeviceRingState, size: number): SplitDeviceState {
  checkRingState(saved, 'split', size)
  const state = saved as SplitDeviceState
  requireState(Array.isArray(state.inFlight), 'inFlight must be an array')
  const heads = new Set<number>()
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
  const popped = u16Distance(state.nextAvailable, state.nextUsed)
  requireState(popped === heads.size, `the indices are ${popped} apart, but ${heads.size} chains are in flight`)
  return state
}

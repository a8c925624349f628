/** A packed ring in a snapshot: what both sides refuse. Each knows its chains by id, and how many slots each takes. */
import { checkRingState, type PackedChainState, type RingState, requireState } from '../ring-state.ts'
import { isPlace, slotsBetween } from './packed-layout.ts'

/**
 * Throws `VirtioError` INVALID_STATE unless `state` can be the state of a queue of `size` entries which has just these chains out (museum
 * 30); `name` is what the state calls them, and ids are below `ids`. Returns them.
 */
export function checkPackedState(
  state: RingState,
  size: number,
  chains: readonly PackedChainState[] | undefined,
  name: string,
  ids = 0x1_0000,
): readonly PackedChainState[] {
  checkRingState(state, 'packed', size)
  const { nextAvailable, nextUsed } = state
  requireState(
    isPlace(nextAvailable, size) && isPlace(nextUsed, size),
    'nextAvailable and nextUsed must be slots of the ring, with the wrap counter in bit 15',
  )
  requireState(Array.isArray(chains), `${name} must be an array`)
  const all = chains as readonly PackedChainState[]
  const seen = new Set<number>()
  let held = 0
  for (const entry of all) {
    requireState(entry !== null && typeof entry === 'object', `${name} must hold objects`)
    const { id, slots, writableBytes } = entry
    requireState(
      Number.isInteger(id) && id >= 0 && id < ids && !seen.has(id),
      `buffer ${id} is out of range or there twice`,
    )
    requireState(Number.isInteger(slots) && slots >= 1, `buffer ${id} cannot take ${slots} slots`)
    requireState(writableBytes >>> 0 === writableBytes, `buffer ${id} cannot have ${writableBytes} writable bytes`)
    seen.add(id)
    held += slots
  }
  const between = slotsBetween(nextUsed, nextAvailable, size)
  requireState(between === held, `the places are ${between} slots apart, but the chains in ${name} take ${held}`)
  requireState(held <= size, `the chains in ${name} take ${held} slots of ${size}`)
  return all
}

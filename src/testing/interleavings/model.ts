/** What a memory model is to the search: a set of states, and every way in which an access may take effect in one. */
import type { Access, Side } from './access.ts'
import type { LocalState } from './local-states.ts'

export interface Effect<State> {
  readonly state: State
  /** What a load or an update gives; 0 for others. */
  readonly value: number
  /** Set when the access shows that the program is wrong, whatever it does with the value. */
  readonly fault?: string
}

/**
 * What of the world an access touches, as numbers. Two accesses of different sides of which neither writes what the other
 * touches can be done in either order, with the same result.
 */
export interface Footprint {
  readonly reads: readonly number[]
  readonly writes: readonly number[]
}

export interface MemoryModel<State> {
  initial(image: Uint8Array): State
  /** Never empty. `local` is about to do `access`, a memory access, fence or cache operation; `peer` is where the other side is. */
  perform(state: State, side: Side, local: LocalState, access: Access, peer: LocalState): readonly Effect<State>[]
  footprint(local: LocalState, access: Access): Footprint
  /** Equal for two states exactly when nothing that follows can tell them apart, given the local states of both sides. */
  key(state: State): string
  /** The bytes as everybody will see them in the end: for messages. */
  finally(state: State): Uint8Array
}

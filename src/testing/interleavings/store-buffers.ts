/**
 * Sequential consistency, and total store order as SPARC and x86 have it [Owens, Sarkar, Sewell 2009: A better x86 memory
 * model]: a side's stores wait in its buffer, first in first out, and it reads its own from there.
 *
 * With two sides the buffer can be told from the reader's end [Abdulla, Atig, Bouajjani, Ngo 2016: the benefits of duality in
 * verifying concurrent programs under TSO]: a store takes effect at once, and the peer sees a prefix of a side's stores that
 * grows whenever it looks, as far as it likes; what empties the buffer makes the peer see all of it. So nothing but the two
 * sides moves, and a schedule has no steps that nobody wrote.
 */
import { type Access, modulo, other, type Side, updated } from './access.ts'
import type { LocalState } from './local-states.ts'
import type { Effect, Footprint, MemoryModel } from './model.ts'
import {
  append,
  bytesOf,
  choices,
  type History,
  initialHistory,
  newest,
  touches,
  type Version,
  wordOf,
  writeRace,
} from './versions.ts'

export interface StoreOrderState {
  readonly history: History
  /** How many accesses of its peer each side has seen the stores of. */
  readonly seen: readonly [number, number]
}

export class StoreOrder implements MemoryModel<StoreOrderState> {
  readonly #buffered: boolean

  /** `buffered`: total store order; else sequential consistency. */
  constructor(buffered: boolean) {
    this.#buffered = buffered
  }

  initial(image: Uint8Array): StoreOrderState {
    return { history: initialHistory(image), seen: [0, 0] }
  }

  perform(state: StoreOrderState, side: Side, local: LocalState, access: Access): readonly Effect<StoreOrderState>[] {
    const { history } = state
    const isKnown = (version: Version): boolean =>
      !this.#buffered || version.side !== other(side) || version.depth < state.seen[side]

    if (access.kind === 'load') {
      return choices(history, access, isKnown).map(({ versions, value }) => {
        const depths = versions.map((version) => (version.side === other(side) ? version.depth + 1 : 0))
        return { value, state: { history, seen: atLeast(state.seen, side, Math.max(...depths)) } }
      })
    }
    const after = empties(access) ? atLeast(state.seen, other(side), local.depth + 1) : state.seen
    if (access.kind !== 'store' && access.kind !== 'update') return [{ value: 0, state: { history, seen: after } }]

    const race = writeRace(history, side, access, isKnown)
    const fault = race ? { fault: 'both sides write there, and nothing orders the two' } : {}
    const { kind, bytes } = access
    let value = 0
    let stored = 0
    if (access.kind === 'store') stored = access.value
    else {
      value = wordOf(access, newest(history, access))
      stored = modulo(updated(access.operation, value, access.operand, access.expected), bytes)
    }
    const next = append(history, side, local, access, stored, kind === 'update', 0)
    return [{ value, state: { history: next, seen: after }, ...fault }]
  }

  footprint(local: LocalState, access: Access): Footprint {
    const { reads, writes } = touches(access)
    if (!this.#buffered || !empties(access)) return { reads, writes }
    // What empties the buffer shows the peer every store that was still in it.
    const shown = new Set(writes)
    for (let at = local.parent; at?.access && !empties(at.access); at = at.parent) {
      for (const granule of touches(at.access).writes) shown.add(granule)
    }
    return { reads, writes: [...shown] }
  }

  key({ history, seen }: StoreOrderState): string {
    return `${seen[0]},${seen[1]}${history.handovers}`
  }

  finally({ history }: StoreOrderState): Uint8Array {
    return bytesOf(history)
  }
}

/** MFENCE, and every locked instruction: a sequentially consistent store is one. */
function empties(access: Access): boolean {
  if (access.kind === 'fence') return access.order === 'full'
  return access.kind === 'update' || (access.kind === 'store' && access.order === 'seq-cst')
}

function atLeast(pair: readonly [number, number], side: Side, value: number): readonly [number, number] {
  if (pair[side] >= value) return pair
  return side === 0 ? [value, pair[1]] : [pair[0], value]
}

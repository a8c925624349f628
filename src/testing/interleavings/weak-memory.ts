/**
 * A weak model in which unordered accesses pass each other, as far as release, acquire, sequentially consistent accesses and
 * fences let them: the view machine of [Kang, Hur, Lahav, Vafeiadis, Dreyer 2017: A promising semantics for relaxed-memory
 * concurrency] without promises, which is C11's release/acquire with RC11's fences [Lahav et al. 2017]. A load may see any
 * version of a location that is not older than what its side knows; what a side knows grows when it loads, and when it
 * acquires from what its peer released.
 *
 * With two sides a view is small: a prefix of the peer's accesses (acquired), and single locations seen beyond it.
 *
 * Without promises no load takes its value from a later store (load buffering). What that could break is two accesses to one
 * location that nothing orders, and these are reported as data races: a program without them behaves as here on hardware and
 * under JavaScript's model [Watt et al. 2020: Repairing and mechanising the JavaScript relaxed memory model].
 */
import { type Access, modulo, other, type Side, updated } from './access.ts'
import type { LocalState } from './local-states.ts'
import type { Effect, Footprint, MemoryModel } from './model.ts'
import {
  append,
  bytesOf,
  choices,
  granulesOf,
  type History,
  initialHistory,
  newest,
  touches,
  type Version,
  wordOf,
  writeRace,
} from './versions.ts'

type Pair = readonly [number, number]

export interface WeakState {
  readonly history: History
  /** Accesses of its peer that each side has acquired. */
  readonly acquired: Pair
  /** What an acquire fence would acquire: seen by unordered loads. */
  readonly pending: Pair
  /** Own accesses before the last release fence: what unordered stores release since. */
  readonly fenced: Pair
  /** Own accesses before the last full fence. */
  readonly published: Pair
  /** Accesses of the peer before the last own full fence: of these the sequentially consistent stores are known. */
  readonly total: Pair
  /** Versions seen beyond what was acquired, by location. */
  readonly seen: readonly [ReadonlyMap<number, Version>, ReadonlyMap<number, Version>]
}

/** Full fences are ordered among each other and with every sequentially consistent access. */
const TOTAL_ORDER = -3

export class WeakMemory implements MemoryModel<WeakState> {
  readonly #mayRace: (address: number) => boolean

  /** `mayRace`: locations that are meant to be accessed by both sides at once. */
  constructor(mayRace: (address: number) => boolean) {
    this.#mayRace = mayRace
  }

  initial(image: Uint8Array): WeakState {
    const zero: Pair = [0, 0]
    const nothing = new Map<number, Version>()
    return {
      history: initialHistory(image),
      acquired: zero,
      pending: zero,
      fenced: zero,
      published: zero,
      total: zero,
      seen: [nothing, nothing],
    }
  }

  perform(
    state: WeakState,
    side: Side,
    local: LocalState,
    access: Access,
    peer: LocalState,
  ): readonly Effect<WeakState>[] {
    if (access.kind === 'fence') return [{ value: 0, state: fence(state, side, local, access.order, peer) }]
    if (access.kind !== 'load' && access.kind !== 'store' && access.kind !== 'update') return [{ value: 0, state }]

    const { history } = state
    const isTotal = access.kind === 'update' || access.order === 'seq-cst'
    const isKnown = (version: Version, granule: number): boolean => {
      if (version.side !== other(side) || version.depth < state.acquired[side]) return true
      if (version.total && (isTotal || version.depth < state.total[side])) return true
      if (isTotal && version.depth < state.published[other(side)]) return true
      const seen = state.seen[side].get(granule)
      return seen !== undefined && version.stamp <= seen.stamp
    }
    const race = this.#races(state, side, access, peer)
    const fault = race ? { fault: 'a data race: nothing orders it against what the peer does there' } : {}

    if (access.kind === 'load') {
      return choices(history, access, isKnown).map(({ versions, value }) => ({
        value,
        state: load(state, side, access, versions, access.order !== 'unordered'),
        ...fault,
      }))
    }
    const unordered = writeRace(history, side, access, isKnown)
    const writes = unordered ? { fault: 'both sides write there, and nothing orders the two' } : fault
    const releases = access.kind === 'update' || access.order !== 'unordered'
    const released = releases ? local.depth + 1 : state.fenced[side]
    if (access.kind === 'store') {
      const next = append(history, side, local, access, access.value, isTotal, released)
      return [{ value: 0, state: { ...state, history: next }, ...writes }]
    }
    const versions = newest(history, access)
    const value = wordOf(access, versions)
    const stored = modulo(updated(access.operation, value, access.operand, access.expected), access.bytes)
    const loaded = load(state, side, access, versions, true)
    const next = append(history, side, local, access, stored, true, released)
    return [{ value, state: { ...loaded, history: next }, ...writes }]
  }

  footprint(_local: LocalState, access: Access): Footprint {
    if (access.kind === 'fence') return { reads: [], writes: access.order === 'full' ? [TOTAL_ORDER] : [] }
    const { reads, writes } = touches(access)
    const isTotal = access.kind === 'update' || ('order' in access && access.order === 'seq-cst')
    return { reads: isTotal ? [...reads, TOTAL_ORDER] : reads, writes }
  }

  key({ history, acquired, pending, fenced, published, total, seen }: WeakState): string {
    const views = seen.map((map) => {
      const entries = [...map].sort((a, b) => a[0] - b[0])
      return entries.map(([granule, { side, depth }]) => `${granule}:${side}.${depth}`).join()
    })
    return `${acquired}|${pending}|${fenced}|${published}|${total}|${views.join('|')}${history.handovers}`
  }

  finally({ history }: WeakState): Uint8Array {
    return bytesOf(history)
  }

  /** Something of the peer's that conflicts, is not both ordered, and is not known to have happened before. */
  #races(
    state: WeakState,
    side: Side,
    access: Extract<Access, { readonly address: number }>,
    peer: LocalState,
  ): boolean {
    if (this.#mayRace(access.address)) return false
    const granules = granulesOf(access)
    const writes = access.kind !== 'load'
    const ordered = access.kind === 'update' || ('order' in access && access.order !== 'unordered')
    for (let at = peer.parent; at !== null && at.depth >= state.acquired[side]; at = at.parent) {
      const before = at.access!
      if (before.kind !== 'load' && before.kind !== 'store' && before.kind !== 'update') continue
      if (before.kind === 'load' && !writes) continue
      if (ordered && (before.kind === 'update' || before.order !== 'unordered')) continue
      const theirs = granulesOf(before)
      if (granules.some((granule) => theirs.includes(granule)) && overlap(access, before)) return true
    }
    return false
  }
}

interface Range {
  readonly address: number
  readonly bytes: number
}

function overlap(a: Range, b: Range): boolean {
  return a.address < b.address + b.bytes && b.address < a.address + a.bytes
}

function load(state: WeakState, side: Side, access: Range, versions: readonly Version[], acquires: boolean): WeakState {
  let acquired = state.acquired[side]
  let pending = state.pending[side]
  for (const version of versions) {
    if (version.side !== other(side)) continue
    if (acquires) acquired = Math.max(acquired, version.released)
    else pending = Math.max(pending, version.released)
  }
  const seen = new Map(state.seen[side])
  for (const [i, granule] of granulesOf(access).entries()) {
    if (versions[i]!.side === other(side)) seen.set(granule, versions[i]!)
  }
  forgetAcquired(seen, acquired)
  if (pending <= acquired) pending = 0
  return {
    ...state,
    acquired: replaced(state.acquired, side, acquired),
    pending: replaced(state.pending, side, pending),
    seen: side === 0 ? [seen, state.seen[1]] : [state.seen[0], seen],
  }
}

function fence(
  state: WeakState,
  side: Side,
  local: LocalState,
  order: 'acquire' | 'release' | 'full',
  peer: LocalState,
): WeakState {
  const next = { ...state }
  if (order !== 'acquire') next.fenced = replaced(state.fenced, side, local.depth + 1)
  if (order === 'release') return next
  let acquired = Math.max(state.acquired[side], state.pending[side])
  if (order === 'full') {
    acquired = Math.max(acquired, state.published[other(side)])
    next.published = replaced(state.published, side, local.depth + 1)
    next.total = replaced(state.total, side, peer.depth)
  }
  const seen = new Map(state.seen[side])
  forgetAcquired(seen, acquired)
  next.acquired = replaced(state.acquired, side, acquired)
  next.pending = replaced(state.pending, side, 0)
  next.seen = side === 0 ? [seen, state.seen[1]] : [state.seen[0], seen]
  return next
}

function forgetAcquired(seen: Map<number, Version>, acquired: number): void {
  for (const [granule, version] of seen) if (version.depth < acquired) seen.delete(granule)
}

function replaced(pair: Pair, side: Side, value: number): Pair {
  return side === 0 ? [value, pair[1]] : [pair[0], value]
}

/**
 * Two sides with a write-back cache each and nothing that keeps the caches coherent: what a side stores stays in its cache
 * until the line is cleaned, or written back because the cache wants to, at any time; what it loads may have been fetched at
 * any time since it last invalidated the line, by speculation too. This is how Arm's architecture describes memory that two
 * observers cache outside one shareability domain (DDI 0487, D7.5 "Caches"), reduced to what can be observed: each side's own
 * accesses stay in order, and one level of cache is enough. Atomics and fences order nothing here: they do not leave the cache.
 *
 * A line is a sequence of versions, one a store. The storing side sees the last; its peer, when it loads, any that is not older
 * than what it has: whether a version got out by itself or was cleaned makes no difference to who happens to see it. It makes
 * one to who invalidates: from then on nothing older than the last version that surely got out is seen.
 *
 * Lines are written back whole, so a store to a line of which the peer has changes that are not out, or of which the own cache
 * may be out of date, lets one of the two destroy what the other stored: that is a fault, and so is invalidating own changes.
 */
import { type Access, modulo, other, type Side, updated } from './access.ts'
import type { LocalState } from './local-states.ts'
import type { Effect, Footprint, MemoryModel } from './model.ts'

/** Bytes as a string of their codes: never changed in place. */
type Content = string

interface Line {
  /** Oldest first. */
  readonly versions: readonly Content[]
  /** Who stored the last one; -1: it was there from the start. */
  readonly writer: Side | -1
  /** The last version that memory surely holds, or held. */
  readonly published: number
  /** The oldest version that the cache of each side may have. */
  readonly floor: readonly [number, number]
}

export interface CacheState {
  readonly lines: readonly Line[]
  /** Where a line changed hands: with the local states of both sides, this says what the versions are. */
  readonly handovers: string
}

export class NonCoherentCaches implements MemoryModel<CacheState> {
  readonly #lineBytes: number
  #initial: readonly Line[] = []

  /** `lineBytes`: a power of two, at least 4. */
  constructor(lineBytes: number) {
    this.#lineBytes = lineBytes
  }

  initial(image: Uint8Array): CacheState {
    const lines: Line[] = []
    for (let at = 0; at < image.length; at += this.#lineBytes) {
      const content = String.fromCharCode(...image.subarray(at, at + this.#lineBytes))
      lines.push({ versions: [content], writer: -1, published: 0, floor: [0, 0] })
    }
    this.#initial = lines
    return { lines, handovers: '' }
  }

  perform(state: CacheState, side: Side, local: LocalState, access: Access): readonly Effect<CacheState>[] {
    switch (access.kind) {
      case 'load':
        return this.#load(state, side, access)
      case 'store':
        return [this.#store(state, side, local, access, () => access.value)]
      case 'update': {
        const { operation, operand, expected, bytes } = access
        const change = (old: number): number => modulo(updated(operation, old, operand, expected), bytes)
        return [this.#store(state, side, local, access, change)]
      }
      case 'clean':
        return [
          { value: 0, state: this.#each(state, access, (line) => (line.writer === side ? published(line) : line)) },
        ]
      case 'invalidate': {
        const lost = this.#linesOf(access).some((index) => {
          const { writer, published, versions } = state.lines[index]!
          return writer === side && published < versions.length - 1
        })
        const next = this.#each(state, access, (line) =>
          line.writer === side ? line : atLeast(line, side, line.published),
        )
        return [
          { value: 0, state: next, ...(lost && { fault: 'it has changes there that are not cleaned, and lost' }) },
        ]
      }
      default:
        return [{ value: 0, state }]
    }
  }

  /** A line is two places: its versions, and which of them got out. */
  footprint(_local: LocalState, access: Access): Footprint {
    if (!('address' in access)) return { reads: [], writes: [] }
    const lines = this.#linesOf(access)
    const versions = lines.map((index) => 2 * index)
    const out = lines.map((index) => 2 * index + 1)
    if (access.kind === 'load') return { reads: versions, writes: [] }
    if (access.kind === 'clean') return { reads: [], writes: out }
    return access.kind === 'invalidate' ? { reads: out, writes: [] } : { reads: out, writes: versions }
  }

  key({ lines, handovers }: CacheState): string {
    let key = ''
    for (const [index, line] of lines.entries()) {
      if (line === this.#initial[index]) continue
      const { versions, published, floor } = line
      key += `${index}:${versions.length},${published},${floor[0]},${floor[1]};`
    }
    return key + handovers
  }

  finally({ lines }: CacheState): Uint8Array {
    const bytes = new Uint8Array(lines.length * this.#lineBytes)
    for (const [index, { versions }] of lines.entries()) {
      const content = versions.at(-1)!
      for (let i = 0; i < content.length; i++) bytes[index * this.#lineBytes + i] = content.charCodeAt(i)
    }
    return bytes
  }

  #load(state: CacheState, side: Side, access: Range): readonly Effect<CacheState>[] {
    const index = this.#lineOf(access)
    const line = state.lines[index]!
    const last = line.versions.length - 1
    if (line.writer === side) return [{ value: this.#valueIn(line.versions[last]!, access), state }]
    const effects: Effect<CacheState>[] = []
    // Of versions with the same value the oldest is kept: a cache that has it may still fetch any of the later ones.
    for (let v = line.floor[side]; v <= last; v++) {
      const value = this.#valueIn(line.versions[v]!, access)
      if (!effects.some((effect) => effect.value === value)) {
        effects.push({ value, state: withLine(state, index, atLeast(line, side, v)) })
      }
    }
    return effects
  }

  #store(
    state: CacheState,
    side: Side,
    local: LocalState,
    access: Range,
    change: (old: number) => number,
  ): Effect<CacheState> {
    const index = this.#lineOf(access)
    const line = state.lines[index]!
    const last = line.versions.length - 1
    const offset = access.address % this.#lineBytes
    const takesOver = line.writer === other(side)
    const unclean = takesOver && line.published < last
    const stale = takesOver && line.floor[side] < last

    const base = line.versions[last]!
    const value = this.#valueIn(base, access)
    const stored = change(value)
    let text = ''
    for (let i = 0; i < access.bytes; i++) text += String.fromCharCode(Math.floor(stored / 2 ** (8 * i)) & 0xff)
    const content = base.slice(0, offset) + text + base.slice(offset + access.bytes)
    const next = { ...line, versions: [...line.versions, content], writer: side }
    // Whoever stored the version before has it.
    if (takesOver) next.floor = replaced(next.floor, other(side), last)
    let { handovers } = state
    if (takesOver) handovers += `|${index}:${side},${last},${local.depth}`
    const effect = { value, state: { ...withLine(state, index, next), handovers } }
    if (unclean) return { ...effect, fault: 'the peer has changes in this cache line that are not cleaned' }
    if (stale) return { ...effect, fault: 'its cache may hold an old version of this line, and would write it back' }
    return effect
  }

  #each(state: CacheState, range: Range, change: (line: Line) => Line): CacheState {
    return this.#linesOf(range).reduce((next, index) => withLine(next, index, change(next.lines[index]!)), state)
  }

  #valueIn(content: Content, { address, bytes }: Range): number {
    const offset = address % this.#lineBytes
    let value = 0
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + content.charCodeAt(offset + i)
    return value
  }

  #lineOf({ address }: Range): number {
    return Math.floor(address / this.#lineBytes)
  }

  #linesOf({ address, bytes }: Range): number[] {
    const first = Math.floor(address / this.#lineBytes)
    const last = Math.floor((address + Math.max(1, bytes) - 1) / this.#lineBytes)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  }
}

interface Range {
  readonly address: number
  readonly bytes: number
}

function published(line: Line): Line {
  const last = line.versions.length - 1
  return line.published === last ? line : { ...line, published: last }
}

/** From now on `side` has nothing older than `version`; and what anybody has seen, memory held. */
function atLeast(line: Line, side: Side, version: number): Line {
  if (line.floor[side] >= version) return line
  return { ...line, floor: replaced(line.floor, side, version), published: Math.max(line.published, version) }
}

function withLine(state: CacheState, index: number, line: Line): CacheState {
  if (state.lines[index] === line) return state
  const lines = state.lines.slice()
  lines[index] = line
  return { ...state, lines }
}

function replaced(pair: readonly [number, number], side: Side, value: number): readonly [number, number] {
  return side === 0 ? [value, pair[1]] : [pair[0], value]
}

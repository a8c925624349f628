/**
 * The scene of a comparison: one ring in a small memory of its own, and the means by which the two witnesses look at it. What a
 * side does runs under `watch`, which turns an exception, or a byte written where the side may not write, into a mismatch.
 */

import { GuestMemory } from '../memory/index.ts'
import { failureOf, notAsync } from './answers.ts'
import type { RingFormat, RingShape, RingSide, RingWish } from './format/ring-format.ts'
import type { ByteRange } from './format/split/reference-split-ring.ts'
import type { RingMemory } from './format/split/split-ring-format.ts'
import { QueueMismatch } from './mismatch.ts'
import { CallTimeout } from './museum/bounded-call.ts'

export const DATA_BYTES = 0x4000

export interface RingSceneOptions<Ring, Place> {
  readonly ring: RingWish
  /** What runs when `position` is reached, and how to see it again, given a drawing of the ring. */
  readonly where: (position: number) => string
  readonly evidence: (draw: (at?: Place) => string) => string
  /** Of both sides. Default 0. */
  readonly startIndex?: number
  /** The memory that a target brought; what the scene needs of it is zeroed. */
  readonly own?: GuestMemory | undefined
  /** Memory that is there already: the ring goes to `base`, or is `laid` out; buffers go to `DATA_BYTES` from `data` on. */
  readonly place?: {
    readonly memory: GuestMemory
    readonly base?: number
    readonly laid?: Ring
    readonly data: number
    /** Through which the specification looks at it. */
    readonly seen?: RingMemory
  }
}

/** The scene whose target was called last, and what was called: all that is known when the call does not come back. */
let called: { drawn(): string } | null = null

/** What a target that does not end was doing, with a drawing of its ring; empty: no scene was open. */
export function hungOn(): string {
  return called === null ? '' : called.drawn()
}

export class RingScene<Ring extends RingShape = RingShape, Place = unknown> {
  readonly format: RingFormat<Ring, Place>
  readonly memory: GuestMemory
  /** What the specification reads. */
  readonly seen: RingMemory
  readonly ring: Ring
  readonly startIndex: number
  /** Index of the command that runs now. */
  position = 0
  /** What was called last. */
  #what = ''
  readonly #options: RingSceneOptions<Ring, Place>
  readonly #data: number
  #dataCursor = 0
  /** One for all calls, because there are very many. */
  readonly #foreign: Readonly<Record<RingSide, readonly WatchedArea[]>>

  constructor(format: RingFormat<Ring, Place>, options: RingSceneOptions<Ring, Place>) {
    const { place, own, startIndex = 0 } = options
    const { ring, end } = format.layOut(options.ring, place?.base)
    this.format = format
    this.ring = place?.laid ?? ring
    this.startIndex = startIndex
    this.#options = options
    const bytes = end + DATA_BYTES - ring.descriptorArea
    this.memory = place?.memory ?? own ?? GuestMemory.ofSize(bytes, ring.descriptorArea)
    this.seen = place?.seen ?? this.memory
    own?.fill(ring.descriptorArea, bytes, 0)
    this.#data = place?.data ?? end
    this.#foreign = { device: this.#watched('device'), driver: this.#watched('driver') }
    if (place?.laid === undefined) format.begin(this.memory, ring, startIndex)
  }

  #watched(side: RingSide): WatchedArea[] {
    return this.format.foreign(this.ring, side).map(({ address, length }) => {
      return { address, before: copyOf(length), after: copyOf(length) }
    })
  }

  /** The next bytes of the data area: consecutive buffers touch, so that a range says nothing about how it was cut. */
  buffer(length: number): ByteRange {
    if (this.#dataCursor + length > DATA_BYTES) this.#dataCursor = 0
    const address = this.#data + this.#dataCursor
    this.#dataCursor += length
    return { address, length }
  }

  clearRings(): void {
    for (const { address, length } of this.format.zeroed(this.ring)) this.memory.fill(address, length, 0)
  }

  /** `side` may write what no other may, and the `owned` slots from `from` on where descriptors change hands. */
  watch<T>(side: RingSide, from: Place, owned: number, action: () => T): T {
    const areas = this.#foreign[side]
    for (const { address, before } of areas) this.memory.read(address, before.bytes)
    const result = this.attempt(`the ${side}`, action)
    for (const { address, before, after } of areas) {
      this.memory.read(address, after.bytes)
      for (let word = 0; word < before.words.length; word++) {
        if (before.words[word] === after.words[word]) continue
        if (this.format.isOwn(this.ring, address + 4 * word, from, owned)) continue
        let at = 4 * word
        while (before.bytes[at] === after.bytes[at]) at++
        this.fail(this.format.foreignWrite(this.ring, side, address + at))
      }
    }
    return result
  }

  /** Calls a target: what it throws is a mismatch, unless it did not end. */
  attempt<T>(what: string, action: () => T): T {
    this.#what = what
    called = this
    try {
      const result = notAsync(what, action())
      called = null
      return result
    } catch (error) {
      if (error instanceof CallTimeout) throw error
      return this.fail(failureOf(what, error), error)
    }
  }

  where(place: Place): string {
    return this.format.where(this.ring, place)
  }

  fail(sentence: string, cause?: unknown): never {
    throw new QueueMismatch(`${this.#options.where(this.position)}: ${sentence}`, this.#evidence(), { cause })
  }

  /** Of a call that does not end. */
  drawn(): string {
    return `${this.#options.where(this.position)}: ${this.#what} does not come back\n${this.#evidence()}`
  }

  #evidence(): string {
    return this.#options.evidence((at?: Place) => this.format.draw(this.memory, this.ring, at ?? null))
  }
}

interface WatchedArea {
  readonly address: number
  readonly before: Copy
  readonly after: Copy
}

/** Bytes, and the words that they are, the last filled up with zeroes. */
interface Copy {
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

function copyOf(length: number): Copy {
  const words = new Int32Array(Math.ceil(length / 4))
  return { words, bytes: new Uint8Array(words.buffer, 0, length) }
}

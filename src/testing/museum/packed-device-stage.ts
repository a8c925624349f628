/** Where a device-side exhibit of the packed ring is shown: `device-stage.ts` for the other format. */

import {
  advance,
  availableFlags,
  descriptorAt,
  EVENT_BYTES,
  type PackedRing,
  RING_START,
  type RingEvent,
  type RingPosition,
  writeContents,
  writeEvent,
  writeFlags,
} from '../format/packed/packed-ring-format.ts'
import { nextPackedUsed, type PackedUsedAnswer } from '../format/packed/reference-packed-ring.ts'
import { hex } from '../format/split/draw-ring.ts'
import type { ByteRange } from '../format/split/reference-split-ring.ts'
import { DESCRIPTOR_BYTES, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '../format/split/split-ring-format.ts'
import type { PackedDeviceTarget, PackedDriverRing, TakenChain, TargetFault } from '../queue-targets.ts'
import { align, layOutPackedRing } from '../ring-layout.ts'
import { ExhibitFailure, type Verdict } from './exhibit.ts'
import { AnyDeviceStage, STAGE_BASE, succeeds } from './stage.ts'
import { WatchedMemory } from './watched-memory.ts'

const BASE = STAGE_BASE
const RAM_BYTES = 0x1_0000

export interface PackedStageOptions {
  readonly size?: number
  readonly eventIdx?: boolean
  readonly inOrder?: boolean
  /** The exhibit's: so many calls that none can be watched. */
  readonly long?: boolean
  /** More RAM, for a ring that is large. */
  readonly bytes?: number
}

/** Buffers of a list, by length: readable ones, then writable ones. */
export interface Lengths {
  readonly readable: readonly number[]
  readonly writable: readonly number[]
}

/** `count` slots, the first readable if there are two. */
export const slots = (count: number): Lengths =>
  count === 1
    ? { readable: [], writable: [16] }
    : { readable: [8], writable: Array.from({ length: count - 1 }, (_, i) => 16 + i) }

/** The tables of a large ring, which nothing on the stage uses, would fill all memory: it has none. */
export function layOutPackedStage(wish: Pick<PackedRing, 'size' | 'eventIdx' | 'inOrder'>): {
  ring: PackedDriverRing
  end: number
} {
  const { ring, end } = layOutPackedRing({ ...wish, indirect: false }, BASE)
  return wish.size > 64 ? { ring: { ...ring, tableLength: 0 }, end: ring.tableArea } : { ring, end }
}

interface Offered {
  readonly slots: number
  readonly writableBytes: number
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
}

export class PackedDeviceStage extends AnyDeviceStage {
  readonly ring: PackedDriverRing
  readonly target: PackedDeviceTarget
  /** Where the hand writes next, and where it expects the next used descriptor. */
  position = RING_START
  used = RING_START
  /** By id, in the order in which they were offered. */
  readonly #out = new Map<number, Offered>()
  /** Of the list that was written last. */
  #head = { slot: 0, flags: 0 }
  #heap: number
  readonly #end: number

  constructor(target: PackedDeviceTarget, options: PackedStageOptions = {}) {
    const { size = 4, eventIdx = false, inOrder = false, long = false, bytes = RAM_BYTES } = options
    const { ring, end } = layOutPackedStage({ size, eventIdx, inOrder })
    const ram = new WatchedMemory([{ base: BASE, bytes }], long, undefined)
    const { descriptorArea, deviceArea } = ring
    const rules = {
      noun: 'buffer',
      wrongStore(address: number, bytes: number) {
        const inRing = address >= descriptorArea && address + bytes <= descriptorArea + size * DESCRIPTOR_BYTES
        const inEvents = address >= deviceArea && address + bytes <= deviceArea + EVENT_BYTES
        return inRing || inEvents ? null : `${bytes} bytes at ${hex(address)}, which are not the device's to write`
      },
    }
    super(ram, rules, () => target.create(ram.targetMemory, ring))
    this.ring = ring
    this.target = target
    this.#heap = align(end, 0x100)
    this.#end = BASE + bytes
  }

  // ---- the driver's hand

  /** Writes a list from the hand's position on and, unless told otherwise, shows it. */
  offer(id: number, { readable, writable }: Lengths, { shown = true } = {}): void {
    const place = (length: number): ByteRange => {
      this.#heap = this.#heap + length > this.#end ? align(this.ring.tableArea, 0x100) : this.#heap
      this.#heap += length
      return { address: this.#heap - length, length }
    }
    const reads = readable.map(place)
    const writes = writable.map(place)
    const list = [
      ...reads.map((range) => ({ ...range, flags: 0 })),
      ...writes.map((range) => ({ ...range, flags: VIRTQ_DESC_F_WRITE })),
    ]
    const head = this.position
    list.forEach(({ address, length, flags }, i) => {
      const last = i + 1 === list.length
      const { slot, wrap } = advance(this.ring, head, i)
      // What is not the last one's id says nothing.
      writeContents(this.ram.memory, this.ring.descriptorArea, slot, { address, length, id: last ? id : id ^ 0x5555 })
      const all = flags | (last ? 0 : VIRTQ_DESC_F_NEXT) | availableFlags(wrap)
      if (i > 0) writeFlags(this.ram.memory, this.ring.descriptorArea, slot, all)
      else this.#head = { slot, flags: all }
    })
    this.position = advance(this.ring, head, list.length)
    const writableBytes = writable.reduce((sum, length) => sum + length, 0)
    this.#out.set(id, { slots: list.length, writableBytes, readable: reads, writable: writes })
    if (shown) this.show()
  }

  /** The head's flags, last (VQP-SG-DRV-06). */
  show(): void {
    writeFlags(this.ram.memory, this.ring.descriptorArea, this.#head.slot, this.#head.flags)
  }

  askAt(event: RingEvent): void {
    writeEvent(this.ram.memory, this.ring.driverArea, event)
  }

  /** What a driver finds at its next used position, or would find at another. */
  answer(at: RingPosition = this.used): PackedUsedAnswer {
    return nextPackedUsed(this.ram.memory, this.ring, at, this.#out)
  }

  // ---- judging

  /** The next list is `id` with exactly its bytes. */
  served(id: number): TakenChain {
    return this.understood(this.take(), id)
  }

  understood(answer: TakenChain | TargetFault | null, id: number): TakenChain {
    const { slot, wrap } = this.position
    return this.isChain(answer, id, this.#out.get(id)!, ` (the driver is at slot ${slot}, wrap ${wrap})`)
  }

  /** The buffer comes back, and the driver sees it where it looks. */
  returns(id: number, writtenBytes: number): void {
    this.complete(id, writtenBytes)
    this.publish()
    this.sees(id, writtenBytes)
  }

  /** The next used descriptor is this one's, for itself or for a batch that ends with it. */
  sees(id: number, writtenBytes: number): void {
    const seen = this.answer()
    const { slot, wrap } = this.used
    if (seen.kind !== 'used' || seen.id !== id || seen.writtenBytes !== writtenBytes) {
      const what =
        seen.kind === 'used'
          ? `buffer ${seen.id} with ${seen.writtenBytes} bytes`
          : seen.kind === 'fault'
            ? `the fault ${seen.rules[0]}`
            : 'nothing'
      throw new ExhibitFailure(
        `${what} is used at slot ${slot}, wrap ${wrap}, not buffer ${id} with ${writtenBytes} bytes`,
      )
    }
    for (const one of [...seen.skipped, seen]) this.#out.delete(one.id)
    this.used = advance(this.ring, this.used, seen.slots)
  }

  /** Nothing can be taken, now and again. */
  idle(): void {
    const answer = this.take()
    if (answer !== null) throw new ExhibitFailure('took what is not available')
  }

  /** What was just offered breaks a rule of the ring: REJECT, a reset brings the queue back; WEDGED, only a new one does. */
  refused(): Verdict {
    const answer = this.take()
    if (answer?.kind === 'chain') throw new ExhibitFailure(`took buffer ${answer.id}, which breaks a rule`)
    this.publish()
    return this.recovered({
      reset: () => {},
      renew: () => this.remake(),
      works: () => this.#works(),
      nothing: 'serves nothing any more, even as a new queue',
    })
  }

  /** IMP-VQP-01: after a reset both begin at slot 0 with counters of 1. */
  reset(): void {
    this.call('reset', (device) => device.reset())
    const { descriptorArea, tableArea } = this.ring
    this.ram.memory.fill(descriptorArea, tableArea - descriptorArea, 0)
    this.position = this.used = RING_START
    this.#out.clear()
  }

  /** After a reset, an honest list is served and comes back. */
  #works(): boolean {
    this.reset()
    return succeeds(() => {
      this.offer(1, slots(1))
      this.served(1)
      this.returns(1, 4)
      return true
    })
  }
}

/** Does an access to `bytes` at `address` touch the flags of the slot at a position? */
export function touchesFlags(ring: PackedRing, { slot }: RingPosition, address: number, bytes: number): boolean {
  const flags = descriptorAt(ring.descriptorArea, slot) + 14
  return address < flags + 2 && address + bytes > flags
}

/** What `look` sees once the store that is about to happen has. */
export function afterStore<T>({ memory }: WatchedMemory, at: number, bytes: number, value: number, look: () => T): T {
  const before = new Uint8Array(bytes)
  memory.read(at, before)
  memory.write(
    at,
    Uint8Array.from({ length: bytes }, (_, i) => value >>> (8 * i)),
  )
  const seen = look()
  memory.write(at, before)
  return seen
}

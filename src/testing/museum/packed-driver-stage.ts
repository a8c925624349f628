/** Where a driver-side exhibit of the packed ring is shown: `driver-stage.ts` for the other format. */

import { sameChain } from '../agreement.ts'
import {
  advance,
  EVENT_BYTES,
  RING_START,
  type RingEvent,
  type RingPosition,
  usedFlags,
  writeContents,
  writeEvent,
  writeFlags,
} from '../format/packed/packed-ring-format.ts'
import {
  nextPackedAvailable,
  type PackedAvailableAnswer,
  type PackedChain,
} from '../format/packed/reference-packed-ring.ts'
import { hex } from '../format/split/draw-ring.ts'
import type { ByteRange } from '../format/split/reference-split-ring.ts'
import { VIRTQ_DESC_F_WRITE } from '../format/split/split-ring-format.ts'
import type { PackedDriverRing, PackedDriverTarget } from '../queue-targets.ts'
import { ExhibitFailure } from './exhibit.ts'
import { type Lengths, layOutPackedStage, type PackedStageOptions, slots } from './packed-device-stage.ts'
import { AnyDriverStage, STAGE_BASE, succeeds } from './stage.ts'
import { WatchedMemory } from './watched-memory.ts'

const BASE = STAGE_BASE
const DATA_BYTES = 0x1000

export class PackedDriverStage extends AnyDriverStage {
  readonly ring: PackedDriverRing
  /** Where the next list must be shown, and where the hand marks the next buffer used. */
  position = RING_START
  used = RING_START
  /** With the device, by id. */
  readonly out = new Map<number, PackedChain>()
  readonly #data: number

  readonly target: PackedDriverTarget

  constructor(target: PackedDriverTarget, options: PackedStageOptions = {}) {
    const { size = 4, eventIdx = false, inOrder = false, long = false } = options
    const { ring, end } = layOutPackedStage({ size, eventIdx, inOrder })
    const ram = new WatchedMemory([{ base: BASE, bytes: end + DATA_BYTES - BASE }], long, undefined)
    const { deviceArea } = ring
    const rules = {
      noun: 'buffer',
      wrongStore: (address: number, bytes: number) =>
        address + bytes > deviceArea && address < deviceArea + EVENT_BYTES
          ? `at ${hex(address)}, in the device's events`
          : null,
    }
    super(ram, rules, () => target.create(ram.targetMemory, ring))
    this.target = target
    this.ring = ring
    this.#data = end
  }

  // ---- the device's hand

  /** Marks a buffer used as a device does, and moves on by the length of its list. */
  use(id: number, length: number, { named = id, flags = length > 0 ? VIRTQ_DESC_F_WRITE : 0 } = {}): void {
    const { slot, wrap } = this.used
    writeContents(this.ram.memory, this.ring.descriptorArea, slot, { address: 0, length, id: named })
    writeFlags(this.ram.memory, this.ring.descriptorArea, slot, flags | usedFlags(wrap))
    const chain = this.out.get(id)
    this.out.delete(id)
    if (chain) this.used = advance(this.ring, this.used, chain.slots)
  }

  /** In order: one descriptor for all of them. */
  useBatch(skipped: readonly number[], last: number, length: number): void {
    const slotsBefore = skipped.reduce((sum, id) => sum + this.out.get(id)!.slots, 0)
    for (const id of skipped) this.out.delete(id)
    this.use(last, length)
    this.used = advance(this.ring, this.used, slotsBefore)
  }

  askAt(event: RingEvent): void {
    writeEvent(this.ram.memory, this.ring.deviceArea, event)
  }

  /** What a device finds at `at`. */
  answer(at: RingPosition = this.position): PackedAvailableAnswer {
    return nextPackedAvailable(this.ram.memory, this.ring, at, this.out)
  }

  // ---- the driver

  /** Adds and publishes one list that must fit, and which a device must find as it was meant; returns its id. */
  add(lengths: Lengths): number {
    const id = this.addQuietly(lengths)
    if (id === -1) throw new ExhibitFailure('add found no room where there was enough')
    this.shows(id, lengths)
    return id
  }

  /** The same, and nobody looks; -1: no room. */
  addQuietly({ readable, writable }: Lengths): number {
    const [reads, writes] = this.#ranges({ readable, writable })
    return this.addRanges(reads, writes, reads.length + writes.length)
  }

  // ---- judging

  /** At the next position stands exactly this list, marked in every slot as its turn wants it. */
  shows(id: number, lengths: Lengths): void {
    const answer = this.answer()
    const { slot, wrap } = this.position
    if (!this.isShown(answer, id, lengths)) {
      throw new ExhibitFailure(`buffer ${id} does not stand at slot ${slot}, wrap ${wrap} as it was added`)
    }
    this.out.set(id, answer)
    this.position = advance(this.ring, this.position, answer.slots)
  }

  isShown(answer: PackedAvailableAnswer, id: number, lengths: Lengths): answer is PackedChain {
    const [readable, writable] = this.#ranges(lengths)
    const due = { kind: 'chain', id, readable, writable } as const
    return answer.kind === 'chain' && answer.overlooked.length === 0 && sameChain(due, answer)
  }

  /** Nothing came back, now and again. */
  idle(): void {
    if (this.reap() !== null) throw new ExhibitFailure('reaped what was not used')
  }

  /** Over a zeroed ring, every slot can be used and comes back. */
  /** Over a zeroed ring. */
  reset(): void {
    this.#clear()
    this.call('reset', (driver) => driver.reset())
  }

  #clear(): void {
    const { descriptorArea, tableArea } = this.ring
    this.ram.memory.fill(descriptorArea, tableArea - descriptorArea, 0)
    this.position = this.used = RING_START
    this.out.clear()
  }

  works(): boolean {
    const { size } = this.ring
    this.#clear()
    return succeeds(() => {
      const ids = Array.from({ length: size }, () => this.add(slots(1)))
      for (const id of ids) {
        this.use(id, 1)
        this.reaped(id, 1)
      }
      return true
    })
  }

  /** Every list of these lengths has the same buffers: nothing is written into them. */
  #ranges({ readable, writable }: Lengths): [ByteRange[], ByteRange[]] {
    let at = this.#data
    const place = (length: number): ByteRange => {
      at += length + 1
      return { address: at - length, length }
    }
    return [readable.map(place), writable.map(place)]
  }
}

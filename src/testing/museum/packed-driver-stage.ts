/** Where a driver-side exhibit of the packed ring is shown: `driver-stage.ts` for the other format. */

import { sameChain } from '../agreement.ts'
import { addedOf, reapedOf } from '../answers.ts'
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
import type {
  DriverQueueUnderTest,
  PackedDriverRing,
  PackedDriverTarget,
  TargetFault,
  UsedElement,
} from '../queue-targets.ts'
import { layOutPackedRing } from '../ring-layout.ts'
import { callTarget } from './call-target.ts'
import { ExhibitFailure, type Verdict } from './exhibit.ts'
import { type Lengths, type PackedStageOptions, slots } from './packed-device-stage.ts'
import { WatchedMemory } from './watched-memory.ts'

const BASE = 0x1_0000
const DATA_BYTES = 0x1000

export class PackedDriverStage {
  readonly ring: PackedDriverRing
  readonly ram: WatchedMemory
  /** Where the next list must be shown, and where the hand marks the next buffer used. */
  position = RING_START
  used = RING_START
  /** With the device, by id. */
  readonly out = new Map<number, PackedChain>()
  readonly #data: number
  readonly #target: PackedDriverTarget
  #driver: DriverQueueUnderTest

  constructor(target: PackedDriverTarget, options: PackedStageOptions = {}) {
    const { size = 4, eventIdx = false, inOrder = false, long = false } = options
    const { ring, end } = layOutPackedRing({ size, eventIdx, indirect: false, inOrder }, BASE)
    this.ring = ring
    this.#data = end
    this.ram = new WatchedMemory([{ base: BASE, bytes: end + DATA_BYTES - BASE }], long, undefined)
    this.#target = target
    this.#driver = this.#create()
  }

  #create(): DriverQueueUnderTest {
    return this.call('create', () => this.#target.create(this.ram.targetMemory, this.ring))
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

  /** Calls the target: an exception, an endless loop, or a byte written into the device's events is a failure. */
  call<T>(what: string, action: (driver: DriverQueueUnderTest) => T): T {
    const result = callTarget(this.ram, what, () => action(this.#driver))
    // A driver may lay out the whole ring before the device is told of it.
    if (what === 'create' || what === 'reset') return result
    const { deviceArea } = this.ring
    for (const { address, bytes } of this.ram.stores) {
      if (address + bytes > deviceArea && address < deviceArea + EVENT_BYTES) {
        throw new ExhibitFailure(`${what} wrote at ${hex(address)}, in the device's events`)
      }
    }
    return result
  }

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
    const id = this.call('add', (driver) => addedOf(driver.add(reads, writes, reads.length + writes.length)))
    this.call('publish', (driver) => driver.publish?.())
    return id
  }

  reap(): UsedElement | TargetFault | null {
    return this.call('reap', (driver) => reapedOf(driver.reap()))
  }

  wantsNotification(): boolean {
    return this.call('wantsNotification', (driver) => driver.wantsNotification())
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

  /** The next buffer that comes back is this one. */
  reaped(id: number, writtenBytes: number): void {
    const answer = this.reap()
    if (answer?.kind !== 'used' || answer.id !== id || answer.writtenBytes !== writtenBytes) {
      const what =
        answer === null
          ? 'nothing'
          : answer.kind === 'used'
            ? `buffer ${answer.id} with ${answer.writtenBytes} bytes`
            : `the fault ${answer.rule}`
      throw new ExhibitFailure(`reaped ${what} where buffer ${id} with ${writtenBytes} bytes was due`)
    }
  }

  /** Nothing came back, now and again. */
  idle(): void {
    if (this.reap() !== null) throw new ExhibitFailure('reaped what was not used')
  }

  /** What the device just marked is a lie. REJECT: the driver stopped believing it, and a reset brings the queue back. */
  refused(): Verdict {
    const answer = this.reap()
    if (answer?.kind === 'used')
      throw new ExhibitFailure(`believed buffer ${answer.id} with ${answer.writtenBytes} bytes`)
    this.call('reset', (driver) => driver.reset())
    if (this.#works()) return 'REJECT'
    this.#driver = this.#create()
    if (this.#works()) return 'WEDGED'
    throw new ExhibitFailure('works no more, even as a new queue')
  }

  /** Over a zeroed ring, every slot can be used and comes back. */
  #works(): boolean {
    const { descriptorArea, tableArea, size } = this.ring
    this.ram.memory.fill(descriptorArea, tableArea - descriptorArea, 0)
    this.position = this.used = RING_START
    this.out.clear()
    try {
      const ids = Array.from({ length: size }, () => this.add(slots(1)))
      for (const id of ids) {
        this.use(id, 1)
        this.reaped(id, 1)
      }
      return true
    } catch (error) {
      if (error instanceof ExhibitFailure) return false
      throw error
    }
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

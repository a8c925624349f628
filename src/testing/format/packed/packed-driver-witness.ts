/** Runs the driver's part of a program over a packed ring; see `driver-witness.ts`. */

import { agrees, agreesOnUsed, describe } from '../../agreement.ts'
import { addedOf, reapedOf } from '../../answers.ts'
import type { DriverQueueUnderTest, PackedDriverTarget } from '../../queue-targets.ts'
import type { ByteRange } from '../split/reference-split-ring.ts'
import { advance, RING_START, type RingPosition } from './packed-ring-format.ts'
import type { PackedScene } from './packed-scene.ts'
import {
  type BuffersOut,
  mustKickPacked,
  nextPackedAvailable,
  nextPackedUsed,
  PACKED_RING_RULES,
  type PackedChain,
  type PackedFault,
  type PackedUsedAnswer,
  slotsOf,
  type UsedBuffer,
} from './reference-packed-ring.ts'

interface AddedBuffer {
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
  /** The most slots that it can take. */
  readonly bufferCount: number
}

export class PackedDriverWitness {
  readonly #scene: PackedScene
  readonly #target: PackedDriverTarget
  readonly #driver: DriverQueueUnderTest
  /** Everything that has not come back, by id. */
  readonly #added = new Map<number, AddedBuffer>()
  #unpublished: number[] = []
  /** What the device can see. */
  readonly #outstanding = new Map<number, PackedChain>()
  /** Came back in one batch with what was reaped last: a driver may free them all at once, or one by one. */
  #arrived: (UsedBuffer & { readonly slots: number })[] = []
  #available = RING_START
  #kicked = RING_START
  #unkicked = 0
  #used = RING_START
  #fault: PackedFault | null = null

  constructor(scene: PackedScene, target: PackedDriverTarget) {
    this.#scene = scene
    this.#target = target
    this.#driver = target.create(scene.memory, scene.ring)
  }

  /** How many buffers have not come back. */
  get outstanding(): number {
    return this.#added.size
  }

  /** What the device can see and has not returned. */
  get shown(): BuffersOut {
    return this.#outstanding
  }

  get usedPosition(): RingPosition {
    return this.#used
  }

  /** How its device lied, when it stopped believing it. */
  get fault(): PackedFault | null {
    return this.#fault
  }

  add(readableLengths: readonly number[], writableLengths: readonly number[], direct: number): void {
    const { ring } = this.#scene
    const bufferCount = readableLengths.length + writableLengths.length
    if (bufferCount === 0 || bufferCount > ring.size) return // VQP-SG-DRV-02: not a list that a driver may build
    if (this.#unkicked + this.#unpublishedSlots() + bufferCount > ring.size) this.needsKick()
    const readable = readableLengths.map((length) => this.#scene.buffer(length))
    const writable = writableLengths.map((length) => this.#scene.buffer(length))
    const inRing = ring.indirect && direct < bufferCount ? 0 : bufferCount
    const id = this.#watch(() => addedOf(this.#driver.add(readable, writable, inRing)))
    if (id === -1) {
      const free = ring.size - slotsOf([...this.#outstanding.values(), ...this.#arrived]) - this.#unpublishedSlots()
      if (bufferCount <= free) this.#scene.fail(`add found no room for ${bufferCount} buffers, ${free} slots are free`)
      return
    }
    if (!(id >= 0 && id <= 0xffff)) this.#scene.fail(`add returned id ${id}`)
    if (this.#added.has(id)) this.#scene.fail(`add returned id ${id}, which has not come back (IMP-VQP-04)`)
    this.#added.set(id, { readable, writable, bufferCount })
    this.#unpublished.push(id)
    if (!this.#driver.publish) this.#expectPublished()
    else if (this.#nextAvailable().kind !== 'nothing') this.#scene.fail('add made a list available before publish')
  }

  publish(): void {
    if (!this.#driver.publish) return
    this.#watch(() => this.#driver.publish?.())
    this.#expectPublished()
  }

  /** The device's event structure says which kicks it must get (IMP-VQP-13, IMP-VQP-14). */
  needsKick(): void {
    const { memory, ring } = this.#scene
    const wants = this.#watch(() => this.#driver.wantsNotification())
    const must = mustKickPacked(memory, ring, this.#kicked, this.#unkicked)
    const step = `${this.#unkicked} slots from ${this.#kicked.slot}, wrap ${this.#kicked.wrap}`
    if (must && !wants) this.#scene.fail(`no kick for ${step}: the device may sleep on`)
    if (wants && !must && !this.#target.mayNotifyNeedlessly) {
      this.#scene.fail(`a kick for ${step}, which the device asked not to get`)
    }
    this.#kicked = this.#available
    this.#unkicked = 0
  }

  /** False: nothing was there. */
  reap(): boolean {
    const expected = this.#nextUsed()
    const result = this.#watch(() => reapedOf(this.#driver.reap()))
    if (this.#fault !== null) {
      if (result?.kind === 'used') this.#scene.fail(`reaped ${describe(result)} from a broken ring`)
      return false
    }
    if (!agreesOnUsed(result, expected)) {
      this.#scene.fail(`reaped ${describe(result)} where ${describe(expected)} was due`)
    }
    if (expected.kind === 'fault') this.#fault = expected
    if (expected.kind !== 'used') return false
    if (this.#arrived.length === 0) this.#arrive()
    this.#arrived.shift()
    this.#added.delete(expected.id)
    return true
  }

  /** Without IN_ORDER it is one; with it, those that were skipped come first. */
  #arrive(): void {
    const answer = this.#shownUsed()
    if (answer.kind !== 'used') return
    this.#used = advance(this.#scene.ring, this.#used, answer.slots)
    for (const { id, writtenBytes } of [...answer.skipped, answer]) {
      this.#arrived.push({ id, writtenBytes, slots: this.#outstanding.get(id)!.slots })
      this.#outstanding.delete(id)
    }
  }

  wantInterrupts(on: boolean): void {
    if (!this.#driver.setNotifications) return
    const more = this.#watch(() => this.#driver.setNotifications?.(on))
    const waiting = this.#nextUsed().kind !== 'nothing'
    if (more !== (on && waiting)) this.#scene.fail(`said ${more} to more used buffers (VQP-DRV-08)`)
    this.#scene.expectSuppression(on, this.#scene.ring.driverArea, this.#used)
  }

  reload(): void {
    if (!this.#driver.reload) return
    this.publish()
    this.#watch(() => this.#driver.reload?.())
  }

  reset(): void {
    this.#watch(() => this.#driver.reset(), this.#scene.ring.size)
    this.#added.clear()
    this.#outstanding.clear()
    this.#unpublished = []
    this.#arrived = []
    this.#available = this.#kicked = this.#used = RING_START
    this.#unkicked = 0
    this.#fault = null
  }

  /** What is to be reaped next. */
  #nextUsed(): PackedUsedAnswer {
    const [first] = this.#arrived
    if (first) return { kind: 'used', ...first, skipped: [] }
    const answer = this.#shownUsed()
    if (answer.kind !== 'used' || answer.skipped.length === 0) return answer
    return { ...answer, ...answer.skipped[0]! }
  }

  #shownUsed(): PackedUsedAnswer {
    return nextPackedUsed(this.#scene.memory, this.#scene.ring, this.#used, this.#outstanding)
  }

  #nextAvailable() {
    return nextPackedAvailable(this.#scene.memory, this.#scene.ring, this.#available, this.#outstanding)
  }

  /** What the driver shows must read back as what was added, in that order (VQP-SG-DRV-05, IMP-VQP-05). */
  #expectPublished(): void {
    for (const id of this.#unpublished) {
      const due = { kind: 'chain', id, ...this.#added.get(id)! } as const
      const answer = this.#nextAvailable()
      if (!agrees(due, answer) || answer.kind !== 'chain') {
        const where = this.#scene.slotAt(this.#available)
        this.#scene.fail(`published ${describe(answer)} where ${describe(due)} was due (${where})`)
      }
      const [needless] = answer.overlooked
      if (needless) this.#scene.fail(`published buffer ${id} with ${needless} (${PACKED_RING_RULES[needless]})`)
      this.#expectOwnTable(answer)
      this.#outstanding.set(id, answer)
      this.#available = advance(this.#scene.ring, this.#available, answer.slots)
      this.#unkicked += answer.slots
    }
    this.#unpublished = []
    const behind = this.#nextAvailable()
    if (behind.kind !== 'nothing') this.#scene.fail(`published ${describe(behind)}, which was not added`)
  }

  /** A table is the device's until its buffer came back. */
  #expectOwnTable({ id, table }: PackedChain): void {
    if (table === null) return
    for (const [other, { table: theirs }] of this.#outstanding) {
      if (theirs !== null && overlap(table, theirs)) this.#scene.fail(`buffers ${other} and ${id} share a table`)
    }
  }

  #unpublishedSlots(): number {
    return this.#unpublished.reduce((sum, id) => sum + this.#added.get(id)!.bufferCount, 0)
  }

  /** The driver's own slots are those that the device does not hold; `owned` where that is not so. */
  #watch<T>(action: () => T, owned = this.#scene.ring.size - slotsOf(this.#outstanding.values())): T {
    return this.#scene.watch('driver', this.#available, owned, action)
  }
}

const overlap = (one: ByteRange, other: ByteRange): boolean =>
  one.address < other.address + other.length && other.address < one.address + one.length

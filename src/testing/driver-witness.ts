/** Runs the driver's part of a program and holds each answer, and each byte written, against the specification. */

import { agrees, agreesOnUsed, describe } from './agreement.ts'
import { addedOf, reapedOf } from './answers.ts'
import { followChain } from './format/split/draw-ring.ts'
import { append, type ByteRange, mustKick, nextAvailable, nextUsed } from './format/split/reference-split-ring.ts'
import { availFlagsAt, availIdxAt, usedEventAt, usedIdxAt } from './format/split/split-ring-format.ts'
import type { DriverQueueTarget, DriverQueueUnderTest } from './queue-targets.ts'
import type { RingScene } from './ring-scene.ts'

interface AddedChain {
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
  readonly writableBytes: number
  /** The most ring descriptors that it can take. */
  readonly bufferCount: number
}

export class DriverWitness {
  readonly #scene: RingScene
  readonly #target: DriverQueueTarget
  readonly #driver: DriverQueueUnderTest
  /** Every chain that has not come back, by head. */
  readonly #added = new Map<number, AddedChain>()
  #unpublished: number[] = []
  /** Writable bytes of each head that the device can see. */
  readonly #outstanding = new Map<number, number>()
  #availIdx: number
  #kickedIdx: number
  #nextUsed: number

  constructor(scene: RingScene, target: DriverQueueTarget, startIndex: number) {
    const { memory, ring } = scene
    this.#scene = scene
    this.#target = target
    this.#driver = startIndex === 0 ? target.create(memory, ring) : target.createAt!(memory, ring, startIndex)
    this.#availIdx = this.#kickedIdx = this.#nextUsed = startIndex
  }

  /** How many chains have not come back. */
  get outstanding(): number {
    return this.#added.size
  }

  add(readableLengths: readonly number[], writableLengths: readonly number[], direct: number): void {
    const { ring, memory } = this.#scene
    const bufferCount = readableLengths.length + writableLengths.length
    if (bufferCount === 0 || bufferCount > ring.size) return // VQS-IND-DRV-03: not a chain that a driver may build
    const readable = readableLengths.map((length) => this.#scene.buffer(length))
    const writable = writableLengths.map((length) => this.#scene.buffer(length))
    const inRing = ring.indirect ? Math.min(direct, bufferCount) : bufferCount
    const head = this.#watch(() => addedOf(this.#driver.add(readable, writable, inRing)))
    if (head === -1) {
      const free = this.#freeAtLeast()
      if (bufferCount <= free) this.#scene.fail(`add found no room for ${bufferCount} buffers, ${free} slots are free`)
      return
    }
    if (!(head >= 0 && head < ring.size)) this.#scene.fail(`add returned head ${head}`)
    if (this.#added.has(head)) this.#scene.fail(`add returned head ${head}, which has not come back (IMP-VQS-09)`)
    const writableBytes = writable.reduce((sum, { length }) => sum + length, 0)
    this.#added.set(head, { readable: merge(readable), writable: merge(writable), writableBytes, bufferCount })
    this.#unpublished.push(head)
    if (!this.#driver.publish) this.#expectPublished()
    else if (memory.readU16(availIdxAt(ring)) !== this.#availIdx) this.#scene.fail('add moved idx before publish')
  }

  publish(): void {
    if (!this.#driver.publish) return
    this.#watch(() => this.#driver.publish?.())
    this.#expectPublished()
  }

  /** VQS-NTF-DRV-07 .. VQS-NTF-DRV-12. */
  needsKick(): void {
    const { memory, ring } = this.#scene
    const wants = this.#watch(() => this.#driver.wantsNotification())
    const must = mustKick(memory, ring, this.#kickedIdx, this.#availIdx)
    if (must && !wants)
      this.#scene.fail(`no kick for idx ${this.#kickedIdx} -> ${this.#availIdx}: the device may sleep on`)
    if (wants && !must && !this.#target.mayNotifyNeedlessly) {
      this.#scene.fail(`a kick for idx ${this.#kickedIdx} -> ${this.#availIdx}, which the device asked not to get`)
    }
    this.#kickedIdx = this.#availIdx
  }

  /** False: nothing was there. */
  reap(): boolean {
    const { memory, ring } = this.#scene
    const expected = nextUsed(memory, ring, this.#nextUsed, this.#outstanding)
    const result = this.#watch(() => reapedOf(this.#driver.reap()))
    if (!agreesOnUsed(result, expected))
      this.#scene.fail(`reaped ${describe(result)} where ${describe(expected)} was due`)
    if (expected.kind !== 'used') return false
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff
    this.#outstanding.delete(expected.id)
    this.#added.delete(expected.id)
    return true
  }

  wantInterrupts(on: boolean): void {
    if (!this.#driver.setNotifications) return
    const { memory, ring } = this.#scene
    const more = this.#watch(() => this.#driver.setNotifications?.(on))
    const waiting = memory.readU16(usedIdxAt(ring)) !== this.#nextUsed
    if (more !== (on && waiting)) this.#scene.fail(`said ${more} to more used elements (VQS-USED-DRV-03)`)
    this.#scene.expectSuppression(on, availFlagsAt(ring), usedEventAt(ring), this.#nextUsed)
  }

  reload(): void {
    if (!this.#driver.reload) return
    this.publish()
    this.#watch(() => this.#driver.reload?.())
  }

  reset(): void {
    this.#watch(() => this.#driver.reset())
    this.#added.clear()
    this.#outstanding.clear()
    this.#unpublished = []
    this.#availIdx = this.#kickedIdx = this.#nextUsed = 0
  }

  /** What the driver shows must read back as what was added, in that order, and take no descriptor that is in use. */
  #expectPublished(): void {
    const { memory, ring } = this.#scene
    for (const head of this.#unpublished) {
      const chain = this.#added.get(head)!
      const due = { kind: 'chain', id: head, ...chain } as const
      const answer = nextAvailable(memory, ring, this.#availIdx, this.#outstanding)
      if (!agrees(due, answer)) this.#scene.fail(`published ${describe(answer)} where ${describe(due)} was due`)
      const taken = this.#slotsTaken()
      const twice = this.#slotsOf(head).find((slot) => taken.has(slot))
      if (twice !== undefined) this.#scene.fail(`descriptor ${twice} is in two chains at once (IMP-VQS-09)`)
      this.#outstanding.set(head, chain.writableBytes)
      this.#availIdx = (this.#availIdx + 1) & 0xffff
    }
    this.#unpublished = []
    const idx = memory.readU16(availIdxAt(ring))
    if (idx !== this.#availIdx) this.#scene.fail(`available idx is ${idx}, not ${this.#availIdx} (VQS-AVL-DRV-01)`)
  }

  #freeAtLeast(): number {
    const unpublished = this.#unpublished.reduce((sum, head) => sum + this.#added.get(head)!.bufferCount, 0)
    return this.#scene.ring.size - this.#slotsTaken().size - unpublished
  }

  /** Ring descriptors of every chain that the device can see. */
  #slotsTaken(): Set<number> {
    return new Set([...this.#outstanding.keys()].flatMap((head) => this.#slotsOf(head)))
  }

  #slotsOf(head: number): number[] {
    const { memory, ring } = this.#scene
    const chain = [...followChain(memory, ring, head, ring.size + 1)]
    return chain.filter(({ table }) => table === ring.descriptorArea).map(({ index }) => index)
  }

  #watch<T>(action: () => T): T {
    return this.#scene.watch('driver', action)
  }
}

function merge(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = []
  for (const { address, length } of ranges) append(merged, address, length)
  return merged
}

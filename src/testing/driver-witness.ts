/**
 * Runs the driver's part of a program over a ring of any format, and holds each answer, and each byte written, against the
 * specification. The peer may be honest or hostile: what only holds of an honest one is asked by who plays it.
 */

import type { GuestMemory } from '../memory/index.ts'
import { agrees, agreesOnUsed, describe } from './agreement.ts'
import { addedOf, reapedOf } from './answers.ts'
import {
  type RingShape,
  type SpecifiedChain,
  type SpecifiedFault,
  type SpecifiedUsed,
  slotsOf,
  type UsedBuffer,
} from './format/ring-format.ts'
import { append, type ByteRange } from './format/split/reference-split-ring.ts'
import type { DriverQueueUnderTest } from './queue-targets.ts'
import type { RingScene } from './ring-scene.ts'

/** What a witness needs of a target. */
export interface WitnessedDriver<Ring> {
  readonly mayNotifyNeedlessly?: boolean
  create(memory: GuestMemory, ring: Ring): DriverQueueUnderTest
  createAt?(memory: GuestMemory, ring: Ring, index: number): DriverQueueUnderTest
}

interface AddedChain {
  readonly readable: readonly ByteRange[]
  readonly writable: readonly ByteRange[]
  /** The most descriptors of the ring that it can take. */
  readonly bufferCount: number
}

/** A chain that the device can see. */
interface ShownChain {
  readonly slots: number
  readonly writableBytes: number
  /** Descriptors of the ring that it names. */
  readonly at: readonly number[]
  readonly table: ByteRange | null
}

export class DriverWitness<Ring extends RingShape, Place> {
  readonly #scene: RingScene<Ring, Place>
  readonly #target: WitnessedDriver<Ring>
  readonly #driver: DriverQueueUnderTest
  /** Everything that has not come back, by id. */
  readonly #added = new Map<number, AddedChain>()
  #unpublished: number[] = []
  /** What the device can see. */
  readonly #outstanding = new Map<number, ShownChain>()
  /** Came back in one batch with what was reaped last: a driver may free them all at once, or one by one. */
  #arrived: (UsedBuffer & { readonly slots: number })[] = []
  /** Used elements that the target may know of from an earlier look. */
  #known = 0
  #available: Place
  #kicked: Place
  #unkicked = 0
  #used: Place
  #fault: SpecifiedFault | null = null

  constructor(scene: RingScene<Ring, Place>, target: WitnessedDriver<Ring>) {
    const { memory, ring, startIndex } = scene
    this.#scene = scene
    this.#target = target
    this.#driver = scene.attempt('create', () =>
      startIndex === 0 ? target.create(memory, ring) : target.createAt!(memory, ring, startIndex),
    )
    this.#available = this.#kicked = this.#used = scene.format.start(startIndex)
  }

  /** How many chains have not come back. */
  get outstanding(): number {
    return this.#added.size
  }

  /** What the device can see and has not returned. */
  get shown(): ReadonlyMap<number, { readonly slots: number; readonly writableBytes: number }> {
    return this.#outstanding
  }

  get usedPlace(): Place {
    return this.#used
  }

  /** How its device lied, when it stopped believing it. */
  get fault(): SpecifiedFault | null {
    return this.#fault
  }

  add(readableLengths: readonly number[], writableLengths: readonly number[], direct: number): void {
    const bufferCount = readableLengths.length + writableLengths.length
    // VQS-IND-DRV-03, VQP-SG-DRV-02: not a chain that a driver may build.
    if (bufferCount === 0 || bufferCount > this.#scene.ring.size) return
    const readable = readableLengths.map((length) => this.#scene.buffer(length))
    const writable = writableLengths.map((length) => this.#scene.buffer(length))
    this.addBuffers(readable, writable, direct)
  }

  /** The id of the chain, or -1 when there was no room. */
  addBuffers(readable: readonly ByteRange[], writable: readonly ByteRange[], direct: number): number {
    const { format, ring } = this.#scene
    const bufferCount = readable.length + writable.length
    if (this.#unkicked + this.#unpublishedSlots() + bufferCount > format.span(ring)) this.needsKick()
    const inRing = format.direct(ring, direct, bufferCount)
    const before = this.#mark()
    const id = this.#watch(() => addedOf(this.#driver.add(readable, writable, inRing)))
    if (id === -1) {
      const free = ring.size - slotsOf([...this.#outstanding.values(), ...this.#arrived]) - this.#unpublishedSlots()
      // A broken queue need not take anything more.
      if (bufferCount <= free && this.#fault === null)
        this.#scene.fail(`add found no room for ${bufferCount} buffers, ${free} slots are free`)
      return id
    }
    if (!format.isId(ring, id)) this.#scene.fail(`add returned id ${id}`)
    if (this.#added.has(id)) {
      this.#scene.fail(`add returned id ${id}, which has not come back (IMP-VQS-09, IMP-VQP-04)`)
    }
    this.#added.set(id, { readable: merge(readable), writable: merge(writable), bufferCount })
    this.#unpublished.push(id)
    if (!this.#driver.publish) this.#expectPublished()
    else if (this.#mark() !== before) this.#scene.fail('add made a chain available before publish')
    return id
  }

  publish(): void {
    if (!this.#driver.publish) return
    const before = this.#mark()
    const staged = this.#unpublished.length
    this.#watch(() => this.#driver.publish?.())
    // With nothing to show, what the device scribbled there may stay, or be mended.
    if (staged > 0 || this.#mark() !== before) this.#expectPublished()
  }

  /** Must the device be kicked, as its own bytes say? */
  needsKick(): void {
    const { format, ring, seen } = this.#scene
    const wants = this.#watch(() => this.#driver.wantsNotification())
    const must = format.mustNotify(seen, ring, 'driver', this.#kicked, this.#unkicked)
    const step = `${this.#unkicked} steps from ${this.#scene.where(this.#kicked)}`
    if (must && !wants) this.#scene.fail(`no kick for ${step}: the device may sleep on`)
    if (wants && !must && !this.#target.mayNotifyNeedlessly) {
      this.#scene.fail(`a kick for ${step}, which the device asked not to get`)
    }
    this.#kicked = this.#available
    this.#unkicked = 0
  }

  /** False: nothing was there, or what was there is refused. */
  reap(): boolean {
    const { format, ring, seen } = this.#scene
    const answers = this.#dueUsed(this.#known)
    this.#known = Math.max(this.#known, format.visible(seen, ring, 'driver', this.#used, this.#outstanding))
    const result = this.#watch(() => reapedOf(this.#driver.reap()))
    if (this.#fault !== null) {
      if (result?.kind === 'used') this.#scene.fail(`reaped ${describe(result)} from a broken ring`)
      return false
    }
    const answer = answers.find((candidate) => agreesOnUsed(result, candidate))
    if (answer === undefined) {
      this.#scene.fail(`reaped ${describe(result)} where ${answers.map(describe).join(' or ')} was due`)
    }
    if (answer.kind === 'fault') this.#fault = answer
    if (answer.kind !== 'used') return false
    if (this.#arrived.length === 0) this.#arrive()
    const { id } = this.#arrived.shift()!
    this.#added.delete(id)
    return true
  }

  /** One, or in order also those that it stands for, which come first. */
  #arrive(): void {
    const { format, ring } = this.#scene
    // The target believed it: what it may know of does not matter any more.
    const answer = this.#shownUsed(this.#known).find(({ kind }) => kind === 'used')
    if (answer?.kind !== 'used') return
    this.#used = format.advance(ring, this.#used, format.steps(answer))
    if (this.#known > 0) this.#known--
    for (const { id, writtenBytes } of [...(answer.skipped ?? []), answer]) {
      this.#arrived.push({ id, writtenBytes, slots: this.#outstanding.get(id)!.slots })
      this.#outstanding.delete(id)
    }
  }

  wantInterrupts(on: boolean): void {
    if (!this.#driver.setNotifications) return
    const { format, ring, seen } = this.#scene
    const more = this.#watch(() => this.#driver.setNotifications?.(on))
    const waiting = this.#dueUsed(0)[0]!.kind !== 'nothing'
    if (more !== (on && waiting)) this.#scene.fail(`said ${more} to more used chains (VQS-USED-DRV-03, VQP-DRV-08)`)
    const wrong = format.wishFault(seen, ring, 'driver', on, this.#used)
    if (wrong !== null) this.#scene.fail(wrong)
  }

  reload(): void {
    if (!this.#driver.reload) return
    this.publish()
    this.#watch(() => this.#driver.reload?.())
  }

  /** Over a zeroed ring, which is all the driver's until the device is told of it. */
  reset(): void {
    const { format, ring } = this.#scene
    this.#watch(() => this.#driver.reset(), ring.size)
    this.#added.clear()
    this.#outstanding.clear()
    this.#unpublished = []
    this.#arrived = []
    this.#known = this.#unkicked = 0
    this.#available = this.#kicked = this.#used = format.start(0)
    this.#fault = null
  }

  /** What is to be reaped next: every correct answer. */
  #dueUsed(known: number): readonly SpecifiedUsed[] {
    const [first] = this.#arrived
    if (first) return [{ kind: 'used', id: first.id, writtenBytes: first.writtenBytes }]
    return this.#shownUsed(known).map((answer) => {
      if (answer.kind !== 'used' || !answer.skipped?.[0]) return answer
      return { ...answer, ...answer.skipped[0] }
    })
  }

  #shownUsed(known: number): readonly SpecifiedUsed[] {
    const { format, ring, seen } = this.#scene
    return format.used(seen, ring, this.#used, this.#outstanding, known)
  }

  #mark(): number {
    const { format, ring, seen } = this.#scene
    return format.mark(seen, ring, 'driver', this.#available)
  }

  #nextAvailable() {
    const { format, ring, seen } = this.#scene
    return format.available(seen, ring, this.#available, this.#outstanding, 0)[0]!
  }

  /**
   * What the driver shows must read back as what was added, in that order, and take no descriptor that is in use
   * (VQS-AVL-DRV-01, VQP-SG-DRV-05, IMP-VQP-05).
   */
  #expectPublished(): void {
    const { format, memory, ring } = this.#scene
    // A broken queue need not show anything more.
    if (this.#fault !== null) this.#unpublished = []
    for (const id of this.#unpublished) {
      const due = { kind: 'chain', id, ...this.#added.get(id)! } as const
      const answer = this.#nextAvailable()
      const where = this.#scene.where(this.#available)
      if (!agrees(due, answer) || answer.kind !== 'chain') {
        this.#scene.fail(`published ${describe(answer)} where ${describe(due)} was due (${where})`)
      }
      const [needless] = answer.overlooked ?? []
      if (needless) this.#scene.fail(`published chain ${id} with ${needless} (${where})`)
      this.#expectOwnTable(answer)
      const at = format.descriptorsOf(memory, ring, id)
      const shown = [...this.#outstanding.values()]
      const twice = at.find((slot) => shown.some((other) => other.at.includes(slot)))
      if (twice !== undefined) this.#scene.fail(`descriptor ${twice} is in two chains at once (IMP-VQS-09)`)
      const { slots, writableBytes, table = null } = answer
      this.#outstanding.set(id, { slots, writableBytes, at, table })
      const steps = format.steps(answer)
      this.#available = format.advance(ring, this.#available, steps)
      this.#unkicked += steps
    }
    this.#unpublished = []
    if (this.#fault !== null) return
    const behind = this.#nextAvailable()
    if (behind.kind !== 'nothing') this.#scene.fail(`published ${describe(behind)}, which was not added`)
  }

  /** A table is the device's until its chain came back. */
  #expectOwnTable({ id, table = null }: SpecifiedChain): void {
    if (table === null) return
    for (const [other, { table: theirs }] of this.#outstanding) {
      if (theirs !== null && overlap(table, theirs)) this.#scene.fail(`chains ${other} and ${id} share a table`)
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

function merge(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = []
  for (const { address, length } of ranges) append(merged, address, length)
  return merged
}

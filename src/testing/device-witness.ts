/** Runs the device's part of a program and holds each answer, and each byte written, against the specification. */

import { agrees, describe } from './agreement.ts'
import { takenOf } from './answers.ts'
import { mustInterrupt, nextAvailable } from './format/split/reference-split-ring.ts'
import { availEventAt, availIdxAt, usedElementAt, usedFlagsAt, usedIdxAt } from './format/split/split-ring-format.ts'
import type { DeviceQueueTarget, DeviceQueueUnderTest } from './queue-targets.ts'
import type { RingScene } from './ring-scene.ts'

export class DeviceWitness {
  readonly #scene: RingScene
  readonly #target: DeviceQueueTarget
  readonly #device: DeviceQueueUnderTest
  /** Writable bytes of each head that the device took and has not returned. */
  readonly #inFlight = new Map<number, number>()
  #staged: { id: number; writtenBytes: number }[] = []
  #nextAvail: number
  #usedIdx: number
  #notifiedIdx: number

  constructor(scene: RingScene, target: DeviceQueueTarget, startIndex: number) {
    const { memory, ring } = scene
    this.#scene = scene
    this.#target = target
    this.#device = startIndex === 0 ? target.create(memory, ring) : target.createAt!(memory, ring, startIndex)
    this.#nextAvail = this.#usedIdx = this.#notifiedIdx = startIndex
  }

  /** How many chains the device holds. */
  get inFlight(): number {
    return this.#inFlight.size
  }

  /** False: nothing was there. */
  take(): boolean {
    const { memory, ring } = this.#scene
    const expected = nextAvailable(memory, ring, this.#nextAvail, this.#inFlight)
    const result = this.#watch(() => takenOf(this.#device.take()))
    if (!agrees(result, expected)) this.#scene.fail(`took ${describe(result)} where ${describe(expected)} was due`)
    if (expected.kind !== 'chain') return false
    this.#inFlight.set(expected.id, expected.writableBytes)
    this.#nextAvail = (this.#nextAvail + 1) & 0xffff
    return true
  }

  use(which: number, writtenBytes: number): void {
    const heads = [...this.#inFlight]
    if (heads.length === 0) return
    const [id, capacity] = heads[which % heads.length]!
    const element = { id, writtenBytes: Math.min(writtenBytes, capacity) }
    this.#watch(() => this.#device.complete(id, element.writtenBytes))
    this.#inFlight.delete(id)
    this.#staged.push(element)
    const { memory, ring } = this.#scene
    if (!this.#device.publish) this.#expectUsed()
    else if (memory.readU16(usedIdxAt(ring)) !== this.#usedIdx) this.#scene.fail('complete moved idx before publish')
  }

  publish(): void {
    if (!this.#device.publish) return
    this.#watch(() => this.#device.publish?.())
    this.#expectUsed()
  }

  /** VQS-NTF-DEV-01 .. VQS-NTF-DEV-06. */
  needsInterrupt(): void {
    const { memory, ring } = this.#scene
    const wants = this.#watch(() => this.#device.wantsNotification())
    const must = mustInterrupt(memory, ring, this.#notifiedIdx, this.#usedIdx)
    const step = `used idx ${this.#notifiedIdx} -> ${this.#usedIdx}`
    if (must && !wants) this.#scene.fail(`no interrupt for ${step}: the driver may sleep on`)
    if (wants && !must && !this.#target.mayNotifyNeedlessly) {
      this.#scene.fail(`an interrupt for ${step}, which the driver asked not to get`)
    }
    this.#notifiedIdx = this.#usedIdx
  }

  wantKicks(on: boolean): void {
    if (!this.#device.setNotifications) return
    const { memory, ring } = this.#scene
    const more = this.#watch(() => this.#device.setNotifications?.(on))
    const waiting = memory.readU16(availIdxAt(ring)) !== this.#nextAvail
    if (more !== (on && waiting)) this.#scene.fail(`said ${more} to more available chains`)
    this.#scene.expectSuppression(on, usedFlagsAt(ring), availEventAt(ring), this.#nextAvail)
  }

  reload(): void {
    if (!this.#device.reload) return
    this.publish()
    this.#watch(() => this.#device.reload?.())
  }

  /** VQRST-DEV-02. */
  reset(): void {
    this.#watch(() => this.#device.reset())
    this.#inFlight.clear()
    this.#staged = []
    this.#nextAvail = this.#usedIdx = this.#notifiedIdx = 0
  }

  /** IMP-VQS-01, IMP-VQS-03: each element in its slot, in the order of completion, and idx after the last of them. */
  #expectUsed(): void {
    const { memory, ring } = this.#scene
    for (const { id, writtenBytes } of this.#staged) {
      const at = usedElementAt(ring, this.#usedIdx)
      const [actualId, actualBytes] = [memory.readU32(at), memory.readU32(at + 4)]
      if (actualId !== id || actualBytes !== writtenBytes) {
        const [actual, due] = [`{ id: ${actualId}, len: ${actualBytes} }`, `{ id: ${id}, len: ${writtenBytes} }`]
        this.#scene.fail(`used element ${this.#usedIdx} is ${actual}, not ${due}`)
      }
      this.#usedIdx = (this.#usedIdx + 1) & 0xffff
    }
    this.#staged = []
    const idx = memory.readU16(usedIdxAt(ring))
    if (idx !== this.#usedIdx) this.#scene.fail(`used idx is ${idx}, not ${this.#usedIdx} (IMP-VQS-01)`)
  }

  #watch<T>(action: () => T): T {
    return this.#scene.watch('device', action)
  }
}

/**
 * A driver under fire: a device that lies about what it used, and scribbles over the descriptor table and the available ring.
 * A driver may refuse; it may not throw, believe in a completion that cannot be, hand out a descriptor twice, or lose one
 * (museum 42, 43, 44).
 */

import { Random } from '../../../internal/random.ts'
import { agreesOnUsed, describe } from '../../agreement.ts'
import { addedOf, failureOf, reapedOf } from '../../answers.ts'
import { expectCampaign } from '../../expect-count.ts'
import { QueueMismatch } from '../../mismatch.ts'
import { negotiate } from '../../negotiate.ts'
import type { DriverQueueTarget, DriverQueueUnderTest } from '../../queue-targets.ts'
import { RingScene } from '../../ring-scene.ts'
import { drawRing } from './draw-ring.ts'
import { type RingRule, usedAnswers } from './reference-split-ring.ts'
import {
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  usedElementAt,
  usedIdxAt,
} from './split-ring-format.ts'

/** Options of `runHostileDevice`. */
export interface HostileDeviceOptions {
  readonly seed: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  readonly rings: number
  /** Number of the first case; a failure names its own. Default 0. */
  readonly first?: number
  /** Moves a case. Default 16. */
  readonly steps?: number
}

/** What the hostile device did, and how often it broke each rule. */
export interface HostileDeviceReport {
  rings: number
  completions: number
  readonly faults: { [rule in RingRule]?: number }
}

/** Runs `asked.rings` cases, without features that the target lacks; throws `QueueMismatch` at the first wrong answer. */
export function runHostileDevice(target: DriverQueueTarget, asked: HostileDeviceOptions): HostileDeviceReport {
  expectCampaign('rings', asked.rings, asked)
  const options = negotiate(asked, target)
  const report: HostileDeviceReport = { rings: 0, completions: 0, faults: {} }
  const first = options.first ?? 0
  for (let number = first; number < first + options.rings; number++) {
    new HostileDeviceCase(target, options, number, report).run(options.steps ?? 16)
    report.rings++
  }
  return report
}

class HostileDeviceCase {
  readonly #target: DriverQueueTarget
  readonly #options: HostileDeviceOptions
  readonly #number: number
  readonly #report: HostileDeviceReport
  readonly #random: Random
  readonly #scene: RingScene
  readonly #driver: DriverQueueUnderTest
  /** Writable bytes of each head that the driver waits for. */
  readonly #outstanding = new Map<number, number>()
  /** Heads among them that this device has not pretended to use. */
  readonly #unused = new Set<number>()
  #usedIdx = 0
  #nextUsed = 0
  /** Elements that the target may know of from an earlier look. */
  #known = 0
  #broken = false

  constructor(target: DriverQueueTarget, options: HostileDeviceOptions, number: number, report: HostileDeviceReport) {
    const { seed, eventIdx, indirect } = options
    this.#random = new Random(seed, number)
    this.#target = target
    this.#options = options
    this.#number = number
    this.#report = report
    const size = 2 ** this.#random.between(0, 4)
    this.#scene = new RingScene({ size, eventIdx, indirect, startIndex: 0, commands: [] }, 0)
    this.#driver = this.#attempt('create', () => target.create(this.#scene.memory, this.#scene.ring))
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      for (let i = this.#random.between(0, 3); i > 0; i--) this.#add()
      this.#attempt('publish', () => this.#driver.publish?.())
      if (this.#random.chance(0.8)) this.#complete()
      else this.#lie()
      if (this.#random.chance(0.2)) this.#scribble()
      while (this.#random.chance(0.7) && this.#reap());
    }
    this.#settle()
  }

  #add(): void {
    const random = this.#random
    const count = random.between(1, Math.min(this.#scene.ring.size, 4))
    const buffers = Array.from({ length: count }, () => this.#scene.buffer(random.between(0, 64)))
    const readable = random.between(0, count)
    const direct = this.#scene.ring.indirect ? random.between(0, count) : count
    const writable = buffers.slice(readable)
    const head = this.#attempt('add', () => addedOf(this.#driver.add(buffers.slice(0, readable), writable, direct)))
    if (head === -1) return
    if (this.#outstanding.has(head)) this.#fail(`add gave out head ${head} again`)
    this.#outstanding.set(
      head,
      writable.reduce((sum, { length }) => sum + length, 0),
    )
    this.#unused.add(head)
  }

  #complete(): void {
    if (this.#unused.size === 0) return
    const head = this.#random.pick([...this.#unused])
    this.#unused.delete(head)
    this.#use(head, this.#random.between(0, this.#outstanding.get(head) ?? 0))
  }

  #lie(): void {
    const random = this.#random
    const { size } = this.#scene.ring
    const [head, capacity] = random.pick([...this.#outstanding, [random.between(0, size - 1), 0] as const])
    switch (random.between(0, 3)) {
      case 0: // a head that is not out, that comes back twice, that is another's middle; or no head at all
        this.#use(random.pick([random.between(0, size), size, 0xffff, 0x1_0000 + head, random.u32()]), 0)
        break
      case 1:
        this.#use(head, random.pick([capacity + 1, 2 ** 31, 2 ** 32 - 1]))
        break
      case 2: // idx leaps, or goes back
        this.#usedIdx = (this.#usedIdx + random.pick([1, size, size + 1, 0x8000, 0xffff])) & 0xffff
        this.#scene.memory.writeU16(usedIdxAt(this.#scene.ring), this.#usedIdx)
        break
      default: // an element is rewritten after it was shown
        this.#scene.memory.writeU32(
          usedElementAt(this.#scene.ring, random.between(0, size - 1)),
          random.between(0, size),
        )
    }
  }

  #use(id: number, writtenBytes: number): void {
    const { memory, ring } = this.#scene
    memory.writeU32(usedElementAt(ring, this.#usedIdx), id)
    memory.writeU32(usedElementAt(ring, this.#usedIdx) + 4, writtenBytes)
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff
    memory.writeU16(usedIdxAt(ring), this.#usedIdx)
  }

  /** The driver wrote these areas and must not read them back. */
  #scribble(): void {
    const { memory, ring } = this.#scene
    const random = this.#random
    memory.writeU32(ring.descriptorArea + 4 * random.between(0, descriptorAreaBytes(ring.size) / 4 - 1), random.u32())
    memory.writeU16(
      ring.descriptorArea + DESCRIPTOR_BYTES * random.between(0, ring.size - 1) + 14,
      random.u32() & 0xffff,
    )
    memory.writeU16(random.pick([availFlagsAt(ring), availIdxAt(ring)]), random.between(0, 0xffff))
  }

  /** True: something came back. */
  #reap(): boolean {
    const { memory, ring } = this.#scene
    const answers = usedAnswers(memory, ring, this.#nextUsed, this.#outstanding, this.#known)
    const waiting = (memory.readU16(usedIdxAt(ring)) - this.#nextUsed) & 0xffff
    if (waiting <= this.#outstanding.size) this.#known = Math.max(this.#known, waiting)
    const result = this.#attempt('reap', () => reapedOf(this.#driver.reap()))
    if (this.#broken) {
      if (result?.kind === 'used') this.#fail(`reaped ${describe(result)} from a broken ring`)
      return false
    }
    const answer = answers.find((candidate) => agreesOnUsed(result, candidate))
    if (!answer) return this.#fail(`reaped ${describe(result)} where ${answers.map(describe).join(' or ')} was due`)
    if (answer.kind === 'nothing') return false
    if (answer.kind === 'fault') {
      this.#broken = true
      const rule = answer.rules[0]!
      this.#report.faults[rule] = (this.#report.faults[rule] ?? 0) + 1
      return false
    }
    this.#report.completions++
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff
    if (this.#known > 0) this.#known--
    this.#outstanding.delete(answer.id)
    this.#unused.delete(answer.id)
    return true
  }

  /** A driver that has seen no lie can be brought to rest, and then has its whole ring again. */
  #settle(): void {
    while (this.#reap());
    while (!this.#broken && this.#unused.size > 0) {
      this.#complete()
      while (this.#reap());
    }
    if (this.#broken || this.#outstanding.size > 0) return
    const { size } = this.#scene.ring
    for (let i = 0; i < size; i++) {
      const head = this.#attempt('add', () => addedOf(this.#driver.add([this.#scene.buffer(1)], [], 1)))
      if (head === -1 || this.#outstanding.has(head))
        this.#fail(`add returned ${head} with ${size - i} descriptors free`)
      this.#outstanding.set(head, 0)
    }
  }

  #attempt<T>(what: string, action: () => T): T {
    try {
      return action()
    } catch (error) {
      return this.#fail(failureOf(what, error), error)
    }
  }

  #fail(sentence: string, cause?: unknown): never {
    const { seed, eventIdx, indirect } = this.#options
    const replay = `replay: { seed: ${seed}, eventIdx: ${eventIdx}, indirect: ${indirect}, first: ${this.#number}, rings: 1 }`
    const evidence = `${replay}\n${drawRing(this.#scene.memory, this.#scene.ring, this.#nextUsed)}`
    throw new QueueMismatch(`${this.#target.name}: ${sentence}`, evidence, { cause })
  }
}

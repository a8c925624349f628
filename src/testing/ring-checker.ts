/**
 * Watches a split ring in somebody's test, whoever drives it: real devices, real drivers, a whole simulator. It reads the bytes
 * that both sides show, keeps its own books, and throws `QueueMismatch` when they do not balance.
 *
 *     const checker = new RingChecker(memory, ring)
 *     // after every step:   checker.observe()
 *     // around the device:  checker.confined(() => device.poll())
 *     // in the end:         checker.expectIdle()
 */
import { checkBoolean, checkInteger, MAX_U16 } from '../internal/check-option.ts'
import type { GuestMemory } from '../memory/index.ts'
import { drawRing, hex } from './format/split/draw-ring.ts'
import {
  type ByteRange,
  mustInterrupt,
  mustKick,
  nextAvailable,
  nextUsed,
} from './format/split/reference-split-ring.ts'
import { availIdxAt, deviceAreaBytes, type SplitRing, usedIdxAt } from './format/split/split-ring-format.ts'
import { QueueMismatch } from './mismatch.ts'

/** Options of `RingChecker`. */
export interface RingCheckerOptions {
  /** IN_ORDER: chains come back in the order in which they were made available. Default false. */
  readonly inOrder?: boolean
  /** Where both indices stand when the checker begins. Default 0. */
  readonly index?: number
}

interface Offered {
  readonly writableBytes: number
  readonly writable: readonly ByteRange[]
}

/**
 * Watches a split ring in somebody's test, whoever drives it, and throws `QueueMismatch` when what both sides show does
 * not balance.
 */
export class RingChecker {
  readonly #memory: GuestMemory
  readonly #ring: SplitRing
  readonly #inOrder: boolean
  /** Chains that are with the device, in the order in which they came. */
  readonly #out = new Map<number, Offered>()
  /** Writable bytes of those, as the specification's driver side wants them. */
  readonly #sizes = new Map<number, number>()
  #availIdx: number
  #usedIdx: number
  /** Used idx when the driver was told last, and available idx when the device was. */
  #toldUsed: number
  #toldAvail: number

  constructor(memory: GuestMemory, ring: SplitRing, { inOrder = false, index = 0 }: RingCheckerOptions = {}) {
    checkInteger('index', index, 0, MAX_U16)
    checkBoolean('inOrder', inOrder)
    this.#memory = memory
    this.#ring = ring
    this.#inOrder = inOrder
    this.#availIdx = this.#usedIdx = this.#toldUsed = this.#toldAvail = index
  }

  /** How many chains are with the device. */
  get outstanding(): number {
    return this.#out.size
  }

  /**
   * Reads what was made available and what came back since the last time. Every chain is well-formed (IMP-VQS-09); each
   * comes back once (IMP-VQS-03), with no more bytes than it can hold (IMP-VQS-04), and in order where that was agreed.
   */
  observe(): void {
    for (;;) {
      const answer = nextAvailable(this.#memory, this.#ring, this.#availIdx, this.#out)
      if (answer.kind === 'nothing') break
      // A head that is offered again came back in the same breath.
      if (answer.kind === 'fault' && answer.rules[0] === 'head-in-flight' && this.#observeUsed()) continue
      if (answer.kind === 'fault') this.#fail(`the driver broke ${answer.rules.join(' / ')}`)
      this.#out.set(answer.id, { writableBytes: answer.writableBytes, writable: answer.writable })
      this.#sizes.set(answer.id, answer.writableBytes)
      this.#availIdx = (this.#availIdx + 1) & 0xffff
    }
    while (this.#observeUsed());
  }

  /** One used element; false: there is none. */
  #observeUsed(): boolean {
    const answer = nextUsed(this.#memory, this.#ring, this.#usedIdx, this.#sizes)
    if (answer.kind === 'nothing') return false
    if (answer.kind === 'fault') return this.#fail(`the device broke ${answer.rules.join(' / ')}`)
    const [oldest] = this.#out.keys()
    if (this.#inOrder && answer.id !== oldest) {
      this.#fail(`chain ${answer.id} came back before ${oldest}, which was made available first`)
    }
    this.#out.delete(answer.id)
    this.#sizes.delete(answer.id)
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff
    return true
  }

  /** The driver was interrupted, and will look at everything that is there now. */
  interrupted(): void {
    this.#toldUsed = this.#memory.readU16(usedIdxAt(this.#ring))
  }

  /** The device was kicked. */
  kicked(): void {
    this.#toldAvail = this.#memory.readU16(availIdxAt(this.#ring))
  }

  /** To be asked when both sides are about to sleep: neither waits for a notification that will not come. */
  expectNotified(): void {
    const usedIdx = this.#memory.readU16(usedIdxAt(this.#ring))
    if (mustInterrupt(this.#memory, this.#ring, this.#toldUsed, usedIdx)) {
      this.#fail(`used idx went from ${this.#toldUsed} to ${usedIdx}, and the driver was not interrupted`)
    }
    const availIdx = this.#memory.readU16(availIdxAt(this.#ring))
    if (mustKick(this.#memory, this.#ring, this.#toldAvail, availIdx)) {
      this.#fail(`available idx went from ${this.#toldAvail} to ${availIdx}, and the device was not kicked`)
    }
  }

  /** Conservation: everything that was made available has come back. */
  expectIdle(): void {
    this.observe()
    if (this.#out.size > 0) this.#fail(`chains ${[...this.#out.keys()].join(', ')} never came back`)
  }

  /** Both sides were reset, and the ring zeroed. */
  reset(): void {
    this.#out.clear()
    this.#sizes.clear()
    this.#availIdx = this.#usedIdx = this.#toldUsed = this.#toldAvail = 0
  }

  /**
   * Runs the device: it may write the device area, and what it was given to write, and nothing else of guest memory. With
   * `live: false`, as after a reset, it may write nothing at all. Compares all of memory: for tests, not for soaks.
   */
  confined<T>(device: () => T, { live = true } = {}): T {
    this.observe()
    const allowed: ByteRange[] = [...this.#out.values()].flatMap(({ writable }) => writable)
    allowed.push({ address: this.#ring.deviceArea, length: deviceAreaBytes(this.#ring.size) })
    const before = this.#memory.regions.map(({ base, size }) => this.#read(base, size))
    const result = device()
    this.#memory.regions.forEach(({ base, size }, region) => {
      const after = this.#read(base, size)
      if (live) for (const { address, length } of allowed) blot(before[region]!, after, address - base, length)
      const at = after.findIndex((byte, i) => byte !== before[region]![i])
      if (at >= 0) {
        const what = live ? 'which nobody gave it' : 'after the reset'
        this.#fail(`the device wrote at ${hex(base + at)}, ${what}`)
      }
    })
    return result
  }

  #read(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.#memory.read(address, bytes)
    return bytes
  }

  #fail(sentence: string): never {
    throw new QueueMismatch(sentence, drawRing(this.#memory, this.#ring, this.#usedIdx))
  }
}

/** Makes a range look alike in both. */
function blot(before: Uint8Array, after: Uint8Array, offset: number, length: number): void {
  const from = Math.max(0, offset)
  const to = Math.min(after.length, offset + length)
  if (from < to) after.set(before.subarray(from, to), from)
}

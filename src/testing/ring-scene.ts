/**
 * The scene of a comparison: one ring in a small memory of its own, and the means by which the two witnesses look at it. What a
 * side does runs under `watch`, which turns an exception, or a byte written where only the peer may write, into a mismatch.
 */

import { GuestMemory } from '../memory/index.ts'
import { failureOf } from './answers.ts'
import { drawRing } from './format/split/draw-ring.ts'
import type { ByteRange } from './format/split/reference-split-ring.ts'
import {
  availEventAt,
  availIdxAt,
  deviceAreaBytes,
  driverAreaBytes,
  usedEventAt,
  usedIdxAt,
} from './format/split/split-ring-format.ts'
import { QueueMismatch } from './mismatch.ts'
import { commandAt, printProgram, type QueueProgram } from './queue-program.ts'
import type { DriverRing } from './queue-targets.ts'
import { layOutRing } from './ring-layout.ts'

const DATA_BYTES = 0x4000

export class RingScene {
  readonly memory: GuestMemory
  readonly ring: DriverRing
  /** Index of the command that runs now. */
  position = 0
  readonly #program: QueueProgram
  readonly #data: number
  #dataCursor = 0
  /** Of the area that is watched; one for all calls, because there are very many. */
  readonly #before: Uint8Array
  readonly #after: Uint8Array

  /** `own`: the memory that a target brought; what the scene needs of it is zeroed. */
  constructor(program: QueueProgram, startIndex: number, own?: GuestMemory) {
    const { ring, end } = layOutRing(program)
    this.#program = program
    const bytes = end + DATA_BYTES - ring.descriptorArea
    this.memory = own ?? GuestMemory.ofSize(bytes, ring.descriptorArea)
    own?.fill(ring.descriptorArea, bytes, 0)
    this.#data = end
    this.ring = ring
    const watchedBytes = ring.tableArea - ring.descriptorArea
    this.#before = new Uint8Array(watchedBytes)
    this.#after = new Uint8Array(watchedBytes)
    for (const fieldAt of [availIdxAt, usedIdxAt, usedEventAt, availEventAt]) {
      this.memory.writeU16(fieldAt(this.ring), startIndex)
    }
  }

  /** The next bytes of the data area: consecutive buffers touch, so that a range says nothing about how it was cut. */
  buffer(length: number): ByteRange {
    if (this.#dataCursor + length > DATA_BYTES) this.#dataCursor = 0
    const address = this.#data + this.#dataCursor
    this.#dataCursor += length
    return { address, length }
  }

  clearRings(): void {
    this.memory.fill(this.ring.driverArea, driverAreaBytes(this.ring.size), 0)
    this.memory.fill(this.ring.deviceArea, deviceAreaBytes(this.ring.size), 0)
  }

  /** IMP-VQS-02: the device area is the device's, everything before it the driver's. VQS-DESC-DEV-04 follows. */
  watch<T>(side: 'device' | 'driver', action: () => T): T {
    const { descriptorArea, driverArea, deviceArea, size } = this.ring
    return side === 'device'
      ? this.#watchArea(side, descriptorArea, driverArea + driverAreaBytes(size) - descriptorArea, action)
      : this.#watchArea(side, deviceArea, deviceAreaBytes(size), action)
  }

  /**
   * Without EVENT_IDX a flag asks for silence; with it flags stay 0, and whoever wants to be notified names the next entry
   * (VQS-NTF-DRV-01, VQS-NTF-DRV-03, VQS-NTF-DEV-07, VQS-NTF-DEV-09).
   */
  expectSuppression(on: boolean, flagsAt: number, eventAt: number, nextIndex: number): void {
    const flags = this.memory.readU16(flagsAt)
    const due = this.ring.eventIdx || on ? 0 : 1
    if (flags !== due) this.fail(`flags are ${flags}, not ${due}`)
    const event = this.memory.readU16(eventAt)
    if (this.ring.eventIdx && on && event !== nextIndex) {
      this.fail(`the event index is ${event}, so entry ${nextIndex} would wake nobody`)
    }
  }

  fail(sentence: string, cause?: unknown): never {
    const where = commandAt(this.#program.commands, this.position)
    const { memory, ring } = this
    const evidence = `${drawRing(memory, ring, memory.readU16(usedIdxAt(ring)))}\n${printProgram(this.#program)}`
    throw new QueueMismatch(`${where}: ${sentence}`, evidence, { cause })
  }

  #watchArea<T>(side: string, area: number, bytes: number, action: () => T): T {
    const before = this.#before.subarray(0, bytes)
    const after = this.#after.subarray(0, bytes)
    this.memory.read(area, before)
    let result: T
    try {
      result = action()
    } catch (error) {
      return this.fail(failureOf(`the ${side}`, error), error)
    }
    this.memory.read(area, after)
    let at = bytes - 1
    while (at >= 0 && after[at] === before[at]) at--
    if (at >= 0) {
      this.fail(`the ${side} wrote at 0x${(area + at).toString(16)}, which only its peer may write (IMP-VQS-02)`)
    }
    return result
  }
}

/** Where a driver-side exhibit is shown: a ring, a hand that writes as any device could, and the driver under test. */
import { followChain, hex } from '../format/split/draw-ring.ts'
import { type ByteRange, nextAvailable } from '../format/split/reference-split-ring.ts'
import { splitFormat } from '../format/split/split-format.ts'
import {
  availEventAt,
  availIdxAt,
  deviceAreaBytes,
  driverAreaBytes,
  usedElementAt,
  usedEventAt,
  usedIdxAt,
} from '../format/split/split-ring-format.ts'
import type { DriverQueueTarget, DriverRing } from '../queue-targets.ts'
import { layOutRing } from '../ring-layout.ts'
import { HIGH } from './device-stage.ts'
import { ExhibitFailure } from './exhibit.ts'
import { AnyDriverStage, STAGE_BASE, succeeds } from './stage.ts'
import { WatchedMemory } from './watched-memory.ts'

const BASE = STAGE_BASE
const DATA_BYTES = 0x1000

export interface DriverStageOptions {
  readonly size?: number
  readonly eventIdx?: boolean
  readonly indirect?: boolean
  /** Where both counters begin; the target has `createAt`. */
  readonly index?: number
  /** The exhibit's: so many calls that none can be watched. */
  readonly long?: boolean
}

export class DriverStage extends AnyDriverStage {
  readonly ring: DriverRing
  /** Buffers go from here on. */
  readonly data: number
  readonly target: DriverQueueTarget
  #usedIdx = 0

  constructor(target: DriverQueueTarget, options: DriverStageOptions = {}) {
    const { size = 4, eventIdx = false, indirect = false, long = false, index = 0 } = options
    const laid = layOutRing({ size, eventIdx, indirect }, BASE)
    // The tables of a large ring would fill all memory.
    const large = size > 256 && !indirect
    const ring = large ? { ...laid.ring, tableLength: 0 } : laid.ring
    const end = large ? ring.tableArea : laid.end
    const parts = [{ base: BASE, bytes: end + DATA_BYTES - BASE }, ...(target.ownMemory ? [] : [HIGH])]
    const ram = new WatchedMemory(parts, long, target.ownMemory)
    const { deviceArea } = ring
    const rules = {
      noun: 'head',
      wrongStore: (address: number, bytes: number) =>
        address + bytes > deviceArea && address < deviceArea + deviceAreaBytes(size)
          ? `at ${hex(address)}, in the device's area`
          : null,
    }
    if (index !== 0) splitFormat.begin(ram.memory, ring, index)
    super(ram, rules, () =>
      index === 0 ? target.create(ram.targetMemory, ring) : target.createAt!(ram.targetMemory, ring, index),
    )
    this.ring = ring
    this.data = end
    this.target = target
    this.#usedIdx = index
  }

  // ---- the device's hand

  /** Writes one used element without showing it. */
  element(index: number, id: number, length: number): void {
    const at = usedElementAt(this.ring, index)
    this.ram.memory.writeU32(at, id)
    this.ram.memory.writeU32(at + 4, length)
  }

  /** Returns a chain as a device does. */
  use(id: number, length: number): void {
    this.element(this.#usedIdx, id, length)
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff
    this.setUsedIdx(this.#usedIdx)
  }

  /** Zeroes the rings, as a driver does before it uses them again. */
  clearRings(): void {
    const { driverArea, deviceArea, size } = this.ring
    this.ram.memory.fill(driverArea, driverAreaBytes(size), 0)
    this.ram.memory.fill(deviceArea, deviceAreaBytes(size), 0)
    this.#usedIdx = 0
  }

  /** Over zeroed rings. */
  reset(): void {
    this.clearRings()
    this.call('reset', (driver) => driver.reset())
  }

  setUsedIdx(value: number): void {
    this.ram.memory.writeU16(usedIdxAt(this.ring), value)
  }

  setAvailEvent(value: number): void {
    this.ram.memory.writeU16(availEventAt(this.ring), value)
  }

  get usedEvent(): number {
    return this.ram.memory.readU16(usedEventAt(this.ring))
  }

  get availIdx(): number {
    return this.ram.memory.readU16(availIdxAt(this.ring))
  }

  // ---- the driver

  /** Adds and publishes one chain of one-byte-aligned buffers, which must fit; returns its head. */
  add(readableBytes: readonly number[], writableBytes: readonly number[]): number {
    const head = this.addQuietly(readableBytes, writableBytes)
    if (head === -1) throw new ExhibitFailure('add found no room where there was enough')
    return head
  }

  /** The same; -1: no room. */
  addQuietly(readableBytes: readonly number[], writableBytes: readonly number[]): number {
    let at = this.data
    const ranges = (lengths: readonly number[]): ByteRange[] =>
      lengths.map((length) => {
        at += length
        return { address: at - length, length }
      })
    const [readable, writable] = [ranges(readableBytes), ranges(writableBytes)]
    return this.addRanges(readable, writable, readable.length + writable.length)
  }

  // ---- judging

  /** Over zeroed rings, the whole ring can be used and comes back, no descriptor in two chains. */
  works(): boolean {
    const { size } = this.ring
    this.clearRings()
    return succeeds(() => {
      const heads = this.fill()
      for (const head of heads) {
        this.use(head, 1)
        this.reaped(head, 1)
      }
      return heads.length === size
    })
  }

  /** Adds chains of one buffer until there is no room, and checks what a device would see. */
  fill(): number[] {
    const heads: number[] = []
    const slots = new Set<number>()
    for (let i = 0; i <= this.ring.size; i++) {
      const from = this.availIdx
      const head = this.addQuietly([], [16])
      if (head === -1) break
      const due = nextAvailable(this.ram.memory, this.ring, from, new Set())
      if (due.kind !== 'chain' || due.id !== head || due.writableBytes !== 16) {
        throw new ExhibitFailure(`chain ${head} does not stand in the ring as it was added`)
      }
      for (const { index } of followChain(this.ram.memory, this.ring, head, this.ring.size + 1)) {
        if (slots.has(index)) throw new ExhibitFailure(`descriptor ${index} is in two chains at once`)
        slots.add(index)
      }
      heads.push(head)
    }
    return heads
  }
}

/** Where a driver-side exhibit is shown: a ring, a hand that writes as any device could, and the driver under test. */
import { addedOf, reapedOf } from '../answers.ts'
import { followChain, hex } from '../format/split/draw-ring.ts'
import { type ByteRange, nextAvailable } from '../format/split/reference-split-ring.ts'
import {
  availEventAt,
  availIdxAt,
  deviceAreaBytes,
  driverAreaBytes,
  usedElementAt,
  usedEventAt,
  usedIdxAt,
} from '../format/split/split-ring-format.ts'
import type { DriverQueueTarget, DriverQueueUnderTest, DriverRing, TargetFault, UsedElement } from '../queue-targets.ts'
import { layOutRing } from '../ring-layout.ts'
import { callTarget } from './call-target.ts'
import { ExhibitFailure, type Verdict } from './exhibit.ts'
import { WatchedMemory } from './watched-memory.ts'

const BASE = 0x1_0000
const DATA_BYTES = 0x1000

export interface DriverStageOptions {
  readonly size?: number
  readonly eventIdx?: boolean
  /** The exhibit's: so many calls that none can be watched. */
  readonly long?: boolean
}

export class DriverStage {
  readonly ring: DriverRing
  readonly ram: WatchedMemory
  /** Buffers go from here on. */
  readonly data: number
  readonly target: DriverQueueTarget
  #driver: DriverQueueUnderTest
  #usedIdx = 0

  constructor(target: DriverQueueTarget, options: DriverStageOptions = {}) {
    const { size = 4, eventIdx = false, long = false } = options
    const { ring, end } = layOutRing({ size, eventIdx, indirect: false }, BASE)
    this.ring = ring
    this.data = end
    const parts = [{ base: BASE, bytes: this.data + DATA_BYTES - BASE }]
    this.ram = new WatchedMemory(parts, long, target.ownMemory)
    this.target = target
    this.#driver = this.call('create', () => target.create(this.ram.targetMemory, this.ring))
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

  /** Calls the target: an exception, an endless loop, or a byte written into the device area is a failure. */
  call<T>(what: string, action: (driver: DriverQueueUnderTest) => T): T {
    const result = callTarget(this.ram, what, () => action(this.#driver))
    // A driver may lay out the whole ring before the device is told of it.
    if (what === 'create' || what === 'reset') return result
    const { deviceArea, size } = this.ring
    for (const { address, bytes } of this.ram.stores) {
      if (address + bytes > deviceArea && address < deviceArea + deviceAreaBytes(size)) {
        throw new ExhibitFailure(`${what} wrote at ${hex(address)}, in the device's area`)
      }
    }
    return result
  }

  /** Adds and publishes one chain of one-byte-aligned buffers; returns its head, or -1. */
  add(readableBytes: readonly number[], writableBytes: readonly number[]): number {
    let at = this.data
    const ranges = (lengths: readonly number[]): ByteRange[] =>
      lengths.map((length) => {
        at += length
        return { address: at - length, length }
      })
    const [readable, writable] = [ranges(readableBytes), ranges(writableBytes)]
    const head = this.call('add', (driver) =>
      addedOf(driver.add(readable, writable, readable.length + writable.length)),
    )
    this.call('publish', (driver) => driver.publish?.())
    return head
  }

  reap(): UsedElement | TargetFault | null {
    return this.call('reap', (driver) => reapedOf(driver.reap()))
  }

  wantsNotification(): boolean {
    return this.call('wantsNotification', (driver) => driver.wantsNotification())
  }

  setNotifications(on: boolean): boolean {
    return this.call('setNotifications', (driver) => driver.setNotifications?.(on)) ?? false
  }

  // ---- judging

  /** The next used element is this one. */
  reaped(id: number, writtenBytes: number): void {
    const answer = this.reap()
    if (answer?.kind !== 'used' || answer.id !== id || answer.writtenBytes !== writtenBytes) {
      const what =
        answer === null ? 'nothing' : answer.kind === 'used' ? `head ${answer.id}` : `the fault ${answer.rule}`
      throw new ExhibitFailure(`reaped ${what} where head ${id} with ${writtenBytes} bytes was due`)
    }
  }

  /** What the device just returned is a lie. REJECT: the driver stopped believing it, and a reset brings the queue back. */
  refused(): Verdict {
    const answer = this.reap()
    if (answer?.kind === 'used') {
      throw new ExhibitFailure(`believed head ${answer.id} with ${answer.writtenBytes} bytes`)
    }
    this.call('reset', (driver) => driver.reset())
    if (this.works()) return 'REJECT'
    this.#driver = this.call('create', () => this.target.create(this.ram.targetMemory, this.ring))
    if (this.works()) return 'WEDGED'
    throw new ExhibitFailure('works no more, even as a new queue')
  }

  /** Over zeroed rings, the whole ring can be used and comes back, no descriptor in two chains. */
  works(): boolean {
    const { driverArea, deviceArea, size } = this.ring
    this.ram.memory.fill(driverArea, driverAreaBytes(size), 0)
    this.ram.memory.fill(deviceArea, deviceAreaBytes(size), 0)
    this.#usedIdx = 0
    try {
      const heads = this.fill()
      for (const head of heads) {
        this.use(head, 1)
        this.reaped(head, 1)
      }
      return heads.length === size
    } catch (error) {
      if (error instanceof ExhibitFailure) return false
      throw error
    }
  }

  /** Adds chains of one buffer until there is no room, and checks what a device would see. */
  fill(): number[] {
    const heads: number[] = []
    const slots = new Set<number>()
    for (let i = 0; i <= this.ring.size; i++) {
      const from = this.availIdx
      const head = this.add([], [16])
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

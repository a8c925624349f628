/** Where a device-side exhibit of the split ring is shown, and the hand that writes as any driver could. */

import { VirtioError } from '../../internal/error.ts'
import { hex } from '../format/split/draw-ring.ts'
import { splitFormat } from '../format/split/split-format.ts'
import {
  availElementAt,
  availIdxAt,
  deviceAreaBytes,
  driverAreaBytes,
  usedElementAt,
  usedIdxAt,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  type WideAddress,
  writeDescriptor,
} from '../format/split/split-ring-format.ts'
import type { DeviceQueueTarget, DriverRing, SavedDeviceQueue, TakenChain } from '../queue-targets.ts'
import { align, layOutRing } from '../ring-layout.ts'
import { TargetGone } from './bounded-call.ts'
import { ExhibitFailure, NotShown, type Verdict } from './exhibit.ts'
import { AnyDeviceStage, STAGE_BASE, succeeds } from './stage.ts'
import { isEndless, WatchedMemory } from './watched-memory.ts'

/** The ring, tables and buffers lie here; behind it comes a hole, unless the target brought memory of its own. */
const RAM = { base: STAGE_BASE, bytes: 0x1_0000 } as const
/** Behind the hole. */
const SECOND = { base: 0x400_0000, bytes: 0x2000 } as const

/** Above 4 GiB, and with low words that are in RAM as well: whoever drops the high ones finds other bytes. */
export const HIGH = { base: 0x1_0001_8000, bytes: 0x2000 } as const

export interface StageOptions {
  readonly size?: number
  readonly eventIdx?: boolean
  /** The exhibit's: so many calls that none can be watched. */
  readonly long?: boolean
  /** More RAM from `RAM.base` on, for buffers that add up. */
  readonly bytes?: number
  /** Where both counters begin; the target has `createAt`. */
  readonly index?: number
}

export interface Segment {
  readonly address: WideAddress
  readonly length: number
  readonly writable?: boolean
}

export const readable = (address: WideAddress, length: number): Segment => ({ address, length })
export const writable = (address: WideAddress, length: number): Segment => ({ address, length, writable: true })

/** Flags of a descriptor, for hands that write descriptors one by one. */
export const NEXT = VIRTQ_DESC_F_NEXT
export const WRITE = VIRTQ_DESC_F_WRITE
export const INDIRECT = VIRTQ_DESC_F_INDIRECT

export class DeviceStage extends AnyDeviceStage {
  readonly ring: DriverRing
  /** Memory from the lowest address up, with holes between. */
  readonly areas: readonly { readonly base: number; readonly end: number }[]
  /** First byte behind the ring: tables and buffers go from here on. */
  readonly heap: number
  readonly target: DeviceQueueTarget
  #availIdx = 0

  constructor(target: DeviceQueueTarget, options: StageOptions = {}) {
    const { size = 8, eventIdx = false, long = false, bytes = RAM.bytes, index = 0 } = options
    const indirect = !target.lacks?.includes('indirect')
    const { ring } = layOutRing({ size, eventIdx, indirect }, RAM.base)
    const parts = target.ownMemory ? [{ base: RAM.base, bytes }] : [{ base: RAM.base, bytes }, SECOND, HIGH]
    const ram = new WatchedMemory(parts, long, target.ownMemory)
    const { deviceArea } = ring
    const rules = {
      noun: 'chain',
      wrongStore: (address: number, bytes: number) =>
        address < deviceArea || address + bytes > deviceArea + deviceAreaBytes(size)
          ? `${bytes} bytes at ${hex(address)}, which are not the device's to write`
          : null,
    }
    if (index !== 0) splitFormat.begin(ram.memory, ring, index)
    super(ram, rules, () =>
      index === 0 ? target.create(ram.targetMemory, ring) : target.createAt!(ram.targetMemory, ring, index),
    )
    this.ring = ring
    this.heap = align(ring.tableArea, 0x100)
    this.areas = ram.memory.regions.filter(({ base }) => base < HIGH.base)
    this.#availIdx = index
    this.target = target
  }

  // ---- the driver's hand

  /** Writes one descriptor of the ring, or of a table. */
  descriptor(
    index: number,
    address: WideAddress,
    length: number,
    flags: number,
    next = 0,
    table: number = RAM.base,
  ): void {
    writeDescriptor(this.ram.memory, table, index, { address, length, flags, next })
  }

  /** Writes `segments` as a chain from descriptor `head` on. */
  chain(head: number, segments: readonly Segment[], table: number = RAM.base): void {
    segments.forEach(({ address, length, writable: write }, i) => {
      const more = i + 1 < segments.length
      this.descriptor(
        head + i,
        address,
        length,
        (more ? NEXT : 0) | (write ? WRITE : 0),
        more ? head + i + 1 : 0,
        table,
      )
    })
  }

  /** Puts heads into the available ring and publishes them. */
  offer(...heads: readonly number[]): void {
    for (const head of heads) {
      this.ram.memory.writeU16(availElementAt(this.ring, this.#availIdx), head)
      this.#availIdx = (this.#availIdx + 1) & 0xffff
    }
    this.setAvailIdx(this.#availIdx)
  }

  setAvailIdx(value: number): void {
    this.ram.memory.writeU16(availIdxAt(this.ring), value)
  }

  get usedIdx(): number {
    return this.ram.memory.readU16(usedIdxAt(this.ring))
  }

  used(index: number): { id: number; length: number } {
    const at = usedElementAt(this.ring, index)
    return { id: this.ram.memory.readU32(at), length: this.ram.memory.readU32(at + 4) }
  }

  // ---- the device

  /** True: saved and restored. */
  reload(): boolean {
    return this.call('reload', (device) => {
      device.reload?.()
      return device.reload !== undefined
    })
  }

  /** One turn of the device; null: the target has none. */
  turn(): boolean | null {
    return this.call('turn', (device) => device.turn?.() ?? null)
  }

  /**
   * A new device over the rings of one that went away in this state. False: it refused to be restored, and is as new. Throws
   * `NotShown` when the target cannot be restored at all.
   */
  restored(saved: SavedDeviceQueue): boolean {
    this.#availIdx = saved.nextAvailable
    this.setAvailIdx(saved.nextAvailable)
    this.ram.memory.writeU16(usedIdxAt(this.ring), saved.usedIndex)
    this.remake()
    return this.call('restore', (device) => {
      if (device.restore === undefined) throw new NotShown('the target cannot be restored')
      try {
        device.restore(saved)
        return true
      } catch (error) {
        if (isEndless(error) || error instanceof TargetGone) throw error
        if (error instanceof VirtioError && error.code === 'UNSUPPORTED') throw new NotShown(error.message)
        return false
      }
    })
  }

  /** Throws the device away, and starts anew over zeroed rings. */
  renew(): void {
    this.clearRings()
    this.remake()
  }

  reset(): void {
    this.call('reset', (device) => device.reset())
  }

  /** Zeroes the rings, as a driver does before it uses them again. */
  clearRings(): void {
    const { driverArea, deviceArea, size } = this.ring
    this.ram.memory.fill(driverArea, driverAreaBytes(size), 0)
    this.ram.memory.fill(deviceArea, deviceAreaBytes(size), 0)
    this.#availIdx = 0
  }

  // ---- judging

  /** The next chain is `head` with exactly these bytes; returns it. */
  served(head: number, segments: readonly Segment[]): TakenChain {
    const due = (write: boolean) =>
      segments
        .filter((segment) => (segment.writable ?? false) === write)
        .map(({ address, length }) => ({ address: address as number, length }))
    const legal = ': it is legal and must be served'
    return this.isChain(this.take(), head, { readable: due(false), writable: due(true) }, legal)
  }

  /** Returns `head` with `writtenBytes`, and looks at what the driver then sees. */
  returns(head: number, writtenBytes: number): void {
    const index = this.usedIdx
    this.complete(head, writtenBytes)
    this.publish()
    this.#sees(index, head, writtenBytes)
  }

  #sees(index: number, head: number, writtenBytes: number): void {
    const { id, length } = this.used(index)
    const idx = this.usedIdx
    if (idx !== ((index + 1) & 0xffff)) throw new ExhibitFailure(`used idx is ${idx}, not ${(index + 1) & 0xffff}`)
    if (id !== head || length !== writtenBytes) {
      throw new ExhibitFailure(
        `the used element is { id: ${id}, len: ${length} }, not { id: ${head}, len: ${writtenBytes} }`,
      )
    }
  }

  /**
   * What was just offered breaks a rule. PASS: its head came back unused and the queue goes on. REJECT: the queue stopped, and
   * a reset brings it back. WEDGED: only a new queue works.
   */
  refused(head = -1): Verdict {
    const before = this.usedIdx
    const answer = this.take()
    if (answer?.kind === 'chain') throw new ExhibitFailure(`took chain ${answer.id}, which breaks a rule`)
    this.publish()
    if (answer?.returned) {
      if (head >= 0 && answer.id !== head) throw new ExhibitFailure(`gave back head ${answer.id}, not ${head}`)
      this.#sees(before, answer.id, 0)
      return this.works() ? 'PASS' : this.recovers()
    }
    if (this.usedIdx !== before) throw new ExhibitFailure('stopped, and still moved used idx')
    // Silent and working: then the chain, or what is behind it, was lost.
    if (answer === null && this.works()) throw new ExhibitFailure('passed over the chain, and never gave it back')
    return this.recovers()
  }

  /** A reset brings it back: REJECT; only a new queue does: WEDGED. */
  recovers(): Verdict {
    return this.recovered({
      reset: () => {
        this.reset()
        this.clearRings()
      },
      renew: () => this.renew(),
      works: () => this.works(),
      nothing: 'serves nothing any more, even as a new queue',
    })
  }

  /** An honest chain is served and comes back. */
  works(): boolean {
    const head = this.ring.size - 1
    const segments = [writable(this.heap, 4)]
    this.chain(head, segments)
    this.offer(head)
    return succeeds(() => {
      this.served(head, segments)
      this.returns(head, 4)
      return true
    })
  }
}

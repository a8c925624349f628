/**
 * The plainest device and driver that keep every rule, one descriptor and one element at a time, straight from bytes. They
 * play the side that a comparison has no target for. Slow, trusting nothing but `reference-split-ring.ts`.
 */
import { assert } from '../../../internal/assert.ts'
import { VirtioError } from '../../../internal/error.ts'
import type {
  DeviceQueueTarget,
  DeviceQueueUnderTest,
  DriverQueueTarget,
  DriverQueueUnderTest,
  DriverRing,
  SavedDeviceQueue,
  TakenChain,
  TargetFault,
  UsedElement,
} from '../../queue-targets.ts'
import { hex } from './draw-ring.ts'
import { type ByteRange, nextAvailable, nextUsed, type ReferenceFault } from './reference-split-ring.ts'
import { mustNotify } from './split-format.ts'
import {
  availElementAt,
  availEventAt,
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  type RingMemory,
  type SplitRing,
  usedElementAt,
  usedEventAt,
  usedFlagsAt,
  usedIdxAt,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
  type WritableRingMemory,
  writeDescriptor,
} from './split-ring-format.ts'

const next = (index: number): number => (index + 1) & 0xffff

function refuseOutside(memory: RingMemory, ring: SplitRing): void {
  const areas = [
    [ring.descriptorArea, descriptorAreaBytes(ring.size)],
    [ring.driverArea, driverAreaBytes(ring.size)],
    [ring.deviceArea, deviceAreaBytes(ring.size)],
  ] as const
  if (!areas.every(([address, bytes]) => memory.contains(address, bytes))) {
    throw new VirtioError('INVALID_RING', `a ring of ${ring.size} at ${hex(ring.descriptorArea)} is not all in memory`)
  }
}

/** A device that does what the specification says, as simply as it can. */
export class ReferenceDevice implements DeviceQueueUnderTest {
  readonly #memory: WritableRingMemory
  readonly #ring: SplitRing
  /** Writable bytes of each. */
  readonly #inFlight = new Map<number, number>()
  #nextAvail: number
  #usedIdx: number
  #publishedIdx: number
  #notifiedIdx: number
  /** Published since, which may be a turn of the counter and more. */
  #unnotified = 0
  #broken = false

  constructor(memory: WritableRingMemory, ring: SplitRing, index = 0) {
    // IMP-VQS-09: a ring that is not memory is refused before anything is read of it.
    refuseOutside(memory, ring)
    this.#memory = memory
    this.#ring = ring
    this.#nextAvail = this.#usedIdx = this.#publishedIdx = this.#notifiedIdx = index
  }

  take(): TakenChain | TargetFault | null {
    if (this.#broken) return null
    const answer = nextAvailable(this.#memory, this.#ring, this.#nextAvail, this.#inFlight)
    if (answer.kind === 'nothing') return null
    if (answer.kind === 'fault') {
      this.#broken = true
      return asTargetFault(answer)
    }
    this.#nextAvail = next(this.#nextAvail)
    this.#inFlight.set(answer.id, answer.writableBytes)
    return answer
  }

  complete(id: number, writtenBytes: number): void {
    const writableBytes = this.#inFlight.get(id) ?? -1
    assert(writtenBytes <= writableBytes, `head ${id} has ${writableBytes} writable bytes, not ${writtenBytes}`)
    this.completeWith(id, writtenBytes)
  }

  /** With any length, for those who lie on purpose. */
  completeWith(id: number, writtenBytes: number): void {
    assert(this.#inFlight.delete(id), `head ${id} is not in flight`)
    this.#memory.writeU32(usedElementAt(this.#ring, this.#usedIdx), id)
    this.#memory.writeU32(usedElementAt(this.#ring, this.#usedIdx) + 4, writtenBytes)
    this.#usedIdx = next(this.#usedIdx)
  }

  publish(): void {
    this.#unnotified += (this.#usedIdx - this.#publishedIdx) & 0xffff
    this.#publishedIdx = this.#usedIdx
    this.#memory.writeU16(usedIdxAt(this.#ring), this.#publishedIdx)
  }

  wantsNotification(): boolean {
    const wants = mustNotify(this.#memory, this.#ring, 'device', this.#notifiedIdx, this.#unnotified)
    this.#notifiedIdx = this.#publishedIdx
    this.#unnotified = 0
    return wants
  }

  setNotifications(on: boolean): boolean {
    // VQS-NTF-DEV-07, -09: silence is a flag only without EVENT_IDX; with it, the event is left where it was.
    if (this.#ring.eventIdx) {
      if (on) this.#memory.writeU16(availEventAt(this.#ring), this.#nextAvail)
    } else this.#memory.writeU16(usedFlagsAt(this.#ring), on ? 0 : VIRTQ_USED_F_NO_NOTIFY)
    return on && this.#memory.readU16(availIdxAt(this.#ring)) !== this.#nextAvail
  }

  reset(): void {
    this.#inFlight.clear()
    this.#nextAvail = this.#usedIdx = this.#publishedIdx = this.#notifiedIdx = this.#unnotified = 0
    this.#broken = false
  }

  /** Every chain that was taken has been used or is in flight, and a head is in flight once. */
  restore({ nextAvailable, usedIndex, inFlight }: SavedDeviceQueue): void {
    const heads = new Map(inFlight.map(({ id, writableBytes }) => [id, writableBytes]))
    const taken = (nextAvailable - usedIndex) & 0xffff
    const possible = heads.size === inFlight.length && taken === heads.size
    if (!possible || [...heads.keys()].some((id) => !(id >= 0 && id < this.#ring.size))) {
      throw new VirtioError(
        'INVALID_STATE',
        `no queue has ${taken} chains taken and heads ${[...heads.keys()]} in flight`,
      )
    }
    this.reset()
    for (const [id, writableBytes] of heads) this.#inFlight.set(id, writableBytes)
    this.#nextAvail = nextAvailable
    this.#usedIdx = this.#publishedIdx = this.#notifiedIdx = usedIndex
  }

  /** A ringful at most. */
  turn(): boolean {
    for (let i = 0; i < this.#ring.size; i++) {
      const taken = this.take()
      if (taken?.kind !== 'chain') break
      this.complete(taken.id, 0)
    }
    this.publish()
    return !this.#broken && this.#memory.readU16(availIdxAt(this.#ring)) !== this.#nextAvail
  }
}

/** A driver that does what the specification says, as simply as it can. */
export class ReferenceDriver implements DriverQueueUnderTest {
  readonly #memory: WritableRingMemory
  readonly #ring: DriverRing
  /** Writable bytes and descriptors of each head that is out. */
  readonly #outstanding = new Map<number, number>()
  readonly #held = new Map<number, number[]>()
  /** Added and not published: none of these can come back. */
  readonly #staged = new Map<number, number>()
  #free: number[]
  #availIdx: number
  #publishedIdx: number
  #kickedIdx: number
  /** Published since, which may be a turn of the counter and more. */
  #unkicked = 0
  #nextUsed: number
  #broken = false

  constructor(memory: WritableRingMemory, ring: DriverRing, index = 0) {
    this.#memory = memory
    this.#ring = ring
    this.#free = Array.from({ length: ring.size }, (_, i) => i)
    this.#availIdx = this.#publishedIdx = this.#kickedIdx = this.#nextUsed = index
  }

  add(readable: readonly ByteRange[], writable: readonly ByteRange[], direct: number): number {
    const buffers = [
      ...readable.map((range) => ({ ...range, flags: 0 })),
      ...writable.map((range) => ({ ...range, flags: VIRTQ_DESC_F_WRITE })),
    ]
    // VQS-IND-DRV-01, -03, IMP-VQS-05: no table without the feature, and no table without an entry.
    const inRing = this.#ring.indirect ? Math.min(direct, buffers.length) : buffers.length
    const usesTable = inRing < buffers.length
    const held = this.#free.slice(0, inRing + (usesTable ? 1 : 0))
    if (held.length < inRing + (usesTable ? 1 : 0)) return -1
    this.#free.splice(0, held.length)

    const head = held[0]!
    const table = this.#ring.tableArea + head * this.#ring.tableLength * DESCRIPTOR_BYTES
    buffers.forEach(({ address, length, flags }, i) => {
      const more = i + 1 < buffers.length ? VIRTQ_DESC_F_NEXT : 0
      if (i < inRing) {
        const descriptor = { address, length, flags: flags | more, next: held[i + 1] ?? 0 }
        writeDescriptor(this.#memory, this.#ring.descriptorArea, held[i]!, descriptor)
      } else {
        writeDescriptor(this.#memory, table, i - inRing, { address, length, flags: flags | more, next: i - inRing + 1 })
      }
    })
    if (usesTable) {
      const length = (buffers.length - inRing) * DESCRIPTOR_BYTES
      const descriptor = { address: table, length, flags: VIRTQ_DESC_F_INDIRECT, next: 0 }
      writeDescriptor(this.#memory, this.#ring.descriptorArea, held[inRing]!, descriptor)
    }
    this.#held.set(head, held)
    this.#staged.set(
      head,
      writable.reduce((sum, { length }) => sum + length, 0),
    )
    this.#memory.writeU16(availElementAt(this.#ring, this.#availIdx), head)
    this.#availIdx = next(this.#availIdx)
    return head
  }

  publish(): void {
    for (const [head, writableBytes] of this.#staged) this.#outstanding.set(head, writableBytes)
    this.#staged.clear()
    this.#unkicked += (this.#availIdx - this.#publishedIdx) & 0xffff
    this.#publishedIdx = this.#availIdx
    this.#memory.writeU16(availIdxAt(this.#ring), this.#publishedIdx)
  }

  wantsNotification(): boolean {
    const wants = mustNotify(this.#memory, this.#ring, 'driver', this.#kickedIdx, this.#unkicked)
    this.#kickedIdx = this.#publishedIdx
    this.#unkicked = 0
    return wants
  }

  reap(): UsedElement | TargetFault | null {
    if (this.#broken) return null
    const answer = nextUsed(this.#memory, this.#ring, this.#nextUsed, this.#outstanding)
    if (answer.kind === 'nothing') return null
    if (answer.kind === 'fault') {
      this.#broken = true
      return asTargetFault(answer)
    }
    this.#nextUsed = next(this.#nextUsed)
    this.#outstanding.delete(answer.id)
    this.#free.push(...(this.#held.get(answer.id) ?? []))
    this.#held.delete(answer.id)
    return answer
  }

  setNotifications(on: boolean): boolean {
    // VQS-NTF-DRV-01, -03: as on the other side.
    if (this.#ring.eventIdx) {
      if (on) this.#memory.writeU16(usedEventAt(this.#ring), this.#nextUsed)
    } else this.#memory.writeU16(availFlagsAt(this.#ring), on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT)
    return on && this.#memory.readU16(usedIdxAt(this.#ring)) !== this.#nextUsed
  }

  reset(): void {
    this.#outstanding.clear()
    this.#staged.clear()
    this.#held.clear()
    this.#free = Array.from({ length: this.#ring.size }, (_, i) => i)
    this.#availIdx = this.#publishedIdx = this.#kickedIdx = this.#nextUsed = this.#unkicked = 0
    this.#broken = false
  }
}

function asTargetFault({ id, rules }: ReferenceFault): TargetFault {
  return { kind: 'fault', id, rule: rules[0]!, returned: false }
}

/** The reference as a target: what it does is right. */
export const referenceDevice: DeviceQueueTarget = {
  side: 'device',
  name: 'reference device',
  lacks: ['concurrency'],
  create: (memory, ring) => new ReferenceDevice(memory, ring),
  createAt: (memory, ring, index) => new ReferenceDevice(memory, ring, index),
}

/** The reference as a target: what it does is right. */
export const referenceDriver: DriverQueueTarget = {
  side: 'driver',
  name: 'reference driver',
  lacks: ['concurrency'],
  create: (memory, ring) => new ReferenceDriver(memory, ring),
  createAt: (memory, ring, index) => new ReferenceDriver(memory, ring, index),
}

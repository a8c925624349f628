/**
 * The plainest device and driver of a packed ring that keep every rule, as `reference-peers.ts` has them for the split ring.
 * Whatever is shown at once becomes visible with one store, the flags of its first descriptor.
 */
import { assert } from '../../../internal/assert.ts'
import { VirtioError } from '../../../internal/error.ts'
import type {
  DeviceQueueUnderTest,
  DriverQueueUnderTest,
  PackedDeviceTarget,
  PackedDriverRing,
  PackedDriverTarget,
  TakenChain,
  TargetFault,
  UsedElement,
} from '../../queue-targets.ts'
import { slotsOf, type UsedBuffer } from '../ring-format.ts'
import { hex } from '../split/draw-ring.ts'
import type { ByteRange } from '../split/reference-split-ring.ts'
import {
  DESCRIPTOR_BYTES,
  type RingMemory,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  type WritableRingMemory,
} from '../split/split-ring-format.ts'
import {
  advance,
  availableFlags,
  EVENT_BYTES,
  isAvailable,
  isUsed,
  type PackedRing,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  RING_START,
  type RingPosition,
  readFlags,
  usedFlags,
  writeContents,
  writeEvent,
  writeFlags,
  writeUsed,
} from './packed-ring-format.ts'
import {
  mustInterruptPacked,
  mustKickPacked,
  nextPackedAvailable,
  nextPackedUsed,
  type PackedChain,
  type PackedFault,
} from './reference-packed-ring.ts'

function refuseMisplaced(memory: RingMemory, ring: PackedRing): void {
  const areas = [
    [ring.descriptorArea, DESCRIPTOR_BYTES * ring.size, DESCRIPTOR_BYTES],
    [ring.driverArea, EVENT_BYTES, EVENT_BYTES],
    [ring.deviceArea, EVENT_BYTES, EVENT_BYTES],
  ] as const
  // VQP-DRV-01
  if (!areas.every(([address, bytes, alignment]) => address % alignment === 0 && memory.contains(address, bytes))) {
    const where = `a packed ring of ${ring.size} at ${hex(ring.descriptorArea)}`
    throw new VirtioError('INVALID_RING', `${where} is not all in memory, or not aligned to 16, 4 and 4`)
  }
}

/** Asks for notifications, at `next` if that can be said, or for silence. */
function writeWish(memory: WritableRingMemory, ring: PackedRing, area: number, on: boolean, next: RingPosition): void {
  const wanted = ring.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE
  writeEvent(memory, area, { ...next, flags: on ? wanted : RING_EVENT_FLAGS_DISABLE })
}

/** A device that does what the packed specification says, as simply as it can. */
export class ReferencePackedDevice implements DeviceQueueUnderTest {
  readonly #memory: WritableRingMemory
  readonly #ring: PackedRing
  /** Everything taken that the driver cannot see as used, in the order in which it came. */
  readonly #inFlight = new Map<number, PackedChain>()
  /** Completed and not shown. */
  readonly #staged = new Map<number, UsedBuffer>()
  #available = RING_START
  #used = RING_START
  #notified = RING_START
  /** Slots from `#notified` to `#used`. */
  #unnotified = 0
  #broken = false

  constructor(memory: WritableRingMemory, ring: PackedRing) {
    refuseMisplaced(memory, ring)
    this.#memory = memory
    this.#ring = ring
  }

  take(): TakenChain | TargetFault | null {
    if (this.#broken) return null
    const answer = nextPackedAvailable(this.#memory, this.#ring, this.#available, this.#inFlight)
    if (answer.kind === 'nothing') return null
    if (answer.kind === 'fault') {
      this.#broken = true
      return asTargetFault(answer)
    }
    this.#available = advance(this.#ring, this.#available, answer.slots)
    this.#inFlight.set(answer.id, answer)
    return answer
  }

  complete(id: number, writtenBytes: number): void {
    assert(this.#inFlight.has(id) && !this.#staged.has(id), `buffer ${id} is not in flight`)
    // RFB-DEV-05
    const oldest = [...this.#inFlight.keys()][this.#staged.size]
    assert(!this.#ring.inOrder || id === oldest, `buffer ${id} is used before ${oldest}`)
    this.#staged.set(id, { id, writtenBytes })
  }

  /** VQP-DEV-02: in the order of completion. IMP-VQP-12: the first is marked last, and all is there at once. */
  publish(): void {
    const first = this.#used
    let firstFlags: number | null = null
    for (const { id, writtenBytes, slots } of this.#batches()) {
      const { slot, wrap } = this.#used
      writeUsed(this.#memory, this.#ring.descriptorArea, slot, { length: writtenBytes, id })
      // IMP-VQP-08
      const flags = usedFlags(wrap) | (writtenBytes > 0 ? VIRTQ_DESC_F_WRITE : 0)
      if (firstFlags === null) firstFlags = flags
      else writeFlags(this.#memory, this.#ring.descriptorArea, slot, flags)
      this.#used = advance(this.#ring, this.#used, slots) // IMP-VQP-06
      this.#unnotified += slots
    }
    if (firstFlags !== null) writeFlags(this.#memory, this.#ring.descriptorArea, first.slot, firstFlags)
    for (const id of this.#staged.keys()) this.#inFlight.delete(id)
    this.#staged.clear()
  }

  /** One used descriptor a buffer; in order, one for several when those before the last were written to the full (IMP-VQP-11). */
  #batches(): (UsedBuffer & { slots: number })[] {
    const batches: (UsedBuffer & { slots: number })[] = []
    const staged = [...this.#staged.values()]
    let skipped = 0
    staged.forEach(({ id, writtenBytes }, i) => {
      const { slots, writableBytes } = this.#inFlight.get(id)!
      if (this.#ring.inOrder && writtenBytes === writableBytes && i + 1 < staged.length) skipped += slots
      else {
        batches.push({ id, writtenBytes, slots: skipped + slots })
        skipped = 0
      }
    })
    return batches
  }

  wantsNotification(): boolean {
    const wants = mustInterruptPacked(this.#memory, this.#ring, this.#notified, this.#unnotified)
    this.#notified = this.#used
    this.#unnotified = 0
    return wants
  }

  setNotifications(on: boolean): boolean {
    writeWish(this.#memory, this.#ring, this.#ring.deviceArea, on, this.#available)
    const { slot, wrap } = this.#available
    return on && isAvailable(readFlags(this.#memory, this.#ring.descriptorArea, slot), wrap)
  }

  reset(): void {
    this.#inFlight.clear()
    this.#staged.clear()
    this.#available = this.#used = this.#notified = RING_START
    this.#unnotified = 0
    this.#broken = false
  }
}

/** A driver that does what the packed specification says, as simply as it can. */
export class ReferencePackedDriver implements DriverQueueUnderTest {
  readonly #memory: WritableRingMemory
  readonly #ring: PackedDriverRing
  /** Everything that was added and has not come back, in that order. */
  readonly #outstanding = new Map<number, { slots: number; writableBytes: number }>()
  #freeIds: number[] = []
  /** Come back in one batch with others, and not reaped. */
  #arrived: UsedElement[] = []
  /** The first list that was added and not shown: all but these flags is written. */
  #hidden: { slot: number; flags: number } | null = null
  #available = RING_START
  #used = RING_START
  #published = RING_START
  #kicked = RING_START
  /** Slots from `#kicked` to `#published`, and from there to `#available`. */
  #unkicked = 0
  #unpublished = 0
  #broken = false

  constructor(memory: WritableRingMemory, ring: PackedDriverRing) {
    this.#memory = memory
    this.#ring = ring
    this.reset()
  }

  add(readable: readonly ByteRange[], writable: readonly ByteRange[], direct: number): number {
    const { size, descriptorArea, indirect } = this.#ring
    const buffers = [
      ...readable.map((range) => ({ ...range, flags: 0 })),
      ...writable.map((range) => ({ ...range, flags: VIRTQ_DESC_F_WRITE })),
    ]
    // VQP-IND-DRV-04: a list is all in the ring or all in a table.
    const usesTable = indirect && direct < buffers.length
    const slots = usesTable ? 1 : buffers.length
    // VQP-SG-DRV-05
    if (slots > size - slotsOf(this.#outstanding.values())) return -1
    const id = this.#freeIds.pop()
    if (id === undefined) return -1
    const writableBytes = writable.reduce((sum, { length }) => sum + length, 0)
    this.#outstanding.set(id, { slots, writableBytes })
    const list = usesTable ? [this.#writeTable(id, buffers)] : buffers
    list.forEach(({ address, length, flags }, i) => {
      const last = i + 1 === list.length
      const { slot, wrap } = this.#available
      // IMP-VQP-04: the last one's id counts.
      writeContents(this.#memory, descriptorArea, slot, { address, length, id: last ? id : 0 })
      const marked = flags | (last ? 0 : VIRTQ_DESC_F_NEXT) | availableFlags(wrap)
      if (this.#hidden === null) this.#hidden = { slot, flags: marked }
      else writeFlags(this.#memory, descriptorArea, slot, marked)
      this.#available = advance(this.#ring, this.#available, 1)
    })
    this.#unpublished += slots
    return id
  }

  /** Where slots come back in another order than they went, only the id has a table of its own. */
  #writeTable(id: number, buffers: readonly { address: number; length: number; flags: number }[]) {
    const table = this.#ring.tableArea + id * this.#ring.tableLength * DESCRIPTOR_BYTES
    buffers.forEach(({ address, length, flags }, i) => {
      writeContents(this.#memory, table, i, { address, length, id: 0 })
      writeFlags(this.#memory, table, i, flags) // VQP-IND-DRV-02
    })
    return { address: table, length: buffers.length * DESCRIPTOR_BYTES, flags: VIRTQ_DESC_F_INDIRECT }
  }

  /** VQP-SG-DRV-06, VQP-DRV-06: the first head is marked last, and all is there at once. */
  publish(): void {
    if (this.#hidden === null) return
    writeFlags(this.#memory, this.#ring.descriptorArea, this.#hidden.slot, this.#hidden.flags)
    this.#hidden = null
    this.#published = this.#available
    this.#unkicked += this.#unpublished
    this.#unpublished = 0
  }

  wantsNotification(): boolean {
    const wants = mustKickPacked(this.#memory, this.#ring, this.#kicked, this.#unkicked)
    this.#kicked = this.#published
    this.#unkicked = 0
    return wants
  }

  reap(): UsedElement | TargetFault | null {
    if (this.#broken) return null
    if (this.#arrived.length > 0) return this.#handOver()
    const answer = nextPackedUsed(this.#memory, this.#ring, this.#used, this.#outstanding)
    if (answer.kind === 'nothing') return null
    if (answer.kind === 'fault') {
      this.#broken = true
      return asTargetFault(answer)
    }
    this.#used = advance(this.#ring, this.#used, answer.slots)
    for (const { id, writtenBytes } of [...answer.skipped, answer]) {
      this.#outstanding.delete(id)
      this.#arrived.push({ kind: 'used', id, writtenBytes })
    }
    return this.#handOver()
  }

  /** Of a batch the slots are free at once, an id when its buffer was handed over. */
  #handOver(): UsedElement {
    const element = this.#arrived.shift()!
    this.#freeIds.push(element.id)
    return element
  }

  setNotifications(on: boolean): boolean {
    writeWish(this.#memory, this.#ring, this.#ring.driverArea, on, this.#used)
    const { slot, wrap } = this.#used
    return on && (this.#arrived.length > 0 || isUsed(readFlags(this.#memory, this.#ring.descriptorArea, slot), wrap))
  }

  reset(): void {
    this.#outstanding.clear()
    // The highest first, so that ids are not mistaken for slots.
    this.#freeIds = Array.from({ length: this.#ring.size }, (_, id) => id)
    this.#arrived = []
    this.#hidden = null
    this.#available = this.#used = this.#published = this.#kicked = RING_START
    this.#unkicked = this.#unpublished = 0
    this.#broken = false
  }
}

function asTargetFault({ id, rules }: PackedFault): TargetFault {
  return { kind: 'fault', id, rule: rules[0]!, returned: false }
}

/** The reference as a target: what it does is right. */
export const referencePackedDevice: PackedDeviceTarget = {
  side: 'device',
  format: 'packed',
  name: 'reference packed device',
  lacks: ['concurrency'],
  create: (memory, ring) => new ReferencePackedDevice(memory, ring),
}

/** The reference as a target: what it does is right. */
export const referencePackedDriver: PackedDriverTarget = {
  side: 'driver',
  format: 'packed',
  name: 'reference packed driver',
  lacks: ['concurrency'],
  create: (memory, ring) => new ReferencePackedDriver(memory, ring),
}

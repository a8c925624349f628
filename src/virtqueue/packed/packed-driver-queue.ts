/**
 * The driver side of a packed virtqueue (virtio 1.4 §2.8): a guest's driver model, or a host program that drives a device.
 *
 *   add ... publish   descriptors; the flags of the first are stored last (VQP-SG-DRV-06)  ──▶ device
 *   popUsed           one used descriptor, checked                                          ◀── flags of the next used slot
 *
 * A chain takes slots that follow one another, or one slot that refers to a table of its own (VQP-IND-DRV-04: never both), and is known by
 * a buffer id. Slots come free in the order of the ring, by the length of the chain that was used; ids in any order, each with its table.
 *
 * The device is doubted too: which ids are out, and how long their chains are, is private; of the ring only used descriptors are read.
 *
 * One agent runs this object. Nothing here allocates, blocks or notifies, but for violations and saved states.
 */
import { assert } from '../../internal/assert.ts'
import { STATE_VERSION, stagedError } from '../../internal/saved-state.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { loadOrdered, storeOrdered } from '../../memory/ordered.ts'
import type { BufferList } from '../chain/buffer-list.ts'
import {
  DESCRIPTOR_BYTES,
  MAX_CHAIN_BYTES,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '../chain/descriptor.ts'
import { indirectTablesBytes, tablesArea } from '../chain/driver-tables.ts'
import type { DriverRing } from '../driver-ring.ts'
import { isPieced } from '../pieced-words.ts'
import { words32 } from '../ring-area.ts'
import { checkDriverRingConfig, type DriverRingConfig, type RingLocation } from '../ring-config.ts'
import type { DriverRingState, PackedChainState, PackedDriverState } from '../ring-state.ts'
import type { UsedBuffer } from '../used-buffer.ts'
import { makePackedViolation, type PackedViolationRule, type Violation } from '../violation.ts'
import { PackedEvents } from './packed-events.ts'
import { availableMark, FIRST_PLACE, OWNER_MASK, PackedRing, placeAfter, usedMark } from './packed-layout.ts'
import { checkPackedState } from './packed-state.ts'

const NO_MARK = -1
/** Of what a saved queue has out: it was published. */
const LONG_AGO = -1

/**
 * The driver side of a packed virtqueue: `add`, `publish`, then `needsNotification`, and `popUsed`. What the device did wrong becomes
 * `violation`, and the queue stops until it is reset.
 */
export class PackedDriverQueue implements DriverRing {
  readonly format = 'packed'
  readonly memory: GuestMemory
  readonly size: number
  readonly index: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  freeDescriptors: number
  outstanding = 0
  violation: Violation | null = null

  readonly #onViolation: ((violation: Violation) => void) | null
  readonly #location: RingLocation
  readonly #clamps: boolean
  #ring: PackedRing
  #descriptors: Uint32Array
  #halves: Uint16Array
  /** Of flags, unless the area is in pieces, which order their accesses themselves. */
  #ordered: boolean
  readonly #events: PackedEvents
  #tables: Uint32Array
  readonly #tablesAddress: number
  readonly #tableEntries: number

  /** Ids that are free: the last of `#freeCount` is given out next. */
  readonly #freeIds: Uint16Array
  #freeCount = 0
  /** Per id: how many slots (0: not outstanding), writable bytes, and which `add` it was. */
  readonly #slots: Uint16Array
  readonly #writable: Float64Array
  readonly #addedAs: Float64Array
  /** Chains ever added and published: what is not published cannot be used. */
  #added = 0
  #published = 0

  /** Where the next chain goes, as staged and as published; and the flags of the first that is staged. */
  #availablePlace = FIRST_PLACE
  #publishedPlace = FIRST_PLACE
  #firstFlags = 0
  /** Slots staged. */
  #stagedSlots = 0
  /** The next used slot, its wrap counter's mark, and the place in one word. */
  #used = 0
  #usedMark = 0
  #usedPlace = FIRST_PLACE

  /**
   * Zeroes all three areas, unless `state` continues a saved queue whose memory is as it was. Throws `VirtioError` INVALID_QUEUE or
   * INVALID_STATE.
   */
  constructor(memory: GuestMemory, config: DriverRingConfig, state?: DriverRingState) {
    checkDriverRingConfig(memory, config)
    const { size, indirectArea, indirectLength = 0 } = config
    const ring = new PackedRing(memory, config)
    this.memory = memory
    this.size = size
    this.index = config.index ?? 0
    this.eventIdx = config.eventIdx ?? false
    this.indirect = config.indirect ?? false
    this.#onViolation = config.onViolation ?? null
    this.#location = config
    this.#clamps = config.usedLength === 'clamp'
    this.#ring = ring
    this.#descriptors = ring.descriptors
    this.#halves = ring.halves
    this.#ordered = ring.shared && !isPieced(ring.halves)
    this.#events = new PackedEvents(ring.driverEvent, ring.deviceEvent, size, this.eventIdx, ring.shared)
    if (indirectArea === undefined || indirectLength === 0) {
      this.#tables = new Uint32Array(0)
      this.#tablesAddress = 0
      this.#tableEntries = 0
    } else {
      // VQP-IND-DRV-03: a table longer than the queue could never be used in full.
      this.#tableEntries = Math.min(indirectLength, size)
      this.#tables = words32(tablesArea(memory, indirectArea, indirectTablesBytes(size, this.#tableEntries)))
      this.#tablesAddress = indirectArea
    }
    this.#freeIds = new Uint16Array(size)
    this.#slots = new Uint16Array(size)
    this.#writable = new Float64Array(size)
    this.#addedAs = new Float64Array(size)
    this.freeDescriptors = size
    if (state === undefined) this.reset()
    else this.restoreState(state)
    memory.observe(this)
  }

  /** Called by the memory when a region got another buffer: the areas are looked up anew. */
  rebind(): void {
    const ring = new PackedRing(this.memory, this.#location)
    this.#ring = ring
    this.#descriptors = ring.descriptors
    this.#halves = ring.halves
    this.#ordered = ring.shared && !isPieced(ring.halves)
    this.#events.rebind(ring.driverEvent, ring.deviceEvent)
    if (this.#tableEntries === 0) return
    const bytes = indirectTablesBytes(this.size, this.#tableEntries)
    this.#tables = words32(tablesArea(this.memory, this.#tablesAddress, bytes))
  }

  /**
   * Stages one chain; the device sees it after `publish`. Returns its id, or -1: not enough free descriptors, or the device is broken.
   * All of it is in the ring, or with a smaller `direct` all of it in a table: a packed ring knows no mixture (VQP-IND-DRV-04).
   */
  add(buffers: BufferList, direct: number = buffers.count): number {
    const count = buffers.count
    const slots = direct < count ? 1 : count
    if (count === 0 || count > this.size || direct >>> 0 !== direct || direct > count) this.#refuseChain(count, direct)
    if (direct < count && (!this.indirect || count > this.#tableEntries)) this.#refuseChain(count, direct)
    const bytes = buffers.readableBytes + buffers.writableBytes
    if (bytes > MAX_CHAIN_BYTES) assert(false, `a chain has at most 2^32 - 1 bytes, not ${bytes} (VQP-SG-DRV-01)`)
    // VQP-SG-DRV-05: room for all of it, before any of it is written.
    if (slots > this.freeDescriptors || this.violation !== null) return -1

    const id = this.#freeIds[--this.#freeCount]!
    if (direct < count) {
      const words = this.#tableEntries << 2
      const address = this.#tablesAddress + 4 * id * words
      for (let i = 0; i < count; i++) {
        // VQP-IND-DRV-02: in a table no flag but WRITE, and no id.
        const flags = i < buffers.readableCount ? 0 : VIRTQ_DESC_F_WRITE
        store(this.#tables, id * words + (i << 2), buffers.address[i]!, buffers.length[i]!)
        this.#tables[id * words + (i << 2) + 3] = flags << 16
      }
      this.#put(id, address, count * DESCRIPTOR_BYTES, VIRTQ_DESC_F_INDIRECT)
    } else {
      for (let i = 0; i < count; i++) {
        const flags = (i < buffers.readableCount ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < count ? VIRTQ_DESC_F_NEXT : 0)
        this.#put(id, buffers.address[i]!, buffers.length[i]!, flags)
      }
    }
    this.freeDescriptors -= slots
    this.#slots[id] = slots
    this.#writable[id] = buffers.writableBytes
    this.#addedAs[id] = this.#added++
    this.outstanding++
    return id
  }

  writableBytesOf(id: number): number {
    return this.#slots[id] ? this.#writable[id]! : -1
  }

  /** Shows the device everything staged: with one ordered store, the flags of the first descriptor (VQP-DRV-07). */
  publish(): void {
    if (this.#stagedSlots === 0) return
    storeOrdered(this.#halves, 8 * (this.#publishedPlace & 0x7fff) + 7, this.#firstFlags, this.#ordered)
    this.#publishedPlace = this.#availablePlace
    this.#events.published(this.#availablePlace, this.#stagedSlots)
    this.#published = this.#added
    this.#stagedSlots = 0
  }

  needsNotification(): boolean {
    return this.violation === null && this.#events.needsNotification()
  }

  /** Completions come in any order (museum 44). */
  popUsed(used: UsedBuffer): boolean {
    // IMP-VQP-03: the rest of a used descriptor is read after its mark.
    let flags = this.#usedFlags()
    if ((flags & OWNER_MASK) !== this.#usedMark) {
      if (this.violation !== null || !this.#events.rearm(this.#usedPlace)) return false
      flags = this.#usedFlags()
      if ((flags & OWNER_MASK) !== this.#usedMark) return false
    }
    const id = this.#halves[8 * this.#used + 6]!
    // IMP-VQP-07: NEXT says nothing here; how long the list was, the driver knows.
    const slots = this.#slots[id] ?? 0
    if (slots === 0 || this.#addedAs[id]! >= this.#published) {
      return this.#break('used-id-not-outstanding', id, `id ${id} is not that of a chain that the device has`)
    }
    // IMP-VQP-08: without WRITE nothing was written, whatever the length says.
    let writtenBytes = (flags & VIRTQ_DESC_F_WRITE) !== 0 ? this.#descriptors[4 * this.#used + 2]! : 0
    if (writtenBytes > this.#writable[id]!) {
      if (!this.#clamp(id, writtenBytes)) return false
      writtenBytes = this.#writable[id]!
    }
    this.#slots[id] = 0
    this.#freeIds[this.#freeCount++] = id
    this.freeDescriptors += slots
    this.outstanding--
    this.#setUsed(placeAfter(this.#usedPlace, slots, this.size))
    used.id = id
    used.writtenBytes = writtenBytes
    return true
  }

  enableNotifications(): boolean {
    if (this.violation !== null) return false
    this.#events.enable(this.#usedPlace)
    return (this.#usedFlags() & OWNER_MASK) === this.#usedMark
  }

  /**
   * With EVENT_IDX: asks for one notification when `count` more chains have completed (1..size); true: so many have already. Places are
   * slots, and a chain takes at least one: what is asked for is the latest place that cannot be too late, so longer chains bring it earlier.
   */
  delayNotifications(count: number): boolean {
    if (!(count >= 1 && count <= this.size)) assert(false, `delay by 1..${this.size} completions, not ${count}`)
    if (!this.eventIdx) return this.enableNotifications()
    if (this.violation !== null) return false
    this.#events.delay(placeAfter(this.#usedPlace, count - 1, this.size))
    return this.#completedUpTo(count) >= count
  }

  disableNotifications(): void {
    if (this.violation === null) this.#events.disable()
  }

  reset(): void {
    this.#slots.fill(0)
    // So that the lowest is given out first.
    for (let id = 0; id < this.size; id++) this.#freeIds[id] = this.size - 1 - id
    this.#freeCount = this.size
    this.freeDescriptors = this.size
    this.outstanding = 0
    this.violation = null
    this.#moveTo(FIRST_PLACE, FIRST_PLACE)
    this.#events.restore(FIRST_PLACE, 0, true)
    this.#descriptors.fill(0)
    this.#ring.driverEvent.fill(0)
    this.#ring.deviceEvent.fill(0)
  }

  saveState(): PackedDriverState {
    if (this.#stagedSlots > 0) throw stagedError('the buffers', this.index)
    const outstanding: PackedChainState[] = []
    for (const [id, slots] of this.#slots.entries()) {
      if (slots > 0) outstanding.push({ id, slots, writableBytes: this.#writable[id]! })
    }
    return {
      version: STATE_VERSION,
      format: this.format,
      size: this.size,
      nextAvailable: this.#publishedPlace,
      nextUsed: this.#usedPlace,
      unsignalled: this.#events.unsignalled,
      notificationsEnabled: this.#events.armed,
      outstanding,
      violation: this.violation,
    }
  }

  restoreState(saved: DriverRingState): void {
    const { outstanding } = (saved ?? {}) as Partial<PackedDriverState>
    const chains = checkPackedState(saved, this.size, outstanding, 'outstanding', this.size)
    this.#slots.fill(0)
    this.freeDescriptors = this.size
    for (const { id, slots, writableBytes } of chains) {
      this.#slots[id] = slots
      this.#writable[id] = writableBytes
      this.#addedAs[id] = LONG_AGO
      this.freeDescriptors -= slots
    }
    this.#freeCount = 0
    for (let id = this.size - 1; id >= 0; id--) if (this.#slots[id] === 0) this.#freeIds[this.#freeCount++] = id
    this.outstanding = chains.length
    this.violation = saved.violation
    this.#moveTo(saved.nextAvailable, saved.nextUsed)
    this.#events.restore(saved.nextAvailable, saved.unsignalled, saved.notificationsEnabled)
  }

  /** One descriptor in the next slot; the flags of the first that is staged are kept back. */
  #put(id: number, address: number, length: number, flags: number): void {
    const place = this.#availablePlace
    const slot = place & 0x7fff
    const marked = flags | availableMark(place >>> 15)
    store(this.#descriptors, slot << 2, address, length)
    if (this.#stagedSlots === 0) {
      this.#halves[8 * slot + 6] = id
      this.#firstFlags = marked
    } else this.#descriptors[(slot << 2) + 3] = id | (marked << 16)
    this.#stagedSlots++
    this.#availablePlace = placeAfter(place, 1, this.size)
  }

  #usedFlags(): number {
    return loadOrdered(this.#halves, 8 * this.#used + 7, this.#ordered)
  }

  /** Completions that wait, as far as `most`; one that is not believed counts, and is refused when it is popped. */
  #completedUpTo(most: number): number {
    let place = this.#usedPlace
    let count = 0
    while (count < most) {
      const slot = place & 0x7fff
      const flags = loadOrdered(this.#halves, 8 * slot + 7, this.#ordered)
      if ((flags & OWNER_MASK) !== usedMark(place >>> 15)) break
      count++
      const slots = this.#slots[this.#halves[8 * slot + 6]!] ?? 0
      if (slots === 0) return most
      place = placeAfter(place, slots, this.size)
    }
    return count
  }

  #moveTo(nextAvailable: number, nextUsed: number): void {
    this.#added = 0
    this.#published = 0
    this.#stagedSlots = 0
    this.#availablePlace = nextAvailable
    this.#publishedPlace = nextAvailable
    this.#setUsed(nextUsed)
  }

  #setUsed(place: number): void {
    this.#usedPlace = place
    this.#used = place & 0x7fff
    this.#usedMark = this.violation === null ? usedMark(place >>> 15) : NO_MARK
  }

  /** False: the queue is broken. */
  #clamp(id: number, writtenBytes: number): boolean {
    const detail = `${writtenBytes} bytes written, ${this.#writable[id]} were writable`
    if (!this.#clamps) return this.#break('used-length-too-large', id, detail)
    this.#onViolation?.(makePackedViolation('used-length-too-large', this.index, id, detail))
    return true
  }

  #break(rule: PackedViolationRule, id: number, detail: string): false {
    this.violation = makePackedViolation(rule, this.index, id, detail)
    this.#usedMark = NO_MARK
    this.#onViolation?.(this.violation)
    return false
  }

  #refuseChain(count: number, direct: number): void {
    assert(count > 0 && count <= this.size, `a chain has 1..${this.size} buffers, not ${count} (VQP-SG-DRV-02)`)
    assert(Number.isInteger(direct) && direct >= 0 && direct <= count, `direct is 0..${count}, not ${direct}`)
    assert(this.indirect, 'INDIRECT_DESC was not negotiated (VQP-IND-DRV-01)')
    assert(false, `an indirect table of this queue has ${this.#tableEntries} entries, ${count} are needed`)
  }
}

/** Address low and high, and length: all but the id and the flags. */
function store(table: Uint32Array, word: number, address: number, length: number): void {
  table[word] = address
  table[word + 1] = address / 0x1_0000_0000
  table[word + 2] = length
}

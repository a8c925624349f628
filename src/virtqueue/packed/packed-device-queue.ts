/**
 * The device side of a packed virtqueue (virtio 1.4 §2.8).
 *
 *   driver ── flags of the next slot ──▶ popAvailable   copies and checks every descriptor of the list once
 *   driver ◀── used descriptors ──────── addUsed ... publish   stage many, then write them, the flags of the first last (IMP-VQP-12)
 *
 * A chain is a list of slots that follow one another, and is known by the buffer id in its last one, any 16 bits. A used descriptor goes
 * into the device's next used slot, and the device moves on by the slots of the list (IMP-VQP-06). The slots between the next used and
 * the next available place are the device's: it has private copies of them, so it may write there in any order of completion.
 *
 * The peer is doubted as in the split queue. One agent runs this object. Nothing here allocates, blocks or notifies, but for violations,
 * growing chains, saved states, and the first chain with a larger id than any before.
 */
import { assert } from '../../internal/assert.ts'
import { STATE_VERSION, stagedError } from '../../internal/saved-state.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { loadOrdered, storeOrdered } from '../../memory/ordered.ts'
import { DESCRIPTOR_BYTES, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '../chain/descriptor.ts'
import type { DescriptorChain } from '../chain/descriptor-chain.ts'
import type { DeviceRing } from '../device-ring.ts'
import { isPieced } from '../pieced-words.ts'
import {
  checkDeviceRingConfig,
  type DeviceRingConfig,
  type RingLocation,
  type ViolationPolicy,
} from '../ring-config.ts'
import type { DeviceRingState, PackedChainState, PackedDeviceState } from '../ring-state.ts'
import { makePackedViolation, type PackedViolationRule, type Violation } from '../violation.ts'
import { PackedChainWalker } from './packed-chain-walker.ts'
import { PackedEvents } from './packed-events.ts'
import { availableMark, FIRST_PLACE, OWNER_MASK, PackedRing, placeAfter, usedMark } from './packed-layout.ts'
import { checkPackedState } from './packed-state.ts'

/** With policy `reject`: malformed chains that one `popAvailable` may return before it gives up its turn. */
const REJECTIONS_PER_POP = 16

const NOT_IN_FLIGHT = -1
/** Given back, and not yet shown to the driver: its id and its slots are not the driver's yet. */
const STAGED = -2
/** No flags are equal to it: a broken queue finds nothing, and the hot path needs no test of its own. */
const NO_MARK = -1

/**
 * The device side of a packed virtqueue: `popAvailable`, `addUsed`, `publish`, then `needsNotification`. What the driver did wrong becomes
 * `violation`, and the queue stops until it is reset.
 */
export class PackedDeviceQueue implements DeviceRing {
  readonly format = 'packed'
  readonly memory: GuestMemory
  readonly size: number
  readonly eventIdx: boolean
  readonly index: number
  readonly policy: ViolationPolicy
  violation: Violation | null = null
  lastRejection: Violation | null = null
  rejections = 0
  inFlight = 0
  generation = 0
  readonly onWrite: ((address: number, lengthBytes: number) => void) | null

  readonly #onViolation: ((violation: Violation) => void) | null
  readonly #location: RingLocation
  #descriptors: Uint32Array
  #halves: Uint16Array
  /** Of flags, unless the area is in pieces, which order their accesses themselves. */
  #ordered: boolean
  readonly #shared: boolean
  readonly #events: PackedEvents
  readonly #walker: PackedChainWalker
  /** By id: writable bytes and slots of a chain in flight. As long as the largest id asked for. */
  #writable: Float64Array
  #slots: Uint16Array
  /** What was given back since the last publication, in that order: private until then. */
  readonly #stagedIds: Uint16Array
  readonly #stagedBytes: Uint32Array
  #stagedCount = 0
  /** Slots that are the device's: taken, and not shown as used. */
  #heldSlots = 0

  /** The next slot to take, its wrap counter's mark, and the place in one word. */
  #next = 0
  #nextMark = 0
  #nextPlace = 0
  /** Where the next used descriptor goes. */
  #usedPlace = 0

  /** Throws `VirtioError` INVALID_QUEUE: a queue that exists is usable. Writes nothing. */
  constructor(memory: GuestMemory, config: DeviceRingConfig) {
    checkDeviceRingConfig(memory, config)
    const { size, index = 0, eventIdx = false, indirect = false, policy = 'needs-reset' } = config
    const ring = new PackedRing(memory, config)
    this.memory = memory
    this.size = size
    this.eventIdx = eventIdx
    this.index = index
    this.policy = policy
    this.onWrite = config.onWrite ?? null
    this.#onViolation = config.onViolation ?? null
    this.#location = config
    this.#descriptors = ring.descriptors
    this.#halves = ring.halves
    this.#shared = ring.shared
    this.#ordered = ring.shared && !isPieced(ring.halves)
    this.#events = new PackedEvents(ring.deviceEvent, ring.driverEvent, size, eventIdx, ring.shared)
    this.#walker = new PackedChainWalker(memory, ring.descriptors, indirect, config)
    this.#writable = new Float64Array(size).fill(NOT_IN_FLIGHT)
    this.#slots = new Uint16Array(size)
    this.#stagedIds = new Uint16Array(size)
    this.#stagedBytes = new Uint32Array(size)
    this.#moveTo(FIRST_PLACE, FIRST_PLACE, 0)
    memory.observe(this)
  }

  /** Called by the memory when a region got another buffer: the areas are looked up anew. */
  rebind(): void {
    const ring = new PackedRing(this.memory, this.#location)
    this.#descriptors = ring.descriptors
    this.#halves = ring.halves
    this.#ordered = this.#shared && !isPieced(ring.halves)
    this.#events.rebind(ring.deviceEvent, ring.driverEvent)
    this.#walker.rebind(ring.descriptors)
  }

  popAvailable(chain: DescriptorChain): boolean {
    for (let turn = 0; turn < REJECTIONS_PER_POP; turn++) {
      // VQP-DEV-06: the rest of a descriptor is read after its mark.
      let flags = this.#nextFlags()
      if ((flags & OWNER_MASK) !== this.#nextMark) {
        if (!this.#rearm()) return false
        flags = this.#nextFlags()
        if ((flags & OWNER_MASK) !== this.#nextMark) return false
      }
      const walker = this.#walker
      const rule = walker.walk(this.#next, flags, this.size - this.#heldSlots, chain)
      const { id, slots } = walker
      if (id < 0) return this.#breakRing(rule!, -1, chain)
      if (this.#isOut(id)) return this.#breakRing('id-in-flight', id, chain)
      if (rule === null) {
        this.#take(id, slots, chain.writableBytes)
        this.inFlight++
        return true
      }
      this.#refuse(rule, id, slots, chain)
    }
    return false
  }

  addUsed(id: number, writtenBytes: number): void {
    const writable = this.#writable
    // One comparison for both rules: a chain that is not in flight has fewer than 0 writable bytes, an unknown one has none.
    if (!(writtenBytes <= writable[id]!) || writtenBytes >>> 0 !== writtenBytes) this.#refuseUsed(id, writtenBytes)
    this.inFlight--
    this.#stage(id, writtenBytes)
  }

  writableBytesOf(id: number): number {
    return Math.max(this.#writable[id] ?? NOT_IN_FLIGHT, NOT_IN_FLIGHT)
  }

  /** Writes everything staged, and shows it to the driver with one ordered store: the flags of the first used descriptor. */
  publish(): void {
    const count = this.#stagedCount
    if (count === 0) return
    this.#stagedCount = 0
    const first = this.#usedPlace
    let firstFlags = 0
    let place = first
    let slots = 0
    for (let i = 0; i < count; i++) {
      const id = this.#stagedIds[i]!
      const writtenBytes = this.#stagedBytes[i]!
      const slot = place & 0x7fff
      // IMP-VQP-08: without WRITE nothing was written, and the length is not looked at.
      const flags = usedMark(place >>> 15) | (writtenBytes > 0 ? VIRTQ_DESC_F_WRITE : 0)
      this.#descriptors[4 * slot + 2] = writtenBytes
      if (i === 0) {
        this.#halves[8 * slot + 6] = id
        firstFlags = flags
      } else this.#descriptors[4 * slot + 3] = id | (flags << 16)
      if (this.onWrite !== null) this.onWrite(this.#location.descriptorArea + DESCRIPTOR_BYTES * slot + 8, 8)
      const length = this.#slots[id]!
      place = placeAfter(place, length, this.size)
      slots += length
      this.#writable[id] = NOT_IN_FLIGHT
    }
    this.#heldSlots -= slots
    storeOrdered(this.#halves, 8 * (first & 0x7fff) + 7, firstFlags, this.#ordered)
    this.#usedPlace = place
    this.#events.published(place, slots)
  }

  needsNotification(): boolean {
    return this.#events.needsNotification()
  }

  enableNotifications(): boolean {
    if (this.violation !== null) return false
    this.#events.enable(this.#nextPlace)
    this.#tellEvents()
    return this.#isWaiting()
  }

  /**
   * With EVENT_IDX: asks for one notification when `count` chains wait (1..size); true: so many do already. Places are slots, and a chain
   * takes at least one: what is asked for is the latest place that cannot be too late, so longer chains bring it earlier.
   */
  delayNotifications(count: number): boolean {
    if (!(count >= 1 && count <= this.size)) assert(false, `delay by 1..${this.size} chains, not ${count}`)
    if (!this.eventIdx) return this.enableNotifications()
    if (this.violation !== null) return false
    this.#events.delay(placeAfter(this.#nextPlace, count - 1, this.size))
    this.#tellEvents()
    return this.#waitingUpTo(count) >= count
  }

  disableNotifications(): void {
    if (this.violation !== null) return
    this.#events.disable()
    this.#tellEvents()
  }

  /** Chains waiting, found by a walk, as far as `most`. */
  availableCount(most = this.size): number {
    return this.#isWaiting() ? this.#waitingUpTo(most) : 0
  }

  /** Any number: how many there are only a walk tells. */
  claimsAvailable(): boolean {
    return this.#isWaiting()
  }

  reset(): void {
    this.#writable.fill(NOT_IN_FLIGHT)
    this.violation = null
    this.lastRejection = null
    this.rejections = 0
    this.inFlight = 0
    this.generation++
    this.#moveTo(FIRST_PLACE, FIRST_PLACE, 0)
    this.#events.restore(FIRST_PLACE, 0, true)
  }

  saveState(): PackedDeviceState {
    if (this.#stagedCount > 0) throw stagedError('the used descriptors', this.index)
    const inFlight: PackedChainState[] = []
    for (const [id, writableBytes] of this.#writable.entries()) {
      if (writableBytes >= 0) inFlight.push({ id, slots: this.#slots[id]!, writableBytes })
    }
    return {
      version: STATE_VERSION,
      format: this.format,
      size: this.size,
      nextAvailable: this.#nextPlace,
      nextUsed: this.#usedPlace,
      unsignalled: this.#events.unsignalled,
      notificationsEnabled: this.#events.armed,
      inFlight,
      violation: this.violation,
    }
  }

  restoreState(saved: DeviceRingState): void {
    const chains = checkPackedState(saved, this.size, (saved as PackedDeviceState | null)?.inFlight, 'inFlight')
    this.reset()
    let heldSlots = 0
    for (const { id, slots, writableBytes } of chains) {
      this.#reserve(id)
      this.#writable[id] = writableBytes
      this.#slots[id] = slots
      heldSlots += slots
    }
    this.inFlight = chains.length
    this.violation = saved.violation
    this.#moveTo(saved.nextAvailable, saved.nextUsed, heldSlots)
    this.#events.restore(saved.nextUsed, saved.unsignalled, saved.notificationsEnabled)
  }

  #nextFlags(): number {
    return loadOrdered(this.#halves, 8 * this.#next + 7, this.#ordered)
  }

  #isWaiting(): boolean {
    return (this.#nextFlags() & OWNER_MASK) === this.#nextMark
  }

  /** An empty ring is armed anew; true: look again after the fence (museum 32). */
  #rearm(): boolean {
    if (this.violation !== null || !this.#events.rearm(this.#nextPlace)) return false
    this.#tellEvents()
    return true
  }

  /** Chains that wait, as far as `most`; a list that never ends counts as one, and is refused when it is taken. */
  #waitingUpTo(most: number): number {
    let place = this.#nextPlace
    let count = 0
    for (let seen = 0; seen < this.size && count < most; ) {
      let flags = loadOrdered(this.#halves, 8 * (place & 0x7fff) + 7, this.#ordered)
      if ((flags & OWNER_MASK) !== availableMark(place >>> 15)) break
      count++
      for (;;) {
        place = placeAfter(place, 1, this.size)
        seen++
        if ((flags & VIRTQ_DESC_F_NEXT) === 0 || seen >= this.size) break
        flags = this.#halves[8 * (place & 0x7fff) + 7]!
      }
    }
    return count
  }

  #moveTo(nextAvailable: number, nextUsed: number, heldSlots: number): void {
    this.#setNext(nextAvailable)
    this.#usedPlace = nextUsed
    this.#stagedCount = 0
    this.#heldSlots = heldSlots
  }

  #setNext(place: number): void {
    this.#nextPlace = place
    this.#next = place & 0x7fff
    this.#nextMark = this.violation === null ? availableMark(place >>> 15) : NO_MARK
  }

  /** The chain is the device's. */
  #take(id: number, slots: number, writableBytes: number): void {
    this.#writable[id] = writableBytes
    this.#slots[id] = slots
    this.#heldSlots += slots
    this.#setNext(placeAfter(this.#nextPlace, slots, this.size))
  }

  #stage(id: number, writtenBytes: number): void {
    this.#writable[id] = STAGED
    this.#stagedIds[this.#stagedCount] = id
    this.#stagedBytes[this.#stagedCount++] = writtenBytes
  }

  /** Whether the driver may not use the id yet; makes room for it. */
  #isOut(id: number): boolean {
    if (id >= this.#writable.length) this.#reserve(id)
    return this.#writable[id] !== NOT_IN_FLIGHT
  }

  /** A driver may give any 16 bits as an id; most count from 0. */
  #reserve(id: number): void {
    const { length } = this.#writable
    if (id < length) return
    const [writable, slots] = [this.#writable, this.#slots]
    const longer = Math.min(0x1_0000, Math.max(id + 1, 2 * length))
    this.#writable = new Float64Array(longer).fill(NOT_IN_FLIGHT)
    this.#slots = new Uint16Array(longer)
    this.#writable.set(writable)
    this.#slots.set(slots)
  }

  #tellEvents(): void {
    this.onWrite?.(this.#location.deviceArea, 4)
  }

  /** Where the next list begins cannot be said any more, or whose this one is. */
  #breakRing(rule: PackedViolationRule, id: number, chain: DescriptorChain): false {
    chain.clear()
    this.#latch(rule, id, `the list that begins in slot ${this.#next}`)
    return false
  }

  /** A malformed chain: nothing of it reaches the device. */
  #refuse(rule: PackedViolationRule, id: number, slots: number, chain: DescriptorChain): void {
    chain.clear()
    const detail = `descriptor ${this.#walker.index} of buffer ${id}, whose list begins in slot ${this.#next}`
    if (this.policy !== 'reject') {
      this.#latch(rule, id, detail)
      return
    }
    this.rejections++
    this.#take(id, slots, 0)
    this.#stage(id, 0)
    this.lastRejection = makePackedViolation(rule, this.index, id, detail)
    this.#onViolation?.(this.lastRejection)
  }

  #latch(rule: PackedViolationRule, id: number, detail: string): void {
    this.violation = makePackedViolation(rule, this.index, id, detail)
    this.#nextMark = NO_MARK
    this.#onViolation?.(this.violation)
  }

  #refuseUsed(id: number, writtenBytes: number): void {
    const writable = this.writableBytesOf(id)
    assert(writable !== NOT_IN_FLIGHT, `buffer ${id} of queue ${this.index} is not in flight (IMP-VQP-06)`)
    assert(
      false,
      `buffer ${id} of queue ${this.index} has ${writable} writable bytes, not ${writtenBytes} (IMP-VQP-08)`,
    )
  }
}

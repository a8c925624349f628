/**
 * The driver side of a split virtqueue (virtio 1.4 §2.7): a guest's driver model, or a host program that drives a device.
 *
 *   add ... publish   descriptors and heads, then one ordered store of avail.idx  ──▶ device
 *   popUsed           one completion, checked                                      ◀── used.ring, used.idx
 *
 * The device is doubted too. The free list and what is outstanding live in private shadows: the shared descriptor table is
 * written, never read, so a device that scribbles on it or returns a wrong id frees nothing (museum 42, 43).
 *
 * One agent runs this object. Nothing here allocates, blocks or notifies, but for violations and saved states.
 */
import { assert } from '../../internal/assert.ts'
import { STATE_VERSION, stagedError } from '../../internal/saved-state.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
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
import { words32 } from '../ring-area.ts'
import { checkDriverRingConfig, type DriverRingConfig, type RingLocation } from '../ring-config.ts'
import type { DriverRingState, SplitDriverState } from '../ring-state.ts'
import type { UsedBuffer } from '../used-buffer.ts'
import { makeViolation, type SplitViolationRule, type Violation } from '../violation.ts'
import { RingSignals } from './ring-signals.ts'
import { checkDriverState } from './split-driver-state.ts'
import { SplitRing } from './split-layout.ts'

/**
 * The driver side of a split virtqueue: `add`, `publish`, then `needsNotification`, and `popUsed`. What the device did
 * wrong becomes `violation`, and the queue stops until it is reset.
 */
export class SplitDriverQueue implements DriverRing {
  readonly format = 'split'
  readonly memory: GuestMemory
  readonly size: number
  readonly index: number
  readonly eventIdx: boolean
  readonly indirect: boolean
  /** Ring descriptors that `add` may still take. */
  freeDescriptors: number
  /** Chains added and not yet popped as used. */
  outstanding = 0
  /** What the device did wrong; the queue then takes and gives nothing until it is reset. */
  violation: Violation | null = null

  readonly #onViolation: ((violation: Violation) => void) | null
  readonly #signals: RingSignals
  readonly #mask: number
  #descriptors: Uint32Array
  #available: Uint16Array
  #used: Uint16Array
  #usedElements: Uint32Array
  #tables: Uint32Array
  readonly #tablesAddress: number
  readonly #tableEntries: number
  readonly #location: RingLocation
  readonly #clamps: boolean

  /** Shadow of the links: a chain's slots, and the free slots, are lists through it. */
  readonly #link: Uint16Array
  #firstFree = 0
  /** Per head: how many slots (0: not outstanding), the last of them, writable bytes, and which `add` it was. */
  readonly #slots: Uint16Array
  readonly #tail: Uint16Array
  readonly #writable: Float64Array
  readonly #addedAs: Float64Array
  /** Chains ever added and published: what is not published cannot be used. */
  #added = 0
  #published = 0

  /** Free-running indices: where the next head goes, the next used element, and how far used.idx is known to be. */
  #availableNext = 0
  #usedNext = 0
  #usedSeen = 0

  /**
   * Zeroes the driver area and the device area (VQS-NTF-DRV-06), unless `state` continues a saved queue whose memory is as it
   * was. Throws `VirtioError` INVALID_QUEUE or INVALID_STATE.
   */
  constructor(memory: GuestMemory, config: DriverRingConfig, state?: DriverRingState) {
    checkDriverRingConfig(memory, config)
    const ring = new SplitRing(memory, config)
    const { size, indirectArea, indirectLength = 0 } = config
    this.memory = memory
    this.size = size
    this.index = config.index ?? 0
    this.eventIdx = config.eventIdx ?? false
    this.indirect = config.indirect ?? false
    this.#onViolation = config.onViolation ?? null
    this.#clamps = config.usedLength === 'clamp'
    const { available, usedEventIndex, used, availEventIndex, shared } = ring
    this.#signals = new RingSignals(available, usedEventIndex, used, availEventIndex, this.eventIdx, shared)
    this.#mask = size - 1
    this.#location = config
    this.#descriptors = ring.descriptors
    this.#available = ring.available
    this.#used = ring.used
    this.#usedElements = ring.usedElements
    if (indirectArea === undefined || indirectLength === 0) {
      this.#tables = new Uint32Array(0)
      this.#tablesAddress = 0
      this.#tableEntries = 0
    } else {
      // VQS-IND-DRV-03: a table longer than the queue could never be used in full.
      this.#tableEntries = Math.min(indirectLength, size)
      const area = tablesArea(memory, indirectArea, indirectTablesBytes(size, this.#tableEntries))
      this.#tables = words32(area)
      this.#tablesAddress = indirectArea
    }
    this.#link = new Uint16Array(size)
    this.#slots = new Uint16Array(size)
    this.#tail = new Uint16Array(size)
    this.#writable = new Float64Array(size)
    this.#addedAs = new Float64Array(size)
    this.freeDescriptors = size
    if (state === undefined) this.reset()
    else this.restoreState(state)
    memory.observe(this)
  }

  /** Called by the memory when a region got another buffer: the areas are looked up anew. */
  rebind(): void {
    const ring = new SplitRing(this.memory, this.#location)
    this.#descriptors = ring.descriptors
    this.#available = ring.available
    this.#used = ring.used
    this.#usedElements = ring.usedElements
    this.#signals.rebind(ring.available, ring.used)
    if (this.#tableEntries === 0) return
    const bytes = indirectTablesBytes(this.size, this.#tableEntries)
    this.#tables = words32(tablesArea(this.memory, this.#tablesAddress, bytes))
  }

  /**
   * Stages one chain; the device sees it after `publish`. Returns its head, or -1: not enough free descriptors (completions
   * make room), or the device is broken. The first `direct` buffers take ring descriptors, the rest one indirect table:
   * all direct by default, 0 for a table alone. The buffers stay the device's until `popUsed` returns the head.
   */
  add(buffers: BufferList, direct: number = buffers.count): number {
    const count = buffers.count
    const readableCount = buffers.readableCount
    const inTable = count - direct
    const slots = inTable > 0 ? direct + 1 : direct
    if (count === 0 || count > this.size || direct >>> 0 !== direct || inTable < 0) this.#refuseChain(count, direct)
    if (inTable > 0 && (!this.indirect || inTable > this.#tableEntries)) this.#refuseChain(count, direct)
    const bytes = buffers.readableBytes + buffers.writableBytes
    if (bytes > MAX_CHAIN_BYTES) assert(false, `a chain has at most 2^32 - 1 bytes, not ${bytes} (VQS-DESC-DRV-01)`)
    if (slots > this.freeDescriptors || this.violation !== null) return -1

    const link = this.#link
    const head = this.#firstFree
    let slot = head
    let tail = head
    for (let i = 0; i < direct; i++) {
      tail = slot
      slot = link[tail]!
      const flags = (i < readableCount ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < slots ? VIRTQ_DESC_F_NEXT : 0)
      store(this.#descriptors, tail << 2, buffers.address[i]!, buffers.length[i]!, flags, slot)
    }
    if (inTable > 0) {
      tail = slot
      slot = link[tail]!
      const words = this.#tableEntries << 2
      const table = this.#tablesAddress + 4 * tail * words
      // VQS-IND-DRV-04: the reference ends the chain.
      store(this.#descriptors, tail << 2, table, inTable * DESCRIPTOR_BYTES, VIRTQ_DESC_F_INDIRECT, 0)
      for (let i = direct; i < count; i++) {
        const entry = i - direct
        const flags = (i < readableCount ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < count ? VIRTQ_DESC_F_NEXT : 0)
        store(this.#tables, tail * words + (entry << 2), buffers.address[i]!, buffers.length[i]!, flags, entry + 1)
      }
    }
    this.#firstFree = slot
    this.freeDescriptors -= slots
    this.#slots[head] = slots
    this.#tail[head] = tail
    this.#writable[head] = buffers.writableBytes
    this.#addedAs[head] = this.#added++
    this.outstanding++
    this.#available[2 + (this.#availableNext & this.#mask)] = head
    this.#availableNext = (this.#availableNext + 1) & 0xffff
    return head
  }

  /** Writable bytes of a chain that is outstanding; -1 for a head that is not. */
  writableBytesOf(head: number): number {
    return this.#slots[head] ? this.#writable[head]! : -1
  }

  /** Shows the device everything staged, with one ordered store (VQS-AVL-DRV-04). */
  publish(): void {
    const count = this.#added - this.#published
    if (count === 0) return
    this.#published = this.#added
    this.#signals.publish(this.#availableNext, count)
  }

  /**
   * Whether the device wants an available buffer notification for what was published since the last call. Answering counts as
   * having notified, so ask once a batch, after `publish`.
   */
  needsNotification(): boolean {
    return this.violation === null && this.#signals.needsNotification()
  }

  /**
   * Fills `used` with the next completion and frees its descriptors. False: none, or the device is broken (`violation`): then
   * nothing was freed. Completions come in any order (museum 44).
   */
  popUsed(used: UsedBuffer): boolean {
    if (this.#usedNext === this.#usedSeen && !this.#refresh()) return false
    const word = 1 + ((this.#usedNext & this.#mask) << 1)
    const id = this.#usedElements[word]!
    let writtenBytes = this.#usedElements[word + 1]!
    if (id >= this.size) return this.#break('used-id-out-of-range', id, `id ${id} in a queue of ${this.size}`)
    const slots = this.#slots[id]!
    if (slots === 0 || this.#addedAs[id]! >= this.#published) {
      return this.#break('used-id-not-outstanding', id, `id ${id} is not the head of a chain that the device has`)
    }
    if (writtenBytes > this.#writable[id]!) {
      if (!this.#clamp(id, writtenBytes)) return false
      writtenBytes = this.#writable[id]!
    }
    this.#slots[id] = 0
    this.#link[this.#tail[id]!] = this.#firstFree
    this.#firstFree = id
    this.freeDescriptors += slots
    this.outstanding--
    this.#usedNext = (this.#usedNext + 1) & 0xffff
    used.id = id
    used.writtenBytes = writtenBytes
    return true
  }

  /**
   * Asks the device to notify at the next completion. True: some are there already, poll again instead of waiting. While
   * notifications are enabled, a `popUsed` that finds nothing re-arms by itself.
   */
  enableNotifications(): boolean {
    if (this.violation !== null) return false
    this.#signals.enable(this.#usedNext)
    return this.#usedCount() > 0
  }

  /**
   * With EVENT_IDX: asks for one notification when `count` more chains have completed (1..size), for a driver that reclaims
   * lazily; true: so many have already. Without EVENT_IDX the same as `enableNotifications`.
   */
  delayNotifications(count: number): boolean {
    if (!(count >= 1 && count <= this.size)) assert(false, `delay by 1..${this.size} completions, not ${count}`)
    if (!this.eventIdx) return this.enableNotifications()
    if (this.violation !== null) return false
    this.#signals.delay(this.#usedNext, count)
    return this.#usedCount() >= count
  }

  /** Asks for silence, as far as the device honours it. The driver must poll. */
  disableNotifications(): void {
    if (this.violation === null) this.#signals.disable(this.#usedNext)
  }

  /** A new queue in the same place: everything outstanding is forgotten, both rings are zeroed. The device was reset before. */
  reset(): void {
    for (let i = 0; i < this.size; i++) this.#link[i] = i + 1
    this.#slots.fill(0)
    this.#firstFree = 0
    this.freeDescriptors = this.size
    this.outstanding = 0
    this.violation = null
    this.#added = 0
    this.#published = 0
    this.#availableNext = 0
    this.#usedNext = 0
    this.#usedSeen = 0
    this.#signals.restore(0, 0, true, 0)
    this.#available.fill(0)
    this.#used.fill(0)
  }

  /** Plain data for a snapshot, taken between batches. Throws `VirtioError` NOT_RESTORABLE while something is staged. */
  saveState(): SplitDriverState {
    if (this.#added !== this.#published) throw stagedError('the buffers', this.index)
    const outstanding: { slots: number[]; writableBytes: number }[] = []
    for (let head = 0; head < this.size; head++) {
      const slots: number[] = []
      for (let i = 0, slot = head; i < this.#slots[head]!; i++, slot = this.#link[slot]!) slots.push(slot)
      if (slots.length > 0) outstanding.push({ slots, writableBytes: this.#writable[head]! })
    }
    return {
      version: STATE_VERSION,
      format: this.format,
      size: this.size,
      nextAvailable: this.#availableNext,
      nextUsed: this.#usedNext,
      unsignalled: this.#signals.unsignalled,
      notificationsEnabled: this.#signals.armed,
      event: this.#signals.event,
      outstanding,
      violation: this.violation,
    }
  }

  /** Takes over a saved state; throws `VirtioError` INVALID_STATE and changes nothing when it is not one of this queue. */
  restoreState(saved: DriverRingState): void {
    const state = checkDriverState(saved, this.size)
    const taken = new Uint8Array(this.size)
    this.#slots.fill(0)
    this.freeDescriptors = this.size
    for (const { slots, writableBytes } of state.outstanding) {
      const head = slots[0]!
      for (const [i, slot] of slots.entries()) {
        taken[slot] = 1
        this.#link[slot] = slots[i + 1] ?? 0
      }
      this.#slots[head] = slots.length
      this.#tail[head] = slots[slots.length - 1]!
      this.#writable[head] = writableBytes
      this.#addedAs[head] = -1
      this.freeDescriptors -= slots.length
    }
    this.#firstFree = 0
    for (let slot = this.size - 1; slot >= 0; slot--) {
      if (taken[slot] === 1) continue
      this.#link[slot] = this.#firstFree
      this.#firstFree = slot
    }
    this.outstanding = state.outstanding.length
    this.violation = state.violation
    this.#added = 0
    this.#published = 0
    this.#availableNext = state.nextAvailable
    this.#usedNext = state.nextUsed
    this.#usedSeen = state.nextUsed
    const { nextAvailable, unsignalled, notificationsEnabled, event } = state
    this.#signals.restore(nextAvailable, unsignalled, notificationsEnabled, event)
  }

  /** Looks for more; with EVENT_IDX an empty ring is armed anew, and looked at again after the fence (museum 32, 33). */
  #refresh(): boolean {
    if (this.#usedCount() > 0) return true
    return this.violation === null && this.#signals.rearm(this.#usedNext) && this.#usedCount() > 0
  }

  /** Completions waiting, by a fresh look at used.idx. */
  #usedCount(): number {
    if (this.violation !== null) return 0
    const known = (this.#usedSeen - this.#usedNext) & 0xffff
    const index = this.#signals.peerIndex()
    const waiting = (index - this.#usedNext) & 0xffff
    const published = this.outstanding - (this.#added - this.#published)
    if (waiting > published || waiting < known) {
      this.#break(
        'used-index-jump',
        -1,
        `idx went to ${index}, ${waiting} ahead of the driver, with ${published} chains outstanding`,
      )
      return 0
    }
    this.#usedSeen = index
    return waiting
  }

  /** False: the queue is broken. */
  #clamp(id: number, writtenBytes: number): boolean {
    const detail = `${writtenBytes} bytes written, ${this.#writable[id]} were writable`
    if (!this.#clamps) return this.#break('used-length-too-large', id, detail)
    this.#onViolation?.(makeViolation('used-length-too-large', this.index, id, detail))
    return true
  }

  #break(rule: SplitViolationRule, head: number, detail: string): false {
    this.violation = makeViolation(rule, this.index, head, detail)
    this.#usedSeen = this.#usedNext
    this.#onViolation?.(this.violation)
    return false
  }

  #refuseChain(count: number, direct: number): void {
    assert(count > 0 && count <= this.size, `a chain has 1..${this.size} buffers, not ${count} (VQS-IND-DRV-03)`)
    assert(Number.isInteger(direct) && direct >= 0 && direct <= count, `direct is 0..${count}, not ${direct}`)
    assert(this.indirect, 'INDIRECT_DESC was not negotiated (VQS-IND-DRV-01)')
    assert(false, `an indirect table of this queue has ${this.#tableEntries} entries, ${count - direct} are needed`)
  }
}

/** One descriptor as four words: address low and high, length, flags and next. */
function store(table: Uint32Array, word: number, address: number, length: number, flags: number, next: number): void {
  table[word] = address
  table[word + 1] = address / 0x1_0000_0000
  table[word + 2] = length
  table[word + 3] = flags | ((flags & VIRTQ_DESC_F_NEXT) !== 0 ? next << 16 : 0)
}

/**
 * The device side of a split virtqueue (virtio 1.4 §2.7).
 *
 *   driver ── avail.ring, avail.idx ──▶ popAvailable   copies and checks every descriptor once
 *   driver ◀── used.ring, used.idx ──── addUsed ... publish   stage many, one ordered store
 *
 * The peer is doubted: each field of shared memory is read once into a local, the local is checked and used; `used` is never
 * read back. What the peer does wrong is a `Violation` and breaks this queue only. What our own side does wrong is an
 * assertion, and leaves the ring as it was.
 *
 * One agent runs this object. Nothing here allocates, blocks or notifies, but for violations, growing chains and saved states.
 */
import { assert } from '../../internal/assert.ts'
import { STATE_VERSION, stagedError } from '../../internal/saved-state.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import type { DescriptorChain } from '../chain/descriptor-chain.ts'
import type { DeviceRing } from '../device-ring.ts'
import {
  checkDeviceRingConfig,
  type DeviceRingConfig,
  type RingLocation,
  type ViolationPolicy,
} from '../ring-config.ts'
import type { DeviceRingState, SplitDeviceState } from '../ring-state.ts'
import { makeViolation, type SplitViolationRule, type Violation } from '../violation.ts'
import { ChainWalker } from './chain-walker.ts'
import { RingSignals } from './ring-signals.ts'
import { checkDeviceState } from './split-device-state.ts'
import { SplitRing } from './split-layout.ts'

/** With policy `reject`: malformed chains that one `popAvailable` may return before it gives up its turn. */
const REJECTIONS_PER_POP = 16

const NOT_IN_FLIGHT = -1

/**
 * The device side of a split virtqueue: `popAvailable`, `addUsed`, `publish`, then `needsNotification`. What the driver
 * did wrong becomes `violation`, and the queue stops until it is reset.
 */
export class SplitDeviceQueue implements DeviceRing {
  readonly format = 'split'
  readonly memory: GuestMemory
  readonly size: number
  readonly eventIdx: boolean
  readonly index: number
  readonly policy: ViolationPolicy
  /** Why the queue is broken; null while it works. */
  violation: Violation | null = null
  /** The last chain returned under policy `reject`, and how many were since the last reset. */
  lastRejection: Violation | null = null
  rejections = 0
  /** Chains popped and not yet given back. */
  inFlight = 0
  /** Counts resets: whoever completes later compares, and drops what belongs to an earlier life of the queue. */
  generation = 0
  /** Told of every range that the device wrote, when somebody wants to know; see `DeviceRingConfig.onWrite`. */
  readonly onWrite: ((address: number, lengthBytes: number) => void) | null

  readonly #onViolation: ((violation: Violation) => void) | null
  readonly #mask: number
  readonly #location: RingLocation
  #available: Uint16Array
  #usedElements: Uint32Array
  readonly #signals: RingSignals
  readonly #walker: ChainWalker
  /** Writable bytes of each head in flight, else NOT_IN_FLIGHT. */
  readonly #writable: Float64Array
  /** Next slot of the available ring, free-running; and how far the driver is known to have published. */
  #next = 0
  #seen = 0
  /** used.idx with what is staged, and as published. */
  #usedNext = 0
  #usedPublished = 0

  /** Throws `VirtioError` INVALID_QUEUE: a queue that exists is usable. Writes nothing. */
  constructor(memory: GuestMemory, config: DeviceRingConfig) {
    checkDeviceRingConfig(memory, config)
    const { size, index = 0, eventIdx = false, indirect = false, policy = 'needs-reset' } = config
    this.eventIdx = eventIdx
    const ring = new SplitRing(memory, config)
    this.memory = memory
    this.size = size
    this.index = index
    this.policy = policy
    this.#onViolation = config.onViolation ?? null
    this.#mask = size - 1
    this.onWrite = config.onWrite ?? null
    this.#location = config
    this.#available = ring.available
    this.#usedElements = ring.usedElements
    const { used, availEventIndex, available, usedEventIndex, shared } = ring
    this.#signals = new RingSignals(used, availEventIndex, available, usedEventIndex, eventIdx, shared)
    this.#walker = new ChainWalker(memory, ring.descriptors, indirect, config)
    this.#writable = new Float64Array(size).fill(NOT_IN_FLIGHT)
    memory.observe(this)
  }

  /** Called by the memory when a region got another buffer: the areas are looked up anew. */
  rebind(): void {
    const ring = new SplitRing(this.memory, this.#location)
    this.#available = ring.available
    this.#usedElements = ring.usedElements
    this.#signals.rebind(ring.used, ring.available)
    this.#walker.rebind(ring.descriptors)
  }

  /**
   * Fills `chain` with the next request. False: nothing is there, or the queue is broken (`violation`), or, with policy
   * `reject`, this call has returned enough malformed chains for one turn (`availableCount()` is not 0 then). Rejected chains
   * are staged as used: publish after the last call.
   */
  popAvailable(chain: DescriptorChain): boolean {
    for (let turn = 0; turn < REJECTIONS_PER_POP; turn++) {
      if (this.#next === this.#seen && !this.#refresh()) return false
      const head = this.#available[2 + (this.#next & this.#mask)]!
      if (head >= this.size) return this.#breakRing('head-out-of-range', head)
      if (this.#writable[head]! >= 0) return this.#breakRing('head-in-flight', head)
      const rule = this.#walker.walk(head, chain)
      if (rule === null) {
        this.#writable[head] = chain.writableBytes
        this.#next = (this.#next + 1) & 0xffff
        this.inFlight++
        return true
      }
      this.#refuse(rule, head, chain)
    }
    return false
  }

  /**
   * Gives chain `id` back with the number of bytes written into its device-writable part. Staged: the driver sees it after
   * `publish`. Asserts that `id` is in flight and that `writtenBytes` fits (IMP-VQS-03, IMP-VQS-04).
   */
  addUsed(id: number, writtenBytes: number): void {
    const writable = this.#writable
    // One comparison for both rules: a head that is not in flight has -1 writable bytes, one out of range has none.
    if (!(writtenBytes <= writable[id]!) || writtenBytes >>> 0 !== writtenBytes) this.#refuseUsed(id, writtenBytes)
    writable[id] = -1
    this.inFlight--
    this.#stage(id, writtenBytes)
  }

  /** Writable bytes of a chain in flight; -1 for a head that is not. */
  writableBytesOf(id: number): number {
    return this.#writable[id] ?? NOT_IN_FLIGHT
  }

  /** Shows the driver everything staged, with one ordered store (VQS-USED-DEV-01). */
  publish(): void {
    const count = (this.#usedNext - this.#usedPublished) & 0xffff
    if (count === 0) return
    if (this.onWrite !== null) this.#tellUsed(count)
    this.#usedPublished = this.#usedNext
    this.#signals.publish(this.#usedNext, count)
  }

  /**
   * Whether the driver wants a used buffer notification for what was published since the last call. Answering counts as
   * having notified, so ask once a batch, after `publish`.
   */
  needsNotification(): boolean {
    return this.#signals.needsNotification()
  }

  /**
   * Asks the driver to notify from now on. True: more arrived meanwhile, poll again instead of waiting. While notifications are
   * enabled, a `popAvailable` that finds the ring empty re-arms by itself.
   */
  enableNotifications(): boolean {
    if (this.violation !== null) return false
    this.#signals.enable(this.#next)
    if (this.onWrite !== null) this.#tellSignals()
    return this.availableCount() > 0
  }

  /**
   * With EVENT_IDX: asks for one notification when `count` chains wait (1..size), for a device that has no use for fewer; true: so
   * many do already. Without EVENT_IDX the same as `enableNotifications`.
   */
  delayNotifications(count: number): boolean {
    if (!(count >= 1 && count <= this.size)) assert(false, `delay by 1..${this.size} chains, not ${count}`)
    if (!this.eventIdx) return this.enableNotifications()
    if (this.violation !== null) return false
    this.#signals.delay(this.#next, count)
    if (this.onWrite !== null) this.#tellSignals()
    return this.availableCount() >= count
  }

  /** Asks for silence, as far as the driver honours it. The device must poll. */
  disableNotifications(): void {
    if (this.violation !== null) return
    this.#signals.disable(this.#next)
    if (this.onWrite !== null) this.#tellSignals()
  }

  /** Chains waiting, by a fresh look at avail.idx; an impossible index breaks the queue and counts as none. */
  availableCount(): number {
    if (this.violation !== null) return 0
    const known = (this.#seen - this.#next) & 0xffff
    const index = this.#signals.peerIndex()
    const waiting = (index - this.#next) & 0xffff
    // VQS-AVL-DRV-01: forward only, and never past what the ring holds (museum 1).
    if (waiting > this.size || waiting < known) {
      this.#latch('available-index-jump', -1, `idx went to ${index}, ${waiting} ahead, in a queue of ${this.size}`)
      return 0
    }
    this.#seen = index
    return waiting
  }

  /**
   * Whether the driver claims that `count` chains wait. Changes nothing and judges nothing, so any agent may ask: what it hears may be old,
   * and is for deciding whether to look. `popAvailable` decides what is there.
   */
  claimsAvailable(count: number): boolean {
    return this.violation === null && ((this.#signals.peerIndex() - this.#next) & 0xffff) >= count
  }

  /** Back to the state of a new queue (VQRST-DEV-02). Writes nothing; chains in flight are forgotten. */
  reset(): void {
    this.#writable.fill(NOT_IN_FLIGHT)
    this.violation = null
    this.lastRejection = null
    this.rejections = 0
    this.inFlight = 0
    this.generation++
    this.#moveTo(0, 0)
    this.#signals.restore(0, 0, true, -1)
  }

  /** Plain data for a snapshot, taken between batches. Throws `VirtioError` NOT_RESTORABLE while something is staged. */
  saveState(): SplitDeviceState {
    if (this.#usedNext !== this.#usedPublished) throw stagedError('the used elements', this.index)
    const inFlight: { id: number; writableBytes: number }[] = []
    for (const [id, writableBytes] of this.#writable.entries()) {
      if (writableBytes !== NOT_IN_FLIGHT) inFlight.push({ id, writableBytes })
    }
    return {
      version: STATE_VERSION,
      format: this.format,
      size: this.size,
      nextAvailable: this.#next,
      nextUsed: this.#usedPublished,
      unsignalled: this.#signals.unsignalled,
      notificationsEnabled: this.#signals.armed,
      inFlight,
      violation: this.violation,
    }
  }

  /**
   * Takes over a saved state; throws `VirtioError` INVALID_STATE and changes nothing when it is not one of this queue. The
   * owner polls once afterwards: what was made available before the snapshot brings no notification (museum 29).
   */
  restoreState(saved: DeviceRingState): void {
    const state = checkDeviceState(saved, this.size)
    this.reset()
    for (const { id, writableBytes } of state.inFlight) this.#writable[id] = writableBytes
    this.inFlight = state.inFlight.length
    this.violation = state.violation
    this.#moveTo(state.nextAvailable, state.nextUsed)
    this.#signals.restore(state.nextUsed, state.unsignalled, state.notificationsEnabled, -1)
  }

  #moveTo(nextAvailable: number, usedIndex: number): void {
    this.#next = nextAvailable
    this.#seen = nextAvailable
    this.#usedNext = usedIndex
    this.#usedPublished = usedIndex
  }

  /** Looks for more; an empty ring is armed anew, and looked at again after the fence (museum 32). */
  #refresh(): boolean {
    if (this.availableCount() > 0) return true
    if (this.violation !== null || !this.#signals.rearm(this.#next)) return false
    if (this.onWrite !== null) this.#tellSignals()
    return this.availableCount() > 0
  }

  /** The used elements of a batch, which may wrap, and the index. */
  #tellUsed(count: number): void {
    const { deviceArea } = this.#location
    const first = this.#usedPublished & this.#mask
    const untilEnd = Math.min(count, this.size - first)
    this.onWrite?.(deviceArea + 4 + 8 * first, 8 * untilEnd)
    if (count > untilEnd) this.onWrite?.(deviceArea + 4, 8 * (count - untilEnd))
    this.onWrite?.(deviceArea + 2, 2)
  }

  /** The flags, or avail_event: whichever it was. */
  #tellSignals(): void {
    const { deviceArea } = this.#location
    this.onWrite?.(deviceArea, 2)
    this.onWrite?.(deviceArea + 4 + 8 * this.size, 2)
  }

  #stage(id: number, writtenBytes: number): void {
    const word = 1 + ((this.#usedNext & this.#mask) << 1)
    this.#usedElements[word] = id
    this.#usedElements[word + 1] = writtenBytes
    this.#usedNext = (this.#usedNext + 1) & 0xffff
  }

  #breakRing(rule: SplitViolationRule, head: number): false {
    this.#latch(rule, head, `slot ${this.#next & this.#mask} of the available ring names head ${head}`)
    return false
  }

  /** A malformed chain: nothing of it reaches the device. */
  #refuse(rule: SplitViolationRule, head: number, chain: DescriptorChain): void {
    chain.clear()
    const detail = `descriptor ${this.#walker.index} of the chain at head ${head}`
    if (this.policy !== 'reject') {
      this.#latch(rule, head, detail)
      return
    }
    this.rejections++
    this.#next = (this.#next + 1) & 0xffff
    this.#stage(head, 0)
    this.lastRejection = makeViolation(rule, this.index, head, detail)
    this.#onViolation?.(this.lastRejection)
  }

  #latch(rule: SplitViolationRule, head: number, detail: string): void {
    this.violation = makeViolation(rule, this.index, head, detail)
    // As if the ring were empty: the hot path then needs no test of its own.
    this.#seen = this.#next
    this.#onViolation?.(this.violation)
  }

  #refuseUsed(id: number, writtenBytes: number): void {
    const writable = this.#writable[id] ?? NOT_IN_FLIGHT
    assert(writable !== NOT_IN_FLIGHT, `head ${id} of queue ${this.index} is not in flight (IMP-VQS-03)`)
    assert(false, `head ${id} of queue ${this.index} has ${writable} writable bytes, not ${writtenBytes} (IMP-VQS-04)`)
  }
}

/**
 * Indices and notification suppression between the two sides of a split ring (virtio 1.4 §2.7.7, §2.7.10), which is the same
 * for both: each side writes flags, idx and an event field in its own area, and reads those of its peer's.
 *
 *   device: own = used ring, event field avail_event       driver: own = available ring, event field used_event
 *
 * With EVENT_IDX the flags stay 0 and are not looked at, without it the event fields are not (VQS-NTF-DEV-01, -04, -07, -09,
 * VQS-NTF-DRV-01, -03, -07, -10). Every field is stored and loaded with sequential consistency where memory is shared, but for
 * the request for silence; taking any of them away is a lost wake-up (test/testing/interleavings/mutants.test.ts).
 */
import { needEvent } from '../../internal/u16.ts'
import { loadOrdered, storeOrdered } from '../../memory/ordered.ts'
import { isPieced } from '../pieced-words.ts'

const FLAGS = 0
const INDEX = 1

/** VIRTQ_AVAIL_F_NO_INTERRUPT and VIRTQ_USED_F_NO_NOTIFY are the same bit. */
const QUIET = 1

export class RingSignals {
  /** We want to be notified: whoever finds the ring empty re-arms. False: quiet, or a later notification was asked for. */
  armed = true
  /** Elements published since `needsNotification` last answered; not modulo 2^16. */
  unsignalled = 0
  /** What our event field holds; -1: not written yet. */
  event = -1
  #own: Uint16Array
  readonly #ownEvent: number
  #peer: Uint16Array
  readonly #peerEvent: number
  readonly #eventIdx: boolean
  readonly #shared: boolean
  /** Of an area in pieces, which orders its accesses itself. */
  #ownOrdered = false
  #peerOrdered = false
  #published = 0

  /** `ownEvent` and `peerEvent` are the word indices of the event fields. */
  constructor(
    own: Uint16Array,
    ownEvent: number,
    peer: Uint16Array,
    peerEvent: number,
    eventIdx: boolean,
    shared: boolean,
  ) {
    this.#own = own
    this.#ownEvent = ownEvent
    this.#peer = peer
    this.#peerEvent = peerEvent
    this.#eventIdx = eventIdx
    this.#shared = shared
    this.rebind(own, peer)
  }

  /** The same areas, elsewhere in the host's memory. */
  rebind(own: Uint16Array, peer: Uint16Array): void {
    this.#own = own
    this.#peer = peer
    this.#ownOrdered = this.#shared && !isPieced(own)
    this.#peerOrdered = this.#shared && !isPieced(peer)
  }

  /** The peer's idx, by a fresh look. */
  peerIndex(): number {
    return loadOrdered(this.#peer, INDEX, this.#peerOrdered)
  }

  /** Shows the peer `count` more elements, up to `index`: the one ordered store of a batch (VQS-USED-DEV-01, VQS-AVL-DRV-04). */
  publish(index: number, count: number): void {
    this.#published = index
    this.unsignalled += count
    storeOrdered(this.#own, INDEX, index, this.#ownOrdered)
  }

  /** Whether the peer wants to be notified of what was published since the last answer. */
  needsNotification(): boolean {
    const count = this.unsignalled
    if (count === 0) return false
    this.unsignalled = 0
    if (!this.#eventIdx) return (loadOrdered(this.#peer, FLAGS, this.#peerOrdered) & QUIET) === 0
    // After a whole turn of the index every event was passed, and the distance says nothing.
    if (count > 0xffff) return true
    const event = loadOrdered(this.#peer, this.#peerEvent, this.#peerOrdered)
    return needEvent(event, this.#published, this.#published - count)
  }

  /** Asks for a notification when the peer goes past `next`, the element we look for. Look again afterwards (museum 32). */
  enable(next: number): void {
    this.armed = true
    if (this.#eventIdx) this.#storeEvent(next)
    else storeOrdered(this.#own, FLAGS, 0, this.#ownOrdered)
  }

  /**
   * Asks for silence. With EVENT_IDX: until the slot just passed comes round again, the furthest there is. A plain store: seen
   * late it costs a notification, and loses none (docs/interleavings.md).
   */
  disable(next: number): void {
    this.armed = false
    if (this.#eventIdx) {
      this.event = (next - 1) & 0xffff
      this.#own[this.#ownEvent] = this.event
    } else this.#own[FLAGS] = QUIET
  }

  /** With EVENT_IDX: asks for a notification `count` elements from now, instead of at the next. */
  delay(next: number, count: number): void {
    this.enable((next + count - 1) & 0xffff)
    this.armed = false
  }

  /**
   * The ring ran empty at `next`. An event field that is never moved on would stall the queue (museum 33), so it is, if we
   * want notifications; true: it was, look again.
   */
  rearm(next: number): boolean {
    if (!this.#eventIdx || !this.armed || this.event === next) return false
    this.#storeEvent(next)
    return true
  }

  /** As new, or as saved; writes nothing. */
  restore(published: number, unsignalled: number, armed: boolean, event: number): void {
    this.#published = published
    this.unsignalled = unsignalled
    this.armed = armed
    this.event = event
  }

  #storeEvent(event: number): void {
    this.event = event
    storeOrdered(this.#own, this.#ownEvent, event, this.#ownOrdered)
  }
}

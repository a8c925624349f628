/**
 * Event suppression between the two sides of a packed ring (virtio 1.4 §2.8.10, §2.8.14), which is the same for both: each side writes a
 * place and flags in its own area, and reads those of its peer.
 *
 * With EVENT_IDX a side that wants notifications asks for one place; without it, for all. Silence is a flag in both (IMP-VQP-13). The
 * place is stored before the flags, and read after them, so that whoever sees DESC finds the place that belongs to it.
 */
import { loadOrdered, storeOrdered } from '../../memory/ordered.ts'
import { isPieced } from '../pieced-words.ts'
import {
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  slotsBetween,
} from './packed-layout.ts'

const PLACE = 0
const FLAGS = 1
const UNKNOWN = -1

export class PackedEvents {
  /** We want to be notified: whoever finds the ring empty re-arms. False: quiet, or a later notification was asked for. */
  armed = true
  /** Slots published since `needsNotification` last answered. */
  unsignalled = 0
  #own: Uint16Array
  #peer: Uint16Array
  readonly #size: number
  readonly #eventIdx: boolean
  readonly #shared: boolean
  /** Of an area in pieces, which orders its accesses itself. */
  #ownOrdered = false
  #peerOrdered = false
  /** What our event field holds; UNKNOWN until it is written. */
  #place = UNKNOWN
  #flags = UNKNOWN
  /** Where what was published ends. */
  #published = 0

  constructor(own: Uint16Array, peer: Uint16Array, size: number, eventIdx: boolean, shared: boolean) {
    this.#own = own
    this.#peer = peer
    this.#size = size
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

  /** So many slots more were shown to the peer, up to `place`. */
  published(place: number, slots: number): void {
    this.#published = place
    this.unsignalled += slots
  }

  /** Whether the peer wants to be notified of what was published since the last answer (VQP-KICK-DRV-01). */
  needsNotification(): boolean {
    const slots = this.unsignalled
    if (slots === 0) return false
    this.unsignalled = 0
    const flags = loadOrdered(this.#peer, FLAGS, this.#peerOrdered) & 3
    if (flags === RING_EVENT_FLAGS_DISABLE) return false
    // What is reserved, or was not negotiated, asks for silence least of all.
    if (flags !== RING_EVENT_FLAGS_DESC || !this.#eventIdx) return true
    const event = loadOrdered(this.#peer, PLACE, this.#peerOrdered)
    // A place outside the ring is never passed.
    if ((event & 0x7fff) >= this.#size) return false
    // IMP-VQP-14: it lies among the last `slots` places before `#published`.
    const behind = slotsBetween(event, this.#published, this.#size)
    return slots >= 2 * this.#size || (behind > 0 && behind <= slots)
  }

  /** Asks for a notification when the peer goes past `place`, the one that we look at next. Look again afterwards (museum 32). */
  enable(place: number): void {
    this.armed = true
    if (this.#eventIdx) this.#ask(place)
    else this.#setFlags(RING_EVENT_FLAGS_ENABLE)
  }

  /** Asks for silence. A plain store: seen late it costs a notification, and loses none. */
  disable(): void {
    this.armed = false
    this.#flags = RING_EVENT_FLAGS_DISABLE
    this.#own[FLAGS] = RING_EVENT_FLAGS_DISABLE
  }

  /** With EVENT_IDX: asks for a notification when the peer goes past a later `place`. */
  delay(place: number): void {
    this.enable(place)
    this.armed = false
  }

  /**
   * The ring ran empty at `place`. With EVENT_IDX a place that is never moved on would stall the queue (museum 33): if we want
   * notifications it is moved. True: it was, so look again.
   */
  rearm(place: number): boolean {
    if (!this.#eventIdx || !this.armed || (this.#place === place && this.#flags === RING_EVENT_FLAGS_DESC)) return false
    this.#ask(place)
    return true
  }

  /** As new, or as saved; writes nothing. */
  restore(published: number, unsignalled: number, armed: boolean): void {
    this.#published = published
    this.unsignalled = unsignalled
    this.armed = armed
    this.#place = UNKNOWN
    this.#flags = UNKNOWN
  }

  #ask(place: number): void {
    this.#place = place
    storeOrdered(this.#own, PLACE, place, this.#ownOrdered)
    if (this.#flags !== RING_EVENT_FLAGS_DESC) this.#setFlags(RING_EVENT_FLAGS_DESC)
  }

  #setFlags(flags: number): void {
    this.#flags = flags
    storeOrdered(this.#own, FLAGS, flags, this.#ownOrdered)
  }
}

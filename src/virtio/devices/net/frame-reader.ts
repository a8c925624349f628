/**
 * The driver's side of a used receive buffer (virtio 1.4 §5.1.9.4): a private copy of the frame, out of one buffer or, with MRG_RXBUF, out
 * of as many as its header says. What a device says of it is checked before anybody sees it.
 */
import type { GuestMemory } from '../../../memory/index.ts'
import { type DriverRing, UsedBuffer } from '../../../virtqueue/index.ts'
import type { Slots } from '../buffer-slots.ts'
import { ETHERNET_HEADER_BYTES, MAX_FRAME_BYTES, NetFrame } from './frame.ts'
import { NET_HEADER_BYTES, readNetHeader } from './header.ts'
import { keepKnown, type Offloads, offloadFault, RECEIVE_FLAGS } from './offloads.ts'

/** Views of the first bytes up to this length are kept: no allocation for a small frame. */
const KEPT_VIEWS = 2048

export class FrameReader {
  malformed = 0
  readonly #memory: GuestMemory
  readonly #isMergeable: boolean
  readonly #offloads: Offloads
  readonly #packet = new Uint8Array(NET_HEADER_BYTES + MAX_FRAME_BYTES)
  readonly #views: (Uint8Array | undefined)[] = new Array(KEPT_VIEWS).fill(undefined)
  readonly #frame = new NetFrame()
  readonly #next = new UsedBuffer()

  constructor(memory: GuestMemory, isMergeable: boolean, offloads: Offloads) {
    this.#memory = memory
    this.#isMergeable = isMergeable
    this.#offloads = offloads
  }

  /** The frame whose first buffer is `first`; its buffers are free again. Null: it was malformed, and is dropped. */
  read(first: UsedBuffer, ring: DriverRing, slots: Slots): NetFrame | null {
    let packetBytes = this.#take(first, slots, 0)
    const frame = this.#frame
    let isWhole = packetBytes >= NET_HEADER_BYTES
    if (isWhole) {
      readNetHeader(this.#packet, 0, frame.header)
      // Without MRG_RXBUF nobody fills it in reliably: QEMU and DPDK leave it as it was.
      const count = this.#isMergeable ? frame.header.numBuffers : 1
      isWhole = count > 0
      for (let i = 1; i < count; i++) {
        // NET-RX-DEV-04: all of them are there, or the frame is none.
        if (!ring.popUsed(this.#next)) {
          isWhole = false
          break
        }
        packetBytes += this.#take(this.#next, slots, packetBytes)
      }
    }
    if (isWhole && this.#isSound(packetBytes - NET_HEADER_BYTES)) return frame
    this.malformed++
    return null
  }

  #isSound(lengthBytes: number): boolean {
    if (lengthBytes < ETHERNET_HEADER_BYTES || lengthBytes > MAX_FRAME_BYTES) return false
    const { header } = this.#frame.at(this.#packet, NET_HEADER_BYTES, lengthBytes)
    // NET-RX-DRV-08, -10: tunnels were not negotiated, and are no segmentation that there is.
    if (offloadFault(header, lengthBytes, this.#offloads) !== null) return false
    keepKnown(header, this.#offloads.csum ? RECEIVE_FLAGS : 0)
    return true
  }

  /** Copies a buffer behind what is there, as far as there is room, and frees it; returns its length. */
  #take({ id, writtenBytes }: UsedBuffer, slots: Slots, at: number): number {
    const address = slots.reclaim(id)
    const count = Math.min(writtenBytes, Math.max(0, this.#packet.length - at))
    if (count > 0) this.#memory.read(address, at === 0 ? this.#view(count) : this.#packet.subarray(at, at + count))
    slots.release(address)
    return writtenBytes
  }

  #view(length: number): Uint8Array {
    if (length >= KEPT_VIEWS) return this.#packet.subarray(0, length)
    const kept = this.#views[length] ?? this.#packet.subarray(0, length)
    this.#views[length] = kept
    return kept
  }
}

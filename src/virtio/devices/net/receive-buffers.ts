/**
 * A device's side of one receive queue (virtio 1.4 §5.1.9.3, §5.1.9.4): a frame goes into one buffer or, with MRG_RXBUF, into as many as it
 * takes. Buffers that were taken for a frame and are too few for it stay here until more arrive: a ring takes none back.
 */
import type { DeviceRing, Request } from '../../../virtqueue/index.ts'
import type { DeviceQueue } from '../../device-queue.ts'
import { ETHERNET_HEADER_BYTES, type NetFrame } from './frame.ts'
import { NET_HEADER_BYTES, writeNetHeader } from './header.ts'
import { finishChecksum, keepKnown, RECEIVE_FLAGS } from './offloads.ts'

/**
 * `wait`: the guest has too few buffers now. `too-long`: no buffers of its ring can hold the frame, which is to be dropped. `useless`: a
 * buffer had no room for anything, and went back; try again.
 */
export type Placement = 'written' | 'wait' | 'too-long' | 'useless'

export class ReceiveBuffers {
  readonly #queue: DeviceQueue
  readonly #held: Request[] = []
  #heldBytes = 0
  /** To which life of the queue they belong. */
  #ring: DeviceRing | null = null
  readonly #header = new Uint8Array(NET_HEADER_BYTES)

  constructor(queue: DeviceQueue) {
    this.#queue = queue
  }

  /** The queue, or the device, begins anew; what it has deferred, after a restore, is what is held here. */
  reset(): void {
    this.#ring = this.#queue.ring
    this.#held.length = 0
    this.#held.push(...this.#queue.deferred)
    this.#heldBytes = this.#held.reduce((sum, { writer }) => sum + writer.remaining, 0)
  }

  /** Writes a frame and gives its buffers to the guest, all at once. Without `takesCsum` its checksum is finished first, in its place. */
  write(frame: NetFrame, isMergeable: boolean, takesCsum: boolean): Placement {
    if (this.#queue.ring !== this.#ring) this.reset()
    const needed = NET_HEADER_BYTES + frame.lengthBytes
    while (this.#heldBytes < needed) {
      // Without merging only the first counts, and all of a ring is all that there is.
      if (this.#held.length >= (isMergeable ? this.#ring!.size : 1)) return 'too-long'
      const placed = this.#takeOne(frame, isMergeable, takesCsum)
      if (placed !== 'held') return placed
    }
    this.#writeHeld(frame, needed, takesCsum)
    return 'written'
  }

  /** The next buffer of the ring: filled at once when the frame fits in it alone, else held. */
  #takeOne(frame: NetFrame, isMergeable: boolean, takesCsum: boolean): Placement | 'held' {
    // NET-RXB-DRV-03
    const least = isMergeable ? NET_HEADER_BYTES : NET_HEADER_BYTES + ETHERNET_HEADER_BYTES
    for (const request of this.#queue.drain(1)) {
      const { writer } = request
      if (writer.remaining < least) return 'useless'
      if (this.#held.length === 0 && writer.remaining >= NET_HEADER_BYTES + frame.lengthBytes) {
        this.#prepare(frame, 1, takesCsum)
        writer.cursor.write(this.#header, 0, NET_HEADER_BYTES)
        writer.cursor.write(frame.buffer, frame.offset, frame.lengthBytes)
        return 'written'
      }
      this.#heldBytes += writer.remaining
      this.#held.push(request.defer())
      return 'held'
    }
    return 'wait'
  }

  /** NET-RX-DEV-02, -03, -04: all but the last are full, the first says how many there are, and the guest sees all of them at once. */
  #writeHeld(frame: NetFrame, needed: number, takesCsum: boolean): void {
    let count = 0
    for (let room = 0; room < needed; count++) room += this.#held[count]!.writer.remaining
    this.#prepare(frame, count, takesCsum)
    const used = this.#held.splice(0, count)
    let done = 0
    for (const [index, { writer }] of used.entries()) {
      this.#heldBytes -= writer.remaining
      if (index === 0) writer.cursor.write(this.#header, 0, NET_HEADER_BYTES)
      done += writer.cursor.write(frame.buffer, frame.offset + done, frame.lengthBytes - done)
    }
    this.#queue.completeTogether(used)
  }

  #prepare(frame: NetFrame, numBuffers: number, takesCsum: boolean): void {
    const { header } = frame
    if (takesCsum) keepKnown(header, RECEIVE_FLAGS)
    else finishChecksum(frame)
    // NET-RX-DEV-01: 1 without MRG_RXBUF too.
    header.numBuffers = numBuffers
    writeNetHeader(this.#header, 0, header)
  }
}

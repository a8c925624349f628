/**
 * Receive buffers of one VM that the broker has taken from its receive queue and not yet filled. Taken ahead in small
 * batches, kept in the order of the ring; what an interrupted transfer did not fill goes back to the front.
 */
import { SegmentList } from '../memory/index.ts'
import { CostOp, type PlatformPort } from '../platform/index.ts'
import { DescriptorChain, type SplitDeviceQueue } from '../virtqueue/index.ts'
import type { FramePins } from '../zero-copy/index.ts'

/** A receive chain: the header goes into its first bytes, the payload into the rest. */
export class ReceiveBuffer {
  id = -1
  payloadCapacity = 0
  readonly segments = new SegmentList()
}

export class ReceivePool {
  readonly #port: PlatformPort
  readonly #queue: SplitDeviceQueue
  readonly #headerBytes: number
  readonly #pins: FramePins | null
  readonly #chain = new DescriptorChain()
  /** A deque as large as the queue, so it cannot overflow. */
  readonly #ready: (ReceiveBuffer | null)[]
  #front = 0
  #count = 0
  readonly #free: ReceiveBuffer[] = []

  constructor(port: PlatformPort, queue: SplitDeviceQueue, headerBytes: number, pins: FramePins | null) {
    this.#port = port
    this.#queue = queue
    this.#headerBytes = headerBytes
    this.#pins = pins
    this.#ready = new Array(queue.size).fill(null)
  }

  /** Buffers at hand without looking at the ring. */
  get count(): number {
    return this.#count
  }

  /**
   * Takes up to `limit` buffers from the ring. A chain without room for one byte of payload is staged as used, empty: keeping it
   * would leak it, and a message could wait for it for ever. True: some were, the caller publishes them.
   */
  refill(limit: number): boolean {
    const chain = this.#chain
    let refused = false
    for (let taken = 0; taken < limit && this.#queue.popAvailable(chain); taken++) {
      this.#port.charge(CostOp.fetchDescriptor, 1)
      if (chain.writableBytes <= this.#headerBytes) {
        this.#queue.addUsed(chain.id, 0)
        refused = true
        continue
      }
      const buffer = this.#free.pop() ?? new ReceiveBuffer()
      buffer.id = chain.id
      buffer.payloadCapacity = chain.writableBytes - this.#headerBytes
      buffer.segments.clear()
      const { region, offset, address, length, count } = chain.segments
      for (let i = chain.readableCount; i < count; i++) {
        buffer.segments.append(region[i]!, offset[i]!, address[i]!, length[i]!)
      }
      this.#pins?.retain(buffer.segments)
      this.#ready[(this.#front + this.#count++) % this.#ready.length] = buffer
    }
    return refused
  }

  /** The oldest buffer, which stays; there is one. */
  get first(): ReceiveBuffer {
    return this.#ready[this.#front]!
  }

  /** Takes the oldest buffer, or null. */
  shift(): ReceiveBuffer | null {
    if (this.#count === 0) return null
    const buffer = this.#ready[this.#front]!
    this.#ready[this.#front] = null
    this.#front = (this.#front + 1) % this.#ready.length
    this.#count--
    return buffer
  }

  /** Puts an unfilled buffer back; the caller returns the youngest first, so that order is kept. */
  unshift(buffer: ReceiveBuffer): void {
    this.#front = (this.#front + this.#ready.length - 1) % this.#ready.length
    this.#ready[this.#front] = buffer
    this.#count++
  }

  /** The VM's queue is gone: lets go of every buffer at hand. */
  close(): void {
    for (let buffer = this.shift(); buffer !== null; buffer = this.shift()) this.release(buffer)
  }

  /** The buffer has been completed; its slot may be used again. */
  release(buffer: ReceiveBuffer): void {
    this.#pins?.release(buffer.segments)
    this.#free.push(buffer)
  }
}

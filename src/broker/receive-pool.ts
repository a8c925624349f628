/**
 * Receive buffers of one VM that the broker has taken from its receive queue and not yet filled. Taken ahead in small
 * batches, kept in the order of the ring; what an interrupted transfer did not fill goes back to the front.
 */
import { type GuestMemory, SegmentList } from '../memory/index.ts'
import { CostOp, type PlatformPort } from '../platform/index.ts'
import { DescriptorChain, type SplitDeviceQueue } from '../virtqueue/index.ts'
import type { ZeroCopy } from '../zero-copy/index.ts'
import type { EndpointQueues } from './endpoint.ts'
import type { Message } from './message-table.ts'
import { translateAgain } from './translate-again.ts'

/** A receive chain: the header goes into its first bytes, the payload into the rest. */
export class ReceiveBuffer {
  id = -1
  payloadCapacity = 0
  readonly segments = new SegmentList()
  /** Where the payload begins. */
  payloadSegment = 0
  payloadOffset = 0

  /** Finds the place behind the header; there is room for at least one byte. */
  findPayload(headerBytes: number): void {
    let [segment, offset] = [0, headerBytes]
    while (offset >= this.segments.length[segment]!) offset -= this.segments.length[segment++]!
    this.payloadSegment = segment
    this.payloadOffset = offset
  }
}

export class ReceivePool {
  readonly #port: PlatformPort
  readonly #vm: number
  readonly #memory: GuestMemory
  readonly #queue: SplitDeviceQueue
  readonly #headerBytes: number
  readonly #zeroCopy: ZeroCopy<Message> | null
  readonly #chain = new DescriptorChain()
  /** A deque as large as the queue, so it cannot overflow. */
  readonly #ready: (ReceiveBuffer | null)[]
  #front = 0
  #count = 0
  readonly #free: ReceiveBuffer[] = []

  constructor(
    port: PlatformPort,
    vm: number,
    queues: EndpointQueues,
    headerBytes: number,
    zeroCopy: ZeroCopy<Message> | null,
  ) {
    this.#port = port
    this.#vm = vm
    this.#memory = queues.memory
    this.#queue = queues.receive
    this.#headerBytes = headerBytes
    this.#zeroCopy = zeroCopy
    this.#ready = new Array(queues.receive.size).fill(null)
  }

  /** Buffers at hand without looking at the ring. */
  get count(): number {
    return this.#count
  }

  /**
   * Takes up to `limit` buffers from the ring; what is lent to the VM and lies in them comes back. A chain without room for
   * one byte of payload is staged as used, empty: keeping it would leak it, and a message could wait for it for ever. So is
   * one with a page that the VM itself has lent away, which nobody may write. True: some were, the caller publishes them.
   */
  refill(limit: number): boolean {
    const chain = this.#chain
    const before = this.#count
    let refused = false
    for (let taken = 0; taken < limit && this.#queue.popAvailable(chain); taken++) {
      this.#port.charge(CostOp.fetchDescriptor, 1)
      if (chain.writableBytes <= this.#headerBytes || this.#zeroCopy?.loans.isLentBy(this.#vm, chain.segments)) {
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
      this.#ready[(this.#front + this.#count++) % this.#ready.length] = buffer
    }
    if (this.#zeroCopy !== null) this.#takeBack(this.#zeroCopy, before)
    for (let i = before; i < this.#count; i++) {
      const buffer = this.#at(i)
      buffer.findPayload(this.#headerBytes)
      this.#zeroCopy?.ledger.retain(buffer.segments)
    }
    return refused
  }

  /** Borrowed pages in the buffers from `first` on go back to their owners, all at once; the VM's own take their places. */
  #takeBack({ loans }: ZeroCopy<Message>, first: number): void {
    if (loans.borrowedBy(this.#vm) === 0) return
    const borrowed: ReceiveBuffer[] = []
    for (let i = first; i < this.#count; i++) {
      if (loans.noteBorrowed(this.#vm, this.#at(i).segments)) borrowed.push(this.#at(i))
    }
    loans.giveBackNoted()
    for (const { segments } of borrowed) translateAgain(this.#memory, segments, 0)
  }

  /** The buffer `index` places behind the oldest. */
  #at(index: number): ReceiveBuffer {
    return this.#ready[(this.#front + index) % this.#ready.length]!
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
    this.#zeroCopy?.ledger.release(buffer.segments)
    this.#free.push(buffer)
  }
}

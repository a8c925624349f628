/**
 * Receive buffers of one VM that the broker has taken from its receive queue and not yet filled. Taken ahead in small
 * batches, kept in the order of the ring; what an interrupted transfer did not fill goes back to the front.
 */
import { assert } from '../internal/assert.ts'
import { type GuestMemory, SegmentList } from '../memory/index.ts'
import { CostOp, type PlatformPort } from '../platform/index.ts'
import { DescriptorChain, type DeviceRing } from '../virtqueue/index.ts'
import type { ZeroCopy } from '../zero-copy/index.ts'
import { RECEIVE_EXTENTS } from './batches.ts'
import { fetchesOf } from './charges.ts'
import type { EndpointQueues } from './endpoint.ts'
import type { Message } from './message-table.ts'
import { translateAgain } from './translate-again.ts'

/** Of a receive chain, mostly: its header, and a page. */
const USUAL_EXTENTS = 4

/** A receive chain: the header goes into its first bytes, the payload into the rest. */
export class ReceiveBuffer {
  id = -1
  payloadCapacity = 0
  readonly segments = new SegmentList(USUAL_EXTENTS)
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
  /** Buffers taken from the ring, ever, and what it took to fetch them; and the same of those that went back empty at once. */
  looked = 0
  fetches = 0
  refused = 0
  refusedFetches = 0
  readonly #port: PlatformPort
  readonly #vm: number
  readonly #memory: GuestMemory
  readonly #queue: DeviceRing
  readonly #headerBytes: number
  readonly #zeroCopy: ZeroCopy<Message> | null
  readonly #chain = new DescriptorChain()
  /** A deque as large as the queue, so it cannot overflow. */
  readonly #ready: (ReceiveBuffer | null)[]
  #front = 0
  #count = 0
  readonly #free: ReceiveBuffer[] = []
  readonly #leastBytes: number

  /** `leastBytes`: payload that a buffer has to hold. */
  constructor(
    port: PlatformPort,
    vm: number,
    queues: EndpointQueues,
    headerBytes: number,
    leastBytes: number,
    zeroCopy: ZeroCopy<Message> | null,
  ) {
    this.#port = port
    this.#vm = vm
    this.#memory = queues.memory
    this.#queue = queues.receive
    this.#headerBytes = headerBytes
    this.#leastBytes = leastBytes
    this.#zeroCopy = zeroCopy
    this.#ready = new Array(queues.receive.size).fill(null)
  }

  /** Buffers at hand without looking at the ring. */
  get count(): number {
    return this.#count
  }

  /**
   * Takes up to `limit` buffers from the ring; what is lent to the VM and lies in them comes back. A chain that holds less than a
   * whole piece, or is in more parts than a piece is worth, is staged as used, empty: keeping it would leak it, and others would wait
   * for the many transfers that it takes to fill such. So is one with a page that is not the VM's to write, whatever the queues
   * remember: one that it has lent away, or is about to. None is looked at once such have taken `uselessFetches`. Returns the work done:
   * below the limit, the ring is empty, or that many were useless. The caller publishes if `refused` has grown.
   */
  refill(limit: number, uselessFetches = Number.POSITIVE_INFINITY): number {
    const chain = this.#chain
    const before = this.#count
    const uselessUntil = this.refusedFetches + uselessFetches
    let work = 0
    let comingBack = 0
    while (work < limit && this.refusedFetches < uselessUntil && this.#queue.popAvailable(chain)) {
      this.looked++
      const fetches = fetchesOf(chain.descriptorCount)
      this.#port.charge(CostOp.fetchDescriptor, fetches)
      this.fetches += fetches
      if (!this.#accepts(chain)) {
        this.#queue.addUsed(chain.id, 0)
        this.#port.charge(CostOp.usedRing, 1)
        this.refused++
        this.refusedFetches += fetches
        work += fetches
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
      const borrowed = this.#zeroCopy?.loans.noteBorrowed(this.#vm, buffer.segments) ?? 0
      comingBack += borrowed
      // Pages that come back count too: each is unmapped, invalidated and mapped.
      work += Math.max(fetches, borrowed)
      this.#ready[(this.#front + this.#count++) % this.#ready.length] = buffer
    }
    if (comingBack > 0) this.#takeBack(this.#zeroCopy!, before)
    for (let i = before; i < this.#count; i++) {
      const buffer = this.#at(i)
      buffer.findPayload(this.#headerBytes)
      this.#zeroCopy?.ledger.retain(buffer.segments)
    }
    return work
  }

  #accepts({ segments, readableCount, writableBytes }: DescriptorChain): boolean {
    if (writableBytes < this.#headerBytes + this.#leastBytes) return false
    if (segments.count - readableCount > RECEIVE_EXTENTS) return false
    return this.#zeroCopy === null || this.#zeroCopy.loans.mayReceive(this.#vm, segments)
  }

  /**
   * Borrowed pages that were noted go back to their owners, all at once; the VM's own take their places, in all buffers from the one at
   * place `first` on: a page that two of them name was noted once.
   */
  #takeBack({ loans }: ZeroCopy<Message>, first: number): void {
    loans.giveBackNoted()
    for (let i = first; i < this.#count; i++) {
      const readable = translateAgain(this.#memory, this.#at(i).segments, 0)
      assert(readable >= 0, 'an extent that came back is mapped')
    }
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

  /** The VM's queue is gone: lets go of up to `limit` buffers at hand; returns how many. */
  close(limit: number): number {
    let closed = 0
    for (; closed < limit && this.#count > 0; closed++) this.release(this.shift()!)
    return closed
  }

  /** The buffer has been completed; its slot may be used again. */
  release(buffer: ReceiveBuffer): void {
    this.#zeroCopy?.ledger.release(buffer.segments)
    this.#free.push(buffer)
  }
}

/**
 * Messages between fetch and completion: what the broker copied of a transmit chain, and how far it has come. Objects are
 * reused; there are as many as were ever in flight at once, which the transmit queues bound.
 */
import { SegmentList } from '../memory/index.ts'
import type { DeviceRing } from '../virtqueue/index.ts'
import type { Loan } from '../zero-copy/index.ts'

export class Message {
  flow = -1
  source = -1
  destination = -1
  /** Head of its transmit chain, and the queue it came from: a VM that was reset meanwhile has another one, or none. */
  head = -1
  queue: DeviceRing | null = null
  /** Next younger message of its flow, and how many came before it. */
  next: Message | null = null
  order = 0
  totalBytes = 0
  /** Bytes that have arrived. */
  movedBytes = 0
  /** Earliest time at which it may compete, and when it is due, ns. */
  eligibleNs = 0
  deadlineNs = 0
  /** Of its lateness, what back-pressure excuses, ns (policing.ts). */
  forgivenNs = 0
  /** It waits for a receive buffer; when it last got one that it had waited for, ns. */
  starved = false
  fedNs = 0
  /** Moved by the CPU (no payload, or pages remapped), not by the DMA. */
  byCpu = false
  /** Still in its flow's queue: not all of it has arrived. */
  queued = false
  /** Its pages that are lent; null: none ever was. */
  loan: Loan<Message> | null = null
  /** Transfers that move or announce a part of it. */
  transfers = 0
  readonly header: Uint8Array
  /** Physical extents of the payload, and the place in them of the first byte that has not arrived. */
  readonly payload = new SegmentList()
  segment = 0
  segmentOffset = 0
  /** Frames of it that were exchanged: their next owner has them, and the message no longer holds them. */
  readonly exchanged: number[] = []

  constructor(headerBytes: number) {
    this.header = new Uint8Array(headerBytes)
  }

  get arrived(): boolean {
    return this.movedBytes === this.totalBytes
  }

  /** Moves the place of the first missing byte forward. */
  advance(bytes: number): void {
    this.movedBytes += bytes
    let left = bytes
    while (left > 0) {
      const rest = this.payload.length[this.segment]! - this.segmentOffset
      if (left < rest) {
        this.segmentOffset += left
        return
      }
      left -= rest
      this.segment++
      this.segmentOffset = 0
    }
  }
}

export class MessageTable {
  readonly #headerBytes: number
  readonly #free: Message[] = []

  constructor(headerBytes: number) {
    this.#headerBytes = headerBytes
  }

  /** A message that has not moved; whoever takes it sets what it is. */
  take(): Message {
    const message = this.#free.pop() ?? new Message(this.#headerBytes)
    message.next = null
    message.movedBytes = 0
    message.segment = 0
    message.segmentOffset = 0
    message.byCpu = false
    message.forgivenNs = 0
    message.starved = false
    message.fedNs = 0
    message.loan = null
    message.transfers = 0
    message.payload.clear()
    message.exchanged.length = 0
    return message
  }

  release(message: Message): void {
    message.queue = null
    this.#free.push(message)
  }
}

/**
 * Messages out: writes the used elements of transfers that have arrived, tells the receiver as its ring asks, and with a
 * message's last transfer gives the transmit buffer back to its sender.
 */
import { SegmentCursor } from '../memory/index.ts'
import { CostOp } from '../platform/index.ts'
import { ANNOUNCE_BATCH } from './batches.ts'
import type { Endpoint } from './endpoint.ts'
import type { FlowQueues } from './flow-queues.ts'
import type { Message } from './message-table.ts'
import type { RelayContext } from './relay-context.ts'
import { Transfer } from './transfer.ts'

export class Outlet {
  readonly #context: RelayContext
  readonly #queues: FlowQueues
  readonly #cursor = new SegmentCursor()
  readonly #header: Uint8Array
  readonly #freeTransfers: Transfer[] = []

  constructor(context: RelayContext, queues: FlowQueues) {
    this.#context = context
    this.#queues = queues
    this.#header = new Uint8Array(context.router.headerBytes)
  }

  /** A transfer for the next pieces of a message, built by the current core. */
  open(message: Message): Transfer {
    const transfer = this.#freeTransfers.pop() ?? new Transfer()
    const { core, endpoints } = this.#context
    transfer.open(message, endpoints[message.destination]!.pool!, core)
    message.transfers++
    return transfer
  }

  /** Queues a transfer for `announce`; its message leaves its flow once all of it has arrived. */
  arrive(transfer: Transfer): void {
    const message = transfer.message!
    const { endpoints, port } = this.#context
    if (message.arrived) this.#queues.dequeue(this.#queues.states[message.flow]!, port.now())
    endpoints[message.destination]!.arrived.push(transfer)
  }

  /**
   * The VM is gone: what has arrived for it and was not announced never will be. Lets go of up to `limit` pieces; returns how many.
   */
  drop({ arrived }: Endpoint, limit: number): number {
    let left = limit
    while (arrived.length > 0 && left > 0) {
      const transfer = arrived[0]!
      for (; transfer.announced < transfer.pieces && left > 0; left--) {
        transfer.pool!.release(transfer.buffers[transfer.announced++]!)
      }
      if (transfer.announced < transfer.pieces) break
      arrived.shift()
      this.finish(transfer)
    }
    return limit - left
  }

  /**
   * Writes a batch of used elements. True: call again. A VM's transfers are announced by one core at a time, so that
   * pieces stay in order while the lock changes hands.
   */
  announce(): boolean {
    const { core, endpoints } = this.#context
    let left = ANNOUNCE_BATCH
    for (const endpoint of endpoints) {
      if (endpoint.announcer >= 0 && endpoint.announcer !== core) continue
      while (endpoint.arrived.length > 0 && left > 0) left -= this.#announceSome(endpoint, left)
      endpoint.announcer = endpoint.arrived.length > 0 ? core : -1
      if (left <= 0) return true
    }
    return false
  }

  /** Up to `limit` pieces of the oldest arrived transfer; returns how many, at least 1. */
  #announceSome(endpoint: Endpoint, limit: number): number {
    const { port, router } = this.#context
    const { memory, receive } = endpoint.queues!
    const transfer = endpoint.arrived[0]!
    const first = transfer.announced
    const until = Math.min(transfer.pieces, first + limit)
    this.#header.set(transfer.message!.header)
    for (; transfer.announced < until; transfer.announced++) {
      const buffer = transfer.buffers[transfer.announced]!
      const bytes = transfer.pieceBytes[transfer.announced]!
      router.writePieceHeader(this.#header, bytes)
      this.#cursor.attach(memory, buffer.segments, 0, router.headerBytes)
      this.#cursor.write(this.#header, 0, router.headerBytes)
      receive.addUsed(buffer.id, router.headerBytes + bytes)
      transfer.pool!.release(buffer)
    }
    port.charge(CostOp.usedRing, until - first)
    if (until === transfer.pieces) {
      endpoint.arrived.shift()
      const { queued, transfers } = transfer.message!
      this.#context.publishReceived(endpoint, !queued && transfers === 1 ? 1 : 0)
      this.finish(transfer)
    }
    return Math.max(until - first, 1)
  }

  /** Ends a transfer, and with the last one of a message that left its flow, the message. */
  finish(transfer: Transfer): void {
    const message = transfer.message!
    transfer.message = null
    transfer.pool = null
    this.#freeTransfers.push(transfer)
    message.transfers--
    this.completeIfOver(message)
  }

  /**
   * Gives the transmit buffer of a message back that nothing refers to any more and none of whose pages is lent, unless its
   * sender was reset meanwhile.
   */
  completeIfOver(message: Message): void {
    const { queue, loan } = message
    if (queue === null || message.queued || message.transfers > 0 || (loan !== null && loan.pages.size > 0)) return
    const { endpoints, zeroCopy, port } = this.#context
    this.#queues.states[message.flow]!.giveBack(message)
    if (endpoints[message.source]!.queues?.transmit === queue) {
      queue.addUsed(message.head, 0)
      port.charge(CostOp.usedRing, 1)
      this.#context.publish(message.source, queue)
    }
    zeroCopy?.ledger.release(message.payload, message.exchanged)
    this.#queues.messages.release(message)
  }
}

/**
 * One transfer: pieces of one message on their way into receive buffers, then waiting for their used elements. A message
 * takes one transfer or many; the DMA runs one transfer at a time while older ones are still being announced.
 */
import { DmaList } from '../platform/index.ts'
import type { Message } from './message-table.ts'
import type { ReceiveBuffer, ReceivePool } from './receive-pool.ts'

export class Transfer {
  message: Message | null = null
  /** Where its buffers came from: a VM that was reset meanwhile has another pool, or none. */
  pool: ReceivePool | null = null
  /** The core that builds it, extends it, and later announces it. */
  core = -1
  /** Its pieces: the first `pieces` entries of both. Kept between uses: emptying an array gives its memory back. */
  pieces = 0
  readonly buffers: ReceiveBuffer[] = []
  readonly pieceBytes: number[] = []
  /** Bytes of the message that pieces exist for, counted from the message's first byte. */
  plannedBytes = 0
  /** Place of the next unplanned byte in the message's payload. */
  segment = 0
  segmentOffset = 0
  /** When the DMA started it, ns. */
  startNs = 0
  /** DMA busy time of all pieces, ns. */
  busyNs = 0
  /** Its core waits for the DMA instead of taking an interrupt. */
  awaited = false
  /** Takes no further pieces: stopped, or the budget is used up, or no receive buffer is left. */
  closed = false
  /** The engine has been asked to pause. */
  stopped = false
  /** Used elements written so far, once the pieces have arrived. */
  announced = 0
  readonly list = new DmaList()

  open(message: Message, pool: ReceivePool, core: number): void {
    this.message = message
    this.pool = pool
    this.core = core
    this.pieces = 0
    this.plannedBytes = message.movedBytes
    this.segment = message.segment
    this.segmentOffset = message.segmentOffset
    this.startNs = 0
    this.busyNs = 0
    this.awaited = false
    this.closed = false
    this.stopped = false
    this.announced = 0
    this.list.clear(message.flow)
  }

  /**
   * Plans one piece of `bytes` into `buffer`, behind `headerBytes` of header. Both sides are physical extents; an entry
   * ends where either of them does.
   */
  addPiece(buffer: ReceiveBuffer, bytes: number, headerBytes: number): void {
    const from = this.message!.payload
    const to = buffer.segments
    let target = 0
    let targetOffset = headerBytes
    while (targetOffset >= to.length[target]!) targetOffset -= to.length[target++]!
    let left = bytes
    while (left > 0) {
      const sourceRest = from.length[this.segment]! - this.segmentOffset
      const targetRest = to.length[target]! - targetOffset
      const run = Math.min(left, sourceRest, targetRest)
      this.list.add(from.offset[this.segment]! + this.segmentOffset, to.offset[target]! + targetOffset, run)
      left -= run
      this.segmentOffset += run
      targetOffset += run
      if (run === sourceRest) {
        this.segment++
        this.segmentOffset = 0
      }
      if (run === targetRest) {
        target++
        targetOffset = 0
      }
    }
    this.list.endPiece()
    this.appendPiece(buffer, bytes)
  }

  /** A piece that the CPU has moved already, or that has no payload. */
  appendPiece(buffer: ReceiveBuffer, bytes: number): void {
    this.buffers[this.pieces] = buffer
    this.pieceBytes[this.pieces++] = bytes
    this.plannedBytes += bytes
  }
}

/** The DMA engine on its board: its end is an event, and then the bytes have moved in DRAM. */
import { type DmaList, NO_INTERRUPT } from '../platform/index.ts'
import { BoardEvent, type BoardParts, HARDWARE } from './board-parts.ts'
import { TraceKind, Track } from './trace-names.ts'

export class DmaChannel {
  /** Core that takes the interrupt of the transfer, or `NO_INTERRUPT`. */
  interruptCore = NO_INTERRUPT
  /** Of the list that last ended: whole pieces moved, and when its last byte arrived. */
  completedPieces = 0
  endNs = 0
  readonly #parts: BoardParts
  #endEvent = 0
  #list: DmaList | null = null

  constructor(parts: BoardParts) {
    this.#parts = parts
  }

  start(list: DmaList, interruptCore: number, nowNs: number): void {
    this.interruptCore = interruptCore
    this.#list = list
    this.#parts.dma.start(list, nowNs)
    this.#parts.hardware?.dmaStart(list)
    this.#scheduleEnd()
  }

  /** False: the engine had already reached the old end. */
  extend(nowNs: number): boolean {
    const extended = this.#parts.dma.extend(nowNs)
    if (extended) {
      this.#parts.hardware?.dmaExtend(this.#list!)
      this.#rescheduleEnd()
    }
    return extended
  }

  /** False: the border that it could stop at is the end anyway. */
  pause(nowNs: number): boolean {
    const pauses = this.#parts.dma.pause(nowNs)
    if (pauses) {
      this.#parts.hardware?.dmaPause(this.#list!, this.#parts.dma.completedPieces)
      this.#rescheduleEnd()
    }
    return pauses
  }

  /** The end's event: the bytes arrive, all at once, because nobody may look at them before they are announced. */
  finish(): void {
    const { kernel, dma, dram, hardware, trace, counters, movesBytes } = this.#parts
    const pieces = dma.completedPieces
    const list = dma.finish()
    for (let i = 0; i < list.entryCount && list.piece[i]! < pieces; i++) {
      counters.dmaDescriptors += dram.physicalPieces(list.source[i]!, list.destination[i]!, list.bytes[i]!)
      if (movesBytes && hardware === null) dram.move(list.source[i]!, list.destination[i]!, list.bytes[i]!)
    }
    hardware?.dmaFinish(list, pieces, this.interruptCore)
    for (let piece = 0; piece < pieces; piece++) {
      const start = dma.pieceStartNs(piece)
      trace.span(TraceKind.dma, Track.dma, start, dma.pieceEndNs(piece) - start, list.tag, piece)
    }
    counters.dmaTransfers++
    this.completedPieces = pieces
    this.endNs = kernel.now
  }

  #scheduleEnd(): void {
    this.#endEvent = this.#parts.kernel.schedule(this.#parts.dma.endNs, HARDWARE, BoardEvent.dmaEnd, 0, 0)
  }

  #rescheduleEnd(): void {
    this.#parts.kernel.cancel(this.#endEvent)
    this.#scheduleEnd()
  }
}

/**
 * A scatter-gather list: entries of (source, destination, bytes) in physical addresses, grouped into pieces. A piece is
 * the unit at which a transfer can pause and at which the receiver is told; it is never split once started.
 *
 * One list belongs to one DMA channel and is reused: build, start, extend while it runs, read what completed, clear.
 */
export class DmaList {
  entryCount = 0
  pieceCount = 0
  /** What the transfer is for, a number the broker chose (its flow): for traces. */
  tag = -1
  source: Float64Array
  destination: Float64Array
  bytes: Float64Array
  /** Index of the piece an entry belongs to. */
  piece: Int32Array

  constructor(capacity = 64) {
    this.source = new Float64Array(capacity)
    this.destination = new Float64Array(capacity)
    this.bytes = new Float64Array(capacity)
    this.piece = new Int32Array(capacity)
  }

  clear(tag: number): void {
    this.entryCount = 0
    this.pieceCount = 0
    this.tag = tag
  }

  /** Appends to the piece being built; `endPiece` closes it. */
  add(source: number, destination: number, bytes: number): void {
    if (this.entryCount === this.source.length) this.#grow()
    const at = this.entryCount++
    this.source[at] = source
    this.destination[at] = destination
    this.bytes[at] = bytes
    this.piece[at] = this.pieceCount
  }

  endPiece(): void {
    this.pieceCount++
  }

  #grow(): void {
    const capacity = this.source.length * 2
    const grow = (old: Float64Array) => {
      const grown = new Float64Array(capacity)
      grown.set(old)
      return grown
    }
    this.source = grow(this.source)
    this.destination = grow(this.destination)
    this.bytes = grow(this.bytes)
    const piece = new Int32Array(capacity)
    piece.set(this.piece)
    this.piece = piece
  }
}

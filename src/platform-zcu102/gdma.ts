/**
 * One channel of the FPD DMA in scatter-gather mode (UG1085 ch. 19): moves the entries of a list one after another, raises
 * one interrupt at the end of the list or where a PAUSE stopped it. Deterministic, so the times of all pieces are known as
 * soon as they are submitted; the one event it needs is the end.
 *
 * PAUSE is a command bit in a descriptor, so it takes effect after the first piece that the engine has not fetched yet.
 */
import { assert } from '../internal/assert.ts'
import type { DmaList } from '../platform/index.ts'

export class Gdma {
  readonly #bytesPerNs: number
  readonly #prefetchedPieces: number
  readonly #descriptorNs: () => number
  readonly #physicalPieces: (source: number, destination: number, bytes: number) => number
  #list: DmaList | null = null
  /** When each piece's last byte arrives: the first `#pieces` of it. */
  readonly #pieceEndNs: number[] = []
  #pieces = 0
  #startNs = 0
  #entries = 0
  /** Pieces that will have been moved when it stops. */
  #stopAfter = 0

  /** `physicalPieces`: how many descriptors one entry of a list takes; default one, its memory is contiguous. */
  constructor(
    bytesPerNs: number,
    prefetchedPieces: number,
    descriptorNs: () => number,
    physicalPieces: (source: number, destination: number, bytes: number) => number = () => 1,
  ) {
    this.#bytesPerNs = bytesPerNs
    this.#prefetchedPieces = prefetchedPieces
    this.#descriptorNs = descriptorNs
    this.#physicalPieces = physicalPieces
  }

  get busy(): boolean {
    return this.#list !== null
  }

  /** c(b): bus time of `bytes`, ns. */
  busyNs(bytes: number): number {
    return Math.ceil(bytes / this.#bytesPerNs)
  }

  /** When the list ends, as things stand. */
  get endNs(): number {
    return this.#pieceEndNs[this.#stopAfter - 1]!
  }

  get completedPieces(): number {
    return this.#stopAfter
  }

  /** When piece `index` starts to move, and when its last byte arrives. */
  pieceStartNs(index: number): number {
    return index === 0 ? this.#startNs : this.#pieceEndNs[index - 1]!
  }

  pieceEndNs(index: number): number {
    return this.#pieceEndNs[index]!
  }

  start(list: DmaList, nowNs: number): void {
    assert(this.#list === null, 'the DMA channel is busy')
    assert(list.pieceCount > 0, 'an empty DMA list')
    this.#list = list
    this.#startNs = nowNs
    this.#entries = 0
    this.#pieces = 0
    this.#append()
  }

  /** False: the old end was reached before `nowNs`, or a PAUSE is set. */
  extend(nowNs: number): boolean {
    if (nowNs >= this.endNs || this.#stopAfter < this.#pieces) return false
    this.#append()
    return true
  }

  /** False: the piece at which it could stop is the last one anyway. */
  pause(nowNs: number): boolean {
    let inFlight = 0
    while (inFlight < this.#pieces && this.#pieceEndNs[inFlight]! <= nowNs) inFlight++
    const stopAfter = inFlight + 2 + this.#prefetchedPieces
    if (stopAfter >= this.#stopAfter) return false
    this.#stopAfter = stopAfter
    return true
  }

  /** The list ended: hands it back, with `completedPieces` of it done. */
  finish(): DmaList {
    const list = this.#list
    assert(list !== null, 'no DMA list to finish')
    this.#list = null
    return list
  }

  #append(): void {
    const list = this.#list!
    let endNs = this.pieceStartNs(this.#pieces)
    let pieceBytes = 0
    for (; this.#entries < list.entryCount; this.#entries++) {
      const at = this.#entries
      const bytes = list.bytes[at]!
      pieceBytes += bytes
      for (let left = this.#physicalPieces(list.source[at]!, list.destination[at]!, bytes); left > 0; left--) {
        endNs += this.#descriptorNs()
      }
      if (list.piece[this.#entries + 1] === list.piece[this.#entries] && this.#entries + 1 < list.entryCount) continue
      endNs += this.busyNs(pieceBytes)
      this.#pieceEndNs[this.#pieces++] = endNs
      pieceBytes = 0
    }
    this.#stopAfter = this.#pieces
  }
}

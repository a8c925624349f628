/** Stage-2 tables and frames of the board, and the same on the machine behind it. */
import { PAGE_SIZE } from '../memory/index.ts'
import type { BoardParts } from './board-parts.ts'

export class BoardMappings {
  readonly #parts: Pick<BoardParts, 'dram' | 'hardware' | 'stage2'>

  constructor(parts: Pick<BoardParts, 'dram' | 'hardware' | 'stage2'>) {
    this.#parts = parts
  }

  /** Returns the frame that the page had. */
  unmap(vm: number, guestAddress: number): number {
    const { hardware, stage2 } = this.#parts
    const frame = stage2[vm]!.unmap(guestAddress)
    hardware?.map(vm, guestAddress, -1, false)
    return frame
  }

  map(vm: number, guestAddress: number, frame: number, writable: boolean): void {
    const { hardware, stage2 } = this.#parts
    stage2[vm]!.map(guestAddress, frame, writable)
    hardware?.map(vm, guestAddress, frame, writable)
  }

  protect(vm: number, guestAddress: number, writable: boolean): void {
    const { hardware, stage2 } = this.#parts
    const table = stage2[vm]!
    table.protect(guestAddress, writable)
    hardware?.map(vm, guestAddress, table.frameAt(guestAddress), writable)
  }

  /** Zeroes a frame. */
  scrub(frame: number): void {
    const { dram, hardware } = this.#parts
    if (hardware !== null) hardware.scrubFrame(frame)
    else dram.zeroFrame(frame)
  }

  copy(from: number, to: number): void {
    const { dram, hardware } = this.#parts
    if (hardware !== null) hardware.copyFrame(from, to)
    else dram.move(from * PAGE_SIZE, to * PAGE_SIZE, PAGE_SIZE)
  }
}

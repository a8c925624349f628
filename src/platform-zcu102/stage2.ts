/**
 * Physical memory in frames, and the stage-2 table of each VM that maps guest pages to them. Every access of a guest, and
 * every one the broker makes for it, goes through its table: `memory` is page-mapped over the frames.
 */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { GuestMemory, PAGE_SIZE } from '../memory/index.ts'

const UNMAPPED = -1

/** The board's RAM. Addresses are byte offsets in `bytes`. */
export class Dram {
  readonly bytes: Uint8Array
  #nextFrame = 0

  constructor(bytes: number) {
    if (bytes > 2 ** 32) {
      throw new VirtioError(
        'TOO_MUCH_RAM',
        `the VMs need ${bytes} bytes of RAM together; a simulated board has at most 4 GiB`,
      )
    }
    this.bytes = new Uint8Array(new ArrayBuffer(Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE))
  }

  /** The first of `count` frames that belong to nobody yet. */
  takeFrames(count: number): number {
    const first = this.#nextFrame
    assert((first + count) * PAGE_SIZE <= this.bytes.length, 'more frames taken than the board was sized for')
    this.#nextFrame += count
    return first
  }

  /** Bytes move as the DMA moves them: any alignment, no overlap assumed. */
  move(source: number, destination: number, bytes: number): void {
    this.bytes.copyWithin(destination, source, source + bytes)
  }

  zeroFrame(frame: number): void {
    this.bytes.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE)
  }
}

export class Stage2Table {
  readonly base: number
  readonly frames: Int32Array
  readonly memory: GuestMemory

  /** Maps `bytes` of new frames at guest address `base`, both page multiples. */
  constructor(dram: Dram, base: number, bytes: number) {
    const pages = bytes / PAGE_SIZE
    const first = dram.takeFrames(pages)
    this.base = base
    this.frames = Int32Array.from({ length: pages }, (_, page) => first + page)
    this.memory = new GuestMemory([
      { base, size: bytes, buffer: dram.bytes.buffer as ArrayBuffer, frames: this.frames },
    ])
  }

  /** Returns the frame that the page had. */
  unmap(guestAddress: number): number {
    const page = this.#pageOf(guestAddress)
    const frame = this.frames[page]!
    assert(frame !== UNMAPPED, `guest page ${guestAddress.toString(16)} is not mapped`)
    this.frames[page] = UNMAPPED
    return frame
  }

  map(guestAddress: number, frame: number): void {
    const page = this.#pageOf(guestAddress)
    assert(this.frames[page] === UNMAPPED, `guest page ${guestAddress.toString(16)} is mapped already`)
    this.frames[page] = frame
  }

  #pageOf(guestAddress: number): number {
    const page = (guestAddress - this.base) / PAGE_SIZE
    assert(Number.isInteger(page) && page >= 0 && page < this.frames.length, `${guestAddress} is no page of this VM`)
    return page
  }
}

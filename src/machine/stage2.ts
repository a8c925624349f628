/**
 * Physical memory in frames, and the stage-2 table of each VM that maps guest pages to them. Every access of a guest, and
 * every one the broker makes for it, goes through its table: `memory` is page-mapped over the frames.
 *
 * A frame's bytes lie at its index in `Dram.bytes`, side by side with those of the VM's other frames, as the hypervisor's own
 * linear map would show them. Its physical address is another matter: it follows from its colour, and the DMA sees that.
 */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { GuestMemory, PAGE_SIZE } from '../memory/index.ts'
import { ColoredFrames } from '../plan/index.ts'

const UNMAPPED = -1

/** Bytes of DRAM that a board can have; below 2 GiB, and from 32 GiB on, as on the ZCU102 (UG1085 ch. 10). */
export const DRAM_BYTES = 2 ** 32
export const DRAM_LOW_BYTES = 2 ** 31
export const DRAM_HIGH_ADDRESS = 0x8_0000_0000

/** The board's RAM, as much of it as anybody uses. */
export class Dram {
  readonly bytes: Uint8Array
  readonly colors: number
  /** By frame: its number in physical memory. */
  readonly #physical: Int32Array
  readonly #free: ColoredFrames
  #frameCount = 0

  /** `bytes` in all that will be taken; `colors` of the board's last-level cache; `ram`: as `MachineOptions` says. */
  constructor(bytes: number, colors = 1, ram: ArrayBuffer | null = null) {
    if (bytes > DRAM_BYTES) {
      throw new VirtioError(
        'TOO_MUCH_RAM',
        `the VMs need ${bytes} bytes of RAM together; a simulated board has at most 4 GiB: make messages shorter, or give VMs less ram`,
      )
    }
    const frames = Math.ceil(bytes / PAGE_SIZE)
    const all = frames * PAGE_SIZE
    assert(ram === null || ram.byteLength >= all, `${ram?.byteLength} bytes of RAM are too few: the VMs need ${all}`)
    this.bytes = new Uint8Array(ram ?? new ArrayBuffer(all), 0, all)
    if (ram !== null) this.bytes.fill(0)
    this.colors = colors
    this.#physical = new Int32Array(frames)
    this.#free = new ColoredFrames(colors, DRAM_BYTES / PAGE_SIZE)
  }

  /** The first of `count` frames of these colours that belong to nobody yet. Throws `VirtioError` TOO_MUCH_RAM. */
  takeFrames(count: number, colors: readonly number[] = [0]): number {
    const first = this.#frameCount
    assert(first + count <= this.#physical.length, 'more frames taken than the board was sized for')
    for (let frame = first; frame < first + count; frame++) this.#physical[frame] = this.#free.take(colors)
    this.#frameCount += count
    return first
  }

  colorOf(frame: number): number {
    return this.#physical[frame]! % this.colors
  }

  /** Physical address of a frame's first byte. */
  addressOf(frame: number): number {
    const at = this.#physical[frame]! * PAGE_SIZE
    return at < DRAM_LOW_BYTES ? at : at - DRAM_LOW_BYTES + DRAM_HIGH_ADDRESS
  }

  /** Pieces in which `length` bytes at `source` and at `destination` follow each other in physical memory on both sides. */
  physicalPieces(source: number, destination: number, length: number): number {
    if ((source % PAGE_SIZE) + length <= PAGE_SIZE && (destination % PAGE_SIZE) + length <= PAGE_SIZE) return 1
    let pieces = 1
    for (let at = this.#pageRest(source, destination, 0); at < length; at += this.#pageRest(source, destination, at)) {
      if (!this.#adjacent(source, at) || !this.#adjacent(destination, at)) pieces++
    }
    return pieces
  }

  /** Bytes from `at` on until either side enters another page. */
  #pageRest(source: number, destination: number, at: number): number {
    return PAGE_SIZE - Math.max((source + at) % PAGE_SIZE, (destination + at) % PAGE_SIZE)
  }

  /** Whether byte `at` of an extent lies physically behind the byte before it. */
  #adjacent(start: number, at: number): boolean {
    const frame = Math.floor((start + at) / PAGE_SIZE)
    return (start + at) % PAGE_SIZE !== 0 || this.addressOf(frame) === this.addressOf(frame - 1) + PAGE_SIZE
  }

  /** Bytes move as the DMA moves them: any alignment, no overlap assumed. */
  move(source: number, destination: number, bytes: number): void {
    this.bytes.copyWithin(destination, source, source + bytes)
  }

  zeroFrame(frame: number): void {
    this.bytes.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE)
  }
}

/** Pages of a VM that follow each other in its address space, backed by frames of these colours. */
export interface RamArea {
  readonly bytes: number
  readonly colors: readonly number[]
}

export class Stage2Table {
  readonly base: number
  readonly frames: Int32Array
  readonly memory: GuestMemory

  /** By page: 1 where the guest may not write. */
  readonly readOnly: Uint8Array

  /** Maps new frames from guest address `base` on, area after area; all page multiples. */
  constructor(dram: Dram, base: number, areas: readonly RamArea[]) {
    this.base = base
    this.frames = new Int32Array(areas.reduce((pages, { bytes }) => pages + bytes / PAGE_SIZE, 0))
    let page = 0
    for (const { bytes, colors } of areas) {
      const first = dram.takeFrames(bytes / PAGE_SIZE, colors)
      for (let i = 0; i < bytes / PAGE_SIZE; i++) this.frames[page++] = first + i
    }
    this.readOnly = new Uint8Array(this.frames.length)
    const { frames, readOnly } = this
    const size = frames.length * PAGE_SIZE
    this.memory = GuestMemory.fixed([{ base, size, buffer: dram.bytes.buffer as ArrayBuffer, frames, readOnly }])
  }

  /** Returns the frame that the page had. */
  unmap(guestAddress: number): number {
    const page = this.#pageOf(guestAddress)
    const frame = this.frames[page]!
    if (frame === UNMAPPED) assert(false, `guest page ${guestAddress.toString(16)} is not mapped`)
    this.frames[page] = UNMAPPED
    return frame
  }

  map(guestAddress: number, frame: number, writable: boolean): void {
    const page = this.#pageOf(guestAddress)
    if (this.frames[page] !== UNMAPPED) assert(false, `guest page ${guestAddress.toString(16)} is mapped already`)
    this.frames[page] = frame
    this.readOnly[page] = writable ? 0 : 1
  }

  /** Changes what the guest may do with a page that is mapped. */
  protect(guestAddress: number, writable: boolean): void {
    const page = this.#pageOf(guestAddress)
    if (this.frames[page] === UNMAPPED) assert(false, `guest page ${guestAddress.toString(16)} is not mapped`)
    this.readOnly[page] = writable ? 0 : 1
  }

  /** The frame behind a page, -1 when it is not mapped. */
  frameAt(guestAddress: number): number {
    return this.frames[this.#pageOf(guestAddress)]!
  }

  /** Pages by colour of the frame behind them. */
  pagesByColor(dram: Dram): Int32Array {
    const pages = new Int32Array(dram.colors)
    for (const frame of this.frames) if (frame !== UNMAPPED) pages[dram.colorOf(frame)]!++
    return pages
  }

  #pageOf(guestAddress: number): number {
    const page = (guestAddress - this.base) / PAGE_SIZE
    if (!(Number.isInteger(page) && page >= 0 && page < this.frames.length))
      assert(false, `${guestAddress} is no page of this VM`)
    return page
  }
}

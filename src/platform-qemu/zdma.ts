/**
 * The FPD DMA of QEMU's ZCU102 (UG1085 ch. 19): channel 0 moves lists, channel 1 fills pages.
 *
 * QEMU moves all of a list while its register is written. The board's clock says when bytes have arrived, so a list begins with a gate: a
 * descriptor that moves 16 bytes of nobody's and pauses. The channel waits there while the list grows, and goes on when the clock says that it has
 * ended; the last descriptor pauses it again, which is its interrupt. Commands stand in source descriptors only.
 */
import { VirtioError } from '../internal/error.ts'
import { PAGE_SIZE } from '../memory/index.ts'
import type { DmaList } from '../platform/index.ts'
import { DESTINATION_LIST, GATE, GDMA0, GDMA1, LIST_BYTES, physical, SOURCE_LIST } from './layout.ts'
import type { Mailbox } from './mailbox.ts'

const ISR = 0x100
const IEN = 0x108
const IDS = 0x10c
const CTRL0 = 0x110
const STATUS = 0x11c
const SOURCE_WORDS = 0x128
const DESTINATION_WORDS = 0x138
const FILL_WORDS = 0x148
const SOURCE_START = 0x158
const DESTINATION_START = 0x160
const SOURCE_CURRENT = 0x178
const TOTAL_BYTE = 0x188
const CTRL2 = 0x200

const ALL = 0xfff
const PAUSED_BIT = 1 << 11
const ERRORS = 0x3f9
const SCATTER_GATHER = 1 << 6
const WRITE_ONLY = 1 << 4
const CONTINUE = 1 << 1
const STATUS_DONE = 0
const STATUS_PAUSED = 2

const DESCRIPTOR_BYTES = 16
const COHERENT = 1
const PAUSE = 1 << 3
const STOP = 2 << 3
const GATE_BYTES = 16

/** Frames of the machine, and where they lie. */
export interface FrameAddresses {
  /** Physical address of a frame's first byte. */
  addressOf(frame: number): number
}

/** @internal Something done wrong, to show that it is found: descriptors off their alignment, a list that stops instead of pausing, a byte counter not cleared. */
export type DmaFault = 'misaligned-descriptors' | 'stop-at-end' | 'stale-byte-counter'

/** What a list came to, as the DMA says. */
export interface Moved {
  readonly bytes: number
  readonly descriptors: number
}

export class Zdma {
  readonly #words: DataView
  readonly #frames: FrameAddresses
  readonly #fault: string | null
  /** Of the list that is under way: descriptors written, entries they stand for, and the last of each piece. */
  #descriptors = 0
  #entries = 0
  readonly #pieceEnds: number[] = []

  constructor(control: ArrayBuffer, frames: FrameAddresses, fault: string | null = null) {
    this.#words = new DataView(control)
    this.#frames = frames
    this.#fault = fault
  }

  /** The list's descriptors, and the channel at the gate in front of them. */
  start(mailbox: Mailbox, list: DmaList): void {
    this.#descriptors = 0
    this.#entries = 0
    this.#pieceEnds.length = 0
    this.#add(physical(GATE), physical(GATE) + GATE_BYTES, GATE_BYTES)
    this.#command(0, PAUSE)
    this.#append(list)
    mailbox.write32(GDMA0 + IDS, ALL)
    for (const [register, value] of [
      // Out of the pause in which the last list has ended, and idle.
      [CTRL2, 0],
      [CTRL0, SCATTER_GATHER | CONTINUE],
      ...address(SOURCE_START, physical(SOURCE_LIST) + (this.#fault === 'misaligned-descriptors' ? 4 : 0)),
      ...address(DESTINATION_START, physical(DESTINATION_LIST)),
      [TOTAL_BYTE, this.#fault === 'stale-byte-counter' ? 0 : 0xffff_ffff],
      [CTRL0, SCATTER_GATHER],
      [CTRL2, 1],
    ] as [number, number][]) {
      mailbox.write32(GDMA0 + register, value)
    }
    mailbox.write32(GDMA0 + ISR, ALL)
    const [status] = mailbox.read32(GDMA0 + STATUS)
    if (status !== STATUS_PAUSED) throw fault(`is in state ${status} at the gate of a list, not paused`)
  }

  /** The list has grown: the descriptor that was the last goes on to the new ones. */
  extend(list: DmaList): void {
    this.#command(this.#descriptors - 1, 0)
    this.#append(list)
  }

  /** Stops behind the first `pieces` pieces. */
  pause(pieces: number): void {
    this.#command(this.#pieceEnds[pieces - 1]!, PAUSE)
  }

  /** Opens the gate: what the list says is moved, up to its pause. With `interrupts`, the pause is an interrupt, which stays until `acknowledge`. */
  finish(mailbox: Mailbox, interrupts: boolean): Moved {
    if (interrupts) mailbox.write32(GDMA0 + IEN, PAUSED_BIT)
    mailbox.write32(GDMA0 + CTRL0, SCATTER_GATHER | CONTINUE)
    const registers = [STATUS, ISR, TOTAL_BYTE, SOURCE_CURRENT].map((register) => GDMA0 + register)
    const [status, events, total, current] = mailbox.read32(...registers) as [number, number, number, number]
    if (status !== STATUS_PAUSED || (events & ERRORS) !== 0) {
      throw fault(`is in state ${status} with events 0x${events.toString(16)} at the end of a list, not paused`)
    }
    return { bytes: total - GATE_BYTES, descriptors: (current - (physical(SOURCE_LIST) >>> 0)) / DESCRIPTOR_BYTES }
  }

  /** Takes the interrupt away. */
  acknowledge(mailbox: Mailbox): void {
    mailbox.write32(GDMA0 + IDS, ALL)
    mailbox.write32(GDMA0 + ISR, ALL)
  }

  /** Zeroes a frame. */
  fill(mailbox: Mailbox, frame: number): void {
    for (let word = 0; word < 4; word++) mailbox.write32(GDMA1 + FILL_WORDS + 4 * word, 0)
    for (const [register, value] of [
      [TOTAL_BYTE, 0xffff_ffff],
      [SOURCE_WORDS + 8, PAGE_SIZE],
      ...address(DESTINATION_WORDS, this.#frames.addressOf(frame)),
      [DESTINATION_WORDS + 8, PAGE_SIZE],
      [DESTINATION_WORDS + 12, 0],
      [CTRL0, WRITE_ONLY],
      [CTRL2, 1],
    ] as [number, number][]) {
      mailbox.write32(GDMA1 + register, value)
    }
    const [bytes, status] = mailbox.read32(GDMA1 + TOTAL_BYTE, GDMA1 + STATUS)
    if (bytes !== PAGE_SIZE || status !== STATUS_DONE) {
      throw fault(`filled ${bytes} bytes of a page and is in state ${status}`)
    }
  }

  #append(list: DmaList): void {
    for (; this.#entries < list.entryCount; this.#entries++) {
      const at = this.#entries
      this.#addExtent(list.source[at]!, list.destination[at]!, list.bytes[at]!)
      this.#pieceEnds[list.piece[at]!] = this.#descriptors - 1
    }
    this.#command(this.#descriptors - 1, this.#fault === 'stop-at-end' ? STOP : PAUSE)
  }

  /** One descriptor for each run of physical memory. Source and destination are offsets in frames. */
  #addExtent(source: number, destination: number, bytes: number): void {
    let [from, to, length] = [this.#physical(source), this.#physical(destination), 0]
    for (let at = 0; at < bytes; ) {
      const rest = PAGE_SIZE - Math.max((source + at) % PAGE_SIZE, (destination + at) % PAGE_SIZE)
      const [nextFrom, nextTo] = [this.#physical(source + at), this.#physical(destination + at)]
      if (nextFrom !== from + length || nextTo !== to + length) {
        this.#add(from, to, length)
        ;[from, to, length] = [nextFrom, nextTo, 0]
      }
      const run = Math.min(rest, bytes - at)
      length += run
      at += run
    }
    this.#add(from, to, length)
  }

  #physical(offset: number): number {
    return this.#frames.addressOf(Math.floor(offset / PAGE_SIZE)) + (offset % PAGE_SIZE)
  }

  #add(from: number, to: number, bytes: number): void {
    const at = this.#descriptors++ * DESCRIPTOR_BYTES
    if (at + DESCRIPTOR_BYTES > LIST_BYTES) throw fault(`has room for ${LIST_BYTES / DESCRIPTOR_BYTES} descriptors`)
    for (const [list, extent] of [
      [SOURCE_LIST, from],
      [DESTINATION_LIST, to],
    ] as const) {
      this.#words.setUint32(list + at, extent >>> 0, true)
      this.#words.setUint32(list + at + 4, Math.floor(extent / 2 ** 32), true)
      this.#words.setUint32(list + at + 8, bytes, true)
      this.#words.setUint32(list + at + 12, COHERENT, true)
    }
  }

  #command(descriptor: number, command: number): void {
    this.#words.setUint32(SOURCE_LIST + descriptor * DESCRIPTOR_BYTES + 12, COHERENT | command, true)
  }
}

/** Writes of the two words of a physical address. */
function address(register: number, value: number): [register: number, value: number][] {
  return [
    [register, value >>> 0],
    [register + 4, Math.floor(value / 2 ** 32)],
  ]
}

function fault(what: string): VirtioError {
  return new VirtioError('QEMU_FAULT', `the DMA of QEMU's ZCU102 ${what}`)
}

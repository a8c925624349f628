/**
 * One guest: honest, with buffers of whole pages or at any address, or hostile. An honest one checks what it receives byte
 * by byte, keeps its own pages full of private bytes, and uses its buffers only while they are its own.
 */
import { expect } from 'vitest'
import type { EndpointQueues } from '../../src/broker/index.ts'
import type { Random } from '../../src/internal/random.ts'
import { type GuestMemory, MemoryError, SegmentList } from '../../src/memory/index.ts'
import {
  BufferList,
  layoutSplitQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../../src/virtqueue/index.ts'
import { controlByte, messageByte, privateByte } from './byte-classes.ts'
import { PAGE } from './stage-two-model.ts'

export const RAM_BASE = 0x10_0000
export const HEADER_BYTES = 9
export const RX_BUFFERS = 14
export const TX_SLOTS = 3
export const TX_SLOT_PAGES = 10
/** Rings and headers. */
export const PRIVATE_PAGES = 3
export const RAM_PAGES = PRIVATE_PAGES + RX_BUFFERS + 1 + TX_SLOTS * TX_SLOT_PAGES

export const QUEUE_SIZE = 32
const RING_BYTES = 1024
export const WINDOW = RAM_BASE + PRIVATE_PAGES * PAGE

interface ReceiveBuffer {
  readonly header: number
  readonly payload: number
}

interface Sent {
  readonly sequence: number
  readonly length: number
}

interface Arriving extends Sent {
  readonly isDoubtful: boolean
  bytes: number
}

/** Where the rings of queue 0 (receive) or 1 (transmit) lie, of every guest. */
export const ringsOf = (queue: number) => layoutSplitQueue(QUEUE_SIZE, RAM_BASE + queue * RING_BYTES)

export class ModelGuest {
  readonly vm: number
  readonly memory: GuestMemory
  readonly #aligned: boolean
  readonly #hostile: number
  readonly #kick: (queue: number) => void
  #receive!: SplitDriverQueue
  #transmit!: SplitDriverQueue
  #receiveBuffers = new Map<number, ReceiveBuffer>()
  /** Read, and not made available again. */
  #kept: ReceiveBuffer[] = []
  #slots: number[] = []
  #transmitSlots = new Map<number, number>()
  /** By receiver: messages that are to arrive there, oldest first. */
  sent: Sent[][] = [[], [], []]
  /** By receiver: lengths of messages from before a reset of either end. They may arrive, in full or in part, or not. */
  #doubtful: Map<number, number>[] = [new Map(), new Map(), new Map()]
  #sequence = 0
  /** Messages of an attack, which each have a header of their own. */
  #staged = 0
  /** By sender: the message of which bytes have come. */
  #arriving: (Arriving | null)[] = [null, null, null]
  delivered = 0
  readonly #list = new BufferList()
  readonly #used = new UsedBuffer()
  /** By sender: its queue of sent messages; set by the test. */
  peers: readonly ModelGuest[] = []

  constructor(vm: number, memory: GuestMemory, aligned: boolean, hostile: number, kick: (queue: number) => void) {
    this.vm = vm
    this.memory = memory
    this.#aligned = aligned
    this.#hostile = hostile
    this.#kick = kick
  }

  get isHostile(): boolean {
    return this.vm === this.#hostile
  }

  /** Both sides of new queues; the device's are for the broker. */
  startQueues(eventIdx: boolean): EndpointQueues {
    const places = [0, 1].map((i) => ({
      size: QUEUE_SIZE,
      ...ringsOf(i),
      eventIdx,
      index: i,
    }))
    const rings = new SegmentList()
    expect(this.memory.translate(RAM_BASE, 2 * RING_BYTES, rings)).toBe(true)
    this.#receive = new SplitDriverQueue(this.memory, places[0]!)
    this.#transmit = new SplitDriverQueue(this.memory, places[1]!)
    this.#slots = Array.from({ length: TX_SLOTS }, (_, i) => i)
    return {
      memory: this.memory,
      receive: new SplitDeviceQueue(this.memory, places[0]!),
      transmit: new SplitDeviceQueue(this.memory, places[1]!),
      rings,
    }
  }

  postAll(): void {
    // A hostile one keeps its ring short, so that what it adds is soon used.
    for (let i = 0; i < (this.isHostile ? 2 : RX_BUFFERS); i++) {
      const odd = WINDOW + i * (PAGE + HEADER_BYTES + 1)
      this.#post(
        this.#aligned
          ? { header: RAM_BASE + PAGE + i * 16, payload: WINDOW + i * PAGE }
          : { header: odd, payload: odd + HEADER_BYTES },
      )
    }
    this.#publishReceive()
  }

  #post(buffer: ReceiveBuffer): void {
    const { header, payload } = buffer
    this.#list.clear()
    if (payload === header + HEADER_BYTES) this.#list.addWritable(header, HEADER_BYTES + PAGE)
    else this.#list.addWritable(header, HEADER_BYTES).addWritable(payload, PAGE)
    const head = this.#receive.add(this.#list)
    if (head >= 0) this.#receiveBuffers.set(head, buffer)
  }

  #publishReceive(): void {
    this.#receive.publish()
    if (this.#receive.needsNotification()) this.#kick(0)
  }

  // ---- receiving

  /** Reads up to `count` buffers; those that are not kept are made available again. */
  read(count: number, keeps: boolean, random: Random): void {
    for (let i = 0; i < count && this.#receive.popUsed(this.#used); i++) {
      const buffer = this.#receiveBuffers.get(this.#used.id)!
      this.#receiveBuffers.delete(this.#used.id)
      if (!this.isHostile && this.#used.writtenBytes > 0) this.#take(buffer, this.#used.writtenBytes - HEADER_BYTES)
      this.#kept.push(buffer)
      if (!keeps) this.#scribble(buffer, random)
    }
    if (!keeps) this.giveBack()
  }

  /** Uses what it read as scratch memory: only where it may write. */
  #scribble({ payload }: ReceiveBuffer, random: Random): void {
    if (random.chance(0.5)) return
    try {
      for (let i = 0; i < PAGE; i += 64) this.memory.writeU8(payload + i, privateByte(this.vm, i))
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error
    }
  }

  giveBack(): void {
    for (const buffer of this.#kept.splice(0)) this.#post(buffer)
    this.#publishReceive()
  }

  #take({ header, payload }: ReceiveBuffer, bytes: number): void {
    const head = new Uint8Array(HEADER_BYTES)
    this.memory.read(header, head)
    const from = head[0]! & 15
    const sequence = (head[2]! & 15) * 16 + (head[3]! & 15)
    if (from === this.#hostile) return
    let arriving = this.#arriving[from]!
    if (arriving === null || arriving.sequence !== sequence) {
      if (arriving !== null && !arriving.isDoubtful) expect.fail(`a message from ${from} to ${this.vm} is incomplete`)
      arriving = this.peers[from]!.expects(this.vm, sequence)
      this.#arriving[from] = arriving
    }
    const content = new Uint8Array(bytes)
    this.memory.read(payload, content)
    for (const [i, byte] of content.entries()) {
      const position = arriving.bytes + i
      if (byte === messageByte(from, this.vm, sequence, position)) continue
      expect.fail(`byte ${position} of message ${sequence} from ${from} to ${this.vm} is 0x${byte.toString(16)}`)
    }
    arriving.bytes += bytes
    expect(arriving.bytes).toBeLessThanOrEqual(arriving.length)
    if (arriving.bytes < arriving.length) return
    if (!arriving.isDoubtful) this.peers[from]!.sent[this.vm]!.shift()
    this.#arriving[from] = null
    this.delivered++
  }

  /** A piece of this message begins to arrive at a receiver: it is the next one, or one from before a reset. */
  expects(to: number, sequence: number): Arriving {
    const next = this.sent[to]![0]
    if (next?.sequence === sequence) return { ...next, isDoubtful: false, bytes: 0 }
    const length = this.#doubtful[to]!.get(sequence)
    if (length === undefined)
      expect.fail(`message ${sequence} from ${this.vm} to ${to}, where ${next?.sequence} comes next`)
    return { sequence, length, isDoubtful: true, bytes: 0 }
  }

  // ---- sending

  /** Sends `length` bytes, `offset` into a slot if it is not aligned, in so many descriptors. False: no slot is free. */
  send(to: number, wanted: number, oddOffset: number, parts: number): boolean {
    const slot = this.#slots.pop()
    if (slot === undefined) return false
    const start = WINDOW + (RX_BUFFERS + 1 + slot * TX_SLOT_PAGES) * PAGE
    const offset = this.#aligned ? 0 : oddOffset % PAGE
    const header = this.#aligned ? RAM_BASE + 2 * PAGE + slot * 16 : start + offset
    const payload = this.#aligned ? start : header + HEADER_BYTES
    const length = Math.min(wanted, start + TX_SLOT_PAGES * PAGE - payload)
    const sequence = this.#sequence++ & 255
    const content = Uint8Array.from({ length }, (_, i) => messageByte(this.vm, to, sequence, i))
    const fields = [this.vm, to, sequence >> 4, sequence & 15]
    for (let shift = 16; shift >= 0; shift -= 4) fields.push((length >> shift) & 15)
    this.memory.write(payload, content)
    this.memory.write(header, Uint8Array.from(fields, controlByte))

    this.#list.clear()
    if (this.#aligned) this.#list.addReadable(header, HEADER_BYTES)
    let at = this.#aligned ? payload : header
    const end = payload + length
    for (let part = parts; part > 1 && end - at > 1; part--) {
      const bytes = Math.max(1, Math.floor((end - at) / part))
      this.#list.addReadable(at, bytes)
      at += bytes
    }
    if (end > at) this.#list.addReadable(at, end - at)
    const head = this.#transmit.add(this.#list)
    if (head < 0) {
      this.#slots.push(slot)
      return false
    }
    this.#transmitSlots.set(head, slot)
    this.sent[to]!.push({ sequence, length })
    this.#transmit.publish()
    if (this.#transmit.needsNotification()) this.#kick(1)
    return true
  }

  /** Takes sent buffers back: they are its own again, to write and without anything foreign in them. */
  reclaim(): void {
    while (this.#transmit.popUsed(this.#used)) {
      const slot = this.#transmitSlots.get(this.#used.id)!
      this.#transmitSlots.delete(this.#used.id)
      const start = WINDOW + (RX_BUFFERS + 1 + slot * TX_SLOT_PAGES) * PAGE
      if (!this.isHostile) {
        const pattern = Uint8Array.from({ length: TX_SLOT_PAGES * PAGE }, (_, i) => privateByte(this.vm, i))
        this.memory.write(start, pattern)
      }
      this.#slots.push(slot)
    }
  }

  get outstanding(): number {
    return this.#transmitSlots.size
  }

  // ---- resets

  /** This or another guest was reset. */
  wasReset(vm: number): void {
    for (const to of this.sent.keys()) if (vm === this.vm || vm === to) this.#doubt(to)
    if (vm === this.vm) this.#arriving = [null, null, null]
    const arriving = this.#arriving[vm]!
    if (arriving !== null) this.#arriving[vm] = { ...arriving, isDoubtful: true }
  }

  #doubt(to: number): void {
    for (const { sequence, length } of this.sent[to]!.splice(0)) this.#doubtful[to]!.set(sequence, length)
  }

  forget(): void {
    this.#receiveBuffers.clear()
    this.#kept = []
    this.#transmitSlots.clear()
  }

  // ---- hostility

  /** Anything that a guest can do to its own RAM and rings. */
  attack(random: Random): void {
    const { memory } = this
    try {
      switch (random.between(0, 5)) {
        case 0: // scribbles over rings and headers
          for (let i = random.between(1, 12); i > 0; i--) {
            const address = RAM_BASE + 2 * random.between(0, RING_BYTES - 1)
            memory.writeU16(
              address,
              random.pick([random.between(0, 40), random.u32() & 0xffff, memory.readU16(address) + 1]) & 0xffff,
            )
          }
          break
        case 1: // writes its own bytes anywhere, read-only or not
          for (let i = random.between(1, 30); i > 0; i--) {
            const address = WINDOW + random.between(0, (RAM_PAGES - PRIVATE_PAGES) * PAGE - 1)
            memory.writeU8(address, privateByte(this.vm, address))
          }
          break
        case 2: // receive buffers anywhere, twice, over what it sends or has borrowed
          this.postPage(random.between(0, RAM_PAGES - PRIVATE_PAGES - 1))
          break
        case 3: // sends pages that it does not have to give: its receive buffers, what it borrowed, one page twice
          this.#sendPages(random, random.between(1, 5))
          break
        case 4: // sends a page, and has the broker write into it while others may see it
          this.postPage(this.#sendPages(random, 1))
          break
        default:
          this.giveBack()
      }
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error
    }
    this.#receive.publish()
    this.#transmit.publish()
    this.#kick(random.between(0, 1))
  }

  #sendPages(random: Random, count: number): number {
    const to = random.pick([0, 1, 2].filter((vm) => vm !== this.vm))
    const pages = Array.from({ length: count }, () => random.between(0, RAM_PAGES - PRIVATE_PAGES - 1))
    if (random.chance(0.3)) pages.push(pages[0]!)
    this.sendPages(to, pages)
    return pages[0]!
  }

  /** Sends pages of its window as they are, whatever they are used for; the broker has seen them when this returns. */
  sendPages(to: number, pages: readonly number[]): void {
    this.stage(
      to,
      pages.map((page) => [page * PAGE, PAGE] as const),
    )
    this.#transmit.publish()
    this.#kick(1)
  }

  /** A message of these parts of its window, which the broker sees with the next kick. */
  stage(to: number, parts: readonly (readonly [offset: number, length: number])[]): void {
    const length = parts.reduce((sum, [, bytes]) => sum + bytes, 0)
    const fields = [this.vm, to, 0, 0]
    for (let shift = 16; shift >= 0; shift -= 4) fields.push((length >> shift) & 15)
    const header = RAM_BASE + 2 * PAGE + 1024 + 16 * (this.#staged++ % 32)
    this.memory.write(header, Uint8Array.from(fields, controlByte))
    this.#list.clear().addReadable(header, HEADER_BYTES)
    for (const [offset, bytes] of parts) this.#list.addReadable(WINDOW + offset, bytes)
    this.#transmit.add(this.#list)
  }

  /** Has the broker receive into a page of its window, whatever it is used for. */
  postPage(page: number): void {
    this.#post({ header: RAM_BASE + PAGE, payload: WINDOW + page * PAGE })
    this.#publishReceive()
  }

  /** Makes a receive buffer of these parts of its window available, without a kick; returns its head. */
  postParts(parts: readonly (readonly [offset: number, length: number])[]): number {
    const head = this.stageReceive(parts)
    this.#receive.publish()
    return head
  }

  /** The same, which the broker does not see yet. */
  stageReceive(parts: readonly (readonly [offset: number, length: number])[]): number {
    this.#list.clear()
    for (const [offset, bytes] of parts) this.#list.addWritable(WINDOW + offset, bytes)
    return this.#receive.add(this.#list)
  }

  /** Shows the broker what was staged, without a kick. */
  publish(): void {
    this.#transmit.publish()
  }

  kick(queue: number): void {
    this.#kick(queue)
  }

  /** What came back in a queue since the last call: heads, and bytes written. */
  usedOf(queue: number): (readonly [id: number, writtenBytes: number])[] {
    const ring = queue === 0 ? this.#receive : this.#transmit
    const used: (readonly [number, number])[] = []
    while (ring.popUsed(this.#used)) used.push([this.#used.id, this.#used.writtenBytes])
    return used
  }

  readPage(page: number): Uint8Array {
    const bytes = new Uint8Array(PAGE)
    this.memory.read(WINDOW + page * PAGE, bytes)
    return bytes
  }
}

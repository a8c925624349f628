/**
 * One split virtqueue of the hostile guest: where its areas lie, and writes to them as they come (virtio 1.4 §2.7). Nothing here checks
 * anything: the guest may write whatever it likes to its own memory.
 */
import type { Random } from '../../internal/random.ts'
import { type GuestMemory, PAGE_SIZE } from '../../memory/index.ts'

export interface RawBuffer {
  readonly address: number
  readonly length: number
  readonly writable: boolean
}

const F_NEXT = 1
const F_WRITE = 2
const DESCRIPTOR_BYTES = 16

export class RawQueue {
  readonly memory: GuestMemory
  readonly size: number
  readonly descriptors: number
  readonly driver: number
  readonly device: number
  /** The next free-running index of the available ring. */
  availIdx: number
  #nextDescriptor = 0
  #seenUsed: number

  constructor(memory: GuestMemory, size: number, descriptors: number, driver: number, device: number) {
    this.memory = memory
    this.size = size
    this.descriptors = descriptors
    this.driver = driver
    this.device = device
    this.availIdx = memory.readU16(driver + 2)
    this.#seenUsed = memory.readU16(device + 2)
  }

  get usedIdx(): number {
    return this.memory.readU16(this.device + 2)
  }

  /** Address of the buffer that descriptor `index` names. */
  addressOf(index: number): number {
    const at = this.descriptors + DESCRIPTOR_BYTES * index
    return this.memory.readU32(at + 4) * 2 ** 32 + this.memory.readU32(at)
  }

  writeAddress(index: number, address: number): void {
    const at = this.descriptors + DESCRIPTOR_BYTES * index
    this.memory.writeU32(at, address >>> 0)
    this.memory.writeU32(at + 4, Math.floor(address / 2 ** 32))
  }

  writeDescriptor(index: number, { address, length, writable }: RawBuffer, next: number): void {
    const at = this.descriptors + DESCRIPTOR_BYTES * index
    this.writeAddress(index, address)
    this.memory.writeU32(at + 8, length)
    this.memory.writeU16(at + 12, (writable ? F_WRITE : 0) | (next >= 0 ? F_NEXT : 0))
    this.memory.writeU16(at + 14, Math.max(0, next) & 0xffff)
  }

  /** Takes the next descriptors round and round, whether they are free or not. Returns the head. */
  writeChain(buffers: readonly RawBuffer[]): number {
    const head = this.#nextDescriptor
    buffers.forEach((buffer, i) => {
      const index = (head + i) % this.size
      this.writeDescriptor(index, buffer, i + 1 < buffers.length ? (index + 1) % this.size : -1)
    })
    this.#nextDescriptor = (head + buffers.length) % this.size
    return head
  }

  /** Makes a head available. */
  publish(head: number): void {
    this.memory.writeU16(this.driver + 4 + 2 * (this.availIdx % this.size), head)
    this.availIdx = (this.availIdx + 1) & 0xffff
    this.memory.writeU16(this.driver + 2, this.availIdx)
  }

  /** `avail.flags`, and `used_event` behind the ring. */
  writeEvents(flags: number, usedEvent: number): void {
    this.memory.writeU16(this.driver, flags)
    this.memory.writeU16(this.driver + 4 + 2 * this.size, usedEvent & 0xffff)
  }

  /** Whole pages of the buffers that came back since the last look. */
  usedPages(): number[] {
    const pages: number[] = []
    for (let left = this.size; this.#seenUsed !== this.usedIdx && left > 0; left--) {
      let index = this.memory.readU32(this.device + 4 + 8 * (this.#seenUsed % this.size)) % this.size
      for (let links = 0; links < 8; links++) {
        const address = this.addressOf(index)
        const at = this.descriptors + DESCRIPTOR_BYTES * index
        if (address % PAGE_SIZE === 0 && this.memory.readU32(at + 8) === PAGE_SIZE) pages.push(address)
        if ((this.memory.readU16(at + 12) & F_NEXT) === 0) break
        index = this.memory.readU16(at + 14) % this.size
      }
      this.#seenUsed = (this.#seenUsed + 1) & 0xffff
    }
    return pages
  }

  /** Some address in one of the three areas. */
  somewhere(random: Random): number {
    const [start, bytes] = random.pick([
      [this.descriptors, DESCRIPTOR_BYTES * this.size],
      [this.driver, 6 + 2 * this.size],
      [this.device, 6 + 8 * this.size],
    ] as const)
    return start + random.between(0, bytes - 1)
  }
}

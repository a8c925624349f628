/** A split ring in plain memory whose driver side is written by hand, so that a test can write anything into it. */
import { expect } from 'vitest'
import { GuestMemory } from '../../../src/memory/index.ts'
import {
  DescriptorChain,
  type DeviceRingConfig,
  layoutSplitQueue,
  type RingLayout,
  SplitDeviceQueue,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '../../../src/virtqueue/index.ts'

export const NEXT = VIRTQ_DESC_F_NEXT
export const WRITE = VIRTQ_DESC_F_WRITE
export const INDIRECT = VIRTQ_DESC_F_INDIRECT

export const RAM_BYTES = 0x4_0000
/** Where tests put buffers: above every ring. */
export const BUFFERS = 0x2_0000

export interface RawDescriptor {
  readonly address?: number | bigint
  readonly length?: number
  readonly flags?: number
  readonly next?: number
}

export class RawRing {
  readonly memory: GuestMemory
  readonly size: number
  readonly layout: RingLayout
  readonly location: RingLayout & { readonly size: number }
  #available = 0

  constructor(size: number, memory: GuestMemory = GuestMemory.ofSize(RAM_BYTES), base = 0x1000) {
    this.memory = memory
    this.size = size
    this.layout = layoutSplitQueue(size, base)
    this.location = { size, ...this.layout }
  }

  device(config: Partial<DeviceRingConfig> = {}): SplitDeviceQueue {
    return new SplitDeviceQueue(this.memory, { ...this.location, ...config })
  }

  descriptor(index: number, descriptor: RawDescriptor): this {
    return this.entry(this.layout.descriptorArea, index, descriptor)
  }

  /** A descriptor of any table, at any alignment. */
  entry(table: number, index: number, { address = BUFFERS, length = 16, flags = 0, next = 0 }: RawDescriptor): this {
    const at = table + 16 * index
    this.memory.writeU64(at, BigInt(address))
    this.memory.writeU32(at + 8, length)
    this.memory.writeU16(at + 12, flags)
    this.memory.writeU16(at + 14, next)
    return this
  }

  /** Puts heads into the ring and publishes them. */
  offer(...heads: number[]): this {
    for (const head of heads) {
      this.memory.writeU16(this.layout.driverArea + 4 + 2 * (this.#available & (this.size - 1)), head)
      this.#available = (this.#available + 1) & 0xffff
    }
    return this.setAvailableIndex(this.#available)
  }

  setAvailableIndex(index: number): this {
    this.#available = index
    this.memory.writeU16(this.layout.driverArea + 2, index)
    return this
  }

  get availableFlags(): number {
    return this.memory.readU16(this.layout.driverArea)
  }

  set availableFlags(flags: number) {
    this.memory.writeU16(this.layout.driverArea, flags)
  }

  get availEvent(): number {
    return this.memory.readU16(this.layout.deviceArea + 4 + 8 * this.size)
  }

  set availEvent(event: number) {
    this.memory.writeU16(this.layout.deviceArea + 4 + 8 * this.size, event)
  }

  get usedEvent(): number {
    return this.memory.readU16(this.layout.driverArea + 4 + 2 * this.size)
  }

  set usedEvent(event: number) {
    this.memory.writeU16(this.layout.driverArea + 4 + 2 * this.size, event)
  }

  get usedFlags(): number {
    return this.memory.readU16(this.layout.deviceArea)
  }

  set usedFlags(flags: number) {
    this.memory.writeU16(this.layout.deviceArea, flags)
  }

  get usedIndex(): number {
    return this.memory.readU16(this.layout.deviceArea + 2)
  }

  set usedIndex(index: number) {
    this.memory.writeU16(this.layout.deviceArea + 2, index)
  }

  usedElement(slot: number): { id: number; length: number } {
    const at = this.layout.deviceArea + 4 + 8 * slot
    return { id: this.memory.readU32(at), length: this.memory.readU32(at + 4) }
  }

  writeUsedElement(slot: number, id: number, length: number): this {
    const at = this.layout.deviceArea + 4 + 8 * slot
    this.memory.writeU32(at, id)
    this.memory.writeU32(at + 4, length)
    return this
  }
}

/** Pops everything: heads in order. */
export function popAll(queue: SplitDeviceQueue, chain: DescriptorChain = new DescriptorChain()): number[] {
  const heads: number[] = []
  while (queue.popAvailable(chain)) heads.push(chain.id)
  return heads
}

/** The segments of a chain as [address, length] pairs. */
export function segmentsOf(chain: DescriptorChain): [number, number][] {
  return Array.from({ length: chain.segmentCount }, (_, i) => [chain.address[i]!, chain.length[i]!])
}

export const ASSERTION = expect.objectContaining({ code: 'ASSERTION' })

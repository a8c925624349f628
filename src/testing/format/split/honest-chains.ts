/**
 * Chains that a device must accept: the ground from which `HostileDriver` departs. Seeded, of every shape that is legal:
 * direct, in a table, direct and then a table, tables at odd addresses and across regions, empty buffers, buffers that end where
 * RAM does, overlap each other or the ring.
 */
import type { Random } from '../../../internal/random.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { ARENA_BYTES, type HostileMemory, SPILL_BYTES } from '../../hostile-memory.ts'
import {
  DESCRIPTOR_BYTES,
  type SplitRing,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  writeDescriptor,
} from './split-ring-format.ts'

/** The longest table. */
export const TABLE_ENTRIES = SPILL_BYTES / DESCRIPTOR_BYTES

export class HonestChains {
  /** Addresses of all tables so far. */
  readonly tables: number[] = []
  readonly #memory: GuestMemory
  readonly #arena: number
  readonly #ring: SplitRing
  readonly #random: Random
  /** Ring descriptors that no chain holds, and those of each chain that is out. */
  readonly #free: number[]
  readonly #held = new Map<number, number[]>()

  constructor({ memory, arena }: HostileMemory, ring: SplitRing, random: Random) {
    this.#memory = memory
    this.#arena = arena
    this.#ring = ring
    this.#random = random
    this.#free = Array.from({ length: ring.size }, (_, index) => index)
    if (random.chance(0.3)) this.#free.sort(() => random.between(-1, 1))
  }

  /** Writes a chain and returns its head, or -1 when too few descriptors are free. */
  write(): number {
    const random = this.#random
    const { size, descriptorArea } = this.#ring
    // Mostly short; now and then as long as the ring, where the bound on chains is.
    let direct = random.chance(0.05) ? size : random.between(1, Math.min(size, 4))
    const usesTable = this.#ring.indirect && random.chance(0.35)
    if (usesTable) direct = random.between(0, Math.min(direct, size - 1))
    const inTable = usesTable ? random.between(1, Math.min(size - direct, TABLE_ENTRIES)) : 0
    const held = this.#take(direct + (usesTable ? 1 : 0))
    if (held === null) return -1

    const total = direct + inTable
    const readable = random.between(0, total)
    for (let i = 0; i < direct; i++) {
      const more = i + 1 < total ? VIRTQ_DESC_F_NEXT : 0
      this.#writeBuffer(descriptorArea, held[i]!, i < readable, more, held[i + 1] ?? 0)
    }
    if (usesTable) {
      // VQS-IND-DEV-01: WRITE says nothing on a descriptor that names a table.
      const flags = VIRTQ_DESC_F_INDIRECT | (random.chance(0.3) ? VIRTQ_DESC_F_WRITE : 0)
      const address = this.newTable(inTable)
      const length = inTable * DESCRIPTOR_BYTES
      const next = random.between(0, 0xffff)
      writeDescriptor(this.#memory, descriptorArea, held[direct]!, { address, length, flags, next })
      for (let i = 0; i < inTable; i++) {
        this.#writeBuffer(address, i, direct + i < readable, i + 1 < inTable ? VIRTQ_DESC_F_NEXT : 0, i + 1)
      }
    }
    return held[0]!
  }

  /** The whole ring as one chain of `size` times `bufferBytes` at the first region, the last one `odd` bytes more. */
  writeLargest(bufferBytes: number, odd: number): number {
    const { size, descriptorArea } = this.#ring
    const held = this.#take(size)
    if (held === null) return -1
    const address = this.#memory.regions[0]!.base
    held.forEach((index, i) => {
      const last = i === size - 1
      const length = last ? bufferBytes + odd : bufferBytes
      const flags = VIRTQ_DESC_F_WRITE | (last ? 0 : VIRTQ_DESC_F_NEXT)
      writeDescriptor(this.#memory, descriptorArea, index, { address, length, flags, next: held[i + 1] ?? 0 })
    })
    return held[0]!
  }

  /** Room for a table, at any byte: a table has no alignment, and may lie across two regions or two scattered pages. */
  newTable(entries: number): number {
    const random = this.#random
    const length = entries * DESCRIPTOR_BYTES
    const end = this.#arena + ARENA_BYTES
    let address = end - ARENA_BYTES / 2 + random.between(0, ARENA_BYTES / 2 - length)
    if (random.chance(0.2)) {
      const across = end - random.between(0, length)
      address = this.#memory.contains(across, length) ? across : end - length
    }
    this.tables.push(address)
    return address
  }

  returned(head: number): void {
    this.#free.push(...(this.#held.get(head) ?? []))
    this.#held.delete(head)
  }

  #take(count: number): number[] | null {
    if (count > this.#free.length) return null
    const held = this.#free.splice(0, count)
    this.#held.set(held[0]!, held)
    return held
  }

  #writeBuffer(table: number, index: number, isReadable: boolean, more: number, next: number): void {
    const random = this.#random
    const region = random.pick(this.#memory.regions)
    let length = random.chance(0.1) ? 0 : random.between(1, random.chance(0.8) ? 64 : 4096)
    let address = random.chance(0.15) ? region.end - length : region.base + random.between(0, region.size - length)
    // A page without a frame is the only place in a region where nothing is; what does not fit there is left empty.
    if (!this.#memory.contains(address, length)) [address, length] = [region.base, 0]
    const flags = (isReadable ? 0 : VIRTQ_DESC_F_WRITE) | more
    const link = more ? next : random.between(0, 0xffff)
    writeDescriptor(this.#memory, table, index, { address, length, flags, next: link })
  }
}

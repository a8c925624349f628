/**
 * The split virtqueue as bytes (virtio 1.4 §2.7.5 - §2.7.8), written down once more from the specification: the testing kit
 * must not borrow the layout of the queue it tests. No rules here (`reference-split-ring.ts`), only where each field lies.
 *
 *     descriptorArea  size x { le64 addr, le32 len, le16 flags, le16 next }
 *     driverArea      { le16 flags, le16 idx, le16 ring[size], le16 used_event }
 *     deviceArea      { le16 flags, le16 idx, { le32 id, le32 len } ring[size], le16 avail_event }
 */

export const VIRTQ_DESC_F_NEXT = 1
export const VIRTQ_DESC_F_WRITE = 2
export const VIRTQ_DESC_F_INDIRECT = 4
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1
export const VIRTQ_USED_F_NO_NOTIFY = 1
export const DESCRIPTOR_BYTES = 16

/** Where a ring lies and what was negotiated for it. Addresses are guest-physical. */
export interface SplitRing {
  /** 1 .. 32768, a power of two. */
  readonly size: number
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
  readonly eventIdx: boolean
  readonly indirect: boolean
}

/** What the kit needs to see of memory: `GuestMemory` fits, and so does any window on another process's bytes. */
export interface RingMemory {
  /** Every byte of the range exists. */
  contains(address: number, length: number): boolean
  readU16(address: number): number
  readU32(address: number): number
}

/** Memory that a side of the ring can write too. */
export interface WritableRingMemory extends RingMemory {
  writeU16(address: number, value: number): void
  writeU32(address: number, value: number): void
}

/** A descriptor of a split ring, as it is written. */
export interface Descriptor {
  /** Exact below 2^53; above, rounded, and out of any RAM in either case. */
  readonly address: number
  readonly length: number
  readonly flags: number
  readonly next: number
}

export const descriptorAreaBytes = (size: number): number => DESCRIPTOR_BYTES * size
/** With the event field, which exists whether or not EVENT_IDX was negotiated. */
export const driverAreaBytes = (size: number): number => 6 + 2 * size
export const deviceAreaBytes = (size: number): number => 6 + 8 * size

export const availFlagsAt = (ring: SplitRing): number => ring.driverArea
export const availIdxAt = (ring: SplitRing): number => ring.driverArea + 2
export const availElementAt = (ring: SplitRing, index: number): number => ring.driverArea + 4 + 2 * (index % ring.size)
export const usedEventAt = (ring: SplitRing): number => ring.driverArea + 4 + 2 * ring.size

export const usedFlagsAt = (ring: SplitRing): number => ring.deviceArea
export const usedIdxAt = (ring: SplitRing): number => ring.deviceArea + 2
export const usedElementAt = (ring: SplitRing, index: number): number => ring.deviceArea + 4 + 8 * (index % ring.size)
export const availEventAt = (ring: SplitRing): number => ring.deviceArea + 4 + 8 * ring.size

/** The descriptor with an index in a table at address `table`. */
export function readDescriptor(memory: RingMemory, table: number, index: number): Descriptor {
  const at = table + DESCRIPTOR_BYTES * index
  return {
    address: memory.readU32(at + 4) * 2 ** 32 + memory.readU32(at),
    length: memory.readU32(at + 8),
    flags: memory.readU16(at + 12),
    next: memory.readU16(at + 14),
  }
}

/** An address above 2^53 that must be exact is given as its two words. */
export function writeDescriptor(
  memory: WritableRingMemory,
  table: number,
  index: number,
  descriptor: Omit<Descriptor, 'address'> & { readonly address: WideAddress },
): void {
  const at = table + DESCRIPTOR_BYTES * index
  writeAddress(memory, at, descriptor.address)
  memory.writeU32(at + 8, descriptor.length)
  memory.writeU16(at + 12, descriptor.flags)
  memory.writeU16(at + 14, descriptor.next)
}

/** A le64; as two words where it must be exact above 2^53. */
export type WideAddress = number | readonly [high: number, low: number]

export function writeAddress(memory: WritableRingMemory, at: number, address: WideAddress): void {
  memory.writeU32(at, typeof address === 'number' ? address % 2 ** 32 : address[1])
  memory.writeU32(at + 4, typeof address === 'number' ? Math.floor(address / 2 ** 32) : address[0])
}

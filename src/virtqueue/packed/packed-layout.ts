/**
 * The three areas of a packed virtqueue (virtio 1.4 §2.8) and how a place in it is counted.
 *
 *   descriptor area   16 × size   { le64 addr, le32 len, le16 id, le16 flags } each, written by both sides in turn
 *   driver area       4           { le16 slot (bits 0-14) and wrap (bit 15), le16 flags }: the interrupts that the driver wants
 *   device area       4           the same: the kicks that the device wants
 *
 * A place is a slot and the wrap counter there, which starts at 1 and flips behind the last slot (IMP-VQP-01). In one word it is
 * `slot | wrap << 15`, as it stands in an event field, in a saved state and on the wire of vhost-user.
 */
import { VirtioError } from '../../internal/error.ts'
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { DESCRIPTOR_BYTES } from '../chain/descriptor.ts'
import { type RingShape, resolveAreas, words16, words32 } from '../ring-area.ts'
import { MAX_QUEUE_SIZE, type RingLocation } from '../ring-config.ts'

/** Flag of a packed descriptor: the driver's wrap counter when it was made available. */
export const VIRTQ_DESC_F_AVAIL = 1 << 7
/** Flag of a packed descriptor: the inverse of that, until the device has used it. */
export const VIRTQ_DESC_F_USED = 1 << 15

/** Event flags: notify always. */
export const RING_EVENT_FLAGS_ENABLE = 0
/** Event flags: never notify. */
export const RING_EVENT_FLAGS_DISABLE = 1
/** Event flags: notify for one place; with EVENT_IDX only. */
export const RING_EVENT_FLAGS_DESC = 2

/** Both bits: what says whose a slot is. */
export const OWNER_MASK = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
/** The wrap counter in a place of one word. */
export const WRAP_BIT = 0x8000
/** Slot 0 on the first turn. */
export const FIRST_PLACE = WRAP_BIT

const EVENT_BYTES = 4

/** AVAIL is the driver's wrap counter, USED its inverse (IMP-VQP-02). `wrap` is 0 or 1. */
export function availableMark(wrap: number): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED
}

/** Both are the device's wrap counter (IMP-VQP-03). */
export function usedMark(wrap: number): number {
  return wrap === 1 ? OWNER_MASK : 0
}

/** A place `count` slots on, 0..size. */
export function placeAfter(place: number, count: number, size: number): number {
  const slot = (place & 0x7fff) + count
  return slot < size ? place + count : (slot - size) | (~place & WRAP_BIT)
}

/** How many slots `to` is ahead of `from`, 0..2 × size - 1: after two turns places come again. */
export function slotsBetween(from: number, to: number, size: number): number {
  const distance = stepsOf(to, size) - stepsOf(from, size)
  return distance < 0 ? distance + 2 * size : distance
}

/** Whether a saved word is a place of a ring of this size. */
export function isPlace(word: number, size: number): boolean {
  return (word & 0xffff) === word && (word & 0x7fff) < size
}

/** Slots since the start of two turns, the first of which has wrap 1. */
function stepsOf(place: number, size: number): number {
  return (place & 0x7fff) + ((place & WRAP_BIT) !== 0 ? 0 : size)
}

/** Views of exactly one queue's areas. */
export class PackedRing {
  /** Four words a descriptor: address low, address high, length, id | flags << 16. */
  readonly descriptors: Uint32Array
  /** The same in 16-bit words: of slot i the id is at 8i + 6, the flags are at 8i + 7. */
  readonly halves: Uint16Array
  /** 0 place, 1 flags. */
  readonly driverEvent: Uint16Array
  readonly deviceEvent: Uint16Array
  /** Any of the three areas is shared with another agent: flags and event fields need ordered access. */
  readonly shared: boolean

  /** Throws `VirtioError` INVALID_QUEUE: a size that is none, or areas that `resolveAreas` refuses. */
  constructor(memory: GuestMemory, location: RingLocation) {
    const [descriptors, driver, device] = resolveAreas(memory, location, packedShape(location.size))
    this.descriptors = words32(descriptors)
    this.halves = words16(descriptors)
    this.driverEvent = words16(driver)
    this.deviceEvent = words16(device)
    this.shared = descriptors.shared || driver.shared || device.shared
  }
}

/** The largest size of a packed virtqueue that is not over `most`: every number is one (IMP-VQP-15). */
export function packedSizeAtMost(most: number): number {
  return Math.min(most, MAX_QUEUE_SIZE)
}

/** Throws `VirtioError` INVALID_QUEUE for a size that is none. */
export function packedShape(size: number): RingShape {
  if (!Number.isInteger(size) || size < 1 || size > MAX_QUEUE_SIZE) {
    throw new VirtioError(
      'INVALID_QUEUE',
      `size ${size} of a packed queue must be an integer from 1 to ${MAX_QUEUE_SIZE} (IMP-VQP-15)`,
    )
  }
  return {
    descriptorArea: { bytes: DESCRIPTOR_BYTES * size, alignment: 16 },
    driverArea: { bytes: EVENT_BYTES, alignment: 4 },
    deviceArea: { bytes: EVENT_BYTES, alignment: 4 },
    alignmentClause: 'VQP-DRV-01',
  }
}

/**
 * A packed ring as a person would sketch it: every slot with its marks. For failure messages; judges nothing.
 *
 *     packed ring of 4, EVENT_IDX · descriptors 0x1000 · driver 0x1040 · device 0x1044
 *     interrupts: at slot 1, wrap 0 · kicks: always
 *       0 used 0   id 3 W 16
 *       1 avail 1  id 0 R 0x2000+64, next
 *       2 avail 1  id 2 W 0x3000+16
 */
import { hex } from '../split/draw-ring.ts'
import {
  type RingMemory,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '../split/split-ring-format.ts'
import {
  type PackedRing,
  RING_EVENT_FLAGS_DESC,
  readEvent,
  readPackedDescriptor,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from './packed-ring-format.ts'

/** Slots worth drawing. */
const MOST_SLOTS = 32

/** The ring as lines of text, for messages. */
export function drawPackedRing(memory: RingMemory, ring: PackedRing): string {
  const { size, descriptorArea, driverArea, deviceArea } = ring
  const features = `${ring.eventIdx ? ', EVENT_IDX' : ''}${ring.indirect ? ', INDIRECT_DESC' : ''}${ring.inOrder ? ', IN_ORDER' : ''}`
  const slots = Array.from(
    { length: Math.min(size, MOST_SLOTS) },
    (_, slot) => `  ${slot} ${drawSlot(memory, ring, slot)}`,
  )
  return [
    `packed ring of ${size}${features} · descriptors ${hex(descriptorArea)} · driver ${hex(driverArea)} · device ${hex(deviceArea)}`,
    `interrupts: ${drawEvent(memory, driverArea)} · kicks: ${drawEvent(memory, deviceArea)}`,
    ...slots,
    ...(size > MOST_SLOTS ? [`  ... ${size - MOST_SLOTS} more`] : []),
  ].join('\n')
}

function drawEvent(memory: RingMemory, area: number): string {
  const { slot, wrap, flags } = readEvent(memory, area)
  if (flags === RING_EVENT_FLAGS_DESC) return `at slot ${slot}, wrap ${wrap}`
  return ['always', 'never', '', 'reserved (3)'][flags]!
}

function drawSlot(memory: RingMemory, ring: PackedRing, slot: number): string {
  const { address, length, id, flags } = readPackedDescriptor(memory, ring.descriptorArea, slot)
  const avail = flags & VIRTQ_DESC_F_AVAIL ? 1 : 0
  const used = flags & VIRTQ_DESC_F_USED ? 1 : 0
  const mark = avail === used ? `used ${used} ` : `avail ${avail}`
  const kind = flags & VIRTQ_DESC_F_INDIRECT ? 'table' : flags & VIRTQ_DESC_F_WRITE ? 'W' : 'R'
  const place = avail === used ? `${length}` : `${hex(address)}+${length}`
  return `${mark}  id ${id} ${kind} ${place}${flags & VIRTQ_DESC_F_NEXT ? ', next' : ''}`
}

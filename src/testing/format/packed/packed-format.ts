/** The packed ring as a `RingFormat`: a place is a slot and the wrap counter there. */
import type { PackedDriverRing } from '../../queue-targets.ts'
import { layOutPackedRing } from '../../ring-layout.ts'
import type { RingFormat } from '../ring-format.ts'
import { DESCRIPTOR_BYTES } from '../split/split-ring-format.ts'
import { drawPackedRing } from './draw-packed-ring.ts'
import {
  advance,
  descriptorAt,
  EVENT_BYTES,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_START,
  type RingPosition,
  readEvent,
  readFlags,
} from './packed-ring-format.ts'
import { mustInterruptPacked, mustKickPacked, nextPackedAvailable, nextPackedUsed } from './reference-packed-ring.ts'

export const packedFormat: RingFormat<PackedDriverRing, RingPosition> = {
  name: 'packed',
  start: () => RING_START,
  advance,
  steps: ({ slots = 0 }) => slots,
  /** A position comes again after two turns, so one turn can be told. */
  span: ({ size }) => size,
  where: ({ descriptorArea }, { slot, wrap }) =>
    `slot ${slot}, wrap ${wrap}, at 0x${descriptorAt(descriptorArea, slot).toString(16)}`,

  layOut: ({ inOrder = false, ...wish }, base) => layOutPackedRing({ ...wish, inOrder }, base),
  begin: () => {},
  zeroed: ({ descriptorArea, driverArea, deviceArea, size }) => [
    { address: descriptorArea, length: DESCRIPTOR_BYTES * size },
    { address: driverArea, length: EVENT_BYTES },
    { address: deviceArea, length: EVENT_BYTES },
  ],
  /** VQP-DEV-07, VQP-DRV-03: both write descriptors, each those that are its own at the time. */
  foreign: ({ descriptorArea, driverArea, deviceArea, size }, side) => [
    { address: descriptorArea, length: DESCRIPTOR_BYTES * size },
    { address: side === 'device' ? driverArea : deviceArea, length: EVENT_BYTES },
  ],
  isOwn({ descriptorArea, size }, address, from, owned) {
    const slot = Math.floor((address - descriptorArea) / DESCRIPTOR_BYTES)
    return slot < size && (slot - from.slot + size) % size < owned
  },
  foreignWrite({ descriptorArea, size }, side, address) {
    const slot = Math.floor((address - descriptorArea) / DESCRIPTOR_BYTES)
    const what = slot < size ? `slot ${slot}` : side === 'device' ? "the driver's events" : "the device's events"
    return `the ${side} wrote ${what}, which is not its own (${side === 'device' ? 'VQP-DEV-07' : 'VQP-DRV-03'})`
  },

  freeWhen: 'shown',
  available: (memory, ring, at, held) => [nextPackedAvailable(memory, ring, at, held)],
  used: (memory, ring, at, out) => [nextPackedUsed(memory, ring, at, out)],
  visible: () => 0,
  mark: (memory, ring, _side, { slot }) => readFlags(memory, ring.descriptorArea, slot),
  mustNotify: (memory, ring, side, from, steps) =>
    (side === 'device' ? mustInterruptPacked : mustKickPacked)(memory, ring, from, steps),
  /** IMP-VQP-13: whoever wants to be notified is so for the very next slot; silence is a flag of its own. */
  wishFault(memory, ring, side, on, next) {
    const { flags, slot, wrap } = readEvent(memory, side === 'device' ? ring.deviceArea : ring.driverArea)
    if (flags > (ring.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_DISABLE)) {
      return `event flags are ${flags}, which is reserved or was not negotiated (IMP-VQP-13)`
    }
    const elsewhere = flags === RING_EVENT_FLAGS_DESC && (slot !== next.slot || wrap !== next.wrap)
    if (on && (flags === RING_EVENT_FLAGS_DISABLE || elsewhere)) {
      return `asked for notifications, and slot ${next.slot}, wrap ${next.wrap} would wake nobody`
    }
    return !on && !ring.eventIdx && flags !== RING_EVENT_FLAGS_DISABLE ? 'asked for silence with ENABLE' : null
  },

  isId: (_ring, id) => id >= 0 && id <= 0xffff,
  /** VQP-IND-DRV-04: a list is all in the ring or all in a table. */
  direct: ({ indirect }, direct, count) => (indirect && direct < count ? 0 : count),
  descriptorsOf: () => [],
  draw: (memory, ring) => drawPackedRing(memory, ring),
}

/** Queues that are wrong only while their peer runs at the same time, or where nothing keeps caches coherent. */
import type { GuestMemory } from '../../src/memory/index.ts'
import {
  availEventAt,
  availFlagsAt,
  usedElementAt,
  usedEventAt,
  usedFlagsAt,
} from '../../src/testing/format/split/split-ring-format.ts'
import {
  type DeviceQueueTarget,
  type DriverQueueTarget,
  ReferenceDevice,
  ReferenceDriver,
  type SplitRing,
  type WritableRingMemory,
} from '../../src/testing/index.ts'
import { ownDevice, ownDriver } from './own-queue-targets.ts'

/** Every index, flag and event in order, but those at these places. */
class OrderedRing implements WritableRingMemory {
  readonly #memory: GuestMemory
  readonly #plainAt: (address: number) => boolean

  constructor(memory: GuestMemory, plainAt: (address: number) => boolean) {
    this.#memory = memory
    this.#plainAt = plainAt
  }

  contains(address: number, length: number): boolean {
    return this.#memory.contains(address, length)
  }

  readU16(address: number): number {
    const slot = this.#orderedSlot(address)
    return slot === null ? this.#memory.readU16(address) : Atomics.load(slot.u16, slot.index)
  }

  readU32(address: number): number {
    return this.#memory.readU32(address)
  }

  writeU16(address: number, value: number): void {
    const slot = this.#orderedSlot(address)
    if (slot === null) this.#memory.writeU16(address, value)
    else Atomics.store(slot.u16, slot.index, value)
  }

  writeU32(address: number, value: number): void {
    this.#memory.writeU32(address, value)
  }

  #orderedSlot(address: number): { u16: Uint16Array; index: number } | null {
    if (address % 2 !== 0 || this.#plainAt(address)) return null
    const { u16, base } = this.#memory.regions[this.#memory.regionAt(address)]!
    return { u16, index: (address - base) / 2 }
  }
}

type PlainAt = (ring: SplitRing) => readonly number[]

const orderedDevice = (name: string, plainAt: PlainAt): DeviceQueueTarget => ({
  side: 'device',
  name,
  create: (memory, ring) =>
    new ReferenceDevice(new OrderedRing(memory, (address) => plainAt(ring).includes(address)), ring),
})

const orderedDriver = (name: string, plainAt: PlainAt): DriverQueueTarget => ({
  side: 'driver',
  name,
  create: (memory, ring) =>
    new ReferenceDriver(new OrderedRing(memory, (address) => plainAt(ring).includes(address)), ring),
})

/** The controls: ordered as is needed. */
export const ORDERED_DEVICE = orderedDevice('orders every index', () => [])
export const ORDERED_DRIVER = orderedDriver('orders every index', () => [])

const SCRIBBLING_DEVICE: DeviceQueueTarget = {
  ...ownDevice(),
  name: 'marks the descriptors that it took',
  createCached(memory, ring, caches) {
    const device = ownDevice().createCached!(memory, ring, caches)
    const take = () => {
      const taken = device.take()
      if (taken?.kind === 'chain') memory.writeU16(ring.descriptorArea + 16 * taken.id + 14, 0)
      return taken
    }
    return { ...device, take }
  },
}

const SCRIBBLING_DRIVER: DriverQueueTarget = {
  ...ownDriver,
  name: 'wipes the used element that it saw',
  createCached(memory, ring, caches) {
    const driver = ownDriver.createCached!(memory, ring, caches)
    const reap = () => {
      const used = driver.reap()
      if (used?.kind === 'used') memory.writeU32(usedElementAt(ring, 0), 0)
      return used
    }
    return { ...driver, reap }
  },
}

/** Found only where the peer runs at the same time, or over caches. */
export const WRONG_SIDE_BY_SIDE = [
  orderedDevice('stores avail_event without a fence', (ring) => [availEventAt(ring)]),
  orderedDevice('stores the flags without a fence', (ring) => [usedFlagsAt(ring)]),
  orderedDriver('stores used_event without a fence', (ring) => [usedEventAt(ring)]),
  orderedDriver('stores the flags without a fence', (ring) => [availFlagsAt(ring)]),
  SCRIBBLING_DEVICE,
  SCRIBBLING_DRIVER,
]

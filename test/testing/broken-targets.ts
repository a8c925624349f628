/**
 * Queues with one fault each, all of them made by somebody once: the kit must find every one. Each is a reference peer with
 * one function replaced.
 */
import type { GuestMemory } from '../../src/memory/index.ts'
import { followChain } from '../../src/testing/format/split/draw-ring.ts'
import {
  availElementAt,
  availFlagsAt,
  availIdxAt,
  usedElementAt,
  usedEventAt,
  usedIdxAt,
  VIRTQ_DESC_F_WRITE,
} from '../../src/testing/format/split/split-ring-format.ts'
import {
  type DeviceQueueTarget,
  type DeviceQueueUnderTest,
  type DriverQueueTarget,
  type DriverQueueUnderTest,
  type DriverRing,
  ReferenceDevice,
  ReferenceDriver,
  type SplitRing,
} from '../../src/testing/index.ts'

type DeviceFault = (device: ReferenceDevice, memory: GuestMemory, ring: SplitRing) => Partial<DeviceQueueUnderTest>
type DriverFault = (driver: ReferenceDriver, memory: GuestMemory, ring: DriverRing) => Partial<DriverQueueUnderTest>

function brokenDevice(name: string, fault: DeviceFault): DeviceQueueTarget {
  const createAt = (memory: GuestMemory, ring: SplitRing, index: number): DeviceQueueUnderTest => {
    const device = new ReferenceDevice(memory, ring, index)
    return {
      take: () => device.take(),
      complete: (id, writtenBytes) => device.complete(id, writtenBytes),
      publish: () => device.publish(),
      wantsNotification: () => device.wantsNotification(),
      setNotifications: (on) => device.setNotifications(on),
      reset: () => device.reset(),
      restore: (saved) => device.restore(saved),
      turn: () => device.turn(),
      ...fault(device, memory, ring),
    }
  }
  return { side: 'device', name, lacks: ['concurrency'], create: (memory, ring) => createAt(memory, ring, 0), createAt }
}

function brokenDriver(name: string, fault: DriverFault): DriverQueueTarget {
  const createAt = (memory: GuestMemory, ring: DriverRing, index: number): DriverQueueUnderTest => {
    const driver = new ReferenceDriver(memory, ring, index)
    return {
      add: (readable, writable, direct) => driver.add(readable, writable, direct),
      publish: () => driver.publish(),
      wantsNotification: () => driver.wantsNotification(),
      reap: () => driver.reap(),
      setNotifications: (on) => driver.setNotifications(on),
      reset: () => driver.reset(),
      ...fault(driver, memory, ring),
    }
  }
  return { side: 'driver', name, lacks: ['concurrency'], create: (memory, ring) => createAt(memory, ring, 0), createAt }
}

/** The control: with nothing replaced there is nothing to find. */
export const SOUND_DEVICE = brokenDevice('is as the reference', () => ({}))
export const SOUND_DRIVER = brokenDriver('is as the reference', () => ({}))

/** Found by programs in which both sides mean well. */
export const DEVICES_WRONG_WITH_HONEST_DRIVERS = [
  brokenDevice('reports one byte more than was written', (device) => ({
    complete: (id, writtenBytes) => device.complete(id, writtenBytes + 1),
  })),
  brokenDevice('moves used idx before publish', (device) => ({
    complete(id, writtenBytes) {
      device.complete(id, writtenBytes)
      device.publish()
    },
  })),
  brokenDevice('publishes into the slot modulo 2^16 - 1', (device, memory, ring) => ({
    publish() {
      device.publish()
      const at = usedIdxAt(ring)
      memory.writeU16(at, memory.readU16(at) % 0xffff)
    },
  })),
  brokenDevice('never interrupts', () => ({ wantsNotification: () => false })),
  brokenDevice('always interrupts', (device) => ({ wantsNotification: () => device.wantsNotification() || true })),
  brokenDevice('interrupts only when the last entry is the event', (device, memory, ring) => ({
    wantsNotification() {
      const wants = device.wantsNotification()
      if (!ring.eventIdx) return wants
      return wants && memory.readU16(usedIdxAt(ring)) === ((memory.readU16(usedEventAt(ring)) + 1) & 0xffff)
    },
  })),
  brokenDevice('looks at the flags although EVENT_IDX was negotiated', (device, memory, ring) => ({
    wantsNotification() {
      const wants = device.wantsNotification()
      return ring.eventIdx ? wants || memory.readU16(availFlagsAt(ring)) === 0 : wants
    },
  })),
  brokenDevice('never moves avail_event', (device, _memory, ring) => ({
    setNotifications: (on) => (ring.eventIdx ? false : device.setNotifications(on)),
  })),
  brokenDevice('does not look again after asking for kicks', (device) => ({
    setNotifications(on) {
      device.setNotifications(on)
      return false
    },
  })),
  brokenDevice('loses the last writable range', (device) => ({
    take() {
      const taken = device.take()
      return taken?.kind === 'chain' ? { ...taken, writable: taken.writable.slice(0, -1) } : taken
    },
  })),
  brokenDevice('takes readable for writable', (device) => ({
    take() {
      const taken = device.take()
      return taken?.kind === 'chain' ? { ...taken, readable: taken.writable, writable: taken.readable } : taken
    },
  })),
  brokenDevice('clears the WRITE flag of what it took', (device, memory, ring) => ({
    take() {
      const taken = device.take()
      if (taken?.kind === 'chain') memory.writeU16(ring.descriptorArea + 16 * taken.id + 12, 0)
      return taken
    },
  })),
  brokenDevice('survives a reset with its indices', () => ({ reset() {} })),
  brokenDevice('finds nothing at index 65535', (device, memory, ring) => ({
    take: () => (memory.readU16(availIdxAt(ring)) === 0 ? null : device.take()),
  })),
]

export const DRIVERS_WRONG_WITH_HONEST_DEVICES = [
  brokenDriver('forgets the last writable buffer', (driver) => ({
    add: (readable, writable, direct) =>
      driver.add(readable, readable.length > 0 ? writable.slice(0, -1) : writable, direct),
  })),
  brokenDriver('finds no room in the last slot', (driver, _memory, ring) => {
    let count = 0
    return {
      add: (readable, writable, direct) => (++count % ring.size === 0 ? -1 : driver.add(readable, writable, direct)),
    }
  }),
  brokenDriver('moves idx by one too many', (driver, memory, ring) => ({
    publish() {
      driver.publish()
      memory.writeU16(availIdxAt(ring), memory.readU16(availIdxAt(ring)) + 1)
    },
  })),
  brokenDriver('publishes in add', (driver) => ({
    add(readable, writable, direct) {
      const head = driver.add(readable, writable, direct)
      driver.publish()
      return head
    },
  })),
  brokenDriver('names the wrong head', (driver, memory, ring) => ({
    publish() {
      const slot = availElementAt(ring, memory.readU16(availIdxAt(ring)))
      memory.writeU16(slot, (memory.readU16(slot) + 1) % ring.size)
      driver.publish()
    },
  })),
  brokenDriver('never kicks again', (driver) => {
    let kicked = false
    return {
      wantsNotification() {
        const wants = driver.wantsNotification() && !kicked
        kicked ||= wants
        return wants
      },
    }
  }),
  brokenDriver('sets the flag although EVENT_IDX was negotiated', (driver, memory, ring) => ({
    setNotifications(on) {
      const more = driver.setNotifications(on)
      memory.writeU16(availFlagsAt(ring), on ? 0 : 1)
      return more
    },
  })),
  brokenDriver('asks for the entry after the next', (driver, memory, ring) => ({
    setNotifications(on) {
      const more = driver.setNotifications(on)
      if (ring.eventIdx && on) memory.writeU16(usedEventAt(ring), memory.readU16(usedEventAt(ring)) + 1)
      return more
    },
  })),
  brokenDriver('believes that every byte was written', (driver) => ({
    reap() {
      const used = driver.reap()
      return used?.kind === 'used' ? { ...used, writtenBytes: used.writtenBytes + 1 } : used
    },
  })),
  brokenDriver('clears the used ring as it goes', (driver, memory, ring) => ({
    reap() {
      memory.fill(usedElementAt(ring, 0), 8 * ring.size, 0xff)
      return driver.reap()
    },
  })),
  brokenDriver('loses a descriptor on every completion', (driver) => {
    let lost = false
    return {
      reap() {
        const used = driver.reap()
        lost ||= used !== null
        return used
      },
      add: (readable, writable, direct) => (lost ? -1 : driver.add(readable, writable, direct)),
    }
  }),
]

/** Found only by a driver that lies. */
export const DEVICES_THAT_TRUST = [
  brokenDevice('walks a chain without a check', (device, memory, ring) => ({
    take() {
      const taken = device.take()
      if (taken?.kind !== 'fault' || taken.id < 0) return taken
      const chain = [...followChain(memory, ring, taken.id, ring.size)]
      const ranges = (writable: number) => chain.filter(({ flags }) => (flags & VIRTQ_DESC_F_WRITE) === writable)
      return { kind: 'chain', id: taken.id, readable: ranges(0), writable: ranges(VIRTQ_DESC_F_WRITE) }
    },
  })),
  brokenDevice('reads descriptors again when it uses them', (device, memory, ring) => ({
    take() {
      const taken = device.take()
      if (taken?.kind !== 'chain' || taken.writable.length === 0) return taken
      const last = [...followChain(memory, ring, taken.id, ring.size + 1)].at(-1)!
      const lengthAt = last.table + 16 * last.index + 8
      const shift = memory.readU32(lengthAt)
      return {
        ...taken,
        get writable() {
          const range = taken.writable.at(-1)!
          const length = range.length + memory.readU32(lengthAt) - shift
          return [...taken.writable.slice(0, -1), { ...range, length }]
        },
      }
    },
  })),
  brokenDevice('counts on from the used idx in memory', (device, memory, ring) => {
    let staged = 0
    return {
      complete(id, writtenBytes) {
        device.complete(id, writtenBytes)
        staged++
      },
      publish() {
        const before = memory.readU16(usedIdxAt(ring))
        device.publish()
        memory.writeU16(usedIdxAt(ring), before + staged)
        staged = 0
      },
    }
  }),
  brokenDevice('returns nothing once the ring is broken', (device) => {
    let broken = false
    return {
      take() {
        const taken = device.take()
        broken ||= taken?.kind === 'fault'
        return taken
      },
      publish() {
        if (!broken) device.publish()
      },
    }
  }),
  brokenDevice('throws at what it does not like', (device) => ({
    take() {
      const taken = device.take()
      if (taken?.kind === 'fault') throw new RangeError(taken.rule)
      return taken
    },
  })),
]

/** Wrong where a device says too much, works too long, or comes back. */
export const DEVICES_WRONG_IN_THEIR_STATE = [
  brokenDevice('loses what it cannot answer', (device) => ({
    take() {
      const taken = device.take()
      return taken?.kind === 'chain' && taken.writable.length === 0 ? null : taken
    },
  })),
  brokenDevice('says whatever its own device says', (device) => ({
    complete: (id, writtenBytes) => device.completeWith(id, writtenBytes),
  })),
  brokenDevice('refuses for as long as there is something to refuse', (device) => {
    let refused = 0
    return {
      take() {
        for (;;) {
          const taken = device.take()
          if (taken?.kind !== 'fault' || taken.id < 0) return taken
          const inFlight = [{ id: taken.id, writableBytes: 0 }]
          device.restore({ nextAvailable: refused + 1, usedIndex: refused, inFlight })
          refused++
          device.complete(taken.id, 0)
          device.publish()
        }
      },
    }
  }),
  brokenDevice('works for as long as there is work', (device) => ({
    turn() {
      for (;;) {
        const taken = device.take()
        if (taken?.kind !== 'chain') return false
        device.complete(taken.id, 0)
        device.publish()
      }
    },
  })),
  brokenDevice('comes back from a snapshot as new', (device) => ({ reload: () => device.reset() })),
  brokenDevice('is restored from anything', (device) => ({
    restore(saved) {
      try {
        device.restore(saved)
      } catch {}
    },
  })),
  brokenDevice('takes again what it held when it went away', (device) => ({
    restore: ({ usedIndex }) => device.restore({ nextAvailable: usedIndex, usedIndex, inFlight: [] }),
  })),
]

/** Found only by a device that lies. */
export const DRIVERS_THAT_TRUST = [
  brokenDriver('believes any id and any length', (driver, memory, ring) => {
    let nextUsed = 0
    return {
      reap() {
        const used = driver.reap()
        if (used === null) return null
        const at = usedElementAt(ring, nextUsed++)
        return { kind: 'used', id: memory.readU32(at), writtenBytes: memory.readU32(at + 4) }
      },
    }
  }),
  brokenDriver('takes an id modulo 2^16', (driver, memory, ring) => {
    let nextUsed = 0
    return {
      reap() {
        const at = usedElementAt(ring, nextUsed)
        if (memory.readU16(usedIdxAt(ring)) !== nextUsed) memory.writeU32(at, memory.readU16(at))
        const used = driver.reap()
        if (used?.kind === 'used') nextUsed = (nextUsed + 1) & 0xffff
        return used
      },
    }
  }),
  brokenDriver('throws at what it does not like', (driver) => ({
    reap() {
      const used = driver.reap()
      if (used?.kind === 'fault') throw new RangeError(used.rule)
      return used
    },
  })),
]

/** Never asks whether the ring is memory, and finds zeroes where it is not. */
export const DEVICE_WITH_ANY_RING: DeviceQueueTarget = {
  side: 'device',
  name: 'takes any ring',
  create(memory, ring) {
    const end = ring.deviceArea + 6 + 8 * ring.size
    if (memory.contains(ring.descriptorArea, end - ring.descriptorArea)) return new ReferenceDevice(memory, ring)
    return {
      take: () => ({ kind: 'chain', id: 0, readable: [], writable: [] }),
      complete: () => {},
      wantsNotification: () => true,
      reset: () => {},
    }
  },
}

/**
 * Our queues on memory that nothing keeps coherent: the maintenance that their owner has to do around their operations. The
 * classes know nothing of caches. Every step of it has a name, so that a test can leave it out.
 *
 * The areas of the ring must not share a cache line with each other, and each of the two rings must fit into one: idx and the
 * elements that it covers are then written back and fetched together. What is not here is not needed: a look at idx may be of
 * an old line, since a side looks again, with the line invalidated, before it sleeps.
 */
import type { GuestMemory } from '../../../src/memory/index.ts'
import type {
  CacheMaintenance,
  DeviceQueueUnderTest,
  DriverQueueUnderTest,
  DriverRing,
  SplitRing,
} from '../../../src/testing/index.ts'
import {
  BufferList,
  DescriptorChain,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../../../src/virtqueue/index.ts'

export const DRIVER_MAINTENANCE = [
  'driver: clean descriptors before idx',
  'driver: clean tables before idx',
  'driver: clean idx',
  'driver: invalidate the device area before the look at the suppression state',
  'driver: clean the event',
  'driver: invalidate the device area after the event',
] as const

export const DEVICE_MAINTENANCE = [
  'device: invalidate descriptors after idx',
  'device: invalidate tables after idx',
  'device: clean idx',
  'device: invalidate the driver area before the look at the suppression state',
  'device: clean the event',
  'device: invalidate the driver area after the event',
] as const

export type Maintenance = (typeof DRIVER_MAINTENANCE)[number] | (typeof DEVICE_MAINTENANCE)[number]

interface Area {
  readonly address: number
  readonly bytes: number
}

interface CachedSide extends CacheMaintenance {
  readonly memory: GuestMemory
}

/** Does what is asked for, except for one step. */
function maintainer(side: CacheMaintenance, without: Maintenance | null) {
  return {
    clean(step: Maintenance, { address, bytes }: Area): void {
      if (step !== without && bytes > 0) side.clean(address, bytes)
    },
    invalidate(step: Maintenance, { address, bytes }: Area): void {
      if (step !== without && bytes > 0) side.invalidate(address, bytes)
    },
  }
}

function areasOf(ring: SplitRing & Partial<DriverRing>) {
  const { size, descriptorArea, driverArea, deviceArea, tableArea = 0, tableLength = 0 } = ring
  return {
    descriptors: { address: descriptorArea, bytes: 16 * size },
    driver: { address: driverArea, bytes: 6 + 2 * size },
    device: { address: deviceArea, bytes: 6 + 8 * size },
    tables: { address: tableArea, bytes: 16 * size * tableLength },
  }
}

export function cachedDriver(without: Maintenance | null = null) {
  return function cachedDriver(side: CachedSide, ring: DriverRing): DriverQueueUnderTest {
    const { clean, invalidate } = maintainer(side, without)
    const areas = areasOf(ring)
    const { tableArea, tableLength, ...location } = ring
    const queue = new SplitDriverQueue(side.memory, {
      ...location,
      indirectArea: tableArea,
      indirectLength: tableLength,
    })
    // The constructor zeroes both rings.
    side.clean(areas.driver.address, areas.driver.bytes)
    side.clean(areas.device.address, areas.device.bytes)
    const buffers = new BufferList()
    const used = new UsedBuffer()
    const pop = () =>
      queue.popUsed(used) ? { kind: 'used' as const, id: used.id, writtenBytes: used.writtenBytes } : null
    return {
      add(readable, writable, direct) {
        buffers.clear()
        for (const { address, length } of readable) buffers.addReadable(address, length)
        for (const { address, length } of writable) buffers.addWritable(address, length)
        return queue.add(buffers, direct)
      },
      publish() {
        clean('driver: clean descriptors before idx', areas.descriptors)
        clean('driver: clean tables before idx', areas.tables)
        queue.publish()
        clean('driver: clean idx', areas.driver)
      },
      wantsNotification() {
        invalidate('driver: invalidate the device area before the look at the suppression state', areas.device)
        return queue.needsNotification()
      },
      reap() {
        return queue.violation === null ? pop() : fault(queue.violation.rule)
      },
      setNotifications(on) {
        if (!on) queue.disableNotifications()
        else queue.enableNotifications()
        clean('driver: clean the event', areas.driver)
        if (!on) return false
        invalidate('driver: invalidate the device area after the event', areas.device)
        return queue.enableNotifications()
      },
      reset() {
        queue.reset()
        side.clean(areas.driver.address, areas.driver.bytes)
        side.clean(areas.device.address, areas.device.bytes)
      },
    }
  }
}

export function cachedDevice(without: Maintenance | null = null) {
  return function cachedDevice(side: CachedSide, ring: SplitRing & Partial<DriverRing>): DeviceQueueUnderTest {
    const { clean, invalidate } = maintainer(side, without)
    const areas = areasOf(ring)
    const queue = new SplitDeviceQueue(side.memory, ring)
    const chain = new DescriptorChain()
    let isReset = false
    return {
      take() {
        // The driver has zeroed both rings.
        if (isReset) {
          side.invalidate(areas.driver.address, areas.driver.bytes)
          side.invalidate(areas.device.address, areas.device.bytes)
        }
        isReset = false
        if (queue.availableCount() === 0) return queue.violation && fault(queue.violation.rule)
        invalidate('device: invalidate descriptors after idx', areas.descriptors)
        invalidate('device: invalidate tables after idx', areas.tables)
        if (!queue.popAvailable(chain)) return queue.violation && fault(queue.violation.rule)
        const ranges = Array.from({ length: chain.segmentCount }, (_, i) => ({
          address: chain.address[i]!,
          length: chain.length[i]!,
        }))
        return { kind: 'chain', id: chain.id, readable: ranges.splice(0, chain.readableCount), writable: ranges }
      },
      complete: (id, writtenBytes) => queue.addUsed(id, writtenBytes),
      publish() {
        queue.publish()
        clean('device: clean idx', areas.device)
      },
      wantsNotification() {
        invalidate('device: invalidate the driver area before the look at the suppression state', areas.driver)
        return queue.needsNotification()
      },
      setNotifications(on) {
        if (!on) queue.disableNotifications()
        else queue.enableNotifications()
        clean('device: clean the event', areas.device)
        if (!on) return false
        invalidate('device: invalidate the driver area after the event', areas.driver)
        return queue.availableCount() > 0
      },
      reset() {
        queue.reset()
        isReset = true
      },
    }
  }
}

function fault(rule: string) {
  return { kind: 'fault' as const, id: -1, rule, returned: false }
}

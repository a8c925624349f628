/** In shared memory: what is stored and loaded in which order, by both sides. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { GuestMemory } from '../../../src/memory/index.ts'
import { BufferList, DescriptorChain, SplitDriverQueue } from '../../../src/virtqueue/index.ts'
import { BUFFERS, RAM_BYTES, RawRing } from './raw-ring.ts'

const SIZE = 8

describe('ordering in shared memory', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** Every ordered access as `store 0x1234`, and a hook that runs first. */
  function watch(memory: GuestMemory, hook: (access: string) => void): void {
    const base = memory.regions[0]!.u8.byteOffset
    const { load, store } = Atomics
    const name = (kind: string, view: Uint16Array, index: number): string =>
      `${kind} 0x${(view.byteOffset - base + 2 * index).toString(16)}`
    vi.spyOn(Atomics, 'load').mockImplementation(((view: Uint16Array, index: number) => {
      hook(name('load', view, index))
      return load(view, index)
    }) as typeof Atomics.load)
    vi.spyOn(Atomics, 'store').mockImplementation(((view: Uint16Array, index: number, value: number) => {
      hook(name('store', view, index))
      return store(view, index, value)
    }) as typeof Atomics.store)
  }

  function sharedRing(): RawRing {
    return new RawRing(SIZE, new GuestMemory([{ base: 0, size: RAM_BYTES, buffer: new SharedArrayBuffer(RAM_BYTES) }]))
  }

  it('VQS-USED-DEV-01, VQS-AVL-DRV-04, VQS-KICK-DRV-01, RFB-DRV-08: elements, then idx, then the look at the suppression state', () => {
    const ring = sharedRing()
    const { driverArea, deviceArea } = ring.layout
    const driver = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx: true })
    const device = ring.device({ eventIdx: true })
    const at = (area: number, offset: number): string => `0x${(area + offset).toString(16)}`
    const log: string[] = []
    watch(ring.memory, (access) => {
      log.push(access)
      // What an idx publishes is complete before its store.
      if (access === `store ${at(driverArea, 2)}`) expect(ring.memory.readU32(ring.layout.descriptorArea + 8)).toBe(16)
      if (access === `store ${at(deviceArea, 2)}`) expect(ring.usedElement(1)).toEqual({ id: 1, length: 7 })
    })
    const list = new BufferList().addWritable(BUFFERS, 16)
    driver.add(list)
    driver.add(list)
    expect(log).toEqual([])
    driver.publish()
    driver.needsNotification()
    expect(log.splice(0)).toEqual([`store ${at(driverArea, 2)}`, `load ${at(deviceArea, 4 + 8 * SIZE)}`])
    const chain = new DescriptorChain()
    device.popAvailable(chain)
    device.popAvailable(chain)
    // One look at idx for the batch.
    expect(log.splice(0)).toEqual([`load ${at(driverArea, 2)}`])
    device.addUsed(0, 0)
    device.addUsed(1, 7)
    expect(log).toEqual([])
    device.publish()
    device.needsNotification()
    expect(log.splice(0)).toEqual([`store ${at(deviceArea, 2)}`, `load ${at(driverArea, 4 + 2 * SIZE)}`])
    device.enableNotifications()
    expect(log.splice(0)).toEqual([`store ${at(deviceArea, 4 + 8 * SIZE)}`, `load ${at(driverArea, 2)}`])
  })

  it('VQS-KICK-DRV-01, RFB-DRV-08: without EVENT_IDX the flags are looked at behind idx, in order, on both sides', () => {
    const ring = sharedRing()
    const { driverArea, deviceArea } = ring.layout
    const driver = new SplitDriverQueue(ring.memory, ring.location)
    const device = ring.device()
    const log: string[] = []
    watch(ring.memory, (access) => log.push(access))
    driver.add(new BufferList().addWritable(BUFFERS, 16))
    driver.publish()
    driver.needsNotification()
    expect(log.splice(0)).toEqual([`store 0x${(driverArea + 2).toString(16)}`, `load 0x${deviceArea.toString(16)}`])
    device.popAvailable(new DescriptorChain())
    device.addUsed(0, 0)
    log.length = 0
    device.publish()
    device.needsNotification()
    expect(log).toEqual([`store 0x${(deviceArea + 2).toString(16)}`, `load 0x${driverArea.toString(16)}`])
  })

  it('museum 32: no wake-up is lost, wherever the driver publishes while the device goes to sleep', () => {
    for (const eventIdx of [false, true]) {
      for (const byPop of [false, true]) {
        for (let moment = 0; moment < 6; moment++) {
          const ring = sharedRing()
          const driver = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx })
          const device = ring.device({ eventIdx })
          const chain = new DescriptorChain()
          if (!byPop) device.disableNotifications()
          let accesses = 0
          let kicked = false
          let inside = false
          watch(ring.memory, () => {
            if (inside || accesses++ !== moment) return
            inside = true
            driver.add(new BufferList().addReadable(BUFFERS, 1))
            driver.publish()
            kicked = driver.needsNotification()
            inside = false
          })
          const awake = byPop ? device.popAvailable(chain) : device.enableNotifications()
          vi.restoreAllMocks()
          if (accesses > moment) {
            expect(kicked || awake, `lost: eventIdx ${eventIdx}, byPop ${byPop}, before access ${moment}`).toBe(true)
          }
        }
      }
    }
  })
})

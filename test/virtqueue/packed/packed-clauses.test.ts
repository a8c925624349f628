/** Single clauses of packed rings that the other tests here do not need: what may happen between two sides, and in which order stores become visible. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { GuestMemory } from '../../../src/memory/index.ts'
import { RequestQueue, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_USED } from '../../../src/virtqueue/index.ts'
import { list, reap, ringOf, TABLES, take } from './packed-rings.ts'

const BOTH = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED

describe('a device', () => {
  it('VQP-DEV-08: takes a whole list when its head is available, whatever marks the rest has', () => {
    const ring = ringOf(4)
    ring.driver.add(list(2, 1))
    ring.driver.publish()
    for (const slot of [1, 2]) ring.memory.writeU16(ring.at(slot) + 14, ring.descriptor(slot).flags & ~BOTH)
    expect(take(ring).map(({ readableBytes, writableBytes }) => [readableBytes, writableBytes])).toEqual([[32, 16]])
  })

  it('VQP-DRV-05: finds nothing wrong with kicks without new descriptors', () => {
    const ring = ringOf(4)
    for (let kick = 0; kick < 3; kick++) expect([take(ring), ring.device.violation]).toEqual([[], null])
    ring.driver.add(list(1, 0))
    ring.driver.publish()
    expect(take(ring).length).toBe(1)
    for (let kick = 0; kick < 3; kick++) expect([take(ring), ring.device.violation]).toEqual([[], null])
  })

  it('VQP-DEV-05: reads nothing of the buffers that it may write', () => {
    const ring = ringOf(4)
    ring.driver.add(list(1, 1, 4))
    ring.driver.publish()
    const requests = new RequestQueue(ring.device)
    for (const { reader, writer } of requests.drain(1)) {
      expect([reader.remaining, writer.remaining]).toEqual([4, 4])
      reader.u32()
      expect(reader.into(new Uint8Array(8))).toBe(0)
    }
  })
})

describe('a driver', () => {
  it('VQP-DEV-03: waits for the next used descriptor, also where a later one is there already', () => {
    const ring = ringOf(4)
    const ids = [ring.driver.add(list(0, 1)), ring.driver.add(list(0, 1))]
    ring.driver.publish()
    take(ring)
    ring.memory.writeU16(ring.at(1) + 14, BOTH)
    expect([reap(ring), ring.driver.violation]).toEqual([[], null])
    ring.memory.writeU16(ring.at(0) + 14, BOTH)
    expect(reap(ring).map(([id]) => id)).toEqual(ids)
  })

  it('VQP-DRV-08: is quiet while it drains the ring, and looks again before it waits', () => {
    const ring = ringOf(4)
    ring.driver.disableNotifications()
    ring.driver.add(list(0, 1))
    ring.driver.publish()
    ring.device.addUsed(take(ring)[0]!.id, 1)
    ring.device.publish()
    expect([ring.device.needsNotification(), ring.driver.enableNotifications()]).toEqual([false, true])
    expect([reap(ring), ring.driver.enableNotifications()]).toEqual([[[0, 1]], false])
  })

  it('VQP-IND-DRV-03: makes no table longer than the queue', () => {
    const ring = ringOf(4, { indirect: true, indirectLength: 8 })
    const ids = [ring.driver.add(list(4, 0), 0), ring.driver.add(list(4, 0), 0)]
    ring.driver.publish()
    expect(ids.map((id, slot) => [ring.descriptor(slot).address, ring.descriptor(slot).length / 16, id])).toEqual([
      [TABLES, 4, 0],
      [TABLES + 64, 4, 1],
    ])
  })

  it('VQP-SG-DRV-02: makes no list longer than the ring, in a table or not', () => {
    const ring = ringOf(4, { indirect: true })
    for (const direct of [0, 5]) {
      expect(() => ring.driver.add(list(5, 0), direct)).toThrow(/a chain has 1\.\.4 buffers, not 5 \(VQP-SG-DRV-02\)/)
    }
  })
})

describe('in shared memory', () => {
  afterEach(() => vi.restoreAllMocks())

  const shared = () =>
    ringOf(4, {}, new GuestMemory([{ base: 0, size: 2 ** 21, buffer: new SharedArrayBuffer(2 ** 21) }]))

  it('VQP-DRV-07, VQP-KICK-DRV-01: the head’s flags come last, ordered, and the event structure is read after them', () => {
    const ring = shared()
    const seen: string[] = []
    const { store, load } = Atomics
    vi.spyOn(Atomics, 'store').mockImplementation(((words: Uint16Array, index: number, value: number) => {
      const [head, next] = [ring.descriptor(0), ring.descriptor(1)]
      seen.push(`store: lengths ${head.length} ${next.length}, head ${head.flags}, next ${next.flags & BOTH}`)
      return store(words, index, value)
    }) as typeof Atomics.store)
    vi.spyOn(Atomics, 'load').mockImplementation(((words: Uint16Array, index: number) => {
      seen.push(`load: head ${ring.descriptor(0).flags}`)
      return load(words, index)
    }) as typeof Atomics.load)
    ring.driver.add(list(2, 0))
    expect(seen).toEqual([])
    ring.driver.publish()
    ring.driver.needsNotification()
    expect(seen).toEqual([
      `store: lengths 16 16, head 0, next ${VIRTQ_DESC_F_AVAIL}`,
      `load: head ${VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_NEXT}`,
    ])
  })

  it('IMP-VQP-12: of several used descriptors the first is marked last', () => {
    const ring = shared()
    const ids = [ring.driver.add(list(0, 1)), ring.driver.add(list(0, 1))]
    ring.driver.publish()
    take(ring)
    const seen: number[][] = []
    const { store } = Atomics
    vi.spyOn(Atomics, 'store').mockImplementation(((words: Uint16Array, index: number, value: number) => {
      seen.push([0, 1].map((slot) => ring.descriptor(slot).flags & BOTH))
      return store(words, index, value)
    }) as typeof Atomics.store)
    for (const id of ids) ring.device.addUsed(id, 1)
    ring.device.publish()
    expect(seen).toEqual([[VIRTQ_DESC_F_AVAIL, BOTH]])
    expect(ring.descriptor(0).flags & BOTH).toBe(BOTH)
  })
})

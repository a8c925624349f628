import { describe, expect, it } from 'vitest'
import {
  BufferList,
  type SplitDeviceState,
  SplitDriverQueue,
  type SplitDriverState,
  UsedBuffer,
} from '../../../src/virtqueue/index.ts'
import { ASSERTION, BUFFERS, NEXT, popAll, RawRing, WRITE } from './raw-ring.ts'

const NOT_RESTORABLE = expect.objectContaining({ name: 'VirtioError', code: 'NOT_RESTORABLE' })

const SIZE = 8
const INVALID = expect.objectContaining({ code: 'INVALID_STATE' })

function json<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

describe('device state', () => {
  function busy(): { ring: RawRing; queue: ReturnType<RawRing['device']> } {
    const ring = new RawRing(SIZE)
    for (let i = 0; i < SIZE; i++) ring.descriptor(i, { flags: WRITE, length: i + 1 })
    const queue = ring.device({ eventIdx: true })
    ring.offer(0, 1, 2, 3, 4)
    popAll(queue)
    queue.addUsed(1, 2)
    queue.addUsed(3, 1)
    queue.publish()
    return { ring, queue }
  }

  it('moves to another instance over the same memory, with chains in flight', () => {
    const { ring, queue } = busy()
    const state = json(queue.saveState())
    expect(state.inFlight.map(({ id }) => id)).toEqual([0, 2, 4])
    const restored = ring.device({ eventIdx: true })
    restored.restoreState(state)
    expect([restored.inFlight, restored.needsNotification()]).toEqual([3, true])
    expect(() => restored.addUsed(1, 0)).toThrow(ASSERTION)
    expect(() => restored.addUsed(4, 6)).toThrow(ASSERTION)
    restored.addUsed(4, 5)
    restored.publish()
    expect([ring.usedIndex, ring.usedElement(2)]).toEqual([3, { id: 4, length: 5 }])
    expect(json(restored.saveState()).inFlight.length).toBe(2)
  })

  it('museum 29: what was available before the snapshot is served after it, without a kick', () => {
    const { ring, queue } = busy()
    ring.offer(5)
    const restored = ring.device({ eventIdx: true })
    restored.restoreState(json(queue.saveState()))
    expect(restored.availableCount()).toBe(1)
    expect(popAll(restored)).toEqual([5])
    // And the next kick is asked for.
    expect(ring.availEvent).toBe(6)
  })

  it('takes the place of whatever the queue was doing', () => {
    const { ring, queue } = busy()
    const state = json(queue.saveState())
    const other = ring.device({ eventIdx: true, policy: 'reject' })
    const empty = json(other.saveState())
    ring.descriptor(6, { flags: NEXT, next: 99 }).offer(5, 6)
    popAll(other)
    other.publish()
    expect([other.rejections, other.inFlight]).toEqual([1, 6])
    other.restoreState(state)
    expect([json(other.saveState()), other.inFlight, other.rejections, other.lastRejection]).toEqual([
      state,
      3,
      0,
      null,
    ])
    other.restoreState(empty)
    expect([json(other.saveState()), other.generation]).toEqual([empty, 2])
  })

  it('keeps a violation, and that notifications were disabled', () => {
    const { ring, queue } = busy()
    queue.disableNotifications()
    ring.offer(99)
    popAll(queue)
    const restored = ring.device({ eventIdx: true })
    restored.restoreState(json(queue.saveState()))
    expect([restored.violation, popAll(restored)]).toEqual([queue.violation, []])
    expect(restored.saveState().notificationsEnabled).toBe(false)
  })

  it('is refused while something is staged', () => {
    const { queue } = busy()
    queue.addUsed(0, 0)
    expect(() => queue.saveState()).toThrow(NOT_RESTORABLE)
  })

  it('museum 30: refuses nonsense with a clean error, and stays as it was', () => {
    const { queue } = busy()
    const good = json(queue.saveState())
    const [first] = good.inFlight
    const bad: unknown[] = [
      null,
      3,
      {},
      { ...good, version: 1 },
      { ...good, format: 'packed' },
      { ...good, size: 16 },
      { ...good, nextAvailable: 0x1_0000 },
      { ...good, nextAvailable: -1 },
      { ...good, nextUsed: 2.5 },
      { ...good, nextAvailable: good.nextAvailable + 1 },
      { ...good, nextAvailable: good.nextUsed + SIZE + 1 },
      { ...good, unsignalled: -1 },
      { ...good, unsignalled: 'x' },
      { ...good, notificationsEnabled: 1 },
      { ...good, inFlight: undefined },
      { ...good, inFlight: [null, null, null] },
      { ...good, inFlight: [first, first, first] },
      { ...good, inFlight: good.inFlight.map((entry) => ({ ...entry, id: entry.id + SIZE })) },
      { ...good, inFlight: good.inFlight.map((entry) => ({ ...entry, writableBytes: -1 })) },
      { ...good, violation: undefined },
      { ...good, violation: { rule: 'none' } },
    ]
    for (const state of bad) {
      expect(() => queue.restoreState(state as SplitDeviceState), JSON.stringify(state)).toThrow(INVALID)
    }
    expect(json(queue.saveState())).toEqual(good)
  })
})

describe('reset of the device side', () => {
  it('VQRST-DEV-01, VQRST-DEV-02, museum 28: equals a new queue, and writes nothing', () => {
    const ring = new RawRing(SIZE).descriptor(0, { flags: WRITE }).offer(0)
    const queue = ring.device({ eventIdx: true })
    const fresh = json(queue.saveState())
    popAll(queue)
    queue.addUsed(0, 1)
    queue.publish()
    ring.descriptor(1, { flags: NEXT, next: 1 }).offer(1)
    popAll(queue)
    expect(queue.violation).not.toBeNull()
    const before = new Uint8Array(ring.layout.bytes)
    const after = new Uint8Array(ring.layout.bytes)
    ring.memory.read(ring.layout.descriptorArea, before)
    queue.reset()
    queue.publish()
    expect([queue.needsNotification(), json(queue.saveState()), queue.generation]).toEqual([false, fresh, 1])
    ring.memory.read(ring.layout.descriptorArea, after)
    expect(after).toEqual(before)
    expect(() => queue.addUsed(0, 0)).toThrow(ASSERTION)
  })

  it('VQRST-DEV-03: a new configuration is a new queue over the same memory', () => {
    const ring = new RawRing(2).descriptor(0, {}).offer(0)
    expect(popAll(ring.device())).toEqual([0])
    const bigger = new RawRing(16, ring.memory, 0x8000).descriptor(9, {}).offer(9)
    expect(popAll(bigger.device())).toEqual([9])
  })
})

describe('driver state', () => {
  const list = (readable: number, writable: number): BufferList => {
    const buffers = new BufferList()
    for (let i = 0; i < readable; i++) buffers.addReadable(BUFFERS, 4)
    for (let i = 0; i < writable; i++) buffers.addWritable(BUFFERS, 4)
    return buffers
  }

  function busy(): { ring: RawRing; driver: SplitDriverQueue; device: ReturnType<RawRing['device']> } {
    const ring = new RawRing(SIZE)
    const driver = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx: true })
    const device = ring.device({ eventIdx: true })
    for (const [readable, writable] of [
      [1, 0],
      [1, 1],
      [2, 1],
      [0, 1],
    ] as const) {
      driver.add(list(readable, writable))
    }
    driver.publish()
    popAll(device)
    device.addUsed(1, 4)
    device.publish()
    driver.popUsed(new UsedBuffer())
    return { ring, driver, device }
  }

  it('continues over the memory as it was: chains, free list, indices', () => {
    const { ring, driver, device } = busy()
    const state = json(driver.saveState())
    expect(state.outstanding).toEqual([
      { slots: [0], writableBytes: 0 },
      { slots: [3, 4, 5], writableBytes: 4 },
      { slots: [6], writableBytes: 4 },
    ])
    const restored = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx: true }, state)
    expect([restored.freeDescriptors, restored.outstanding, ring.usedIndex]).toEqual([3, 3, 1])
    expect(restored.saveState()).toEqual(state)
    // The three free slots, and no other, are handed out.
    expect(restored.add(list(3, 0))).toBe(1)
    expect(restored.add(list(1, 0))).toBe(-1)
    restored.publish()
    expect(restored.needsNotification()).toBe(true)
    const heads = popAll(device)
    expect(heads).toEqual([1])
    for (const head of [6, 1, 3, 0]) device.addUsed(head, 0)
    device.publish()
    const used = new UsedBuffer()
    const ids: number[] = []
    while (restored.popUsed(used)) ids.push(used.id)
    expect([ids, restored.freeDescriptors, restored.violation]).toEqual([[6, 1, 3, 0], SIZE, null])
    expect(restored.add(list(4, 4))).toBeGreaterThanOrEqual(0)
    restored.publish()
    expect([...restored.saveState().outstanding[0]!.slots].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('takes the place of whatever the queue was doing', () => {
    const { ring, driver } = busy()
    const state = json(driver.saveState())
    const other = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx: true })
    const empty = json(other.saveState())
    for (let i = 0; i < 4; i++) other.add(list(1, 1))
    other.publish()
    other.delayNotifications(3)
    for (const next of [state, { ...empty, unsignalled: 3, notificationsEnabled: false, event: 9 }, empty]) {
      other.restoreState(next)
      expect(json(other.saveState())).toEqual(next)
    }
    // Every slot is free, the first as well.
    expect(other.add(list(4, 4))).toBe(0)
  })

  it('refuses nonsense with a clean error, and stays as it was', () => {
    const { driver } = busy()
    const good = json(driver.saveState())
    const [first] = good.outstanding
    const bad: unknown[] = [
      null,
      {},
      { ...good, version: 1 },
      { ...good, format: 'packed' },
      { ...good, size: 4 },
      { ...good, nextAvailable: 70000 },
      { ...good, nextUsed: good.nextUsed + 1 },
      { ...good, event: -1 },
      { ...good, unsignalled: -1 },
      { ...good, notificationsEnabled: null },
      { ...good, outstanding: {} },
      { ...good, outstanding: [null, null, null] },
      { ...good, outstanding: [first, first, first] },
      { ...good, outstanding: good.outstanding.map((chain) => ({ ...chain, slots: [] })) },
      { ...good, outstanding: good.outstanding.map((chain) => ({ ...chain, slots: [SIZE] })) },
      { ...good, outstanding: good.outstanding.map((chain) => ({ ...chain, writableBytes: 2 ** 32 })) },
      { ...good, violation: 'broken' },
    ]
    for (const state of bad) {
      expect(() => driver.restoreState(state as SplitDriverState), JSON.stringify(state)).toThrow(INVALID)
    }
    expect(json(driver.saveState())).toEqual(good)
    driver.add(list(1, 0))
    expect(() => driver.saveState()).toThrow(NOT_RESTORABLE)
  })
})

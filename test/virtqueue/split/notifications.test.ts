import { describe, expect, it } from 'vitest'
import {
  BufferList,
  DescriptorChain,
  type SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from '../../../src/virtqueue/index.ts'
import { BUFFERS, popAll, RawRing } from './raw-ring.ts'

const SIZE = 8

/** Pops `count` waiting chains and publishes them as used, in one batch. */
function serve(queue: SplitDeviceQueue, count: number): void {
  const chain = new DescriptorChain()
  for (let i = 0; i < count; i++) {
    expect(queue.popAvailable(chain)).toBe(true)
    queue.addUsed(chain.id, 0)
  }
  queue.publish()
}

/** A ring whose driver has always offered heads 0, 1, 2, ... cyclically. */
function cyclic(size = SIZE): RawRing {
  const ring = new RawRing(size)
  for (let i = 0; i < size; i++) ring.descriptor(i, {})
  return ring
}

describe('used buffer notifications, by flags', () => {
  it('VQS-NTF-DEV-02, VQS-NTF-DEV-03: the flag decides, at the time of asking', () => {
    const ring = cyclic().offer(0, 1, 2)
    const queue = ring.device()
    serve(queue, 1)
    expect(queue.needsNotification()).toBe(true)
    ring.availableFlags = 1
    serve(queue, 1)
    expect(queue.needsNotification()).toBe(false)
    ring.availableFlags = 0
    serve(queue, 1)
    expect(queue.needsNotification()).toBe(true)
  })

  it('is answered once for what was published, and never for nothing', () => {
    const ring = cyclic().offer(0)
    const queue = ring.device()
    expect(queue.needsNotification()).toBe(false)
    serve(queue, 1)
    queue.publish()
    expect([queue.needsNotification(), queue.needsNotification()]).toEqual([true, false])
  })

  it('VQS-NTF-DEV-01: used_event is not consulted', () => {
    const ring = cyclic().offer(0)
    ring.usedEvent = 5
    const queue = ring.device()
    serve(queue, 1)
    expect(queue.needsNotification()).toBe(true)
  })
})

describe('used buffer notifications, by EVENT_IDX', () => {
  it('VQS-NTF-DEV-04: the flag is not consulted', () => {
    const ring = cyclic().offer(0)
    ring.availableFlags = 1
    const queue = ring.device({ eventIdx: true })
    serve(queue, 1)
    expect(queue.needsNotification()).toBe(true)
  })

  it('VQS-NTF-DEV-05, VQS-NTF-DEV-06: exactly one for a batch that passes used_event, none otherwise', () => {
    const ring = cyclic().offer(0, 1, 2, 3, 4)
    ring.usedEvent = 3
    const queue = ring.device({ eventIdx: true })
    serve(queue, 3)
    expect(queue.needsNotification()).toBe(false)
    serve(queue, 2)
    expect(queue.needsNotification()).toBe(true)
    ring.offer(5, 6)
    serve(queue, 2)
    expect(queue.needsNotification()).toBe(false)
  })

  it('museum 34: batches of every size around 65535 notify exactly once per event', () => {
    for (let batch = 1; batch <= SIZE; batch++) {
      const ring = cyclic()
      const queue = ring.device({ eventIdx: true })
      let index = 0xff00
      let expected = 0
      let seen = 0
      ring.setAvailableIndex(index)
      queue.restoreState({ ...queue.saveState(), nextAvailable: index, nextUsed: index })
      while (index < 0x1_0000 + 256) {
        const event = (index + 11) & 0xffff
        const target = index + 12
        ring.usedEvent = event
        while (index < target) {
          for (let i = 0; i < batch; i++) ring.offer((index + i) & (SIZE - 1))
          serve(queue, batch)
          index += batch
          if (queue.needsNotification()) seen++
        }
        expected++
      }
      expect(seen).toBe(expected)
    }
  })

  it('one element less than a whole turn may have missed the event', () => {
    const ring = cyclic()
    const queue = ring.device({ eventIdx: true })
    ring.usedEvent = 0xffff
    for (let i = 0; i < 0xffff; i++) {
      ring.offer(i % SIZE)
      serve(queue, 1)
    }
    expect(queue.needsNotification()).toBe(false)
  })

  it('a whole turn of the index without asking has passed every event', () => {
    const ring = cyclic()
    const queue = ring.device({ eventIdx: true })
    const offer = (first: number): void =>
      void ring.offer(...Array.from({ length: SIZE }, (_, i) => (first + i) % SIZE))
    for (let done = 0; done < 0x1_0000; done += SIZE) {
      offer(done)
      serve(queue, SIZE)
    }
    ring.usedEvent = 17
    expect(queue.needsNotification()).toBe(true)
  })
})

describe('available buffer notifications, asked for by the device', () => {
  it('VQS-NTF-DEV-07, VQS-NTF-DEV-08: flags are 0 or 1', () => {
    const ring = cyclic()
    const queue = ring.device()
    queue.disableNotifications()
    expect(ring.usedFlags).toBe(1)
    expect(queue.enableNotifications()).toBe(false)
    expect(ring.usedFlags).toBe(0)
    ring.offer(0)
    expect(queue.enableNotifications()).toBe(true)
  })

  it('VQS-NTF-DEV-09, VQS-NTF-DEV-10: with EVENT_IDX flags stay 0, and avail_event says when', () => {
    const ring = cyclic().offer(0, 1)
    const queue = ring.device({ eventIdx: true })
    serve(queue, 2)
    expect(queue.enableNotifications()).toBe(false)
    expect([ring.usedFlags, ring.availEvent]).toEqual([0, 2])
    queue.disableNotifications()
    expect([ring.usedFlags, ring.availEvent]).toEqual([0, 1])
    ring.offer(2)
    expect(queue.enableNotifications()).toBe(true)
    expect(ring.availEvent).toBe(2)
  })

  it('museum 33: a device that only ever pops until empty keeps being notified', () => {
    const ring = cyclic()
    const queue = ring.device({ eventIdx: true })
    for (let index = 0; index < 70_000; index++) {
      if (ring.availEvent !== (index & 0xffff)) expect.fail(`avail_event stuck at ${ring.availEvent} for ${index}`)
      ring.offer(index & (SIZE - 1))
      serve(queue, 1)
      popAll(queue)
    }
  })

  it('re-arms again, once silence is over', () => {
    const ring = cyclic().offer(0)
    const queue = ring.device({ eventIdx: true })
    queue.disableNotifications()
    expect(queue.enableNotifications()).toBe(true)
    expect([popAll(queue), ring.availEvent]).toEqual([[0], 1])
    expect(queue.saveState().notificationsEnabled).toBe(true)
  })

  it('re-arms after a reset or a restored state, whatever its field holds', () => {
    const ring = cyclic().offer(0)
    const queue = ring.device({ eventIdx: true })
    ring.availEvent = 77
    popAll(queue)
    expect(ring.availEvent).toBe(1)
    const state = queue.saveState()
    queue.reset()
    ring.availEvent = 77
    popAll(queue)
    expect(ring.availEvent).toBe(1)
    const restored = ring.device({ eventIdx: true })
    ring.availEvent = 77
    restored.restoreState(state)
    popAll(restored)
    expect(ring.availEvent).toBe(1)
  })

  it('does not re-arm while it asked for silence', () => {
    const ring = cyclic().offer(0)
    const queue = ring.device({ eventIdx: true })
    queue.disableNotifications()
    expect(popAll(queue)).toEqual([0])
    expect(ring.availEvent).toBe(0xffff)
  })

  it('VQS-AVL-DEV-01: a chain is fetched as soon as idx covers it, kicked or not', () => {
    for (const eventIdx of [false, true]) {
      const ring = cyclic()
      const queue = ring.device({ eventIdx })
      for (let head = 0; head < 3; head++) {
        ring.offer(head)
        expect(popAll(queue)).toEqual([head])
      }
      expect(popAll(queue)).toEqual([])
    }
  })
})

describe('the driver', () => {
  const buffer = new BufferList().addReadable(BUFFERS, 16)

  function driver(eventIdx: boolean): { ring: RawRing; queue: SplitDriverQueue; complete(count: number): void } {
    const ring = new RawRing(SIZE)
    const queue = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx })
    const device = ring.device({ eventIdx })
    return { ring, queue, complete: (count) => serve(device, count) }
  }

  it('VQS-NTF-DRV-08, VQS-NTF-DRV-09, VQS-NTF-DRV-07: kicks by the flag, not by avail_event', () => {
    const { ring, queue } = driver(false)
    ring.availEvent = 9
    queue.add(buffer)
    expect(queue.needsNotification()).toBe(false)
    queue.publish()
    expect([queue.needsNotification(), queue.needsNotification()]).toEqual([true, false])
    ring.usedFlags = 1
    queue.add(buffer)
    queue.publish()
    expect(queue.needsNotification()).toBe(false)
  })

  it('VQS-NTF-DRV-10, VQS-NTF-DRV-11, VQS-NTF-DRV-12: kicks by avail_event, not by the flag', () => {
    const { ring, queue } = driver(true)
    ring.usedFlags = 1
    ring.availEvent = 2
    queue.add(buffer)
    queue.add(buffer)
    queue.publish()
    expect(queue.needsNotification()).toBe(false)
    queue.add(buffer)
    queue.publish()
    expect(queue.needsNotification()).toBe(true)
  })

  it('VQS-NTF-DRV-01, VQS-NTF-DRV-02, VQS-NTF-DRV-03: asks for silence by its own means', () => {
    const plain = driver(false)
    plain.queue.disableNotifications()
    expect(plain.ring.availableFlags).toBe(1)
    plain.queue.enableNotifications()
    expect(plain.ring.availableFlags).toBe(0)
    const event = driver(true)
    event.queue.disableNotifications()
    expect([event.ring.availableFlags, event.ring.usedEvent]).toEqual([0, 0xffff])
    event.queue.enableNotifications()
    expect([event.ring.availableFlags, event.ring.usedEvent]).toEqual([0, 0])
  })

  it('VQS-USED-DRV-03: enabling says whether completions arrived meanwhile', () => {
    for (const eventIdx of [false, true]) {
      const { queue, complete } = driver(eventIdx)
      queue.disableNotifications()
      queue.add(buffer)
      queue.publish()
      expect(queue.enableNotifications()).toBe(false)
      complete(1)
      expect(queue.enableNotifications()).toBe(true)
    }
  })

  it('VQS-NTF-DRV-04: reclaims lazily, one notification for `count` completions', () => {
    const ring = new RawRing(SIZE)
    const queue = new SplitDriverQueue(ring.memory, { ...ring.location, eventIdx: true })
    const device = ring.device({ eventIdx: true })
    const notified: boolean[] = []
    for (let i = 0; i < 6; i++) queue.add(buffer)
    queue.publish()
    expect(queue.delayNotifications(4)).toBe(false)
    for (let i = 0; i < 6; i++) {
      serve(device, 1)
      notified.push(device.needsNotification())
    }
    expect(notified).toEqual([false, false, false, true, false, false])
    expect(queue.delayNotifications(6)).toBe(true)
    expect(queue.delayNotifications(7)).toBe(false)
    // Reaping everything does not undo the delay.
    const used = new UsedBuffer()
    while (queue.popUsed(used));
    expect(ring.usedEvent).toBe(6)
    // The shortest delay and the longest.
    expect([queue.delayNotifications(1), ring.usedEvent]).toEqual([false, 6])
    expect([queue.delayNotifications(SIZE), ring.usedEvent]).toEqual([false, 6 + SIZE - 1])
    expect([queue.popUsed(used), ring.usedEvent]).toEqual([false, 6 + SIZE - 1])
  })

  it('delays nothing without EVENT_IDX', () => {
    const { ring, queue } = driver(false)
    queue.disableNotifications()
    expect(queue.delayNotifications(4)).toBe(false)
    expect(ring.availableFlags).toBe(0)
    queue.add(buffer)
    queue.publish()
    serve(ring.device(), 1)
    expect(queue.delayNotifications(4)).toBe(true)
  })

  it('VQS-AVL-DRV-02: publishes one by one, and kicks once for an event that was passed, not again for it', () => {
    const { ring, queue } = driver(true)
    const device = ring.device({ eventIdx: true })
    const kicks: boolean[] = []
    for (let i = 0; i < 3; i++) {
      queue.add(buffer)
      queue.publish()
      kicks.push(queue.needsNotification())
    }
    expect([kicks, device.availableCount()]).toEqual([[true, false, false], 3])
  })

  it('publishing nothing stores nothing, on either side', () => {
    const { ring, queue } = driver(true)
    const device = ring.device({ eventIdx: true })
    ring.setAvailableIndex(0x5555).usedIndex = 0x6666
    queue.publish()
    device.publish()
    expect([ring.memory.readU16(ring.layout.driverArea + 2), ring.usedIndex]).toEqual([0x5555, 0x6666])
  })

  it('a look without a completion is nothing', () => {
    const { queue } = driver(true)
    expect([queue.popUsed(new UsedBuffer()), queue.violation]).toEqual([false, null])
  })
})

describe('what the driver claims', () => {
  it('is read without taking, judging or asking for anything: a hint for whoever decides whether to look', () => {
    const ring = cyclic().offer(0, 1, 2)
    const queue = ring.device({ eventIdx: true })
    const before = queue.saveState()
    expect([1, 3, 4].map((count) => queue.claimsAvailable(count))).toEqual([true, true, false])
    ring.setAvailableIndex(60_000)
    expect(queue.claimsAvailable(SIZE + 1)).toBe(true)
    expect(queue.saveState()).toEqual(before)
    expect(queue.availableCount()).toBe(0)
    expect([queue.violation?.rule, queue.claimsAvailable(1)]).toEqual(['available-index-jump', false])
  })
})

/** Event structures of both sides of a packed ring. */
import { describe, expect, it } from 'vitest'
import {
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
} from '../../../src/virtqueue/index.ts'
import { ASSERTION, list, reap, ringOf, take } from './packed-rings.ts'

describe('notifications', () => {
  it('VQP-KICK-DEV-01, IMP-VQP-13: without EVENT_IDX on or off', () => {
    const ring = ringOf(4)
    ring.device.disableNotifications()
    ring.driver.disableNotifications()
    expect([ring.event('deviceArea')[1], ring.event('driverArea')[1]]).toEqual([1, RING_EVENT_FLAGS_DISABLE])
    ring.driver.add(list(1, 0))
    ring.driver.publish()
    expect([ring.driver.needsNotification(), ring.device.enableNotifications()]).toEqual([false, true])
    expect(ring.event('deviceArea')[1]).toBe(RING_EVENT_FLAGS_ENABLE)
    ring.device.addUsed(take(ring)[0]!.id, 0)
    ring.device.publish()
    expect([ring.device.needsNotification(), ring.driver.enableNotifications()]).toEqual([false, true])
  })

  it('with EVENT_IDX at one place, which an empty look moves on (museum 32, 33)', () => {
    const ring = ringOf(4, { eventIdx: true })
    expect([take(ring), ring.event('deviceArea')]).toEqual([[], [0x8000, RING_EVENT_FLAGS_DESC]])
    ring.driver.add(list(2, 0))
    ring.driver.publish()
    expect([ring.driver.needsNotification(), take(ring).length]).toEqual([true, 1])
    expect(ring.event('deviceArea')).toEqual([0x8002, RING_EVENT_FLAGS_DESC])
    ring.device.disableNotifications()
    ring.driver.add(list(1, 0))
    ring.driver.publish()
    expect([ring.driver.needsNotification(), ring.event('deviceArea')[1]]).toEqual([false, RING_EVENT_FLAGS_DISABLE])
  })

  it('IMP-VQP-14: the place is found across the end of the ring, and one outside of it is never passed', () => {
    const size = 5
    for (let first = 0; first < size; first++) {
      for (let event = 0; event < 2 * size; event++) {
        for (let count = 1; count <= size; count++) {
          const ring = ringOf(size, { eventIdx: true })
          for (let i = 0; i < first; i++) ring.driver.add(list(1, 0))
          ring.driver.publish()
          ring.driver.needsNotification()
          for (const { id } of take(ring)) ring.device.addUsed(id, 0)
          ring.device.publish()
          reap(ring)
          ring.memory.writeU16(ring.location.deviceArea, (event % size) | (event < size ? 0x8000 : 0))
          ring.memory.writeU16(ring.location.deviceArea + 2, RING_EVENT_FLAGS_DESC)
          for (let i = 0; i < count; i++) ring.driver.add(list(1, 0))
          ring.driver.publish()
          expect(ring.driver.needsNotification(), `${first} ${event} ${count}`).toBe(
            event >= first && event < first + count,
          )
        }
      }
    }
    const ring = ringOf(size, { eventIdx: true })
    ring.memory.writeU16(ring.location.deviceArea, 0x8000 | 7)
    ring.memory.writeU16(ring.location.deviceArea + 2, RING_EVENT_FLAGS_DESC)
    for (let i = 0; i < size; i++) ring.driver.add(list(1, 0))
    ring.driver.publish()
    expect(ring.driver.needsNotification()).toBe(false)
  })

  it('delayed: at the latest when so many chains are there', () => {
    const ring = ringOf(8, { eventIdx: true })
    expect(ring.device.delayNotifications(3)).toBe(false)
    const kicks: boolean[] = []
    for (let i = 0; i < 3; i++) {
      ring.driver.add(list(1, 0))
      ring.driver.publish()
      kicks.push(ring.driver.needsNotification())
    }
    expect([kicks, ring.device.delayNotifications(3), ring.device.delayNotifications(4)]).toEqual([
      [false, false, true],
      true,
      false,
    ])
    const ids = take(ring).map(({ id }) => id)
    expect(ring.driver.delayNotifications(2)).toBe(false)
    ring.device.addUsed(ids[0]!, 0)
    ring.device.publish()
    expect([ring.device.needsNotification(), ring.driver.delayNotifications(2)]).toEqual([false, false])
    ring.device.addUsed(ids[1]!, 0)
    ring.device.publish()
    expect([ring.device.needsNotification(), ring.driver.delayNotifications(2)]).toEqual([true, true])
    expect(() => ring.device.delayNotifications(0)).toThrow(ASSERTION)
    expect(() => ring.driver.delayNotifications(9)).toThrow(ASSERTION)
  })
})

/** Saved states of both sides of a packed ring. */
import { describe, expect, it } from 'vitest'
import {
  PackedDeviceQueue,
  type PackedDeviceState,
  PackedDriverQueue,
  type PackedDriverState,
} from '../../../src/virtqueue/index.ts'
import { INVALID_STATE, list, reap, ringOf, TABLES, take } from './packed-rings.ts'

describe('saved states', () => {
  const json = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

  /** Two turns in, with chains of one and two slots out, in the ring and in a table. */
  function busy() {
    const ring = ringOf(5, { indirect: true, eventIdx: true })
    for (let i = 0; i < 7; i++) {
      ring.driver.add(list(1, 0))
      ring.driver.publish()
      ring.device.addUsed(take(ring)[0]!.id, 0)
      ring.device.publish()
      reap(ring)
    }
    const ids = [ring.driver.add(list(1, 1)), ring.driver.add(list(1, 2), 0), ring.driver.add(list(0, 1))]
    ring.driver.publish()
    take(ring)
    ring.device.addUsed(ids[1]!, 32)
    ring.device.publish()
    return { ring, ids }
  }

  it('are places of slot and wrap counter, and go on in other objects', () => {
    const { ring, ids } = busy()
    const [device, driver] = [json(ring.device.saveState()), json(ring.driver.saveState())]
    // The first turn has wrap 1: slot 2 of the second turn is 2, slot 1 of the third 0x8001.
    expect([device.nextAvailable, device.nextUsed]).toEqual([0x8001, 3])
    expect([driver.nextAvailable, driver.nextUsed]).toEqual([0x8001, 2])
    expect(device.inFlight.map(({ id, slots }) => [id, slots])).toEqual([
      [ids[0], 2],
      [ids[2], 1],
    ])
    const again = {
      ...ring,
      device: new PackedDeviceQueue(ring.memory, { ...ring.location, indirect: true, eventIdx: true }),
      driver: new PackedDriverQueue(
        ring.memory,
        { ...ring.location, indirect: true, eventIdx: true, indirectArea: TABLES, indirectLength: 5 },
        driver,
      ),
    }
    again.device.restoreState(device)
    expect([json(again.device.saveState()), json(again.driver.saveState())]).toEqual([device, driver])
    expect([again.device.inFlight, again.driver.outstanding, again.driver.freeDescriptors]).toEqual([2, 3, 1])
    again.device.addUsed(ids[0]!, 16)
    again.device.addUsed(ids[2]!, 1)
    again.device.publish()
    expect(reap(again)).toEqual([
      [ids[1], 32],
      [ids[0], 16],
      [ids[2], 1],
    ])
    expect(again.driver.add(list(5, 0))).toBeGreaterThanOrEqual(0)
    again.driver.publish()
    expect(take(again).length).toBe(1)
  })

  it('museum 30: nonsense is refused, and nothing changes', () => {
    const { ring } = busy()
    const [device, driver] = [json(ring.device.saveState()), json(ring.driver.saveState())]
    const spoil = (good: PackedDeviceState | PackedDriverState, name: 'inFlight' | 'outstanding') => {
      const chains = name in good ? (good as unknown as Record<string, { id: number }[]>)[name]! : []
      const [first, ...rest] = chains
      const of = (...list: unknown[]) => ({ ...good, [name]: [...list, ...rest] })
      return [
        null,
        {},
        { ...good, version: 1 },
        { ...good, format: 'split' },
        { ...good, size: 4 },
        { ...good, nextAvailable: 5 },
        { ...good, nextUsed: 0x8005 },
        { ...good, nextAvailable: 0x1_0001 },
        { ...good, nextAvailable: good.nextAvailable ^ 0x8000 },
        { ...good, unsignalled: -1 },
        { ...good, notificationsEnabled: 1 },
        { ...good, violation: { rule: 'none' } },
        { ...good, [name]: 3 },
        of(null),
        of(first, first),
        of({ ...first, id: 0x1_0000 }),
        of({ ...first, id: -1 }),
        of({ ...first, slots: 0 }),
        of({ ...first, slots: 1.5 }),
        of({ ...first, slots: 3 }),
        of({ ...first, writableBytes: -1 }),
        of(),
      ]
    }
    for (const state of spoil(device, 'inFlight')) {
      expect(() => ring.device.restoreState(state as PackedDeviceState), JSON.stringify(state)).toThrow(INVALID_STATE)
    }
    const larger = {
      ...driver,
      outstanding: driver.outstanding.map((chain, i) => (i > 0 ? chain : { ...chain, id: 5 })),
    }
    for (const state of [...spoil(driver, 'outstanding'), larger]) {
      expect(() => ring.driver.restoreState(state as PackedDriverState), JSON.stringify(state)).toThrow(INVALID_STATE)
    }
    expect([json(ring.device.saveState()), json(ring.driver.saveState())]).toEqual([device, driver])
  })

  it('are not taken while something is staged, and keep a violation', () => {
    const { ring, ids } = busy()
    ring.device.addUsed(ids[0]!, 0)
    expect(() => ring.device.saveState()).toThrow(expect.objectContaining({ code: 'NOT_RESTORABLE' }))
    ring.device.publish()
    reap(ring)
    ring.driver.add(list(1, 0))
    expect(() => ring.driver.saveState()).toThrow(expect.objectContaining({ code: 'NOT_RESTORABLE' }))
    ring.driver.publish()
    ring.memory.writeU32(ring.at(1), 0xffff_fff0)
    expect([take(ring), ring.device.violation?.clause]).toEqual([[], 'RFB-DRV-05'])
    const state = json(ring.device.saveState())
    ring.device.reset()
    ring.device.restoreState(state)
    expect([ring.device.violation, take(ring), ring.device.availableCount()]).toEqual([state.violation, [], 0])
    expect(ring.device.claimsAvailable()).toBe(false)
  })
})

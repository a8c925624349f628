/** Both sides of a packed ring by hand: what stands in memory, and at every size. */
import { describe, expect, it } from 'vitest'
import { GuestMemory } from '../../../src/memory/index.ts'
import {
  layoutRing,
  PackedDeviceQueue,
  RequestQueue,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '../../../src/virtqueue/index.ts'
import { BUFFERS, INVALID_QUEUE, list, reap, ringOf, TABLES, take } from './packed-rings.ts'

describe('what stands in memory', () => {
  it('IMP-VQP-02, IMP-VQP-05, VQP-DRV-06, VQP-SG-DRV-06: a list behind the last slot, and its head is marked last', () => {
    const ring = ringOf(3)
    ring.driver.add(list(1, 0))
    ring.driver.add(list(1, 0))
    ring.driver.publish()
    for (const { id } of take(ring)) ring.device.addUsed(id, 0)
    ring.device.publish()
    expect(reap(ring)).toEqual([
      [0, 0],
      [1, 0],
    ])
    const before = ring.descriptor(2).flags
    const id = ring.driver.add(list(1, 1))
    // The slot behind the end has the other counter; the head's flags wait for the publication.
    expect(ring.descriptor(0)).toEqual({
      address: BUFFERS + 256,
      length: 16,
      id,
      flags: VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_USED,
    })
    expect([ring.descriptor(2).flags, take(ring)]).toEqual([before, []])
    ring.driver.publish()
    expect(ring.descriptor(2)).toEqual({
      address: BUFFERS,
      length: 16,
      id,
      flags: VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_AVAIL,
    })
    const [chain] = take(ring)
    expect([chain!.id, chain!.readableBytes, chain!.writableBytes, chain!.descriptorCount]).toEqual([id, 16, 16, 2])
  })

  it('VQP-IND-DRV-02, VQP-IND-DRV-03, IMP-VQP-10: a table for each id takes one slot', () => {
    const ring = ringOf(4, { indirect: true })
    const first = ring.driver.add(list(1, 0))
    const id = ring.driver.add(list(1, 2), 0)
    ring.driver.publish()
    const table = TABLES + 16 * 4 * id
    expect([first, id, ring.driver.freeDescriptors]).toEqual([0, 1, 2])
    expect(ring.descriptor(1)).toEqual({
      address: table,
      length: 48,
      id,
      flags: VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_AVAIL,
    })
    const entries = [0, 1, 2].map((i) => [
      ring.memory.readU16(table + 16 * i + 12),
      ring.memory.readU16(table + 16 * i + 14),
    ])
    expect(entries).toEqual([
      [0, 0],
      [0, VIRTQ_DESC_F_WRITE],
      [0, VIRTQ_DESC_F_WRITE],
    ])
    expect(take(ring).map(({ readableBytes, writableBytes }) => [readableBytes, writableBytes])).toEqual([
      [16, 0],
      [16, 32],
    ])
  })

  it('IMP-VQP-03, IMP-VQP-06, IMP-VQP-08, IMP-VQP-12, VQP-SG-DRV-04: one used descriptor a list, in the order of completion', () => {
    const ring = ringOf(5)
    const ids = [ring.driver.add(list(1, 1)), ring.driver.add(list(0, 3))]
    ring.driver.publish()
    take(ring)
    ring.device.addUsed(ids[1]!, 40)
    ring.device.addUsed(ids[0]!, 0)
    expect(ring.descriptor(0).id).toBe(ids[0])
    ring.device.publish()
    const both = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
    expect(ring.descriptor(0)).toMatchObject({ id: ids[1], length: 40, flags: both | VIRTQ_DESC_F_WRITE })
    expect(ring.descriptor(3)).toMatchObject({ id: ids[0], length: 0, flags: both })
    expect(reap(ring)).toEqual([
      [ids[1], 40],
      [ids[0], 0],
    ])
    expect(ring.driver.freeDescriptors).toBe(5)
  })
})

describe('what is whose', () => {
  it('VQP-DEV-06: a slot is the device’s when AVAIL alone is the counter of this turn', () => {
    const marks = [0, VIRTQ_DESC_F_USED, VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED, VIRTQ_DESC_F_AVAIL]
    const taken = marks.map((flags) => {
      const ring = ringOf(2)
      ring.memory.writeU32(ring.at(0), BUFFERS)
      ring.memory.writeU32(ring.at(0) + 8, 4)
      ring.memory.writeU16(ring.at(0) + 14, flags)
      return take(ring).length
    })
    expect(taken).toEqual([0, 0, 0, 1])
  })

  it('VQP-SG-DRV-05: a list that does not fit leaves the ring as it is', () => {
    const ring = ringOf(3)
    ring.driver.add(list(2, 0))
    ring.driver.publish()
    const before = [0, 1, 2].map(ring.descriptor)
    expect([ring.driver.add(list(1, 1)), ring.driver.freeDescriptors]).toEqual([-1, 1])
    ring.driver.publish()
    expect([0, 1, 2].map(ring.descriptor)).toEqual(before)
  })

  it('IMP-VQP-09: in a table only WRITE means anything, and nothing on the descriptor that names it', () => {
    const ring = ringOf(4, { indirect: true })
    const id = ring.driver.add(list(1, 1), 0)
    ring.driver.publish()
    const table = TABLES + 16 * 4 * id
    for (const entry of [0, 1]) ring.memory.writeU16(table + 16 * entry + 12, 99)
    ring.memory.writeU16(table + 14, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_USED)
    ring.memory.writeU16(ring.at(0) + 14, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_AVAIL)
    const [chain] = take(ring)
    expect([chain!.id, chain!.readableBytes, chain!.writableBytes, chain!.descriptorCount]).toEqual([id, 16, 16, 3])
  })
})

describe('every size', () => {
  const sizes = [1, 2, 3, 5, 7, 8, 100, 1000, 4095, 32767, 32768]
  it.each(sizes)('IMP-VQP-15, IMP-VQP-01: %i entries, several turns', (size) => {
    const ring = ringOf(size, { eventIdx: true })
    const longest = size > 4000 ? 64 : Math.min(size, 3)
    let served = 0
    for (let turn = 0; served < 3 * size + 5; turn++) {
      const ids: number[] = []
      for (let i = 0; i < 64; i++) {
        const count = 1 + ((turn + i) % longest)
        const id = ring.driver.add(list(1, count - 1))
        if (id < 0) break
        ids.push(id)
        served += count
      }
      ring.driver.publish()
      expect(ring.driver.needsNotification()).toBe(true)
      const chains = take(ring)
      expect(chains.map(({ id }) => id)).toEqual(ids)
      for (const { id, writableBytes } of chains.reverse()) ring.device.addUsed(id, writableBytes)
      ring.device.publish()
      expect(ring.device.needsNotification()).toBe(true)
      expect(reap(ring).map(([id]) => id)).toEqual(ids.reverse())
    }
    expect([ring.driver.freeDescriptors, ring.driver.violation, ring.device.violation]).toEqual([size, null, null])
  })

  it.each([0, -1, 1.5, 32769, Number.NaN])('%f entries are refused', (size) => {
    expect(() => layoutRing('packed', size, 0)).toThrow(INVALID_QUEUE)
  })

  it('VQP-DRV-01: and areas that are not aligned to 16, 4 and 4, or overlap', () => {
    const memory = GuestMemory.ofSize(2 ** 16)
    const location = { size: 8, ...layoutRing('packed', 8, 0x1000) }
    for (const wrong of [
      { descriptorArea: 0x3008 },
      { driverArea: 0x2002 },
      { deviceArea: 0x2002 },
      { deviceArea: 0x1010 },
      { descriptorArea: 2 ** 20 },
    ]) {
      expect(() => new PackedDeviceQueue(memory, { ...location, ...wrong }), JSON.stringify(wrong)).toThrow(
        INVALID_QUEUE,
      )
    }
  })
})

it('IMP-VQP-04: a device takes any 16 bits as an id', () => {
  const ring = ringOf(4)
  const ids = [0xffff, 5, 0x8000, 0]
  for (let turn = 0; turn < 3; turn++) {
    for (const [slot, id] of ids.entries()) {
      ring.memory.writeU32(ring.at(slot), BUFFERS)
      ring.memory.writeU32(ring.at(slot) + 8, 4)
      ring.memory.writeU16(ring.at(slot) + 12, id)
      const flags = turn % 2 === 0 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED
      ring.memory.writeU16(ring.at(slot) + 14, flags | VIRTQ_DESC_F_WRITE)
    }
    expect(take(ring).map(({ id }) => id)).toEqual(ids)
    for (const id of ids) ring.device.addUsed(id, 1)
    ring.device.publish()
    expect(ids.map((_, slot) => ring.descriptor(slot).id)).toEqual(ids)
  }
})

it('VQP-DEV-04: a queue of requests runs over it, writes where it may, and every range that the device writes is told', () => {
  const told: [number, number][] = []
  const ring = ringOf(4, { eventIdx: true, onWrite: (address, bytes) => told.push([address, bytes]) })
  const requests = new RequestQueue(ring.device)
  ring.memory.writeU32(BUFFERS, 41)
  ring.driver.add(list(1, 1))
  ring.driver.publish()
  expect([requests.waiting, ring.device.claimsAvailable()]).toEqual([1, true])
  for (const request of requests.drain(4)) request.writer.u32(request.reader.u32() + 1)
  expect([reap(ring), ring.memory.readU32(BUFFERS + 256), requests.waiting]).toEqual([[[0, 4]], 42, 0])
  expect(ring.memory.readU32(BUFFERS)).toBe(41)
  expect(told).toEqual([
    [BUFFERS + 256, 4],
    [ring.location.deviceArea, 4],
    [ring.at(0) + 8, 8],
  ])
})

it('both sides work in shared memory, over areas in several pieces, and after a region got another buffer', () => {
  for (const shared of [false, true]) {
    const bytes = (size: number) => (shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size))
    const memory = new GuestMemory([
      { base: 0, size: 0x1020, buffer: bytes(0x1020) },
      { base: 0x1020, size: 2 ** 21 - 0x1020, buffer: bytes(2 ** 21 - 0x1020) },
    ])
    const ring = ringOf(4, { eventIdx: true, indirect: true }, memory)
    for (let i = 0; i < 11; i++) {
      if (i === 6) memory.rebind(0x1020, moved(memory, bytes(2 ** 21 - 0x1020)))
      const id = ring.driver.add(list(1, 1), i % 2 === 0 ? 0 : 2)
      ring.driver.publish()
      const [chain] = take(ring)
      ring.device.addUsed(chain!.id, i)
      ring.device.publish()
      expect(reap(ring)).toEqual([[id, i]])
    }
  }
})

/** The bytes of region 1 in another buffer. */
function moved(memory: GuestMemory, buffer: ArrayBuffer | SharedArrayBuffer): ArrayBuffer | SharedArrayBuffer {
  new Uint8Array(buffer).set(memory.regions[1]!.u8)
  return buffer
}

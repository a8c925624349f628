import { describe, expect, it } from 'vitest'
import { GuestMemory, PAGE_SIZE } from '../../../src/memory/index.ts'
import { DescriptorChain } from '../../../src/virtqueue/index.ts'
import { ASSERTION, BUFFERS, INDIRECT, NEXT, popAll, RAM_BYTES, RawRing, segmentsOf, WRITE } from './raw-ring.ts'

const SIZE = 4

describe('popAvailable', () => {
  it('fills a chain with private copies: what the driver changes later does not matter (museum 17)', () => {
    const ring = new RawRing(SIZE)
      .descriptor(2, { address: BUFFERS, length: 10, flags: NEXT, next: 0 })
      .descriptor(0, { address: BUFFERS + 64, length: 6, flags: NEXT, next: 3 })
      .descriptor(3, { address: BUFFERS + 128, length: 20, flags: WRITE })
      .offer(2)
    const queue = ring.device()
    const chain = new DescriptorChain()
    expect(queue.popAvailable(chain)).toBe(true)
    for (let i = 0; i < SIZE; i++) ring.descriptor(i, { address: 0, length: 1, flags: NEXT, next: i })
    expect(segmentsOf(chain)).toEqual([
      [BUFFERS, 10],
      [BUFFERS + 64, 6],
      [BUFFERS + 128, 20],
    ])
    expect([chain.id, chain.readableCount, chain.readableBytes, chain.writableBytes]).toEqual([2, 2, 16, 20])
    expect([chain.memory, chain.descriptorCount, queue.inFlight]).toEqual([ring.memory, 3, 1])
    // The limit on what may be written is the one of the snapshot, too.
    expect(() => queue.addUsed(2, 21)).toThrow(ASSERTION)
    queue.addUsed(2, 20)
  })

  it('cuts buffers at the borders of adjacent regions and of frames, and addresses past 4 GiB', () => {
    const memory = new GuestMemory([
      { base: 0, size: 0x1_0000 },
      { base: 0x1_0000, size: 0x1_0000 },
      { base: 2 ** 40, size: 0x1000 },
      { base: 2 ** 41, size: 3 * PAGE_SIZE, buffer: new ArrayBuffer(4 * PAGE_SIZE), frames: Int32Array.of(1, 2, 0) },
    ])
    const ring = new RawRing(SIZE, memory)
      .descriptor(0, { address: 0xfff0, length: 32, flags: NEXT, next: 1 })
      .descriptor(1, { address: 2 ** 40 + 16, length: 8, flags: NEXT, next: 2 })
      .descriptor(2, { address: 2 ** 41 + 4000, length: 2 * PAGE_SIZE, flags: WRITE | NEXT, next: 3 })
      .descriptor(3, { address: 0x100, length: 4, flags: WRITE })
      .offer(0)
    const chain = new DescriptorChain()
    expect(ring.device().popAvailable(chain)).toBe(true)
    expect(segmentsOf(chain)).toEqual([
      [0xfff0, 16],
      [0x1_0000, 16],
      [2 ** 40 + 16, 8],
      [2 ** 41 + 4000, 2 * PAGE_SIZE - 4000],
      [2 ** 41 + 2 * PAGE_SIZE, 4000],
      [0x100, 4],
    ])
    expect([...chain.region.subarray(0, 6)]).toEqual([0, 1, 2, 3, 3, 0])
    expect([...chain.offset.subarray(0, 6)]).toEqual([0xfff0, 0, 16, PAGE_SIZE + 4000, 0, 0x100])
    expect([chain.readableCount, chain.writableBytes]).toEqual([3, 2 * PAGE_SIZE + 4])
  })

  it('reads indirect tables that lie in several pieces', () => {
    const buffer = new ArrayBuffer(4 * PAGE_SIZE)
    const memory = new GuestMemory([
      { base: 0, size: RAM_BYTES },
      { base: 2 ** 32, size: 2 * PAGE_SIZE, buffer, frames: Int32Array.of(3, 1) },
    ])
    const table = 2 ** 32 + PAGE_SIZE - 24
    const ring = new RawRing(SIZE, memory).descriptor(0, { address: table, length: 48, flags: 4 }).offer(0)
    for (let i = 0; i < 3; i++)
      ring.entry(table, i, { address: BUFFERS + i, length: 1, flags: i < 2 ? NEXT : 0, next: i + 1 })
    const chain = new DescriptorChain()
    expect(ring.device({ indirect: true }).popAvailable(chain)).toBe(true)
    expect(segmentsOf(chain).map(([address]) => address)).toEqual([BUFFERS, BUFFERS + 1, BUFFERS + 2])
  })

  it('follows the window of the last region correctly at the ends of 2 GiB and 4 GiB', () => {
    // Only address arithmetic matters: one frame behind gigabytes of address space would be page-mapped, so use small regions.
    const memory = new GuestMemory([
      { base: 0, size: RAM_BYTES },
      { base: 2 ** 31 - 0x1000, size: 0x2000 },
      { base: 2 ** 32 - 0x1000, size: 0x2000 },
      { base: 2 ** 32 + 2 ** 31 + 0x1000, size: 0x4000 },
    ])
    const high = 2 ** 32 + 2 ** 31 + 0x1000
    const addresses = [2 ** 31 - 8, 2 ** 31, 2 ** 32 - 8, 2 ** 32, 2 ** 32 + 0xff0, high, high + 0x100, 0]
    for (const first of addresses) {
      for (const second of addresses) {
        const ring = new RawRing(SIZE, memory)
          .descriptor(0, { address: first, length: 16, flags: NEXT, next: 1 })
          .descriptor(1, { address: second, length: 16, flags: NEXT, next: 2 })
          .descriptor(2, { address: 2 ** 32 + 2 ** 31 + 0x100, length: 0 })
          .offer(0)
        const chain = new DescriptorChain()
        expect(ring.device().popAvailable(chain)).toBe(true)
        expect(segmentsOf(chain)).toEqual([
          [first, 16],
          [second, 16],
        ])
        for (const i of [0, 1]) expect(chain.offset[i]).toBe(chain.address[i]! - memory.regions[chain.region[i]!]!.base)
        // The same offset in the wrong 4 GiB is not memory.
        const alias = new RawRing(SIZE, memory)
          .descriptor(0, { address: first, length: 16, flags: NEXT, next: 1 })
          .descriptor(1, { address: second + 2 ** 33, length: 16 })
          .offer(0)
        const queue = alias.device()
        expect([queue.popAvailable(chain), queue.violation?.rule]).toEqual([false, 'buffer-outside-memory'])
      }
    }
  })

  it('reaches every byte of a region of more than 2 GiB', ({ skip }) => {
    let memory: GuestMemory
    try {
      memory = GuestMemory.ofSize(2.5 * 2 ** 30)
    } catch {
      return skip('this machine does not give so much address space')
    }
    const last = 2.5 * 2 ** 30 - 16
    const addresses = [2 ** 31 - 16, 2 ** 31 - 8, 2 ** 31, last]
    for (const address of addresses) {
      const ring = new RawRing(SIZE, memory).descriptor(0, { address, length: 16 }).offer(0)
      const chain = new DescriptorChain()
      expect(ring.device().popAvailable(chain)).toBe(true)
      expect(segmentsOf(chain)).toEqual([[address, 16]])
    }
    const queue = new RawRing(SIZE, memory).descriptor(0, { address: last, length: 17 }).offer(0).device()
    expect([popAll(queue), queue.violation?.rule]).toEqual([[], 'buffer-outside-memory'])
  })

  it('grows a chain beyond what it was made for', () => {
    const ring = new RawRing(512)
    for (let i = 0; i < 512; i++) ring.descriptor(i, { length: 1 + i, flags: i < 511 ? NEXT : 0, next: i + 1 })
    const chain = new DescriptorChain()
    expect(ring.offer(0).device().popAvailable(chain)).toBe(true)
    expect(segmentsOf(chain)).toEqual(Array.from({ length: 512 }, (_, i) => [BUFFERS, 1 + i]))
  })
})

it('uses nothing that was not negotiated, and asks for a reset when it is broken', () => {
  const ring = new RawRing(SIZE).descriptor(0, {}).offer(0)
  ring.availEvent = 77
  const queue = ring.device()
  expect([queue.index, queue.policy, popAll(queue), ring.availEvent]).toEqual([0, 'needs-reset', [0], 77])
  ring.descriptor(1, { flags: INDIRECT }).offer(1)
  expect([popAll(queue), queue.violation?.rule]).toEqual([[], 'indirect-not-negotiated'])
})

describe('addUsed and publish', () => {
  const ready = (): { ring: RawRing; queue: ReturnType<RawRing['device']> } => {
    const ring = new RawRing(SIZE).descriptor(0, { flags: WRITE }).descriptor(1, {}).offer(0, 1)
    const queue = ring.device()
    popAll(queue)
    return { ring, queue }
  }

  it('IMP-VQS-03, IMP-VQS-04: our own mistakes assert, and leave the ring untouched (museum 20)', () => {
    const { ring, queue } = ready()
    const before = new Uint8Array(ring.layout.bytes)
    ring.memory.read(ring.layout.descriptorArea, before)
    for (const [id, length] of [
      [2, 0],
      [SIZE, 0],
      [-1, 0],
      [0.5, 0],
      [Number.NaN, 0],
      [0, 17],
      [0, -1],
      [0, 1.5],
      [0, Number.NaN],
      [1, 1],
    ] as const) {
      expect(() => queue.addUsed(id, length), `${id} ${length}`).toThrow(ASSERTION)
    }
    queue.publish()
    const after = new Uint8Array(ring.layout.bytes)
    ring.memory.read(ring.layout.descriptorArea, after)
    expect([after, queue.inFlight]).toEqual([before, 2])
    queue.addUsed(0, 16)
    expect(() => queue.addUsed(0, 0)).toThrow(ASSERTION)
  })

  it('stages many and shows them with one idx', () => {
    const { ring, queue } = ready()
    queue.addUsed(1, 0)
    queue.addUsed(0, 3)
    expect(ring.usedIndex).toBe(0)
    queue.publish()
    expect([ring.usedIndex, ring.usedElement(0), ring.usedElement(1)]).toEqual([
      2,
      { id: 1, length: 0 },
      { id: 0, length: 3 },
    ])
  })

  it('museum 19: the driver rewrites the used ring and its idx, the device does not look', () => {
    const { ring, queue } = ready()
    queue.addUsed(0, 1)
    queue.publish()
    ring.writeUsedElement(0, 77, 77).writeUsedElement(1, 77, 77).usedIndex = 500
    queue.addUsed(1, 0)
    queue.publish()
    expect([ring.usedIndex, ring.usedElement(1)]).toEqual([2, { id: 1, length: 0 }])
  })

  it('VQS-DESC-DEV-04, IMP-VQS-02: the device writes its own area only', () => {
    const ring = new RawRing(SIZE).descriptor(0, { flags: WRITE }).offer(0)
    const queue = ring.device({ eventIdx: true, policy: 'reject' })
    const before = new Uint8Array(ring.layout.deviceArea - ring.layout.descriptorArea)
    const after = new Uint8Array(before.length)
    ring.memory.read(ring.layout.descriptorArea, before)
    queue.enableNotifications()
    for (const head of popAll(queue)) queue.addUsed(head, 5)
    queue.publish()
    queue.needsNotification()
    queue.disableNotifications()
    ring.memory.read(ring.layout.descriptorArea, after)
    expect(after).toEqual(before)
  })
})

describe('wrap-around', () => {
  for (const size of [1, 2, 32768]) {
    it(`museum 37, IMP-VQS-01: 65536 + k operations, size ${size}`, () => {
      const ring = new RawRing(size, GuestMemory.ofSize(0x20_0000), 0x4_0000)
      for (let i = 0; i < size; i++) ring.descriptor(i, { address: 0, length: 4, flags: WRITE })
      const queue = ring.device({ eventIdx: true })
      const chain = new DescriptorChain()
      const failures: number[] = []
      for (let i = 0; i < 0x1_0000 + 100; i++) {
        const head = (i * 7) % size
        ring.offer(head)
        if (!queue.popAvailable(chain) || chain.id !== head) failures.push(i)
        queue.addUsed(head, i & 3)
        queue.publish()
        const { id, length } = ring.usedElement(i % size)
        if (id !== head || length !== (i & 3) || ring.usedIndex !== ((i + 1) & 0xffff)) failures.push(i)
      }
      expect(failures).toEqual([])
    })
  }

  it('a whole ring of 32768 in flight at once, across 65535', () => {
    const size = 32768
    const ring = new RawRing(size, GuestMemory.ofSize(0x20_0000), 0x4_0000)
    for (let i = 0; i < size; i++) ring.descriptor(i, { address: 0, length: 4 })
    const queue = ring.device()
    const heads = Array.from({ length: size }, (_, i) => i)
    for (let turn = 0; turn < 3; turn++) {
      ring.offer(...heads)
      expect(queue.availableCount()).toBe(size)
      expect(popAll(queue).length).toBe(size)
      expect(queue.inFlight).toBe(size)
      for (const head of heads) queue.addUsed(head, 0)
      queue.publish()
    }
    expect(ring.usedIndex).toBe((3 * size) & 0xffff)
    ring.setAvailableIndex(((3 * size) & 0xffff) + size + 1 - 0x1_0000)
    expect(queue.availableCount()).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/internal/random.ts'
import {
  BufferList,
  DescriptorChain,
  type DriverRingConfig,
  SplitDriverQueue,
  type SplitViolationRule,
  UsedBuffer,
  VIOLATION_CLAUSES,
} from '../../../src/virtqueue/index.ts'
import { ASSERTION, BUFFERS, INDIRECT, NEXT, popAll, RawRing, segmentsOf, WRITE } from './raw-ring.ts'

const SIZE = 8
const TABLES = 0x1_0000

function setUp(config: Partial<DriverRingConfig> = {}): { ring: RawRing; driver: SplitDriverQueue } {
  const ring = new RawRing(SIZE)
  return { ring, driver: new SplitDriverQueue(ring.memory, { ...ring.location, ...config }) }
}

const INDIRECTLY = { indirect: true, indirectArea: TABLES, indirectLength: 4 }

/** `readable` and then `writable` buffers of 16 bytes. */
function buffers(readable: number, writable: number): BufferList {
  const list = new BufferList(1)
  for (let i = 0; i < readable; i++) list.addReadable(BUFFERS + 32 * i, 16)
  for (let i = 0; i < writable; i++) list.addWritable(BUFFERS + 0x1000 + 32 * i, 16)
  return list
}

function descriptorAt(ring: RawRing, table: number, index: number): number[] {
  const at = table + 16 * index
  const { memory } = ring
  return [Number(memory.readU64(at)), memory.readU32(at + 8), memory.readU16(at + 12), memory.readU16(at + 14)]
}

describe('add', () => {
  it('VQS-FRM-DRV-01, RFB-DRV-05: writes a chain of guest-physical addresses, readable before writable, and stages its head', () => {
    const { ring, driver } = setUp()
    expect(driver.add(buffers(2, 1))).toBe(0)
    expect([driver.freeDescriptors, driver.outstanding]).toEqual([SIZE - 3, 1])
    expect([0, 1, 2].map((i) => descriptorAt(ring, ring.layout.descriptorArea, i))).toEqual([
      [BUFFERS, 16, NEXT, 1],
      [BUFFERS + 32, 16, NEXT, 2],
      [BUFFERS + 0x1000, 16, WRITE, 0],
    ])
    expect(popAll(ring.device())).toEqual([])
    driver.publish()
    expect(popAll(ring.device())).toEqual([0])
  })

  it('CLEAN-DRV-01: what the device can see stays as it is while more is added, and until it came back', () => {
    const { ring, driver } = setUp()
    const { descriptorArea, driverArea } = ring.layout
    driver.add(buffers(1, 1))
    driver.publish()
    const seen = () => [
      descriptorAt(ring, descriptorArea, 0),
      descriptorAt(ring, descriptorArea, 1),
      ring.memory.readU16(driverArea + 4),
    ]
    const before = seen()
    for (let i = 0; i < 3; i++) {
      driver.add(buffers(0, 2))
      driver.publish()
    }
    expect(driver.add(buffers(0, 2))).toBe(-1)
    driver.needsNotification()
    driver.enableNotifications()
    expect(seen()).toEqual(before)
  })

  it('VQS-AVL-DRV-03, VQS-ANY-01: many chains in one publication', () => {
    const { ring, driver } = setUp()
    const device = ring.device()
    const heads = Array.from({ length: SIZE }, () => driver.add(buffers(1, 0)))
    expect(popAll(device)).toEqual([])
    driver.publish()
    expect(popAll(device)).toEqual(heads)
  })

  it('museum 45: a full ring refuses, keeps what it has, and takes again after a completion', () => {
    const { ring, driver } = setUp()
    for (let i = 0; i < 4; i++) expect(driver.add(buffers(1, 1))).toBeGreaterThanOrEqual(0)
    expect([driver.add(buffers(1, 0)), driver.freeDescriptors]).toEqual([-1, 0])
    driver.publish()
    const device = ring.device()
    expect(popAll(device)).toEqual([0, 2, 4, 6])
    device.addUsed(4, 16)
    device.publish()
    const used = new UsedBuffer()
    expect(driver.popUsed(used)).toBe(true)
    expect([driver.add(buffers(3, 0)), driver.add(buffers(1, 1))]).toEqual([-1, 4])
  })

  it('VQS-IND-DRV-02, VQS-IND-DRV-04, IMP-VQS-05: one slot refers to a table of its own', () => {
    const { ring, driver } = setUp(INDIRECTLY)
    driver.add(buffers(1, 0))
    expect(driver.add(buffers(1, 2), 0)).toBe(1)
    expect(driver.freeDescriptors).toBe(SIZE - 2)
    const table = TABLES + 1 * 4 * 16
    expect(descriptorAt(ring, ring.layout.descriptorArea, 1)).toEqual([table, 48, INDIRECT, 0])
    expect([0, 1, 2].map((i) => descriptorAt(ring, table, i))).toEqual([
      [BUFFERS, 16, NEXT, 1],
      [BUFFERS + 0x1000, 16, NEXT | WRITE, 2],
      [BUFFERS + 0x1020, 16, WRITE, 0],
    ])
  })

  it('VQS-IND-DRV-01: without INDIRECT_DESC no table is used, though there is memory for some', () => {
    const { driver } = setUp({ ...INDIRECTLY, indirect: false })
    expect(() => driver.add(buffers(1, 2), 0)).toThrow('INDIRECT_DESC was not negotiated')
    expect([driver.add(buffers(1, 2)), driver.freeDescriptors]).toEqual([0, SIZE - 3])
  })

  it('VQS-IND-DEV-02: a chain may end in a table', () => {
    const { ring, driver } = setUp(INDIRECTLY)
    driver.add(buffers(2, 2), 1)
    driver.publish()
    const chain = new DescriptorChain()
    expect(ring.device({ indirect: true }).popAvailable(chain)).toBe(true)
    expect([chain.readableCount, chain.segmentCount, chain.descriptorCount]).toEqual([2, 4, 5])
    expect(driver.freeDescriptors).toBe(SIZE - 2)
  })

  it('asserts our own mistakes, and leaves the ring as it was', () => {
    const { ring, driver } = setUp(INDIRECTLY)
    const plain = setUp({ indirectArea: TABLES, indirectLength: 4 }).driver
    const before = new Uint8Array(ring.layout.bytes)
    ring.memory.read(ring.layout.descriptorArea, before)
    const wrong: (() => unknown)[] = [
      () => driver.add(new BufferList()),
      () => driver.add(buffers(SIZE + 1, 0)),
      () => driver.add(buffers(5, 0), 0),
      () => driver.add(buffers(1, 0), 2),
      () => driver.add(buffers(1, 0), -1),
      () => driver.add(buffers(2, 0), 0.5),
      () => plain.add(buffers(1, 0), 0),
      () => setUp({ indirect: true }).driver.add(buffers(1, 0), 0),
      () => driver.add(new BufferList().addReadable(0, 0xffff_ffff).addReadable(0, 1)),
    ]
    for (const mistake of wrong) expect(mistake, mistake.toString()).toThrow(ASSERTION)
    const after = new Uint8Array(ring.layout.bytes)
    ring.memory.read(ring.layout.descriptorArea, after)
    expect(after).toEqual(before)
    expect([driver.freeDescriptors, driver.outstanding, driver.add(buffers(1, 0))]).toEqual([SIZE, 0, 0])
  })

  it('VQS-DESC-DRV-01: takes a chain of exactly 2^32 - 1 bytes, and address 0', () => {
    const { driver } = setUp()
    expect(driver.add(new BufferList().addReadable(0, 0xffff_fffe).addWritable(0, 1))).toBe(0)
  })

  it('uses nothing that was not negotiated', () => {
    const { driver } = setUp()
    expect([driver.eventIdx, driver.indirect, driver.index, new UsedBuffer().id]).toEqual([false, false, 0, -1])
  })

  it('reaches buffers above 4 GiB', () => {
    const { ring, driver } = setUp()
    driver.add(new BufferList().addReadable(2 ** 45 + 2 ** 32 + 7, 1))
    expect(ring.memory.readU64(ring.layout.descriptorArea)).toBe(2n ** 45n + 2n ** 32n + 7n)
  })
})

describe('popUsed distrusts the device', () => {
  /** A driver with two chains that the device has, heads 0 (8 writable bytes, 2 slots) and 2, and one staged, head 3. */
  function waiting(): { ring: RawRing; driver: SplitDriverQueue } {
    const both = setUp()
    both.driver.add(new BufferList().addReadable(BUFFERS, 4).addWritable(BUFFERS, 8))
    both.driver.add(buffers(1, 0))
    both.driver.publish()
    both.driver.add(buffers(1, 0))
    return both
  }

  const faults: { rule: SplitViolationRule; what: string; index: number; id: number; length: number }[] = [
    { rule: 'used-index-jump', what: 'more completions than chains', index: 3, id: 0, length: 0 },
    { rule: 'used-index-jump', what: 'idx backwards', index: 0xffff, id: 0, length: 0 },
    { rule: 'used-id-out-of-range', what: 'museum 42: id = size', index: 1, id: SIZE, length: 0 },
    { rule: 'used-id-out-of-range', what: 'museum 42: id >= 2^16, low half valid', index: 1, id: 0x1_0000, length: 0 },
    { rule: 'used-id-not-outstanding', what: 'museum 42: the middle of a chain', index: 1, id: 1, length: 0 },
    { rule: 'used-id-not-outstanding', what: 'never added', index: 1, id: 5, length: 0 },
    { rule: 'used-id-not-outstanding', what: 'staged, not published', index: 1, id: 3, length: 0 },
    { rule: 'used-length-too-large', what: 'museum 42: over the capacity', index: 1, id: 0, length: 9 },
    { rule: 'used-length-too-large', what: 'bytes for a read-only chain', index: 1, id: 2, length: 1 },
  ]
  for (const { rule, what, index, id, length } of faults) {
    it(`${VIOLATION_CLAUSES[rule]} ${rule}: breaks the queue, frees nothing (${what})`, () => {
      const { ring, driver } = waiting()
      ring.writeUsedElement(0, id, length).usedIndex = index
      const { freeDescriptors } = driver
      const used = new UsedBuffer()
      expect([driver.popUsed(used), driver.popUsed(used)]).toEqual([false, false])
      expect(driver.violation).toMatchObject({ rule, clause: VIOLATION_CLAUSES[rule] })
      expect([driver.freeDescriptors, driver.outstanding]).toEqual([freeDescriptors, 3])
      expect([driver.add(buffers(1, 0)), driver.enableNotifications(), driver.needsNotification()]).toEqual([
        -1,
        false,
        false,
      ])
      driver.reset()
      expect([driver.violation, driver.freeDescriptors, driver.add(buffers(1, 0))]).toEqual([null, SIZE, 0])
    })
  }

  it('IMP-VQS-03: a replayed id frees nothing twice', () => {
    const { ring, driver } = waiting()
    ring.writeUsedElement(0, 0, 8).writeUsedElement(1, 0, 8).usedIndex = 2
    const used = new UsedBuffer()
    expect(driver.popUsed(used)).toBe(true)
    expect([used.id, used.writtenBytes]).toEqual([0, 8])
    const { freeDescriptors } = driver
    expect(driver.popUsed(used)).toBe(false)
    expect([driver.violation?.rule, driver.freeDescriptors]).toEqual(['used-id-not-outstanding', freeDescriptors])
  })

  it('IMP-VQS-01: used.idx that moves backwards between two looks', () => {
    const { ring, driver } = waiting()
    ring.usedIndex = 2
    expect(driver.enableNotifications()).toBe(true)
    ring.usedIndex = 1
    expect([driver.enableNotifications(), driver.violation?.rule]).toEqual([false, 'used-index-jump'])
  })

  it('reads used.idx once a batch: what it says later concerns the next one', () => {
    const { ring, driver } = waiting()
    ring.writeUsedElement(0, 0, 8).writeUsedElement(1, 2, 0).usedIndex = 2
    const used = new UsedBuffer()
    expect(driver.popUsed(used)).toBe(true)
    ring.usedIndex = 100
    expect([driver.popUsed(used), used.id, driver.violation]).toEqual([true, 2, null])
    expect([driver.popUsed(used), driver.violation?.rule]).toEqual([false, 'used-index-jump'])
  })

  it('writes nothing once the device is broken', () => {
    for (const eventIdx of [false, true]) {
      const { ring, driver } = setUp({ eventIdx })
      driver.add(buffers(1, 0))
      driver.add(buffers(1, 0))
      driver.publish()
      ring.usedIndex = 1
      expect(driver.popUsed(new UsedBuffer())).toBe(true)
      ring.usedIndex = 5
      const { driverArea, deviceArea } = ring.layout
      const bytes = () => {
        const area = new Uint8Array(deviceArea - driverArea)
        ring.memory.read(driverArea, area)
        return area
      }
      ring.availableFlags = 0xaaaa
      ring.usedEvent = 0xbbbb
      const before = bytes()
      expect(driver.popUsed(new UsedBuffer())).toBe(false)
      expect([driver.enableNotifications(), driver.delayNotifications(2)]).toEqual([false, false])
      driver.disableNotifications()
      expect([driver.violation?.rule, bytes()]).toEqual(['used-index-jump', before])
    }
  })

  it('tells onViolation once', () => {
    const seen: string[] = []
    const { ring, driver } = setUp({ index: 2, onViolation: ({ message }) => seen.push(message) })
    ring.usedIndex = 1
    driver.popUsed(new UsedBuffer())
    driver.popUsed(new UsedBuffer())
    expect(seen).toEqual([expect.stringMatching(/^queue 2: used-index-jump \(IMP-VQS-01\)/)])
  })

  it('museum 43: the device scribbles over the descriptor table and both rings, the free list survives', () => {
    const { ring, driver } = setUp(INDIRECTLY)
    const random = new Random(43)
    const chain = new DescriptorChain()
    const used = new UsedBuffer()
    let device = ring.device({ indirect: true })
    const outstanding = new Set<number>()
    for (let round = 0; round < 500; round++) {
      for (let n = random.between(1, 4); n > 0; n--) {
        const head = driver.add(buffers(random.between(1, 2), random.between(0, 2)), random.pick([0, 1]))
        if (head < 0) break
        expect(outstanding.has(head)).toBe(false)
        outstanding.add(head)
      }
      driver.publish()
      while (device.popAvailable(chain)) device.addUsed(chain.id, 0)
      device.publish()
      const noise = Uint8Array.from({ length: 16 * SIZE }, () => random.u32() & 0xff)
      ring.memory.write(ring.layout.descriptorArea, noise)
      ring.memory.write(TABLES, noise)
      ring.memory.write(ring.layout.driverArea + 4, noise.subarray(0, 2 * SIZE))
      while (driver.popUsed(used)) expect(outstanding.delete(used.id)).toBe(true)
      expect([driver.violation, outstanding.size, driver.freeDescriptors]).toEqual([null, 0, SIZE])
      device = roundTripped(device, ring)
    }
  })

  /** The same device, by way of its saved state: its snapshot does not depend on what the scribbling left. */
  function roundTripped(device: ReturnType<RawRing['device']>, ring: RawRing): ReturnType<RawRing['device']> {
    const next = ring.device({ indirect: true })
    next.restoreState(JSON.parse(JSON.stringify(device.saveState())))
    return next
  }

  it('museum 44: completions in any order', () => {
    const { ring, driver } = setUp()
    const device = ring.device()
    const used = new UsedBuffer()
    const random = new Random(44)
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < SIZE; i++) expect(driver.add(buffers(1, 0))).toBeGreaterThanOrEqual(0)
      expect(driver.add(buffers(1, 0))).toBe(-1)
      driver.publish()
      const heads = popAll(device)
      while (heads.length > 0) device.addUsed(heads.splice(random.between(0, heads.length - 1), 1)[0]!, 0)
      device.publish()
      for (let i = 0; i < SIZE; i++) expect(driver.popUsed(used)).toBe(true)
    }
  })
})

describe('reset', () => {
  it('forgets what was outstanding: a head of the life before is none', () => {
    const { ring, driver } = setUp()
    driver.add(buffers(2, 0))
    driver.add(buffers(1, 0))
    driver.publish()
    driver.reset()
    driver.add(buffers(3, 0))
    driver.add(buffers(1, 0))
    driver.publish()
    ring.writeUsedElement(0, 2, 0).usedIndex = 1
    expect([driver.popUsed(new UsedBuffer()), driver.violation?.rule]).toEqual([false, 'used-id-not-outstanding'])
  })

  it('zeroes both rings, and not a byte around them', () => {
    const ring = new RawRing(SIZE, undefined, 0x2000)
    const { memory, layout } = ring
    memory.fill(0x1000, 0x4000, 0xa5)
    new SplitDriverQueue(memory, ring.location)
    const expected = new Uint8Array(0x4000).fill(0xa5)
    expected.fill(0, layout.driverArea - 0x1000, layout.driverArea - 0x1000 + 6 + 2 * SIZE)
    expected.fill(0, layout.deviceArea - 0x1000, layout.deviceArea - 0x1000 + 6 + 8 * SIZE)
    const found = new Uint8Array(0x4000)
    memory.read(0x1000, found)
    expect(found).toEqual(expected)
  })

  it('VQRST-DRV-03, IMP-VQS-01: starts again at index 0 with everything free', () => {
    const { ring, driver } = setUp()
    const device = ring.device()
    driver.add(buffers(1, 1))
    driver.publish()
    popAll(device)
    driver.reset()
    device.reset()
    expect([ring.memory.readU16(ring.layout.driverArea + 2), driver.freeDescriptors, driver.outstanding]).toEqual([
      0,
      SIZE,
      0,
    ])
    driver.add(buffers(0, 1))
    driver.publish()
    const chain = new DescriptorChain()
    expect(device.popAvailable(chain)).toBe(true)
    expect(segmentsOf(chain)).toEqual([[BUFFERS + 0x1000, 16]])
  })
})

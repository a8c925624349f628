/** Every rule of VIOLATION_CLAUSES that a driver can break, under every policy, and what must be accepted although it looks odd. */
import { describe, expect, it } from 'vitest'
import { GuestMemory, PAGE_SIZE } from '../../../src/memory/index.ts'
import {
  DescriptorChain,
  type SplitViolationRule,
  VIOLATION_CLAUSES,
  type Violation,
} from '../../../src/virtqueue/index.ts'
import {
  BUFFERS,
  INDIRECT,
  NEXT,
  popAll,
  RAM_BYTES,
  type RawDescriptor,
  RawRing,
  segmentsOf,
  WRITE,
} from './raw-ring.ts'

const SIZE = 8
const TABLE = 0x1_0000

interface Case {
  readonly rule: SplitViolationRule
  readonly what: string
  /** Ring descriptors from 0; the chain starts at 0. */
  readonly ring: readonly RawDescriptor[]
  readonly table?: readonly RawDescriptor[]
  readonly indirect?: boolean
}

const reference = (length: number, more: RawDescriptor = {}): RawDescriptor => ({
  address: TABLE,
  length,
  flags: INDIRECT,
  ...more,
})
const loop = Array.from({ length: SIZE }, (_, i) => ({ flags: NEXT, next: (i + 1) % SIZE }))

const CHAIN_FAULTS: readonly Case[] = [
  { rule: 'next-out-of-range', what: 'museum 3: next is the queue size', ring: [{ flags: NEXT, next: SIZE }] },
  { rule: 'next-out-of-range', what: 'museum 3: next is 65535', ring: [{ flags: NEXT, next: 65535 }] },
  { rule: 'chain-too-long', what: 'museum 4: a self-loop', ring: [{ flags: NEXT, next: 0 }] },
  {
    rule: 'chain-too-long',
    what: 'museum 4: a cycle of two',
    ring: [
      { flags: NEXT, next: 1 },
      { flags: NEXT, next: 0 },
    ],
  },
  { rule: 'chain-too-long', what: 'museum 4: a cycle of all', ring: loop },
  { rule: 'chain-too-long', what: 'a self-loop without bytes', ring: [{ length: 0, flags: NEXT, next: 0 }] },
  {
    rule: 'chain-too-long',
    what: 'a cycle inside a table',
    ring: [reference(32)],
    table: [
      { flags: NEXT, next: 1 },
      { flags: NEXT, next: 0 },
    ],
  },
  {
    rule: 'chain-too-long',
    what: 'direct and table entries together longer than the queue',
    ring: [{ flags: NEXT, next: 1 }, reference(16 * SIZE)],
    table: loop.map((entry, i) => (i === SIZE - 1 ? {} : entry)),
  },
  {
    rule: 'readable-after-writable',
    what: 'museum 11',
    ring: [{ flags: NEXT | WRITE, next: 1 }, {}],
  },
  {
    rule: 'readable-after-writable',
    what: 'museum 11: in a table',
    ring: [reference(48)],
    table: [{ flags: NEXT, next: 1 }, { flags: NEXT | WRITE, next: 2 }, {}],
  },
  {
    rule: 'readable-after-writable',
    what: 'museum 11: across into a table',
    ring: [{ flags: NEXT | WRITE, next: 1 }, reference(16)],
    table: [{}],
  },
  {
    rule: 'chain-too-large',
    what: 'museum 13: the lengths sum to 2^32',
    ring: [
      { flags: NEXT | WRITE, next: 1, length: 16 },
      { flags: WRITE, length: 0xffff_fff0 },
    ],
  },
  { rule: 'buffer-outside-memory', what: 'museum 10: past the end of RAM', ring: [{ address: RAM_BYTES - 15 }] },
  { rule: 'buffer-outside-memory', what: 'museum 10: far away', ring: [{ address: 2n ** 40n }] },
  {
    rule: 'buffer-outside-memory',
    what: 'museum 10: address + length overflows 2^64',
    ring: [{ address: 2n ** 64n - 8n }],
  },
  { rule: 'buffer-outside-memory', what: 'a high word of 2^21', ring: [{ address: 2n ** 53n }] },
  {
    rule: 'buffer-outside-memory',
    what: 'a high word of 2^32 - 1 over a good low word',
    ring: [{ address: 0xffff_ffff_0002_0000n }],
  },
  { rule: 'buffer-outside-memory', what: 'museum 13: the greatest length', ring: [{ length: 0xffff_ffff }] },
  { rule: 'indirect-not-negotiated', what: 'VQS-IND-DRV-01', ring: [reference(16)], table: [{}], indirect: false },
  { rule: 'indirect-nested', what: 'museum 5', ring: [reference(16)], table: [reference(16)] },
  {
    rule: 'indirect-nested',
    what: 'museum 5: later in the table',
    ring: [reference(32)],
    table: [{ flags: NEXT, next: 1 }, reference(16)],
  },
  {
    rule: 'indirect-with-next',
    what: 'museum 7',
    ring: [reference(16, { flags: INDIRECT | NEXT, next: 1 }), {}],
    table: [{}],
  },
  { rule: 'indirect-length', what: 'museum 6: 0', ring: [reference(0)], table: [{}] },
  { rule: 'indirect-length', what: 'museum 6: 8', ring: [reference(8)], table: [{}] },
  { rule: 'indirect-length', what: 'museum 6: 17', ring: [reference(17)], table: [{}] },
  { rule: 'indirect-too-long', what: 'museum 6: size + 1', ring: [reference(16 * (SIZE + 1))], table: [{}] },
  { rule: 'indirect-too-long', what: 'museum 6: 0xfffffff0', ring: [reference(0xffff_fff0)], table: [{}] },
  { rule: 'indirect-outside-memory', what: 'behind RAM', ring: [reference(32, { address: RAM_BYTES - 16 })] },
  { rule: 'indirect-outside-memory', what: 'a high word of 2^21', ring: [reference(16, { address: 2n ** 53n })] },
  {
    rule: 'indirect-next-out-of-range',
    what: 'museum 3: next is the table length',
    ring: [reference(32)],
    table: [{ flags: NEXT, next: 2 }],
  },
]

const RING_FAULTS: readonly { rule: SplitViolationRule; what: string; head: number; arrange(ring: RawRing): void }[] = [
  {
    rule: 'available-index-jump',
    what: 'museum 1: idx ahead by size + 1',
    head: -1,
    arrange: (ring) => ring.setAvailableIndex(SIZE + 1),
  },
  {
    rule: 'available-index-jump',
    what: 'museum 1: idx moved backwards',
    head: -1,
    arrange: (ring) => ring.setAvailableIndex(0xffff),
  },
  {
    rule: 'head-out-of-range',
    what: 'museum 2: head is the queue size',
    head: SIZE,
    arrange: (ring) => ring.offer(SIZE),
  },
  { rule: 'head-out-of-range', what: 'museum 2: head is 65535', head: 65535, arrange: (ring) => ring.offer(65535) },
]

function write({ ring: descriptors, table }: Case): RawRing {
  const ring = new RawRing(SIZE)
  for (const [i, descriptor] of descriptors.entries()) ring.descriptor(i, descriptor)
  for (const [i, entry] of (table ?? []).entries()) ring.entry(TABLE, i, entry)
  return ring
}

describe('a malformed chain', () => {
  for (const fault of CHAIN_FAULTS) {
    const clause = VIOLATION_CLAUSES[fault.rule]
    const indirect = fault.indirect ?? true

    it(`${clause} ${fault.rule}: latches (${fault.what})`, () => {
      for (const policy of ['latch', 'needs-reset'] as const) {
        const seen: Violation[] = []
        const ring = write(fault).offer(0)
        const queue = ring.device({ policy, indirect, index: 3, onViolation: (violation) => seen.push(violation) })
        const chain = new DescriptorChain()
        expect(queue.popAvailable(chain)).toBe(false)
        expect(queue.violation).toMatchObject({ rule: fault.rule, clause, queue: 3, head: 0 })
        expect(seen).toEqual([queue.violation])
        expect([chain.segmentCount, chain.readableBytes, chain.writableBytes]).toEqual([0, 0, 0])
        // One violation, then silence: nothing popped, nothing published, no flag touched.
        ring.offer(1)
        expect([queue.popAvailable(chain), queue.availableCount(), queue.enableNotifications()]).toEqual([
          false,
          0,
          false,
        ])
        queue.disableNotifications()
        queue.publish()
        expect([seen.length, queue.inFlight, ring.usedIndex, ring.usedFlags, queue.needsNotification()]).toEqual([
          1,
          0,
          0,
          0,
          false,
        ])
      }
    })

    it(`${clause} ${fault.rule}: comes back with length 0 under reject (${fault.what})`, () => {
      const seen: Violation[] = []
      const ring = write(fault).descriptor(SIZE - 1, { length: 5 })
      // The last descriptor is a sound chain, unless the fault needs it.
      const sound = fault.ring.length < SIZE
      if (sound) ring.offer(0, SIZE - 1, 0)
      else ring.descriptor(SIZE - 1, fault.ring[SIZE - 1]!).offer(0)
      const queue = ring.device({ policy: 'reject', indirect, onViolation: (violation) => seen.push(violation) })
      expect(popAll(queue)).toEqual(sound ? [SIZE - 1] : [])
      expect(queue.violation).toBeNull()
      expect(queue.lastRejection).toMatchObject({ rule: fault.rule, clause, head: 0 })
      expect([queue.rejections, seen.length]).toEqual(sound ? [2, 2] : [1, 1])
      queue.publish()
      expect(ring.usedElement(0)).toEqual({ id: 0, length: 0 })
      expect(ring.usedIndex).toBe(sound ? 2 : 1)
      expect(queue.needsNotification()).toBe(true)
    })
  }
})

describe('a fault of the ring itself', () => {
  for (const { rule, what, head, arrange } of RING_FAULTS) {
    it(`${VIOLATION_CLAUSES[rule]} ${rule}: latches under every policy (${what})`, () => {
      for (const policy of ['reject', 'latch', 'needs-reset'] as const) {
        const ring = new RawRing(SIZE)
        const queue = ring.device({ policy })
        arrange(ring)
        expect(popAll(queue)).toEqual([])
        expect(queue.violation).toMatchObject({ rule, clause: VIOLATION_CLAUSES[rule], head })
        ring.setAvailableIndex(1)
        expect(popAll(queue)).toEqual([])
        queue.reset()
        ring.setAvailableIndex(0).descriptor(2, {}).offer(2)
        expect(popAll(queue)).toEqual([2])
      }
    })
  }

  it('a broken queue writes nothing, whatever the notifications', () => {
    for (const eventIdx of [false, true]) {
      const ring = new RawRing(SIZE).descriptor(0, {}).offer(0)
      const queue = ring.device({ eventIdx })
      const chain = new DescriptorChain()
      expect([queue.popAvailable(chain), queue.availableCount()]).toEqual([true, 0])
      ring.setAvailableIndex(0x7000)
      ring.usedFlags = 0xaaaa
      ring.availEvent = 0xbbbb
      expect([queue.popAvailable(chain), queue.enableNotifications()]).toEqual([false, false])
      queue.disableNotifications()
      expect([queue.violation?.rule, ring.usedFlags, ring.availEvent]).toEqual(['available-index-jump', 0xaaaa, 0xbbbb])
    }
  })

  it('IMP-VQS-09 head-in-flight: a head offered again before it came back', () => {
    const ring = new RawRing(SIZE).descriptor(0, { flags: WRITE }).descriptor(1, {}).offer(0, 1, 0)
    const queue = ring.device({ policy: 'reject' })
    expect(popAll(queue)).toEqual([0, 1])
    expect(queue.violation).toMatchObject({ rule: 'head-in-flight', clause: 'IMP-VQS-09', head: 0 })
    // Latched: completions still drain.
    queue.addUsed(0, 16)
    queue.addUsed(1, 0)
    queue.publish()
    expect([ring.usedIndex, ring.usedElement(0)]).toEqual([2, { id: 0, length: 16 }])
    const readOnly = new RawRing(SIZE).descriptor(1, {}).offer(1, 1).device()
    expect([popAll(readOnly), readOnly.violation?.rule]).toEqual([[1], 'head-in-flight'])
  })

  it('VQS-AVL-DRV-01: idx that moves backwards between two looks', () => {
    const ring = new RawRing(SIZE).descriptor(0, {}).descriptor(1, {}).offer(0, 1, 2)
    const queue = ring.device()
    expect(queue.availableCount()).toBe(3)
    ring.setAvailableIndex(2)
    expect(queue.availableCount()).toBe(0)
    expect(queue.violation?.rule).toBe('available-index-jump')
  })

  it('names a rule for every clause it can break, and each is covered here or in the driver tests', () => {
    const covered = new Set<string>([...CHAIN_FAULTS, ...RING_FAULTS].map(({ rule }) => rule))
    const elsewhere = Object.keys(VIOLATION_CLAUSES).filter((rule) => !covered.has(rule))
    expect(elsewhere.filter((rule) => !rule.startsWith('used-'))).toEqual(['head-in-flight'])
  })
})

describe('what must be accepted', () => {
  function accepts(ring: RawRing, head = 0): DescriptorChain {
    const chain = new DescriptorChain()
    const queue = ring.offer(head).device({ indirect: true })
    expect(queue.popAvailable(chain), queue.violation?.message).toBe(true)
    return chain
  }

  it('museum 9: a buffer that ends exactly at the end of RAM', () => {
    const chain = accepts(new RawRing(SIZE).descriptor(0, { address: RAM_BYTES - 16 }))
    expect(segmentsOf(chain)).toEqual([[RAM_BYTES - 16, 16]])
  })

  it('museum 12: descriptors without bytes, wherever their address points', () => {
    const ring = new RawRing(SIZE)
      .descriptor(0, { length: 0, address: 2n ** 64n - 1n, flags: NEXT, next: 1 })
      .descriptor(1, { length: 4, flags: NEXT, next: 2 })
      .descriptor(2, { length: 0, flags: WRITE })
    const chain = accepts(ring)
    expect(segmentsOf(chain)).toEqual([[BUFFERS, 4]])
    expect([chain.readableCount, chain.readableBytes, chain.writableBytes, chain.descriptorCount]).toEqual([1, 4, 0, 3])
  })

  it('museum 12: a chain of nothing at all comes back like any other', () => {
    const ring = new RawRing(SIZE).descriptor(0, { length: 0 }).offer(0)
    const queue = ring.device()
    expect(popAll(queue)).toEqual([0])
    queue.addUsed(0, 0)
    queue.publish()
    expect(ring.usedIndex).toBe(1)
  })

  it('museum 8: an indirect table at every alignment, also the size of the queue', () => {
    for (let shift = 0; shift < 16; shift++) {
      const ring = new RawRing(SIZE).descriptor(0, { address: TABLE + shift, length: 16 * SIZE, flags: INDIRECT })
      // Linked in another order than that of the entries.
      const order = [0, 5, 1, 7, 3, 2, 6, 4]
      for (const [i, entry] of order.entries()) {
        const last = i === SIZE - 1
        const flags = (last ? 0 : NEXT) | (i < 3 ? 0 : WRITE)
        ring.entry(TABLE + shift, entry, { address: BUFFERS + 64 * i, length: i + 1, flags, next: order[i + 1] ?? 0 })
      }
      const chain = accepts(ring)
      expect(segmentsOf(chain)).toEqual(order.map((_, i) => [BUFFERS + 64 * i, i + 1]))
      expect([chain.readableCount, chain.readableBytes, chain.writableBytes]).toEqual([3, 6, 30])
      expect(chain.descriptorCount).toBe(SIZE + 1)
    }
  })

  it('VQS-IND-DEV-01: WRITE on the reference means nothing', () => {
    const ring = new RawRing(SIZE).descriptor(0, reference(16, { flags: INDIRECT | WRITE })).entry(TABLE, 0, {})
    const chain = accepts(ring)
    expect([chain.readableBytes, chain.writableBytes]).toEqual([16, 0])
  })

  it('VQS-IND-DEV-02: a chain of direct descriptors that ends in a table', () => {
    const ring = new RawRing(SIZE)
      .descriptor(3, { length: 1, flags: NEXT, next: 6 })
      .descriptor(6, { length: 2, flags: NEXT, next: 1 })
      .descriptor(1, reference(32))
      .entry(TABLE, 0, { length: 3, flags: NEXT | WRITE, next: 1 })
      .entry(TABLE, 1, { length: 4, flags: WRITE })
    const chain = accepts(ring, 3)
    expect([chain.id, chain.readableCount, chain.readableBytes, chain.writableBytes]).toEqual([3, 2, 3, 7])
    expect([chain.segmentCount, chain.descriptorCount]).toEqual([4, 5])
  })

  it('a chain as long as the queue, and reserved flags', () => {
    const ring = new RawRing(SIZE)
    for (let i = 0; i < SIZE; i++)
      ring.descriptor(i, { flags: 0xfff8 | (i < SIZE - 1 ? NEXT : 0), next: i + 1, length: 1 })
    const chain = accepts(ring)
    expect([chain.segmentCount, chain.descriptorCount, chain.readableBytes]).toEqual([SIZE, SIZE, SIZE])
  })

  it('a total of exactly 2^32 - 1 bytes', () => {
    const buffer = new ArrayBuffer(4096)
    // 1 GiB of address space over one page.
    const frames = new Int32Array(2 ** 18)
    const memory = new GuestMemory([
      { base: 0, size: RAM_BYTES },
      { base: 2 ** 32, size: 2 ** 30, buffer, frames },
    ])
    const ring = new RawRing(SIZE, memory)
    const giga = { address: 2 ** 32, length: 2 ** 30, flags: NEXT }
    for (let i = 0; i < 3; i++) ring.descriptor(i, { ...giga, next: i + 1 })
    ring.descriptor(3, { address: 2 ** 32, length: 2 ** 30 - 1, flags: WRITE })
    const chain = accepts(ring)
    expect([chain.readableBytes, chain.writableBytes]).toEqual([3 * 2 ** 30, 2 ** 30 - 1])
    expect(chain.segmentCount).toBe(2 ** 20)
  })
})

describe('bounds', () => {
  it('a table in pieces is read within its entries, also where the memory ends with it', () => {
    const buffer = new ArrayBuffer(4 * PAGE_SIZE)
    const end = 2 ** 32 + 2 * PAGE_SIZE
    const memory = new GuestMemory([
      { base: 0, size: RAM_BYTES },
      { base: 2 ** 32, size: 2 * PAGE_SIZE, buffer, frames: Int32Array.of(3, 1) },
    ])
    for (const next of [2, 3, 0xffff]) {
      // Off the word boundary, and up to the last byte of memory but two.
      const ring = new RawRing(SIZE, memory).descriptor(0, { address: end - 34, length: 32, flags: INDIRECT }).offer(0)
      ring.entry(end - 34, 0, { flags: NEXT, next: 1 }).entry(end - 34, 1, { flags: NEXT, next })
      const queue = ring.device({ indirect: true })
      expect([popAll(queue), queue.violation?.rule]).toEqual([[], 'indirect-next-out-of-range'])
    }
  })

  it('a table on a page that has no frame is no table', () => {
    const buffer = new ArrayBuffer(2 * PAGE_SIZE)
    const memory = new GuestMemory([
      { base: 0, size: RAM_BYTES },
      { base: 2 ** 32, size: 3 * PAGE_SIZE, buffer, frames: Int32Array.of(1, -1, 0) },
    ])
    for (const address of [2 ** 32 + PAGE_SIZE, 2 ** 32 + PAGE_SIZE - 16, 2 ** 53, 2 ** 54 + 2 ** 33]) {
      const ring = new RawRing(SIZE, memory).descriptor(0, { address, length: 32, flags: INDIRECT }).offer(0)
      const queue = ring.device({ indirect: true })
      expect([popAll(queue), queue.violation?.rule]).toEqual([[], 'indirect-outside-memory'])
    }
    // Offset 0 of the first frame is one.
    const table = 2 ** 32 + 2 * PAGE_SIZE
    const ring = new RawRing(SIZE, memory).descriptor(0, { address: table, length: 32, flags: INDIRECT }).offer(0)
    ring.entry(table, 0, {})
    expect(popAll(ring.device({ indirect: true }))).toEqual([0])
  })

  it('VQS-FRM-DEV-02: a device may cap the bytes of a chain, before it translates them', () => {
    const ring = new RawRing(SIZE).descriptor(0, { length: 64, flags: NEXT, next: 1 }).descriptor(1, { length: 37 })
    expect(popAll(ring.offer(0).device({ maxChainBytes: 101 }))).toEqual([0])
    const queue = ring.device({ maxChainBytes: 100 })
    expect(popAll(queue)).toEqual([])
    expect(queue.violation?.rule).toBe('chain-too-large')
  })

  it('museum 21: one call rejects at most 16 chains', () => {
    const ring = new RawRing(64)
    for (let i = 0; i < 64; i++) ring.descriptor(i, { flags: NEXT, next: i }).offer(i)
    const queue = ring.device({ policy: 'reject' })
    const chain = new DescriptorChain()
    for (let left = 64; left > 0; left -= 16) {
      expect(queue.availableCount()).toBe(left)
      expect(queue.popAvailable(chain)).toBe(false)
    }
    queue.publish()
    expect([queue.rejections, ring.usedIndex, queue.availableCount()]).toEqual([64, 64, 0])
  })
})

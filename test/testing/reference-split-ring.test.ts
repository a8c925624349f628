/** The specification itself, on rings laid by hand: what the rules say in the cases that people get wrong. */
import { describe, expect, it } from 'vitest'
import { needEvent } from '../../src/internal/u16.ts'
import { GuestMemory } from '../../src/memory/index.ts'
import {
  availElementAt,
  availEventAt,
  availFlagsAt,
  availIdxAt,
  usedElementAt,
  usedEventAt,
  usedFlagsAt,
  usedIdxAt,
} from '../../src/testing/format/split/split-ring-format.ts'
import {
  availableAnswers,
  mustInterrupt,
  mustKick,
  nextAvailable,
  nextUsed,
  RING_RULES,
  type SplitRing,
  writeDescriptor,
} from '../../src/testing/index.ts'
import { VIOLATION_CLAUSES } from '../../src/virtqueue/index.ts'

const NEXT = 1
const WRITE = 2
const INDIRECT = 4
const BASE = 0x1000
const RAM = 0x4000
const END = BASE + RAM
const NONE = new Set<number>()

type Row = readonly [address: number, length: number, flags: number, next?: number]

interface Laid {
  readonly memory: GuestMemory
  readonly ring: SplitRing
}

/** A ring of four with these descriptors, its tables where they are said to be, and head 0 available. */
function lay(descriptors: readonly Row[], tables: { readonly [address: number]: readonly Row[] } = {}): Laid {
  const memory = GuestMemory.ofSize(RAM, BASE)
  const ring = {
    size: 4,
    descriptorArea: BASE,
    driverArea: BASE + 64,
    deviceArea: BASE + 80,
    eventIdx: false,
    indirect: true,
  }
  const write = (table: number, rows: readonly Row[]) =>
    rows.forEach(([address, length, flags, next = 0], i) => {
      writeDescriptor(memory, table, i, { address, length, flags, next })
    })
  write(ring.descriptorArea, descriptors)
  for (const [address, rows] of Object.entries(tables)) write(Number(address), rows)
  memory.writeU16(availIdxAt(ring), 1)
  return { memory, ring }
}

const answer = ({ memory, ring }: Laid, change: Partial<SplitRing> = {}) =>
  nextAvailable(memory, { ...ring, ...change }, 0, NONE)

const faults = (id: number, ...rules: (keyof typeof RING_RULES)[]) => ({ kind: 'fault', id, rules })

describe('the device side', () => {
  it('VQS-FRM-DEV-01: neighbours merge, empty buffers vanish, order stays', () => {
    const laid = lay([
      [0x2000, 16, NEXT, 1],
      [0x2010, 16, NEXT, 3],
      [0x3000, 8, WRITE],
      [0xdead_0000, 0, WRITE | NEXT, 2],
    ])
    expect(answer(laid)).toEqual({
      kind: 'chain',
      id: 0,
      slots: 4,
      readable: [{ address: 0x2000, length: 32 }],
      writable: [{ address: 0x3000, length: 8 }],
      readableBytes: 32,
      writableBytes: 8,
      mayRefuse: false,
    })
  })

  it('VQS-IND-DEV-01, VQS-IND-DEV-02: a chain may end in a table at an odd address, whatever WRITE says there', () => {
    const laid = lay(
      [
        [0x2000, 1, NEXT, 1],
        [0x3001, 32, INDIRECT | WRITE, 999],
      ],
      {
        12289: [
          [0x2001, 1, NEXT, 1],
          [END - 1, 1, WRITE],
        ],
      },
    )
    expect(answer(laid)).toMatchObject({
      readable: [{ address: 0x2000, length: 2 }],
      writable: [{ address: END - 1, length: 1 }],
    })
  })

  it.each([
    [
      'VQS-FRM-DRV-01',
      [
        [0x2000, 1, WRITE | NEXT, 1],
        [0x2000, 1, 0],
      ],
      'readable-after-writable',
    ],
    ['IMP-VQS-02', [[0x2000, 1, NEXT, 4]], 'next-out-of-range'],
    ['VQS-IND-DRV-04', [[0x3000, 16, INDIRECT | NEXT, 1]], 'indirect-with-next'],
    ['IMP-VQS-05', [[0x3000, 17, INDIRECT]], 'indirect-length'],
    ['IMP-VQS-05', [[0x3000, 0, INDIRECT]], 'indirect-length'],
    ['VQS-IND-DRV-03', [[0x3000, 80, INDIRECT]], 'indirect-too-long'],
    ['VQS-IND-DRV-02', [[BASE, 64, INDIRECT]], 'indirect-nested'],
    ['IMP-VQS-09', [[END - 1, 2, 0]], 'buffer-outside-memory'],
    ['IMP-VQS-09', [[END - 15, 16, INDIRECT]], 'indirect-outside-memory'],
  ] as const)('%s: %j is a fault', (_clause, descriptors, rule) => {
    expect(answer(lay(descriptors))).toMatchObject({ kind: 'fault', id: 0, rules: expect.arrayContaining([rule]) })
  })

  it('VQS-IND-DRV-01: a table without the feature', () => {
    expect(answer(lay([[0x3000, 16, INDIRECT]]), { indirect: false })).toEqual(faults(0, 'indirect-not-negotiated'))
  })

  it('VQS-DESC-DRV-01: a loop ends at the first descriptor that comes round again', () => {
    expect(
      answer(
        lay([
          [0x2000, 1, NEXT, 1],
          [0x2000, 1, NEXT, 0],
        ]),
      ),
    ).toEqual(faults(0, 'chain-too-long', 'chain-too-large'))
  })

  it('VQS-IND-DRV-03: as many buffers as the queue has entries are fine, one more is not', () => {
    const table = Array.from({ length: 4 }, (_, i): Row => [0x2000, 1, i < 3 ? NEXT : 0, i + 1])
    expect(answer(lay([[0x3000, 64, INDIRECT]], { 12288: table }))).toMatchObject({ kind: 'chain', readableBytes: 4 })
    const longer = lay(
      [
        [0x2000, 1, NEXT, 1],
        [0x3000, 64, INDIRECT],
      ],
      { 12288: table },
    )
    expect(answer(longer)).toEqual(faults(0, 'chain-too-long'))
  })

  it('VQS-AVL-DRV-01: idx runs at most a queue ahead; across 65535 as anywhere', () => {
    const { memory, ring } = lay([[0x2000, 1, 0]])
    memory.writeU16(availIdxAt(ring), 2)
    memory.writeU16(availElementAt(ring, 0xfffe), 0)
    expect(nextAvailable(memory, ring, 0xfffe, NONE)).toMatchObject({ kind: 'chain', id: 0 })
    expect(nextAvailable(memory, ring, 0xfffd, NONE)).toEqual(faults(-1, 'available-index-jump'))
    expect(nextAvailable(memory, ring, 2, NONE)).toEqual({ kind: 'nothing' })
  })

  it('IMP-VQS-02, IMP-VQS-09: a head outside the ring, a head that is in flight', () => {
    const { memory, ring } = lay([[0x2000, 1, 0]])
    expect(nextAvailable(memory, ring, 0, new Set([0]))).toEqual(faults(-1, 'head-in-flight'))
    memory.writeU16(availElementAt(ring, 0), 4)
    expect(nextAvailable(memory, ring, 0, NONE)).toEqual(faults(-1, 'head-out-of-range'))
  })

  it('VQS-AVL-DRV-01: when idx went back, what was known may still be served', () => {
    const { memory, ring } = lay([[0x2000, 1, 0]])
    memory.writeU16(availIdxAt(ring), 0)
    const kinds = (known: number) => availableAnswers(memory, ring, 0, NONE, known).map(({ kind }) => kind)
    expect(kinds(0)).toEqual(['nothing'])
    expect(kinds(1)).toEqual(['nothing', 'fault', 'chain'])
  })
})

describe('the driver side', () => {
  it('IMP-VQS-03, IMP-VQS-04: only what is out comes back, once, with no more than it holds', () => {
    const { memory, ring } = lay([])
    const outstanding = new Map([[2, 8]])
    const used = (id: number, length: number, idx = 1) => {
      memory.writeU32(usedElementAt(ring, 0), id)
      memory.writeU32(usedElementAt(ring, 0) + 4, length)
      memory.writeU16(usedIdxAt(ring), idx)
      return nextUsed(memory, ring, 0, outstanding)
    }
    expect(used(2, 8)).toEqual({ kind: 'used', id: 2, writtenBytes: 8 })
    expect(used(2, 9)).toEqual(faults(2, 'used-length-too-large'))
    expect(used(1, 0)).toEqual(faults(-1, 'used-id-not-outstanding'))
    expect(used(0x1_0002, 0)).toEqual(faults(-1, 'used-id-out-of-range'))
    expect(used(2, 8, 2)).toEqual(faults(-1, 'used-index-jump'))
    expect(used(2, 8, 0)).toEqual({ kind: 'nothing' })
  })
})

describe('notifications', () => {
  it('IMP-VQS-08: the definition, entry by entry, is the formula of the standard', () => {
    const { memory, ring } = lay([])
    const withEvents = { ...ring, eventIdx: true }
    for (const start of [0, 0xfffc]) {
      for (let old = start; old < start + 8; old++) {
        for (let step = 0; step < 5; step++) {
          for (let event = start - 2; event < start + 12; event++) {
            const [from, to] = [old & 0xffff, (old + step) & 0xffff]
            memory.writeU16(usedEventAt(ring), event)
            memory.writeU16(availEventAt(ring), event)
            const due = needEvent(event & 0xffff, to, from)
            expect(mustInterrupt(memory, withEvents, from, to)).toBe(due)
            expect(mustKick(memory, withEvents, from, to)).toBe(due)
          }
        }
      }
    }
  })

  it('VQS-NTF-DEV-02, VQS-NTF-DEV-03, VQS-NTF-DRV-08, VQS-NTF-DRV-09: without EVENT_IDX the flag decides', () => {
    const { memory, ring } = lay([])
    for (const quiet of [0, 1]) {
      memory.writeU16(availFlagsAt(ring), quiet)
      memory.writeU16(usedFlagsAt(ring), quiet)
      expect(mustInterrupt(memory, ring, 0, 1)).toBe(quiet === 0)
      expect(mustKick(memory, ring, 0, 1)).toBe(quiet === 0)
      expect(mustKick(memory, ring, 1, 1)).toBe(false)
    }
  })
})

it('rules and clauses are those that our queues report', () => {
  expect(RING_RULES).toEqual(VIOLATION_CLAUSES)
})

/** The specification of the packed ring, on rings laid by hand: what the rules say in the cases that people get wrong. */
import { describe, expect, it } from 'vitest'
import { needEvent } from '../../../src/internal/u16.ts'
import { GuestMemory } from '../../../src/memory/index.ts'
import {
  advance,
  availableFlags,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  RING_START,
  usedFlags,
  writeContents,
  writeEvent,
  writeFlags,
} from '../../../src/testing/format/packed/packed-ring-format.ts'
import {
  type BuffersOut,
  drawPackedRing,
  mustInterruptPacked,
  mustKickPacked,
  nextPackedAvailable,
  nextPackedUsed,
  PACKED_RING_RULES,
  type PackedRing,
  type PackedRingRule,
  ReferencePackedDevice,
  type RingPosition,
} from '../../../src/testing/index.ts'

const NEXT = 1
const WRITE = 2
const INDIRECT = 4
const BASE = 0x1000
const RAM = 0x4000
const END = BASE + RAM
const NONE: BuffersOut = new Map()

/** Available at its position unless `marks` says otherwise. */
interface Row {
  readonly address?: number
  readonly length?: number
  readonly id?: number
  readonly flags?: number
  readonly marks?: number
}

interface Laid {
  readonly memory: GuestMemory
  readonly ring: PackedRing
}

/** A ring with these descriptors from `at` on; its tables where they are said to be. */
function lay(
  rows: readonly Row[],
  { size = 4, at = RING_START, tables = {} as { readonly [address: number]: readonly Row[] } } = {},
): Laid {
  const memory = GuestMemory.ofSize(RAM, BASE)
  const areas = { descriptorArea: BASE, driverArea: BASE + 16 * size, deviceArea: BASE + 16 * size + 4 }
  const ring = { size, ...areas, eventIdx: true, indirect: true, inOrder: false }
  const write = (table: number, slot: number, { address = 0x2000, length = 1, id = 0, flags = 0 }: Row, marks = 0) => {
    writeContents(memory, table, slot, { address, length, id })
    writeFlags(memory, table, slot, flags | marks)
  }
  rows.forEach((row, i) => {
    const { slot, wrap } = advance(ring, at, i)
    write(BASE, slot, row, row.marks ?? availableFlags(wrap))
  })
  for (const [table, entries] of Object.entries(tables)) entries.forEach((row, i) => void write(Number(table), i, row))
  return { memory, ring }
}

const answer = ({ memory, ring }: Laid, change: Partial<PackedRing> = {}, at = RING_START, out = NONE) =>
  nextPackedAvailable(memory, { ...ring, ...change }, at, out)

const faults = (id: number, slots: number, ...rules: PackedRingRule[]) => ({ kind: 'fault', id, slots, rules })
const out = (...list: [id: number, slots: number, writableBytes: number][]): BuffersOut =>
  new Map(list.map(([id, slots, writableBytes]) => [id, { slots, writableBytes }]))

describe('positions', () => {
  it('IMP-VQP-01, IMP-VQP-15: counters start at 1 and flip behind the last slot, in a ring of any size', () => {
    const ring = { ...lay([]).ring, size: 3 }
    const positions: RingPosition[] = [RING_START]
    for (let i = 0; i < 6; i++) positions.push(advance(ring, positions.at(-1)!, 1))
    expect(positions.map(({ slot, wrap }) => `${slot}.${wrap}`)).toEqual('0.1 1.1 2.1 0.0 1.0 2.0 0.1'.split(' '))
    expect(advance(ring, { slot: 2, wrap: 1 }, 3)).toEqual({ slot: 2, wrap: 0 })
  })
})

describe('the device side', () => {
  it('VQP-DEV-01, VQP-SG-DEV-01, IMP-VQP-04: slots in order are a list, and its id is the last one’s', () => {
    const laid = lay([
      { address: 0x2000, length: 16, id: 9, flags: NEXT },
      { address: 0x2010, length: 16, id: 8, flags: NEXT },
      { address: 0x3000, length: 8, id: 0xffff, flags: WRITE },
    ])
    expect(answer(laid)).toEqual({
      kind: 'chain',
      id: 0xffff,
      slots: 3,
      table: null,
      readable: [{ address: 0x2000, length: 32 }],
      writable: [{ address: 0x3000, length: 8 }],
      readableBytes: 32,
      writableBytes: 8,
      mayRefuse: false,
      overlooked: [],
    })
  })

  it.each([
    ['the other turn’s', availableFlags(0)],
    ['used in this turn', usedFlags(1)],
    ['used in the last turn', usedFlags(0)],
  ])('VQP-DEV-06, IMP-VQP-02: a slot with marks that are %s is not there', (_what, marks) => {
    expect(answer(lay([{ marks }]))).toEqual({ kind: 'nothing' })
  })

  it('IMP-VQP-05: a list over the end of the ring goes on with the other marks', () => {
    const at = { slot: 3, wrap: 1 } as const
    const rows = [{ flags: NEXT }, { id: 5, flags: WRITE }]
    expect(answer(lay(rows, { at }), {}, at)).toMatchObject({ kind: 'chain', id: 5, slots: 2 })
    const wrong = lay([rows[0]!, { ...rows[1]!, marks: availableFlags(1) }], { at })
    expect(answer(wrong, {}, at)).toMatchObject({ slots: 2, mayRefuse: true, overlooked: ['list-not-available'] })
  })

  it('VQP-SG-DRV-02: the whole ring may be one list, and no list is longer', () => {
    const row = { flags: NEXT }
    expect(answer(lay([row, row, row, { id: 1 }]))).toMatchObject({ kind: 'chain', slots: 4 })
    expect(answer(lay([row, row, row, row]))).toMatchObject({ rules: expect.arrayContaining(['chain-too-long']) })
  })

  it('VQP-DRV-02, VQP-SG-DRV-05: what the device holds is not offered again, not even its tail', () => {
    const at = { slot: 2, wrap: 1 } as const
    const rows = [{ flags: NEXT }, { flags: NEXT }, { id: 7 }]
    expect(answer(lay(rows, { at }), {}, at, out([0, 1, 0]))).toMatchObject({ kind: 'chain', slots: 3 })
    expect(answer(lay(rows, { at }), {}, at, out([0, 2, 0]))).toEqual(faults(-1, 0, 'slot-in-flight'))
    expect(answer(lay(rows, { at }), {}, at, out([0, 4, 0]))).toEqual(faults(-1, 0, 'slot-in-flight'))
  })

  it('VQP-SG-DRV-06, VQP-DEV-08: behind an available head the whole list is, and a device may rely on that or not', () => {
    const laid = lay([{ flags: NEXT }, { marks: 0 }])
    expect(answer(laid)).toMatchObject({ slots: 2, mayRefuse: true, overlooked: ['list-not-available'] })
  })

  it('IMP-VQP-04: an id that is out', () => {
    const at = { slot: 1, wrap: 1 } as const
    expect(answer(lay([{ id: 3 }], { at }), {}, at, out([3, 1, 0]))).toEqual(faults(-1, 0, 'id-in-flight'))
  })

  it.each<[string, Row[], PackedRingRule]>([
    ['VQP-SG-DRV-03', [{ flags: WRITE | NEXT }, { id: 2 }], 'readable-after-writable'],
    ['RFB-DRV-05', [{ address: END - 1, length: 2, id: 2 }], 'buffer-outside-memory'],
    ['VQP-IND-DRV-04', [{ flags: NEXT }, { length: 16, id: 2, flags: INDIRECT }], 'indirect-in-list'],
    ['IMP-VQP-10', [{ length: 0, id: 2, flags: INDIRECT }], 'indirect-length'],
    ['IMP-VQP-10', [{ length: 24, id: 2, flags: INDIRECT }], 'indirect-length'],
    ['RFB-DRV-05', [{ address: END - 15, length: 16, id: 2, flags: INDIRECT }], 'indirect-outside-memory'],
  ])('VQP-SG-DRV-03, VQP-IND-DRV-04, IMP-VQP-10: %s, %j', (clause, rows, rule) => {
    expect(answer(lay(rows))).toEqual(faults(2, rows.length, rule))
    expect(PACKED_RING_RULES[rule]).toBe(clause)
  })

  it('VQP-IND-DRV-01: a table without the feature', () => {
    const laid = lay([{ length: 16, flags: INDIRECT }])
    expect(answer(laid, { indirect: false })).toEqual(faults(0, 1, 'indirect-not-negotiated'))
  })

  it('IMP-VQP-09, IMP-VQP-10, VQP-IND-DRV-02: in a table only WRITE counts, and on its descriptor not even that', () => {
    const table = 0x3001
    const entries = [
      { address: 0x2000, length: 4, id: 77, flags: INDIRECT },
      { address: 0x2004, length: 4, id: 78, flags: NEXT | WRITE },
    ]
    const row = { address: table, length: 32, id: 6, flags: INDIRECT | WRITE }
    expect(answer(lay([row], { tables: { [table]: entries } }))).toMatchObject({
      ...{ kind: 'chain', id: 6, slots: 1, overlooked: ['indirect-entry-flags'] },
      table: { address: table, length: 32 },
      readable: [{ address: 0x2000, length: 4 }],
      writable: [{ address: 0x2004, length: 4 }],
    })
  })

  it('VQP-SG-DEV-02, VQP-IND-DRV-03: a table longer than the queue is legal, and a device may have a limit', () => {
    const entries = Array.from({ length: 5 }, (): Row => ({ flags: WRITE }))
    const long = { address: 0x3000, length: 80, flags: INDIRECT }
    expect(answer(lay([long], { tables: { 12288: entries } }))).toMatchObject({ kind: 'chain', mayRefuse: true })
  })
})

describe('the driver side', () => {
  const used = (laid: Laid, outstanding: BuffersOut, change: Partial<PackedRing> = {}) =>
    nextPackedUsed(laid.memory, { ...laid.ring, ...change }, RING_START, outstanding)
  const row = (id: number, length: number, flags: number) => lay([{ id, length, flags, marks: usedFlags(1) }])

  it('IMP-VQP-03: only AVAIL and USED of this turn together say that it is used', () => {
    const outstanding = out([2, 1, 8])
    for (const marks of [availableFlags(1), availableFlags(0), usedFlags(0)]) {
      expect(used(lay([{ id: 2, flags: WRITE, marks }]), outstanding)).toEqual({ kind: 'nothing' })
    }
    expect(used(row(2, 8, WRITE), outstanding)).toMatchObject({ kind: 'used', id: 2, writtenBytes: 8 })
  })

  it('IMP-VQP-06, IMP-VQP-07: an id that is out, with the slots that its list had, whatever NEXT says', () => {
    const outstanding = out([2, 3, 8], [5, 1, 0])
    expect(used(row(2, 1, WRITE | NEXT), outstanding)).toMatchObject({ kind: 'used', id: 2, slots: 3, skipped: [] })
    expect(used(row(3, 0, 0), outstanding)).toEqual(faults(-1, 0, 'used-id-not-outstanding'))
  })

  it('IMP-VQP-08: len counts with WRITE only, and never more than was writable', () => {
    const outstanding = out([2, 1, 8])
    expect(used(row(2, 0xffff_ffff, 0), outstanding)).toMatchObject({ kind: 'used', writtenBytes: 0 })
    expect(used(row(2, 9, WRITE), outstanding)).toEqual(faults(2, 1, 'used-length-too-large'))
  })

  it('IMP-VQP-11, RFB-DEV-05: in order, one descriptor stands for all before it, which were written to the full', () => {
    const outstanding = out([4, 2, 100], [1, 1, 0], [7, 3, 8], [0, 1, 1])
    expect(used(row(7, 5, WRITE), outstanding, { inOrder: true })).toEqual({
      ...{ kind: 'used', id: 7, writtenBytes: 5, slots: 6 },
      skipped: [
        { id: 4, writtenBytes: 100 },
        { id: 1, writtenBytes: 0 },
      ],
    })
    expect(used(row(7, 5, WRITE), outstanding)).toMatchObject({ skipped: [], slots: 3 })
  })
})

describe('notifications', () => {
  const { memory, ring } = lay([])
  const both = (from: RingPosition, count: number, change: Partial<PackedRing> = {}) => [
    mustInterruptPacked(memory, { ...ring, ...change }, from, count),
    mustKickPacked(memory, { ...ring, ...change }, from, count),
  ]
  const ask = (flags: number, at: RingPosition = RING_START) => {
    for (const area of [ring.driverArea, ring.deviceArea]) writeEvent(memory, area, { ...at, flags })
  }

  it('VQP-KICK-DEV-01, IMP-VQP-13: always, never, and at a slot only when that was negotiated', () => {
    ask(RING_EVENT_FLAGS_ENABLE)
    expect(both(RING_START, 1)).toEqual([true, true])
    expect(both(RING_START, 0)).toEqual([false, false])
    ask(RING_EVENT_FLAGS_DISABLE)
    expect(both(RING_START, 4)).toEqual([false, false])
    ask(RING_EVENT_FLAGS_DESC, { slot: 2, wrap: 1 })
    expect(both(RING_START, 2)).toEqual([false, false])
    expect(both(RING_START, 3)).toEqual([true, true])
    expect(both(RING_START, 2, { eventIdx: false })).toEqual([true, true])
    expect(both({ slot: 2, wrap: 0 }, 1)).toEqual([false, false])
  })

  it('IMP-VQP-14: the definition, slot by slot, is the formula of the standard with the offset corrected by the wrap', () => {
    for (const size of [1, 3, 4]) {
      const one = { ...ring, size }
      const positions = Array.from({ length: 2 * size }, (_, i): RingPosition => {
        return i < size ? { slot: i, wrap: 1 } : { slot: i - size, wrap: 0 }
      })
      for (const from of positions) {
        for (const event of positions) {
          ask(RING_EVENT_FLAGS_DESC, event)
          for (let count = 0; count <= size; count++) {
            const to = advance(one, from, count)
            const offset = event.wrap === to.wrap ? event.slot : event.slot - size
            const due = needEvent(offset & 0xffff, to.slot, (to.slot - count) & 0xffff)
            expect(both(from, count, { size })).toEqual([due, due])
          }
        }
      }
    }
  })
})

it('VQP-DRV-01: a ring that is not aligned, or not in memory, is refused', () => {
  const { memory, ring } = lay([])
  for (const change of [
    { descriptorArea: BASE + 8 },
    { driverArea: BASE + 0x102 },
    { deviceArea: BASE + 0x102 },
    { descriptorArea: END },
  ]) {
    expect(() => new ReferencePackedDevice(memory, { ...ring, ...change })).toThrow('16, 4 and 4')
  }
})

it('draws what stands there', () => {
  const { memory, ring } = lay([
    { address: 0x2000, length: 64, flags: NEXT },
    { address: 0x3000, length: 16, id: 2, flags: WRITE },
    { length: 16, id: 3, flags: WRITE, marks: usedFlags(0) },
    { address: 0x3000, length: 32, id: 1, flags: INDIRECT },
  ])
  writeEvent(memory, ring.driverArea, { slot: 1, wrap: 0, flags: RING_EVENT_FLAGS_DESC })
  expect(drawPackedRing(memory, ring)).toMatchInlineSnapshot(`
    "packed ring of 4, EVENT_IDX, INDIRECT_DESC · descriptors 0x1000 · driver 0x1040 · device 0x1044
    interrupts: at slot 1, wrap 0 · kicks: always
      0 avail 1  id 0 R 0x2000+64, next
      1 avail 1  id 2 W 0x3000+16
      2 used 0   id 3 W 16
      3 avail 1  id 1 table 0x3000+32"
  `)
})

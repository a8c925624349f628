import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copyBytes, GuestMemory, SegmentCursor, SegmentList } from '../../src/memory/index.ts'

const SPAN = 4096

function patterned(shared: boolean): { memory: GuestMemory; bytes: Uint8Array } {
  const buffer = shared ? new SharedArrayBuffer(SPAN) : new ArrayBuffer(SPAN)
  const memory = new GuestMemory([{ base: 0, size: SPAN, buffer }])
  const bytes = memory.regions[0]!.u8
  for (let i = 0; i < SPAN; i++) bytes[i] = (i * 31) & 0xff
  return { memory, bytes }
}

/** Cuts [start, start + total) at the given places into a list of adjacent segments. */
function cut(memory: GuestMemory, start: number, total: number, cuts: readonly number[]): SegmentList {
  const list = new SegmentList(1)
  const borders = [...new Set([0, total, ...cuts.map((c) => c % total)])].sort((a, b) => a - b)
  for (let i = 1; i < borders.length; i++)
    memory.translate(start + borders[i - 1]!, borders[i]! - borders[i - 1]!, list)
  return list
}

describe('SegmentCursor', () => {
  it('moves the same bytes however they are split', () => {
    const cuts = fc.array(fc.nat(2000), { maxLength: 20 })
    const total = fc.integer({ min: 1, max: 700 })
    fc.assert(
      fc.property(
        total,
        cuts,
        cuts,
        fc.array(fc.integer({ min: 1, max: 200 })),
        fc.boolean(),
        (n, a, b, steps, shared) => {
          const { memory, bytes } = patterned(shared)
          const from = new SegmentCursor()
          const to = new SegmentCursor()
          from.attach(memory, cut(memory, 0, n, a), 0, n)
          to.attach(memory, cut(memory, 2048, n, b), 0, n)
          for (const step of [...steps, n]) to.copyFrom(from, step)
          expect([from.remaining, to.remaining]).toEqual([0, 0])
          expect(bytes.slice(2048, 2048 + n)).toEqual(bytes.slice(0, n))
        },
      ),
    )
  })

  it('reads, writes, fills and skips in sequence, and stops at the end', () => {
    const { memory, bytes } = patterned(false)
    const cursor = new SegmentCursor()
    cursor.attach(memory, cut(memory, 100, 50, [1, 7, 30]), 0, 50)
    const head = new Uint8Array(10)
    expect(cursor.read(head, 2, 8)).toBe(8)
    expect(head.slice(2)).toEqual(bytes.slice(100, 108))
    expect(cursor.skip(10)).toBe(10)
    expect(cursor.write(Uint8Array.of(1, 2, 3), 1, 2)).toBe(2)
    expect([...bytes.slice(118, 120)]).toEqual([2, 3])
    expect(cursor.fill(9, 1000)).toBe(30)
    expect(bytes.slice(120, 150)).toEqual(new Uint8Array(30).fill(9))
    expect(bytes[150]).toBe((150 * 31) & 0xff)
    expect([cursor.read(head, 0, 1), cursor.write(head, 0, 1), cursor.skip(1), cursor.fill(0, 1)]).toEqual([0, 0, 0, 0])
  })
})

describe('copyBytes', () => {
  it('agrees with copyWithin and set at every small size, also overlapping', () => {
    for (let length = 0; length < 130; length++) {
      for (const shift of [-3, -1, 0, 1, 3, 200]) {
        const expected = Uint8Array.from({ length: 400 }, (_, i) => i & 0xff)
        const actual = expected.slice()
        expected.copyWithin(50 + shift, 50, 50 + length)
        copyBytes(actual, 50 + shift, actual, 50, length)
        expect(Buffer.compare(actual, expected)).toBe(0)
        const other = new Uint8Array(400)
        copyBytes(other, 7, expected, 50, length)
        expect(Buffer.compare(other.slice(7, 7 + length), expected.slice(50, 50 + length))).toBe(0)
        expect([other[6], other[7 + length]]).toEqual([0, 0])
      }
    }
  })
})

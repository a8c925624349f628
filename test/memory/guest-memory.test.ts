import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GuestMemory, MemoryError, PAGE_SIZE, type RegionSpec, SegmentList } from '../../src/memory/index.ts'

/** The segments as plain tuples. */
function translated(memory: GuestMemory, address: number, length: number): number[][] | null {
  const list = new SegmentList(1)
  if (!memory.translate(address, length, list)) return null
  return Array.from({ length: list.count }, (_, i) => [
    list.region[i]!,
    list.offset[i]!,
    list.address[i]!,
    list.length[i]!,
  ])
}

function pageMapped(frames: readonly number[], frameCount: number, base = 0): RegionSpec {
  const buffer = new ArrayBuffer(frameCount * PAGE_SIZE)
  return { base, size: frames.length * PAGE_SIZE, buffer, frames: Int32Array.from(frames) }
}

describe('regions', () => {
  it('sorts them, and refuses overlap, misalignment, and buffers too small', () => {
    const memory = new GuestMemory([
      { base: 0x8000, size: 0x1000 },
      { base: 0, size: 0x1000 },
    ])
    expect(memory.regions.map((region) => region.base)).toEqual([0, 0x8000])
    const bad: RegionSpec[][] = [
      [],
      [{ base: 8, size: 64 }],
      [{ base: -16, size: 64 }],
      [{ base: 0, size: 0 }],
      [{ base: 0, size: 1.5 }],
      [{ base: 0, size: 2 ** 33 }],
      [{ base: 2 ** 53 - 16, size: 32 }],
      [{ base: 0, size: 64, byteOffset: 8 }],
      [{ base: 0, size: 64, buffer: new ArrayBuffer(64), byteOffset: 16 }],
      [
        { base: 0, size: 64 },
        { base: 48, size: 64 },
      ],
      [{ base: 0, size: PAGE_SIZE, frames: new Int32Array(1) }],
      [{ base: 0, size: PAGE_SIZE, frames: new Int32Array(2), buffer: new ArrayBuffer(PAGE_SIZE) }],
      [{ base: 16, size: PAGE_SIZE, frames: new Int32Array(1), buffer: new ArrayBuffer(PAGE_SIZE) }],
    ]
    for (const specs of bad) expect(() => new GuestMemory(specs), JSON.stringify(specs)).toThrow(/region/)
  })

  it('says what is shared, and lets the owner of an ArrayBuffer say so', () => {
    expect(GuestMemory.ofSize(64).shared).toBe(false)
    expect(new GuestMemory([{ base: 0, size: 64, buffer: new SharedArrayBuffer(64) }]).shared).toBe(true)
    expect(new GuestMemory([{ base: 0, size: 64, buffer: new ArrayBuffer(64), shared: true }]).shared).toBe(true)
  })
})

describe('translate', () => {
  const memory = new GuestMemory([
    { base: 0x1000, size: 0x1000 },
    { base: 0x2000, size: 0x1000 },
    { base: 0x8000, size: 0x100 },
    { base: 2 ** 32 - 0x1000, size: 0x2000 },
    { base: 2 ** 40, size: 0x1000 },
  ])

  it('gives one run inside a region and several across adjacent ones', () => {
    expect(translated(memory, 0x1010, 0x20)).toEqual([[0, 0x10, 0x1010, 0x20]])
    expect(translated(memory, 0x1ff0, 0x20)).toEqual([
      [0, 0xff0, 0x1ff0, 0x10],
      [1, 0, 0x2000, 0x10],
    ])
  })

  it('crosses 4 GiB, and works above it', () => {
    expect(translated(memory, 2 ** 32 - 8, 16)).toEqual([[3, 0xff8, 2 ** 32 - 8, 16]])
    expect(translated(memory, 2 ** 40 + 0xfff, 1)).toEqual([[4, 0xfff, 2 ** 40 + 0xfff, 1]])
  })

  it('accepts the last byte, refuses one more, holes, and addresses that are none', () => {
    expect(translated(memory, 0x80f0, 0x10)).not.toBeNull()
    expect(translated(memory, 0x80f0, 0x11)).toBeNull()
    expect(translated(memory, 0x2ff0, 0x20)).toBeNull()
    expect(translated(memory, 0, 1)).toBeNull()
    expect(translated(memory, -1, 1)).toBeNull()
    expect(translated(memory, Number.NaN, 1)).toBeNull()
    expect(translated(memory, 2 ** 53, 0xffff_ffff)).toBeNull()
    expect(translated(memory, 5, 0)).toEqual([])
  })

  it('appends nothing when it refuses', () => {
    const list = new SegmentList(1)
    memory.translate(0x1000, 8, list)
    expect(memory.translate(0x2ff0, 0x20, list)).toBe(false)
    expect(list.count).toBe(1)
    expect(list.length[0]).toBe(8)
  })
})

describe('page-mapped regions', () => {
  it('merges adjacent frames into one run and splits at the others', () => {
    const memory = new GuestMemory([pageMapped([3, 4, 1, -1, 0], 5)])
    expect(translated(memory, 0x10, 3 * PAGE_SIZE - 0x10)).toEqual([
      [0, 3 * PAGE_SIZE + 0x10, 0x10, 2 * PAGE_SIZE - 0x10],
      [0, PAGE_SIZE, 2 * PAGE_SIZE, PAGE_SIZE],
    ])
    expect(translated(memory, 2 * PAGE_SIZE, 2 * PAGE_SIZE)).toBeNull()
  })

  it('follows the table as its owner changes it', () => {
    const spec = pageMapped([0, 1], 4)
    const memory = new GuestMemory([spec])
    memory.writeU32(0, 0x1234_5678)
    spec.frames![0] = 2
    expect(memory.readU32(0)).toBe(0)
    spec.frames![1] = 0
    expect(memory.readU32(PAGE_SIZE)).toBe(0x1234_5678)
    spec.frames![1] = -1
    expect(memory.contains(PAGE_SIZE, 1)).toBe(false)
    expect(() => memory.readU8(PAGE_SIZE)).toThrow(MemoryError)
  })

  it('treats an entry past the buffer as unmapped', () => {
    const memory = new GuestMemory([pageMapped([0, 7, -9], 2)])
    expect(memory.contains(PAGE_SIZE, 1)).toBe(false)
    expect(memory.contains(2 * PAGE_SIZE, 1)).toBe(false)
    // Also where it would continue a run.
    const last = new GuestMemory([pageMapped([1, 2], 2)])
    expect(translated(last, 0, PAGE_SIZE + 1)).toBeNull()
  })

  it('behaves as a linear region of the same content, whatever the frames', () => {
    const pages = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 4, maxLength: 4 })
    const span = 4 * PAGE_SIZE
    const range = fc.tuple(fc.nat(span - 1), fc.integer({ min: 1, max: 3 * PAGE_SIZE }))
    fc.assert(
      fc.property(pages, range, range, (frames, [to, size], [from]) => {
        const mapped = new GuestMemory([pageMapped(frames, 6)])
        const linear = GuestMemory.ofSize(span)
        const pattern = Uint8Array.from({ length: span }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
        const length = Math.min(size, span - to, span - from)
        const views = [mapped, linear].map((memory) => {
          memory.write(0, pattern)
          memory.copy(to, from, length)
          memory.fill(from, Math.min(5, span - from), 0xaa)
          const bytes = new Uint8Array(span)
          memory.read(0, bytes)
          return bytes
        })
        expect(Buffer.compare(views[0]!, views[1]!)).toBe(0)
      }),
      { numRuns: 200 },
    )
  })
})

describe('reading and writing', () => {
  const regions = (): GuestMemory =>
    new GuestMemory([
      { base: 0x1000, size: 0x10 },
      { base: 0x1010, size: 0x1000 },
      { base: 0x3000, size: 0x1000, buffer: new SharedArrayBuffer(0x1000) },
    ])

  it('is little-endian at any alignment, also across regions', () => {
    const memory = regions()
    for (let address = 0x1000; address < 0x1020; address++) {
      memory.writeU64(address, 0x0123_4567_89ab_cdefn)
      expect(memory.readU64(address)).toBe(0x0123_4567_89ab_cdefn)
      expect(memory.readU32(address)).toBe(0x89ab_cdef)
      expect(memory.readU16(address + 6)).toBe(0x0123)
      expect(memory.readU8(address + 7)).toBe(0x01)
    }
    memory.writeU32(0x100e, 0xffff_fffe)
    expect(memory.readU32(0x100e)).toBe(0xffff_fffe)
    memory.writeU16(0x100f, 0xabcd)
    expect([memory.readU8(0x100f), memory.readU8(0x1010)]).toEqual([0xcd, 0xab])
  })

  it('throws outside RAM, names the range and the regions, and writes nothing', () => {
    const memory = regions()
    const attempt = (): void => memory.write(0x2008, new Uint8Array(0x20).fill(1))
    expect(attempt).toThrow(MemoryError)
    expect(attempt).toThrow(/0x2008 \+ 32 .*0x1000\.\.0x100f/)
    expect(memory.readU8(0x200f)).toBe(0)
    expect(() => memory.fill(0x200f, 2, 1)).toThrow(MemoryError)
    expect(() => memory.writeU32(0x200e, 1)).toThrow(MemoryError)
    expect(memory.readU8(0x200f)).toBe(0)
    expect(() => memory.read(0, new Uint8Array(1))).toThrow(MemoryError)
    expect(() => memory.copy(0x1000, 0x2fff, 4)).toThrow(MemoryError)
  })

  it('copies between private and shared memory, and as if through a temporary where ranges overlap', () => {
    const memory = regions()
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff)
    memory.write(0x1004, bytes)
    memory.copy(0x3100, 0x1004, 300)
    const copy = new Uint8Array(300)
    memory.read(0x3100, copy)
    expect(copy).toEqual(bytes)
    memory.copy(0x1008, 0x1004, 300)
    memory.read(0x1008, copy)
    expect(copy).toEqual(bytes)
    memory.copy(0x1006, 0x1008, 300)
    memory.read(0x1006, copy)
    expect(copy).toEqual(bytes)
  })
})

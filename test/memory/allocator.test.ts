import { describe, expect, it } from 'vitest'
import { BumpAllocator, PAGE_SIZE, PageAllocator } from '../../src/memory/index.ts'

describe('BumpAllocator', () => {
  it('hands out aligned, ascending, disjoint ranges until it is full', () => {
    const allocator = new BumpAllocator(0x1001, 0x100)
    expect(allocator.allocate(3, 1)).toBe(0x1001)
    expect(allocator.allocate(8)).toBe(0x1010)
    expect(allocator.allocate(1, 0x80)).toBe(0x1080)
    expect(allocator.allocate(0x7f, 2)).toBe(0x1082)
    expect(allocator.remaining).toBe(0)
    expect(() => allocator.allocate(1, 1)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }))
    allocator.reset()
    expect(allocator.allocate(1, 1)).toBe(0x1001)
  })

  it('refuses sizes and alignments that make no sense', () => {
    const allocator = new BumpAllocator(0, 64)
    for (const [bytes, align] of [
      [0, 1],
      [-1, 1],
      [1.5, 1],
      [1, 3],
      [null, 1],
      ['16', 1],
      [1, Number.NaN],
    ] as [number, number][]) {
      expect(() => allocator.allocate(bytes, align)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })

  it('works above 4 GiB', () => {
    expect(new BumpAllocator(2 ** 40 + 1, 64).allocate(16, 16)).toBe(2 ** 40 + 16)
  })
})

describe('PageAllocator', () => {
  it('finds runs, takes them back, and finds them again', () => {
    const allocator = new PageAllocator(0x10_0000, 8)
    const pages = Array.from({ length: 8 }, () => allocator.allocate())
    expect(new Set(pages).size).toBe(8)
    expect(() => allocator.allocate()).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }))
    allocator.free(pages[2]!)
    allocator.free(pages[4]!)
    expect(() => allocator.allocate(2)).toThrow(/no run of 2 pages/)
    allocator.free(pages[3]!)
    expect(allocator.allocate(3)).toBe(0x10_0000 + 2 * PAGE_SIZE)
    expect(allocator.freePages).toBe(0)
  })

  it('refuses a second free and foreign addresses', () => {
    const allocator = new PageAllocator(0, 4)
    const page = allocator.allocate(2)
    allocator.free(page, 2)
    for (const count of [0, -1, 0.5, Number.NaN, 5]) {
      expect(() => allocator.allocate(count)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/INVALID_OPTION|OUT_OF_MEMORY/) }),
      )
      expect(() => new PageAllocator(0, 4).free(0, count)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
    for (const address of [page, 4 * PAGE_SIZE, 17, null as never, Number.NaN]) {
      expect(() => allocator.free(address)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })
})

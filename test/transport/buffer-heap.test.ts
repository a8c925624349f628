import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferHeap } from '../../src/transport/buffer-heap.ts'

describe('BufferHeap', () => {
  it('blocks are aligned, inside, and never overlap while they are held', () => {
    const step = fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5000 }), fc.constantFrom(1, 16, 64, 4096))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const [base, size] = [0x1000, 2 ** 20]
        const heap = new BufferHeap(base, size)
        const held: { address: number; bytes: number }[] = []
        for (const [take, bytes, align] of steps) {
          if (take || held.length === 0) {
            const address = heap.allocate(bytes, align)
            expect(address % align).toBe(0)
            expect(address >= base && address + bytes <= base + size).toBe(true)
            for (const other of held) {
              expect(address + bytes <= other.address || other.address + other.bytes <= address).toBe(true)
            }
            held.push({ address, bytes })
          } else {
            const [{ address, bytes: length }] = held.splice(bytes % held.length, 1) as [
              { address: number; bytes: number },
            ]
            heap.free(address, length)
          }
        }
      }),
    )
  })

  it('takes back what it gave, once and for the same length', () => {
    const refused = expect.objectContaining({ code: 'INVALID_OPTION' })
    const heap = new BufferHeap(0x1000, 8192)
    const address = heap.allocate(100, 64)
    for (const [wrong, length] of [
      [address, 300],
      [address + 64, 64],
      [0, 100],
      [Number.NaN, 100],
      [undefined, 100],
      [address, -1],
    ] as [number, number][]) {
      expect(() => heap.free(wrong, length)).toThrow(refused)
    }
    heap.free(address, 100)
    expect(() => heap.free(address, 100)).toThrow(refused)
    expect(heap.allocate(100, 64)).not.toBe(heap.allocate(100, 64))
    for (const [length, align] of [
      [-1, 16],
      [0.5, 16],
      [Number.NaN, 16],
      [null, 16],
      [64, 3],
      [64, 0],
      [64, undefined],
    ] as [number, number][]) {
      expect(() => heap.allocate(length, align)).toThrow(refused)
    }
  })

  it('takes back what was handed out before it was saved, once', () => {
    const first = new BufferHeap(0x1000, 8192)
    const [kept, freed] = [first.allocate(100, 64), first.allocate(100, 64)]
    first.free(freed, 100)
    const heap = new BufferHeap(0x1000, 8192)
    heap.restoreState(JSON.parse(JSON.stringify(first.saveState())))
    heap.free(kept, 100)
    for (const address of [kept, freed, 0x1000 + 4096]) {
      expect(() => heap.free(address, 100)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })

  it('reuses what was freed, and says when it is full', () => {
    const heap = new BufferHeap(0, 8192)
    for (let i = 0; i < 1000; i++) heap.free(heap.allocate(4000, 64), 4000)
    heap.allocate(4096, 4096)
    heap.allocate(4096, 4096)
    expect(() => heap.allocate(1, 1)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }))
  })
})

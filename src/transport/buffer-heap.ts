/**
 * Buffers of any size in a range of guest memory, taken and given back: free lists by power of two over a bump allocator. Sizes
 * repeat in a driver, so what is freed is soon reused, and nothing is ever merged. It touches no memory.
 */
import { BumpAllocator } from '../memory/index.ts'

/** Smallest block: a cache line, so that two buffers never share one. */
const SMALLEST = 64

export class BufferHeap {
  readonly #fresh: BumpAllocator
  readonly #free = new Map<number, number[]>()

  constructor(base: number, lengthBytes: number) {
    this.#fresh = new BumpAllocator(base, lengthBytes)
  }

  /** A block of at least `lengthBytes`, at a multiple of `align`. Throws `VirtioError` OUT_OF_MEMORY. */
  allocate(lengthBytes: number, align: number): number {
    const size = blockSize(lengthBytes)
    const free = this.#free.get(size) ?? []
    const reusable = free.findLastIndex((address) => address % align === 0)
    if (reusable >= 0) return free.splice(reusable, 1)[0]!
    return this.#fresh.allocate(size, Math.max(align, SMALLEST))
  }

  /** Takes back what `allocate` gave for the same length. */
  free(address: number, lengthBytes: number): void {
    const size = blockSize(lengthBytes)
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [address])
    else free.push(address)
  }
}

function blockSize(lengthBytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(lengthBytes, SMALLEST)))
}

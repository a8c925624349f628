/**
 * Buffers of any size in a range of guest memory, taken and given back: free lists by power of two over a bump allocator. Sizes
 * repeat in a driver, so what is freed is soon reused, and nothing is ever merged. It touches no memory.
 */
import { refuseState } from '../internal/saved-state.ts'
import { BumpAllocator } from '../memory/index.ts'

/** Smallest block: a cache line, so that two buffers never share one. */
const SMALLEST = 64

/** Plain data, as JSON keeps it. */
export interface BufferHeapState {
  /** Where the untouched part of the range begins. */
  readonly next: number
  /** Free blocks by size. */
  readonly free: readonly (readonly [size: number, addresses: readonly number[]])[]
}

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

  saveState(): BufferHeapState {
    const { end, remaining } = this.#fresh
    return { next: end - remaining, free: Array.from(this.#free, ([size, addresses]) => [size, [...addresses]]) }
  }

  /** Throws `VirtioError` INVALID_STATE, and changes nothing, for what is not the state of a heap in this range. */
  restoreState(state: BufferHeapState): void {
    if (state === null || typeof state !== 'object') refuseState('allocator', 'it is not an object')
    const { next, free } = state
    const { base, end } = this.#fresh
    const isInRange = Number.isSafeInteger(next) && next >= base && next <= end
    if (!isInRange) refuseState('allocator', `next must be in the range, ${base} to ${end}, not ${next}`)
    const seen = new Set<number>()
    const isBlock = (size: number, address: number) =>
      Number.isSafeInteger(address) &&
      address >= base &&
      address + size <= next &&
      !seen.has(address) &&
      seen.add(address)
    const isList = (entry: BufferHeapState['free'][number]) =>
      Array.isArray(entry) &&
      Number.isSafeInteger(entry[0]) &&
      blockSize(entry[0]) === entry[0] &&
      Array.isArray(entry[1]) &&
      entry[1].every((address) => isBlock(entry[0], address))
    if (!Array.isArray(free) || !free.every(isList)) refuseState('allocator', 'free must be lists of blocks by size')
    this.#fresh.resumeAt(next)
    this.#free.clear()
    for (const [size, addresses] of free) this.#free.set(size, [...addresses])
  }
}

function blockSize(lengthBytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(lengthBytes, SMALLEST)))
}

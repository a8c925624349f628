/**
 * Buffers of any size in a range of guest memory, taken and given back: free lists by power of two over a bump allocator. Sizes
 * repeat in a driver, so what is freed is soon reused, and nothing is ever merged. It touches no memory.
 */
import { checkInteger, checkPowerOfTwo, refuseOption } from '../internal/check-option.ts'
import { refuseState } from '../internal/saved-state.ts'
import { BumpAllocator, type GuestMemory } from '../memory/index.ts'

/** Smallest block: a cache line, so that two buffers never share one. */
const SMALLEST = 64
const LARGEST = 2 ** 52

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
  /** Size by address of what is handed out; below `#restoredEnd` there are also the blocks of a saved state, whose sizes it does not have. */
  readonly #held = new Map<number, number>()
  #restoredEnd = 0

  constructor(base: number, lengthBytes: number) {
    this.#fresh = new BumpAllocator(base, lengthBytes)
  }

  /** A block of at least `lengthBytes`, at a multiple of `align`. Throws `VirtioError` OUT_OF_MEMORY, or INVALID_OPTION. */
  allocate(lengthBytes: number, align: number): number {
    checkInteger('lengthBytes', lengthBytes, 0, LARGEST, 'bytes')
    checkPowerOfTwo('align', align, 1, LARGEST, 'bytes')
    const size = blockSize(lengthBytes)
    const free = this.#free.get(size) ?? []
    const reusable = free.findLastIndex((address) => address % align === 0)
    const address = reusable >= 0 ? free.splice(reusable, 1)[0]! : this.#fresh.allocate(size, Math.max(align, SMALLEST))
    this.#held.set(address, size)
    return address
  }

  /**
   * Takes back what `allocate` gave for the same length. Throws `VirtioError` INVALID_OPTION for what is not handed out: freed twice, a
   * block would have two owners.
   */
  free(address: number, lengthBytes: number): void {
    checkInteger('lengthBytes', lengthBytes, 0, LARGEST, 'bytes')
    const size = blockSize(lengthBytes)
    const held = this.#held.get(address)
    if (held === undefined ? !this.#isRestored(address, size) : held !== size) {
      refuseOption('address', address, `the start of an allocated block of ${size} bytes`)
    }
    this.#held.delete(address)
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
    this.#held.clear()
    this.#restoredEnd = next
    for (const [size, addresses] of free) this.#free.set(size, [...addresses])
  }

  /** A block of the saved state that is not free. */
  #isRestored(address: number, size: number): boolean {
    const isInside = Number.isSafeInteger(address) && address >= this.#fresh.base && address + size <= this.#restoredEnd
    return isInside && ![...this.#free.values()].some((addresses) => addresses.includes(address))
  }
}

function blockSize(lengthBytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(lengthBytes, SMALLEST)))
}

/** Over the largest region of a memory. */
export function heapOf(memory: GuestMemory): BufferHeap {
  const largest = memory.regions.reduce((a, b) => (b.size > a.size ? b : a))
  return new BufferHeap(largest.base, largest.size)
}

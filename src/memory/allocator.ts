/** Where rings, tables and buffers of a driver model go: allocators of guest-physical addresses. They touch no memory. */
import { assert } from '../internal/assert.ts'
import { checkInteger, MAX_SAFE } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { isPowerOfTwo } from '../internal/u16.ts'
import { hex } from './memory-error.ts'
import { PAGE_SIZE } from './memory-region.ts'

/** Hands out ascending addresses and takes nothing back but everything: for what lives as long as its owner. */
export class BumpAllocator {
  readonly base: number
  readonly end: number
  #next: number

  /** Throws `VirtioError` INVALID_OPTION unless the range lies below 2^53. */
  constructor(base: number, bytes: number) {
    checkInteger('base', base, 0)
    checkInteger('bytes', bytes, 0, MAX_SAFE - base)
    this.base = base
    this.end = base + bytes
    this.#next = base
  }

  get remaining(): number {
    return this.end - this.#next
  }

  /** Address of `bytes` bytes at a multiple of `align` (a power of two). Throws `VirtioError` OUT_OF_MEMORY when full. */
  allocate(bytes: number, align = 16): number {
    assert(
      Number.isSafeInteger(bytes) && bytes > 0 && isPowerOfTwo(align),
      'allocate takes positive bytes and a power of two',
    )
    const address = Math.ceil(this.#next / align) * align
    if (address + bytes > this.end) {
      throw new VirtioError(
        'OUT_OF_MEMORY',
        `${bytes} bytes do not fit below ${hex(this.end)}: ${this.remaining} are left`,
      )
    }
    this.#next = address + bytes
    return address
  }

  /** Everything handed out becomes free. */
  reset(): void {
    this.#next = this.base
  }

  /** Everything below `next`, an address as an earlier `end - remaining` was, counts as handed out. */
  resumeAt(next: number): void {
    assert(Number.isSafeInteger(next) && next >= this.base && next <= this.end, `${hex(next)} is not in the range`)
    this.#next = next
  }
}

/** Runs of pages, first fit from the last one found; for buffers that come and go. */
export class PageAllocator {
  readonly base: number
  readonly pages: number
  readonly #taken: Uint8Array
  #cursor = 0
  #free: number

  /** `base` is a multiple of 4096. */
  constructor(base: number, pages: number) {
    assert(
      base % PAGE_SIZE === 0 && Number.isInteger(pages) && pages > 0,
      'a page allocator starts at a page and has some',
    )
    this.base = base
    this.pages = pages
    this.#taken = new Uint8Array(pages)
    this.#free = pages
  }

  get freePages(): number {
    return this.#free
  }

  /** Address of `count` adjacent pages. Throws `VirtioError` OUT_OF_MEMORY when no run is long enough. */
  allocate(count = 1): number {
    assert(Number.isInteger(count) && count > 0, 'allocate takes a positive number of pages')
    let first = this.#search(this.#cursor, count)
    if (first < 0) first = this.#search(0, count)
    if (first < 0) {
      throw new VirtioError(
        'OUT_OF_MEMORY',
        `no run of ${count} pages is free; ${this.#free} of ${this.pages} are, scattered`,
      )
    }
    this.#taken.fill(1, first, first + count)
    this.#free -= count
    this.#cursor = first + count
    return this.base + first * PAGE_SIZE
  }

  /** Takes back pages of one or more allocations; freeing what is free is our own mistake. */
  free(address: number, count = 1): void {
    const first = (address - this.base) / PAGE_SIZE
    assert(
      Number.isInteger(first) && first >= 0 && first + count <= this.pages,
      `${hex(address)} is not a page of this allocator`,
    )
    for (let page = first; page < first + count; page++) {
      assert(this.#taken[page] === 1, `page ${hex(this.base + page * PAGE_SIZE)} is free already`)
    }
    this.#taken.fill(0, first, first + count)
    this.#free += count
  }

  #search(from: number, count: number): number {
    let run = 0
    for (let page = from; page < this.pages; page++) {
      run = this.#taken[page] === 0 ? run + 1 : 0
      if (run === count) return page - count + 1
    }
    return -1
  }
}

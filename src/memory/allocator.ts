/** Where rings, tables and buffers of a driver model go: allocators of guest-physical addresses. They touch no memory. */
import { checkInteger, checkPowerOfTwo, MAX_SAFE, refuseOption } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { hex } from './memory-error.ts'
import { PAGE_SIZE } from './memory-region.ts'

const MOST_PAGES = 2 ** 30

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

  /** Address of `bytes` bytes at a multiple of `align` (a power of two). Throws `VirtioError` OUT_OF_MEMORY when full, or INVALID_OPTION. */
  allocate(bytes: number, align = 16): number {
    checkInteger('bytes', bytes, 1, MAX_SAFE, 'bytes')
    checkPowerOfTwo('align', align, 1, 2 ** 52, 'bytes')
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

  /** Everything below `next`, an address as an earlier `end - remaining` was, counts as handed out. Throws `VirtioError` INVALID_OPTION. */
  resumeAt(next: number): void {
    checkInteger('next', next, this.base, this.end)
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

  /** `base` is a multiple of 4096. Throws `VirtioError` INVALID_OPTION. */
  constructor(base: number, pages: number) {
    checkInteger('base', base, 0)
    if (base % PAGE_SIZE !== 0) refuseOption('base', base, `a multiple of ${PAGE_SIZE}`)
    checkInteger('pages', pages, 1, MOST_PAGES)
    this.base = base
    this.pages = pages
    this.#taken = new Uint8Array(pages)
    this.#free = pages
  }

  get freePages(): number {
    return this.#free
  }

  /** Address of `count` adjacent pages. Throws `VirtioError` OUT_OF_MEMORY when no run is long enough, or INVALID_OPTION. */
  allocate(count = 1): number {
    checkInteger('count', count, 1, MAX_SAFE, 'pages')
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

  /** Takes back pages of one or more allocations. Throws `VirtioError` INVALID_OPTION, and frees nothing, when one of them is free already. */
  free(address: number, count = 1): void {
    checkInteger('address', address, this.base, this.base + (this.pages - 1) * PAGE_SIZE)
    const first = (address - this.base) / PAGE_SIZE
    if (!Number.isInteger(first)) refuseOption('address', address, 'the start of a page')
    checkInteger('count', count, 1, this.pages - first, 'pages')
    for (let page = first; page < first + count; page++) {
      if (this.#taken[page] !== 1)
        refuseOption('address', hex(this.base + page * PAGE_SIZE), 'a page that was allocated')
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

/**
 * Guest-physical memory: one final class over typed arrays, whoever provides the bytes, so that every access is the same
 * monomorphic code. Sparse: regions with holes between them, anywhere below 2^53.
 *
 * Two ways in. Our own code names addresses that it owns: `read`, `writeU32` and so on, which throw `MemoryError` outside RAM.
 * An address that a peer chose goes through `translate`, whose answer is a return value.
 */
import { checkArray, checkBytes, checkInteger, MAX_SAFE, refuseOption } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { copyBytes } from './copy.ts'
import { MemoryError } from './memory-error.ts'
import { MemoryRegion, type RegionSpec } from './memory-region.ts'
import type { SegmentList } from './segment-list.ts'

/** Something that keeps views of a memory's buffers. */
export interface MemoryObserver {
  /** A region got another buffer: look up again what is where. */
  rebind(): void
}

/**
 * A guest's physical memory: regions with holes between them, read and written by address in little-endian order. An
 * access outside of all regions throws `MemoryError`; `contains` asks first. Numbers are stored modulo their width; an address, a length or a
 * number that is no integer is a `VirtioError` INVALID_OPTION.
 */
export class GuestMemory {
  /** Sorted by address, without overlap. */
  readonly regions: readonly MemoryRegion[]
  /** True when any region is used by other agents at the same time. */
  readonly shared: boolean
  /** Some region has pages that may be read-only. */
  readonly #protects: boolean
  /** The region of the last access: most accesses stay in one. */
  #last = 0
  readonly #bytes = new Uint8Array(8)
  readonly #words = new DataView(this.#bytes.buffer)
  /** Weakly, so that a queue that was reset is not kept by its memory; null: nobody needs to be told. */
  #observers: Set<WeakRef<MemoryObserver>> | null = new Set()

  /** Throws `VirtioError` when a region is misaligned or does not fit its buffer, or when two overlap. */
  constructor(regions: readonly RegionSpec[]) {
    checkArray('regions', regions, 'an array of RegionSpec')
    if (regions.length === 0) throw new VirtioError('INVALID_MEMORY', 'guest memory needs at least one region')
    const sorted = regions.map((spec) => new MemoryRegion(spec)).sort((a, b) => a.base - b.base)
    for (let i = 1; i < sorted.length; i++) {
      const [below, above] = [sorted[i - 1]!, sorted[i]!]
      if (below.end > above.base) {
        throw new VirtioError('INVALID_MEMORY', `regions ${below.describe()} and ${above.describe()} overlap`)
      }
    }
    this.regions = sorted
    this.shared = sorted.some((region) => region.shared)
    this.#protects = sorted.some((region) => region.readOnly !== null)
  }

  /** One linear region of zeroed private memory. */
  static ofSize(bytes: number, base = 0): GuestMemory {
    return new GuestMemory([{ base, size: bytes }])
  }

  /**
   * @internal A memory whose regions keep their buffers: `rebind` refuses. It has no observers, and so no `WeakRef`, which would keep all
   * that uses the memory until the running job ends: a loop that makes one machine after another would keep them all.
   */
  static fixed(regions: readonly RegionSpec[]): GuestMemory {
    const memory = new GuestMemory(regions)
    memory.#observers = null
    return memory
  }

  /** Whether a buffer was taken away (transferred, or the memory of a WebAssembly instance that grew): its bytes are gone. */
  get isDetached(): boolean {
    for (const region of this.regions) if (region.u8.length === 0) return true
    return false
  }

  /**
   * Gives the region that holds `address` another buffer with the same bytes, as after a WebAssembly memory grew: rings and requests go
   * on in it. `byteOffset` is where the region starts in it; default: where it was. Throws `VirtioError` INVALID_REGION for a buffer that
   * does not hold the region, OUT_OF_BOUNDS when there is no region.
   */
  rebind(address: number, buffer: ArrayBuffer | SharedArrayBuffer, byteOffset?: number): void {
    const index = this.regionAt(address)
    const old = this.regions[index]
    if (old === undefined) throw new MemoryError(address, 1, this.describe())
    if (this.#observers === null) {
      throw new VirtioError('INVALID_REGION', `the memory ${this.describe()} keeps its buffers: it was made so`)
    }
    const { base, size, frames, readOnly, shared } = old
    const tables = { ...(frames !== null && { frames }), ...(readOnly !== null && { readOnly }) }
    const offset = byteOffset ?? old.byteOffset
    const region = new MemoryRegion({ base, size, buffer, byteOffset: offset, shared, ...tables })
    ;(this.regions as MemoryRegion[])[index] = region
    for (const reference of this.#observers) {
      const observer = reference.deref()
      if (observer === undefined) this.#observers.delete(reference)
      else if (!this.isDetached) observer.rebind()
    }
  }

  /** @internal `observer` is told of every `rebind` for as long as somebody else keeps it. */
  observe(observer: MemoryObserver): void {
    this.#observers?.add(new WeakRef(observer))
  }

  /** Index of the region that holds `address`, or -1. The last hit is tried first. */
  regionAt(address: number): number {
    const last = this.regions[this.#last]!
    if (address >= last.base && address < last.end) return this.#last
    let low = 0
    let high = this.regions.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const region = this.regions[middle]!
      if (address < region.base) high = middle - 1
      else if (address < region.end) {
        this.#last = middle
        return middle
      } else low = middle + 1
    }
    return -1
  }

  /** True when every byte is backed: the range may cross adjacent regions, never a hole or an unmapped page. */
  contains(address: number, length: number): boolean {
    requireAddress('address', address)
    requireLength(length)
    let position = address
    let left = length
    while (left > 0) {
      const index = this.regionAt(position)
      if (index < 0) return false
      const region = this.regions[index]!
      const offset = region.offsetOf(position)
      if (offset < 0) return false
      const run = region.runLength(position, offset, left)
      position += run
      left -= run
    }
    return true
  }

  /**
   * Appends the maximal runs behind `length` bytes at `address`; false, and nothing appended, when any byte has no memory.
   * This is the place where an address that somebody else chose becomes one that may be used. Allocates only when `segments`
   * grows.
   */
  translate(address: number, length: number, segments: SegmentList): boolean {
    const mark = segments.count
    let position = address
    let left = length
    while (left > 0) {
      const index = this.regionAt(position)
      const offset = index < 0 ? -1 : this.regions[index]!.offsetOf(position)
      if (offset < 0) {
        segments.count = mark
        return false
      }
      const run = this.regions[index]!.runLength(position, offset, left)
      segments.append(index, offset, position, run)
      position += run
      left -= run
    }
    return true
  }

  /** Fills `target`. Throws `MemoryError`, or `VirtioError` INVALID_OPTION for what is no Uint8Array. */
  read(address: number, target: Uint8Array): void {
    requireAddress('address', address)
    checkBytes('target', target)
    const length = target.length
    for (let done = 0; done < length; ) {
      const region = this.#regionOf(address, length, done)
      const offset = region.offsetOf(address + done)
      const run = region.runLength(address + done, offset, length - done)
      copyBytes(target, done, region.u8, offset, run)
      done += run
    }
  }

  /** Nothing is written when any byte of the range has no memory. Throws as `read` does. */
  write(address: number, source: Uint8Array): void {
    checkBytes('source', source)
    const length = source.length
    this.#requireWritable(address, length)
    for (let done = 0; done < length; ) {
      const region = this.#regionOf(address, length, done)
      const offset = region.offsetOf(address + done)
      const run = region.runLength(address + done, offset, length - done)
      copyBytes(region.u8, offset, source, done, run)
      done += run
    }
  }

  /** Throws as `read` does, also for a length that is none; so does `copy`. */
  fill(address: number, length: number, byte: number): void {
    requireValue('byte', byte)
    this.#requireWritable(address, length)
    for (let done = 0; done < length; ) {
      const region = this.#regionOf(address, length, done)
      const offset = region.offsetOf(address + done)
      const run = region.runLength(address + done, offset, length - done)
      region.u8.fill(byte, offset, offset + run)
      done += run
    }
  }

  /** Copies as if through a temporary: the ranges may overlap. Allocates when they do and are not one run each. */
  copy(toAddress: number, fromAddress: number, length: number): void {
    requireAddress('toAddress', toAddress)
    requireAddress('fromAddress', fromAddress)
    this.#requireWritable(toAddress, length)
    this.#requireAll(fromAddress, length)
    if (toAddress < fromAddress + length && fromAddress < toAddress + length) {
      const bytes = new Uint8Array(length)
      this.read(fromAddress, bytes)
      this.write(toAddress, bytes)
      return
    }
    for (let done = 0; done < length; ) {
      const from = this.#regionOf(fromAddress, length, done)
      const fromOffset = from.offsetOf(fromAddress + done)
      const to = this.#regionOf(toAddress, length, done)
      const toOffset = to.offsetOf(toAddress + done)
      const readable = from.runLength(fromAddress + done, fromOffset, length - done)
      const run = to.runLength(toAddress + done, toOffset, readable)
      copyBytes(to.u8, toOffset, from.u8, fromOffset, run)
      done += run
    }
  }

  readU8(address: number): number {
    requireAddress('address', address)
    const region = this.#regionOf(address, 1, 0)
    return region.u8[region.offsetOf(address)]!
  }

  writeU8(address: number, value: number): void {
    requireAddress('address', address)
    requireValue('value', value)
    if (this.#protects) this.#requireWritable(address, 1)
    const region = this.#regionOf(address, 1, 0)
    region.u8[region.offsetOf(address)] = value
  }

  /** Little-endian, at any alignment, as all of these. */
  readU16(address: number): number {
    this.#load(address, 2)
    return this.#words.getUint16(0, true)
  }

  writeU16(address: number, value: number): void {
    requireValue('value', value)
    this.#words.setUint16(0, value, true)
    this.#store(address, 2)
  }

  readU32(address: number): number {
    this.#load(address, 4)
    return this.#words.getUint32(0, true)
  }

  writeU32(address: number, value: number): void {
    requireValue('value', value)
    this.#words.setUint32(0, value, true)
    this.#store(address, 4)
  }

  readU64(address: number): bigint {
    this.#load(address, 8)
    return this.#words.getBigUint64(0, true)
  }

  writeU64(address: number, value: bigint): void {
    if (typeof value !== 'bigint') refuseOption('value', value, 'a bigint')
    this.#words.setBigUint64(0, value, true)
    this.#store(address, 8)
  }

  /** The memory map for messages. */
  describe(): string {
    return this.regions.map((region) => region.describe()).join(', ')
  }

  #load(address: number, bytes: number): void {
    requireAddress('address', address)
    for (let i = 0; i < bytes; i++) {
      const region = this.#regionOf(address, bytes, i)
      this.#bytes[i] = region.u8[region.offsetOf(address + i)]!
    }
  }

  #store(address: number, bytes: number): void {
    this.#requireWritable(address, bytes)
    for (let i = 0; i < bytes; i++) {
      const region = this.#regionOf(address, bytes, i)
      region.u8[region.offsetOf(address + i)] = this.#bytes[i]!
    }
  }

  /** The region that backs byte `done` of a range; throws, naming the whole range, when none does. */
  #regionOf(address: number, length: number, done: number): MemoryRegion {
    const index = this.regionAt(address + done)
    const region = this.regions[index]
    if (region === undefined || region.offsetOf(address + done) < 0)
      throw new MemoryError(address, length, this.describe())
    return region
  }

  #requireAll(address: number, length: number): void {
    if (!this.contains(address, length)) throw new MemoryError(address, length, this.describe())
  }

  #requireWritable(address: number, length: number): void {
    this.#requireAll(address, length)
    if (!this.#protects) return
    for (let done = 0; done < length; ) {
      const region = this.#regionOf(address, length, done)
      const run = Math.min(length - done, region.end - address - done)
      if (!region.mayWrite(address + done, run)) throw new MemoryError(address, length, this.describe(), 'read-only')
      done += run
    }
  }
}

/** Any integer: whether there is memory is another question, and `MemoryError` its answer. */
function requireAddress(name: string, address: number): void {
  if (!Number.isInteger(address)) refuseOption(name, address, 'an integer')
}

function requireLength(length: number): void {
  if (length >>> 0 !== length) checkInteger('length', length, 0, MAX_SAFE, 'bytes')
}

function requireValue(name: string, value: number): void {
  if (!Number.isSafeInteger(value)) refuseOption(name, value, 'an integer')
}

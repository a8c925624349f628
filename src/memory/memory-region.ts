/**
 * One range of guest-physical addresses and the bytes behind it.
 *
 * A linear region is a slice of a buffer. A page-mapped region sees its buffer through a table of frames, as a VM sees RAM
 * through its stage-2 table: the owner of the table may remap pages at any time, so nothing about it is cached.
 */
import { checkBoolean, checkKind, checkObject } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { hex } from './memory-error.ts'

/** Bytes of a page: 4 KiB. */
export const PAGE_SIZE = 4096
/** An offset is below 2^32, so a bit operation finds its place in the page, where `%` would be a call. */
const PAGE_MASK = PAGE_SIZE - 1

/** Views of wider elements need it, and 16-byte descriptors are then aligned in the buffer whenever they are in the guest. */
const REGION_ALIGNMENT = 16
const MAX_REGION_BYTES = 2 ** 32

/** A region to build guest memory of: where it lies, how long it is, and which bytes stand behind it. */
export interface RegionSpec {
  /** Guest-physical address of the first byte: a multiple of 16 (of 4096 when page-mapped), below 2^53. */
  readonly base: number
  /** Bytes, 1..2^32; a multiple of 4096 when page-mapped. */
  readonly size: number
  /** Default: a new zeroed ArrayBuffer of `size` bytes. Needed for a page-mapped region. */
  readonly buffer?: ArrayBuffer | SharedArrayBuffer
  /** Where the region starts in `buffer`, a multiple of 16; 0 when page-mapped. */
  readonly byteOffset?: number
  /** Page-mapped: entry i is the number of the 4096-byte frame of `buffer` behind page i, or -1. Not copied. */
  readonly frames?: Int32Array
  /** Page-mapped: entry i is not 0 where our own code may not write through `GuestMemory`; its owner may change it. Not copied. */
  readonly readOnly?: Uint8Array
  /** Set it for an ArrayBuffer that another agent uses too (memory of a real VM). Default: `buffer` is a SharedArrayBuffer. */
  readonly shared?: boolean
}

/** One region of guest memory over a buffer, or over frames of it page by page. Addresses are guest-physical bytes. */
export class MemoryRegion {
  readonly base: number
  readonly size: number
  /** First address after the region. */
  readonly end: number
  readonly shared: boolean
  /** Where it starts in its buffer. */
  readonly byteOffset: number
  /** The region's bytes; of a page-mapped region the whole buffer. `u16` and `u32` are views of the same bytes. */
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly frames: Int32Array | null
  readonly readOnly: Uint8Array | null
  readonly frameCount: number
  /** `size` when linear, 0 when page-mapped: one comparison then decides whether an offset may be used without a table walk. */
  readonly linearBytes: number

  /** Throws `VirtioError` INVALID_REGION, or INVALID_OPTION for a member of another type. */
  constructor(spec: RegionSpec) {
    checkTypes(spec)
    const { base, size, frames, readOnly, byteOffset = 0 } = spec
    const alignment = frames ? PAGE_SIZE : REGION_ALIGNMENT
    refuseUnless(
      Number.isSafeInteger(base) && base >= 0 && base % alignment === 0,
      spec,
      `base must be a multiple of ${alignment}`,
    )
    refuseUnless(Number.isInteger(size) && size > 0 && size <= MAX_REGION_BYTES, spec, 'size must be 1..2^32')
    refuseUnless(Number.isSafeInteger(base + size), spec, 'it must end below 2^53')
    refuseUnless(
      Number.isInteger(byteOffset) && byteOffset >= 0 && byteOffset % REGION_ALIGNMENT === 0,
      spec,
      'byteOffset must be a multiple of 16',
    )
    const buffer = spec.buffer ?? new ArrayBuffer(size)
    if (frames) {
      refuseUnless(
        spec.buffer !== undefined && byteOffset === 0,
        spec,
        'a page-mapped region needs a buffer, from its start',
      )
      refuseUnless(
        size % PAGE_SIZE === 0 && frames.length === size / PAGE_SIZE,
        spec,
        'frames must have one entry per 4096 bytes',
      )
      refuseUnless(
        readOnly === undefined || readOnly.length === frames.length,
        spec,
        'readOnly must have one entry per 4096 bytes',
      )
    } else {
      refuseUnless(readOnly === undefined, spec, 'only pages of a page-mapped region are read-only')
      refuseUnless(
        byteOffset + size <= buffer.byteLength,
        spec,
        `its buffer has ${buffer.byteLength} bytes, from ${byteOffset} it needs ${size}`,
      )
    }
    const viewBytes = frames ? Math.min(buffer.byteLength, MAX_REGION_BYTES) : size
    this.base = base
    this.byteOffset = byteOffset
    this.size = size
    this.end = base + size
    this.shared = spec.shared ?? (typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer)
    this.u8 = new Uint8Array(buffer, byteOffset, viewBytes)
    this.u16 = new Uint16Array(buffer, byteOffset, viewBytes >>> 1)
    this.u32 = new Uint32Array(buffer, byteOffset, Math.floor(viewBytes / 4))
    this.frames = frames ?? null
    this.readOnly = readOnly ?? null
    this.frameCount = Math.floor(viewBytes / PAGE_SIZE)
    this.linearBytes = frames ? 0 : size
  }

  /**
   * Offset into `u8` of the byte at `address`, which lies in the region; -1 when its page has no frame. An entry past the
   * buffer counts as unmapped: a wrong table must not become a wrong access.
   */
  offsetOf(address: number): number {
    const offset = address - this.base
    if (this.frames === null) return offset
    const frame = this.frames[Math.floor(offset / PAGE_SIZE)]!
    return frame >>> 0 < this.frameCount ? frame * PAGE_SIZE + (offset & PAGE_MASK) : -1
  }

  /** Bytes from `offset` (as `offsetOf` gave it for `address`) that follow each other in `u8`, at most `length`. */
  runLength(address: number, offset: number, length: number): number {
    const available = Math.min(length, this.end - address)
    if (this.frames === null) return available
    let run = PAGE_SIZE - (offset & PAGE_MASK)
    let page = Math.floor((address - this.base) / PAGE_SIZE)
    let frame = Math.floor(offset / PAGE_SIZE)
    while (run < available && this.frames[++page] === ++frame && frame < this.frameCount) run += PAGE_SIZE
    return Math.min(run, available)
  }

  /** Whether every page from `address` on may be written; the range lies in the region. */
  mayWrite(address: number, length: number): boolean {
    if (this.readOnly === null) return true
    const last = Math.floor((address + length - 1 - this.base) / PAGE_SIZE)
    for (let page = Math.floor((address - this.base) / PAGE_SIZE); page <= last; page++) {
      if (this.readOnly[page] !== 0) return false
    }
    return true
  }

  describe(): string {
    return `${hex(this.base)}..${hex(this.end - 1)}${this.frames ? ' (page-mapped)' : ''}`
  }
}

function checkTypes(spec: RegionSpec): void {
  checkObject('region', spec, 'a RegionSpec')
  const { buffer, frames, readOnly, shared } = spec
  if (buffer !== undefined) checkKind('buffer', buffer, ['ArrayBuffer', 'SharedArrayBuffer'])
  if (frames !== undefined) checkKind('frames', frames, ['Int32Array'])
  if (readOnly !== undefined) checkKind('readOnly', readOnly, ['Uint8Array'])
  if (shared !== undefined) checkBoolean('shared', shared)
}

function refuseUnless(condition: boolean, spec: RegionSpec, rule: string): void {
  if (!condition) throw new VirtioError('INVALID_REGION', `region at ${hex(spec.base)}, size ${spec.size}: ${rule}`)
}

/** Where everything lies in the memory of an exchange, and what it is called. */
import { VirtioError } from '../../internal/error.ts'
import {
  availEventAt,
  availFlagsAt,
  availIdxAt,
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  usedEventAt,
  usedFlagsAt,
  usedIdxAt,
} from '../format/split/split-ring-format.ts'
import type { DriverRing } from '../queue-targets.ts'

/** Also the longest cache line. */
export const LINE = 64
export const BASE = 0x1000
export const BUFFER_BYTES = 4

/** What the scripts of both sides must know, whatever the ring. */
export interface ScriptLayout {
  /** What the driver tells the device about resets, and what the device answers. */
  readonly driverControl: number
  readonly deviceControl: number
  readonly bufferArea: number
  readonly buffers: number
  /** Zeroed by a driver that resets its queue. */
  readonly zeroed: readonly (readonly [area: number, bytes: number])[]
  bufferAt(index: number): number
}

export class ExchangeLayout implements ScriptLayout {
  readonly base = BASE
  readonly ring: DriverRing
  readonly memoryBytes: number
  readonly driverControl = BASE
  readonly deviceControl = BASE + LINE
  readonly zeroed: ScriptLayout['zeroed']
  readonly bufferArea: number
  readonly buffers: number

  constructor(size: number, eventIdx: boolean, indirect: boolean, adjacent = false) {
    if (!Number.isInteger(Math.log2(size)) || size < 1 || size > 16) {
      throw new VirtioError('INVALID_PROGRAM', `an exchange has a ring of 1, 2, 4, 8 or 16 entries, not ${size}`)
    }
    const align = (address: number, alignment: number): number => Math.ceil(address / alignment) * alignment
    const descriptorArea = BASE + 2 * LINE
    const driverArea = align(descriptorArea + descriptorAreaBytes(size), adjacent ? 2 : LINE)
    const deviceArea = align(driverArea + driverAreaBytes(size), adjacent ? 4 : LINE)
    const tableArea = align(deviceArea + deviceAreaBytes(size), LINE)
    const tableLength = indirect ? Math.min(size, 4) : 0
    this.bufferArea = align(tableArea + size * tableLength * DESCRIPTOR_BYTES, LINE)
    this.buffers = 2 * size
    this.memoryBytes = this.bufferArea + this.buffers * LINE - BASE
    this.zeroed = [
      [driverArea, driverAreaBytes(size)],
      [deviceArea, deviceAreaBytes(size)],
    ]
    this.ring = { size, descriptorArea, driverArea, deviceArea, eventIdx, indirect, tableArea, tableLength }
  }

  bufferAt(index: number): number {
    return this.bufferArea + index * LINE
  }

  /** The fields that both sides look at while the other may be writing. */
  isSignal(address: number): boolean {
    const { ring } = this
    return (
      [availFlagsAt, availIdxAt, usedEventAt, usedFlagsAt, usedIdxAt, availEventAt].some(
        (at) => at(ring) === address,
      ) ||
      address === this.driverControl ||
      address === this.deviceControl
    )
  }

  describe(address: number): string {
    const { ring } = this
    const { size, descriptorArea, driverArea, deviceArea, tableArea } = ring
    if (address >= this.bufferArea) return `buffer ${Math.floor((address - this.bufferArea) / LINE)}`
    if (address >= tableArea) {
      const entry = Math.floor((address - tableArea) / DESCRIPTOR_BYTES)
      const { tableLength } = ring
      return `table[${Math.floor(entry / tableLength)}][${entry % tableLength}].${field(address - tableArea)}`
    }
    if (address >= deviceArea) {
      if (address === usedFlagsAt(ring)) return 'used.flags'
      if (address === usedIdxAt(ring)) return 'used.idx'
      if (address === availEventAt(ring)) return 'avail_event'
      const offset = address - deviceArea - 4
      return `used.ring[${offset >>> 3}].${(offset & 4) === 0 ? 'id' : 'len'}`
    }
    if (address >= driverArea) {
      if (address === availFlagsAt(ring)) return 'avail.flags'
      if (address === availIdxAt(ring)) return 'avail.idx'
      if (address === usedEventAt(ring)) return 'used_event'
      return `avail.ring[${(address - driverArea - 4) >>> 1}]`
    }
    if (address >= descriptorArea) {
      const index = Math.floor((address - descriptorArea) / DESCRIPTOR_BYTES)
      if (index < size) return `desc[${index}].${field(address - descriptorArea)}`
    }
    return address < this.deviceControl ? 'reset request' : 'reset answer'
  }
}

function field(offset: number): string {
  return ['addr', 'addr high', 'len', 'flags+next'][(offset % DESCRIPTOR_BYTES) >>> 2]!
}

/** Where a small ring and its indirect tables lie when nobody cares: one area behind the other. */
import { EVENT_BYTES, type PackedRing } from './format/packed/packed-ring-format.ts'
import {
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  type SplitRing,
} from './format/split/split-ring-format.ts'
import type { DriverRing, PackedDriverRing } from './queue-targets.ts'

/** `end`: first byte behind the ring and its tables, a table of `size` descriptors for each slot. */
export function layOutRing(
  { size, eventIdx, indirect }: Pick<SplitRing, 'size' | 'eventIdx' | 'indirect'>,
  base = 0x1000,
): { ring: DriverRing; end: number } {
  const driverArea = base + descriptorAreaBytes(size)
  const deviceArea = align(driverArea + driverAreaBytes(size), 4)
  const tableArea = align(deviceArea + deviceAreaBytes(size), 16)
  const areas = { descriptorArea: base, driverArea, deviceArea, tableArea, tableLength: size }
  return { ring: { size, ...areas, eventIdx, indirect }, end: tableArea + size * size * DESCRIPTOR_BYTES }
}

/** The same for a packed ring, with a table for each slot's worth of ids. */
export function layOutPackedRing(
  { size, eventIdx, indirect, inOrder }: Pick<PackedRing, 'size' | 'eventIdx' | 'indirect' | 'inOrder'>,
  base = 0x1000,
): { ring: PackedDriverRing; end: number } {
  const driverArea = base + size * DESCRIPTOR_BYTES
  const deviceArea = driverArea + EVENT_BYTES
  const tableArea = align(deviceArea + EVENT_BYTES, 16)
  const areas = { descriptorArea: base, driverArea, deviceArea, tableArea, tableLength: size }
  return { ring: { size, ...areas, eventIdx, indirect, inOrder }, end: tableArea + size * size * DESCRIPTOR_BYTES }
}

export const align = (value: number, to: number): number => Math.ceil(value / to) * to

/** Where a small ring and its indirect tables lie when nobody cares: one area behind the other. */
import type { DriverRing } from './queue-targets.ts'
import {
  DESCRIPTOR_BYTES,
  descriptorAreaBytes,
  deviceAreaBytes,
  driverAreaBytes,
  type SplitRing,
} from './split-ring-format.ts'

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

export const align = (value: number, to: number): number => Math.ceil(value / to) * to

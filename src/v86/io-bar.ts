/**
 * BAR 0 of a function as ports of v86: a handler for each port and width. An I/O BAR, because v86 splits 16-bit accesses to memory
 * BARs, and cannot move those.
 */
import type { AccessWidth } from '../transport/index.ts'
import type { V86Io, V86PortRead, V86PortWrite } from './emulator.ts'

/** Where a guest's accesses go. Offsets are in the BAR, numbers unsigned. */
export interface BarTarget {
  read(offset: number, width: AccessWidth): number
  write(offset: number, width: AccessWidth, value: number): void
}

/**
 * Puts the handlers at `base` and the ports after it. v86 moves them with the BAR, so they know their offset and not their port. An access
 * that would reach past the BAR stays v86's own.
 */
export function registerIoBar(io: V86Io, base: number, bytes: number, target: BarTarget): void {
  for (let offset = 0; offset < bytes; offset++) {
    const reads = ([1, 2, 4] as const).map((width): V86PortRead | undefined =>
      // v86 wants 32 bits as a signed number, and the smaller widths are the same either way.
      offset + width > bytes ? undefined : () => target.read(offset, width) | 0,
    )
    const writes = ([1, 2, 4] as const).map((width): V86PortWrite | undefined =>
      offset + width > bytes ? undefined : (value) => target.write(offset, width, unsigned(value, width)),
    )
    io.register_read(base + offset, target, ...reads)
    io.register_write(base + offset, target, ...writes)
  }
}

function unsigned(value: number, width: AccessWidth): number {
  return width === 4 ? value >>> 0 : value & (2 ** (8 * width) - 1)
}

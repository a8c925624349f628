/** Memory for the indirect tables of a driver: one for each slot of its ring, so that none is ever looked for. */
import type { GuestMemory } from '../../memory/guest-memory.ts'
import { type ResolvedArea, resolveArea } from '../ring-area.ts'
import { DESCRIPTOR_BYTES } from './descriptor.ts'

/** Bytes that a ring of `size` entries needs for tables of `length` entries each. */
export function indirectTablesBytes(size: number, length: number): number {
  return size * length * DESCRIPTOR_BYTES
}

/** Throws `VirtioError` INVALID_QUEUE when there is no memory in one piece at a multiple of 4. */
export function tablesArea(memory: GuestMemory, address: number, bytes: number): ResolvedArea {
  return resolveArea(memory, 'indirectArea', address, { bytes, alignment: 4 }, 'VQS-DRV-01')
}

/**
 * Where a driver model puts headers and payload. Two kinds of driver:
 *
 *   page-aligned   as Linux' vsock gives whole pages to the ring: headers in slots of their own, payload on pages that hold
 *                  nothing else, a descriptor each. Pages can change owners.
 *   unaligned      as many small stacks do: one buffer, payload right behind its header, at any address. Of what is sent, only
 *                  pages in the middle can change owners; a receive buffer has no whole page to give.
 */
import { PAGE_SIZE } from '../memory/index.ts'
import type { VmSpec } from '../scenario/index.ts'
import { VSOCK_HEADER_BYTES } from '../virtio/index.ts'

export type BufferKind = VmSpec['buffers']

export interface GuestBuffer {
  readonly header: number
  readonly payload: number
}

/** Parts of a guest's RAM; addresses once handed out stay. */
export interface GuestAllocators {
  allocate(lengthBytes: number, align: number): number
  /** From the part that holds nothing but payload buffers. */
  allocatePayload(lengthBytes: number, align: number): number
}

/** Room for a header, and one that no two headers share a line of. */
export const HEADER_SLOT_BYTES = 64

/** A buffer for `payloadBytes`, never freed. */
export function allocateBuffer(kind: BufferKind, payloadBytes: number, memory: GuestAllocators): GuestBuffer {
  if (kind === 'page-aligned') {
    const header = memory.allocate(HEADER_SLOT_BYTES, HEADER_SLOT_BYTES)
    return { header, payload: memory.allocatePayload(bufferBytes(kind, payloadBytes), PAGE_SIZE) }
  }
  const header = memory.allocatePayload(bufferBytes(kind, payloadBytes), 1)
  return { header, payload: header + VSOCK_HEADER_BYTES }
}

/** What it takes of the part for payload. */
export function bufferBytes(kind: BufferKind, payloadBytes: number): number {
  if (kind === 'page-aligned') return Math.ceil(payloadBytes / PAGE_SIZE) * PAGE_SIZE
  // One byte more, so that buffers begin at all kinds of odd addresses.
  return VSOCK_HEADER_BYTES + payloadBytes + 1
}

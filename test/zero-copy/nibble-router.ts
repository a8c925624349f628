import type { Router } from '../../src/broker/index.ts'
import { isControl, MAX_VMS } from './byte-classes.ts'
import { HEADER_BYTES } from './model-guest.ts'

/** Messages name their two VMs, a sequence number and a length, four bits a byte. */
export class NibbleRouter implements Router {
  readonly headerBytes = HEADER_BYTES

  route(vm: number, header: Uint8Array, payloadBytes: number): number {
    if (!header.every(isControl)) return -1
    const [from, to] = [header[0]! & 15, header[1]! & 15]
    let length = 0
    for (let i = 4; i < 9; i++) length = length * 16 + (header[i]! & 15)
    if (from !== vm || to === vm || to >= MAX_VMS || length !== payloadBytes) return -1
    return from * MAX_VMS + to
  }

  writePieceHeader(header: Uint8Array, pieceBytes: number): void {
    for (let i = 8, rest = pieceBytes; i >= 4; i--, rest >>= 4) header[i] = 0xf0 + (rest & 15)
  }
}

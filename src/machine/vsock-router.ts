/**
 * Names the flow of a vsock packet for the broker. A flow has one connection: its number gives both ports, so that a header
 * tells the flow and the direction. What a VM may not say about itself (its CID, the length) is checked here.
 */
import type { Router } from '../broker/index.ts'
import {
  readVsockHeader,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_TYPE_STREAM,
  VSOCK_HEADER_BYTES,
  VsockHeader,
  writeVsockHeader,
} from '../virtio/index.ts'

/** The receiver of flow i listens at the first plus i, the sender calls from the second plus i. */
export const LISTENING_PORT = 1024
export const CALLING_PORT = 49_152

export class VsockRouter implements Router {
  readonly headerBytes = VSOCK_HEADER_BYTES
  readonly #cids: readonly number[]
  /** By scenario flow: the VMs that send and receive, by index, two numbers a flow. */
  readonly #ends: Int32Array
  readonly #header = new VsockHeader()

  constructor(cids: readonly number[], flows: readonly { readonly source: number; readonly destination: number }[]) {
    this.#cids = cids
    this.#ends = Int32Array.from(flows.flatMap(({ source, destination }) => [source, destination]))
  }

  route(vm: number, bytes: Uint8Array, payloadBytes: number): number {
    const header = this.#header
    if (!readVsockHeader(bytes, 0, header)) return -1
    if (header.srcCid !== this.#cids[vm] || header.type !== VIRTIO_VSOCK_TYPE_STREAM) return -1
    if (header.len !== payloadBytes || (payloadBytes > 0 && header.op !== VIRTIO_VSOCK_OP_RW)) return -1
    const forward = header.dstPort - LISTENING_PORT
    if (header.srcPort === CALLING_PORT + forward && this.#joins(forward, vm, header.dstCid)) return 2 * forward
    const backward = header.srcPort - LISTENING_PORT
    if (header.dstPort === CALLING_PORT + backward && this.#answers(backward, vm, header.dstCid))
      return 2 * backward + 1
    return -1
  }

  writePieceHeader(bytes: Uint8Array, pieceBytes: number): void {
    readVsockHeader(bytes, 0, this.#header)
    this.#header.len = pieceBytes
    writeVsockHeader(bytes, 0, this.#header)
  }

  #joins(flow: number, vm: number, destinationCid: number): boolean {
    return this.#ends[2 * flow] === vm && this.#cids[this.#ends[2 * flow + 1]!] === destinationCid
  }

  #answers(flow: number, vm: number, destinationCid: number): boolean {
    return this.#ends[2 * flow + 1] === vm && this.#cids[this.#ends[2 * flow]!] === destinationCid
  }
}

/** An Ethernet frame on its way: the bytes where they are, and what is still to be done for it. Owned by who hands it on, and reused. */
import { NetHeader } from './header.ts'
import { highAt, lowAt } from './mac-address.ts'

/** Destination, source and type of an Ethernet frame. */
export const ETHERNET_HEADER_BYTES = 14
/** What an 802.1Q tag adds. */
export const VLAN_TAG_BYTES = 4
const TYPE_VLAN = 0x8100
/** The largest frame with a segmentation request: 65535 bytes of IP packet, with Ethernet header and tag. */
export const MAX_FRAME_BYTES = 65535 + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES

/**
 * A frame, valid only during the call that hands it over: copy what is to be kept. The frame is `lengthBytes` bytes of `buffer` at
 * `offset`.
 */
export class NetFrame {
  buffer: Uint8Array = new Uint8Array(0)
  offset = 0
  lengthBytes = 0
  /** Requests of the sender: a checksum to be finished, a packet to be cut into segments. */
  readonly header = new NetHeader()

  /** Takes over the place of the bytes; the header stays as it is. */
  at(buffer: Uint8Array, offset: number, lengthBytes: number): this {
    this.buffer = buffer
    this.offset = offset
    this.lengthBytes = lengthBytes
    return this
  }

  /** The bytes as a view; allocates the view. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(this.offset, this.offset + this.lengthBytes)
  }

  /** First bit of the destination: broadcast, or a group. */
  get isMulticast(): boolean {
    return (this.buffer[this.offset]! & 1) !== 0
  }

  get isBroadcast(): boolean {
    return this.high(0) === 0xffff && this.low(0) === 0xffff_ffff
  }

  /** The first two bytes of the address at `at`: 0 for the destination, 6 for the source. */
  high(at: 0 | 6): number {
    return highAt(this.buffer, this.offset + at)
  }

  /** The last four bytes of the address at `at`. */
  low(at: 0 | 6): number {
    return lowAt(this.buffer, this.offset + at)
  }

  /** Its 802.1Q VLAN; -1 without a tag. */
  get vlan(): number {
    if (this.lengthBytes < ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES) return -1
    const place = this.offset + 12
    const { buffer } = this
    if (((buffer[place]! << 8) | buffer[place + 1]!) !== TYPE_VLAN) return -1
    return ((buffer[place + 2]! & 0xf) << 8) | buffer[place + 3]!
  }

  /** Bytes in front of the packet that MTU counts. */
  get linkHeaderBytes(): number {
    return this.vlan < 0 ? ETHERNET_HEADER_BYTES : ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES
  }
}

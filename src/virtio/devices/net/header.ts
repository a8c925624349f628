/**
 * The 12 bytes in front of every frame (virtio 1.4 §5.1.9): what the other side has to do for it. With VERSION_1 `num_buffers` is
 * always there; headers of hashes and tunnels are not.
 */

/** Bytes of the header. */
export const NET_HEADER_BYTES = 12

/** The checksum at `csumStart + csumOffset` has to be finished. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1
/** The checksum was validated; for receivers only. */
export const VIRTIO_NET_HDR_F_DATA_VALID = 2

/** A frame that is sent as it is. */
export const VIRTIO_NET_HDR_GSO_NONE = 0
/** TCP over IPv4 in segments. */
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1
/** UDP in IP fragments. */
export const VIRTIO_NET_HDR_GSO_UDP = 3
/** TCP over IPv6 in segments. */
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4
/** UDP in datagrams of its own. */
export const VIRTIO_NET_HDR_GSO_UDP_L4 = 5
/** Added to a TCP type: the first segment has CWR set. */
export const VIRTIO_NET_HDR_GSO_ECN = 0x80

/** A header by fields; written and read by `writeNetHeader` and `readNetHeader`. */
export class NetHeader {
  flags = 0
  gsoType = VIRTIO_NET_HDR_GSO_NONE
  /** Bytes of Ethernet, IP and transport header: a hint. */
  hdrLen = 0
  /** Payload bytes of each segment. */
  gsoSize = 0
  csumStart = 0
  csumOffset = 0
  /** Receive buffers that the frame takes; 0 for transmitted frames. */
  numBuffers = 0

  /** A frame that wants nothing. */
  clear(): this {
    this.flags = 0
    this.gsoType = VIRTIO_NET_HDR_GSO_NONE
    this.hdrLen = 0
    this.gsoSize = 0
    this.csumStart = 0
    this.csumOffset = 0
    this.numBuffers = 0
    return this
  }
}

/** Reads 12 bytes at `offset`, which are there. */
export function readNetHeader(bytes: Uint8Array, offset: number, header: NetHeader): void {
  header.flags = bytes[offset]!
  header.gsoType = bytes[offset + 1]!
  header.hdrLen = le16(bytes, offset + 2)
  header.gsoSize = le16(bytes, offset + 4)
  header.csumStart = le16(bytes, offset + 6)
  header.csumOffset = le16(bytes, offset + 8)
  header.numBuffers = le16(bytes, offset + 10)
}

/** Writes 12 bytes at `offset`, where there is room. */
export function writeNetHeader(bytes: Uint8Array, offset: number, header: NetHeader): void {
  bytes[offset] = header.flags
  bytes[offset + 1] = header.gsoType
  putLe16(bytes, offset + 2, header.hdrLen)
  putLe16(bytes, offset + 4, header.gsoSize)
  putLe16(bytes, offset + 6, header.csumStart)
  putLe16(bytes, offset + 8, header.csumOffset)
  putLe16(bytes, offset + 10, header.numBuffers)
}

function le16(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8)
}

function putLe16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value
  bytes[offset + 1] = value >>> 8
}

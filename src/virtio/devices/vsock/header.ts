/**
 * The header of every vsock packet (virtio 1.4 §5.10.6): constants, the declared layout, and a codec for hot use that allocates
 * nothing. CIDs are le64 whose upper halves are zero (IMP-VSK-02); here they are Numbers, 2^53 and above are refused.
 */
import { checkBytes, checkInteger, refuseOption } from '../../../internal/check-option.ts'
import { LE64_HIGH_LIMIT, le64ToNumber } from '../../../internal/little-endian.ts'
import { ConfigLayout, u16, u32, u64 } from '../../config-layout.ts'

/** Operations of a packet (§5.10.6), `op` in its header. */
export const VIRTIO_VSOCK_OP_INVALID = 0
/** Operation of a packet: asks for a connection. */
export const VIRTIO_VSOCK_OP_REQUEST = 1
/** Operation of a packet: accepts a connection. */
export const VIRTIO_VSOCK_OP_RESPONSE = 2
/** Operation of a packet: refuses or ends a connection at once. */
export const VIRTIO_VSOCK_OP_RST = 3
/** Operation of a packet: says what its sender will no longer do. */
export const VIRTIO_VSOCK_OP_SHUTDOWN = 4
/** Operation of a packet: carries data. */
export const VIRTIO_VSOCK_OP_RW = 5
/** Operation of a packet: tells the room of the receive buffer. */
export const VIRTIO_VSOCK_OP_CREDIT_UPDATE = 6
/** Operation of a packet: asks for a CREDIT_UPDATE. */
export const VIRTIO_VSOCK_OP_CREDIT_REQUEST = 7

/** Types of sockets, `type` in the header. */
export const VIRTIO_VSOCK_TYPE_STREAM = 1
/** Type of a socket: messages, in order. */
export const VIRTIO_VSOCK_TYPE_SEQPACKET = 2

/** Masks in `flags` of an RW of a seqpacket socket (§5.10.6.6): its last byte ends a message, and a record of messages. */
export const VIRTIO_VSOCK_SEQ_EOM = 1
/** Mask in `flags` of an RW of a seqpacket socket: its last byte ends a record of messages. */
export const VIRTIO_VSOCK_SEQ_EOR = 2

/** Bit numbers in `flags` of a SHUTDOWN. */
export const VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE = 0
/** Bit number in `flags` of a SHUTDOWN: its sender will send no more. */
export const VIRTIO_VSOCK_SHUTDOWN_F_SEND = 1

/** `id` of the event that ends all connections (§5.10.6.7). */
export const VIRTIO_VSOCK_EVENT_TRANSPORT_RESET = 0

/** The host's well-known CID (§5.10.4). */
export const VSOCK_HOST_CID = 2

/** CIDs are le64 whose upper half is reserved and zero (§5.10.4): a larger one is nobody's (IMP-VSK-02). */
export const MAX_CID = 0xffff_ffff

/** Bytes of a header, in front of every payload. */
export const VSOCK_HEADER_BYTES = 44

/** The header as a declaration, for tools. */
export const vsockHeaderLayout = new ConfigLayout({
  srcCid: u64('src_cid'),
  dstCid: u64('dst_cid'),
  srcPort: u32('src_port'),
  dstPort: u32('dst_port'),
  len: u32('len'),
  type: u16('type'),
  op: u16('op'),
  flags: u32('flags'),
  bufAlloc: u32('buf_alloc'),
  fwdCnt: u32('fwd_cnt'),
})

/** One header; caller-owned and reused. */
export class VsockHeader {
  srcCid = 0
  dstCid = 0
  srcPort = 0
  dstPort = 0
  /** Payload bytes after the header. */
  len = 0
  type = VIRTIO_VSOCK_TYPE_STREAM
  op = VIRTIO_VSOCK_OP_INVALID
  flags = 0
  bufAlloc = 0
  fwdCnt = 0
}

/**
 * Fills `out` from the 44 bytes at `offset`. False, with `out` half filled, when a CID is 2^53 or more. Throws `VirtioError`
 * INVALID_OPTION when `bytes` do not have them.
 */
export function readVsockHeader(bytes: Uint8Array, offset: number, out: VsockHeader): boolean {
  checkPlace(bytes, offset)
  const srcHigh = readU32(bytes, offset + 4)
  const dstHigh = readU32(bytes, offset + 12)
  if (srcHigh >= LE64_HIGH_LIMIT || dstHigh >= LE64_HIGH_LIMIT) return false
  out.srcCid = le64ToNumber(readU32(bytes, offset), srcHigh)
  out.dstCid = le64ToNumber(readU32(bytes, offset + 8), dstHigh)
  out.srcPort = readU32(bytes, offset + 16)
  out.dstPort = readU32(bytes, offset + 20)
  out.len = readU32(bytes, offset + 24)
  out.type = bytes[offset + 28]! | (bytes[offset + 29]! << 8)
  out.op = bytes[offset + 30]! | (bytes[offset + 31]! << 8)
  out.flags = readU32(bytes, offset + 32)
  out.bufAlloc = readU32(bytes, offset + 36)
  out.fwdCnt = readU32(bytes, offset + 40)
  return true
}

/** Writes 44 bytes at `offset`. CIDs are below 2^53. Throws `VirtioError` INVALID_OPTION when there is no room for them. */
export function writeVsockHeader(bytes: Uint8Array, offset: number, header: VsockHeader): void {
  checkPlace(bytes, offset)
  writeU32(bytes, offset, header.srcCid)
  writeU32(bytes, offset + 4, header.srcCid / 2 ** 32)
  writeU32(bytes, offset + 8, header.dstCid)
  writeU32(bytes, offset + 12, header.dstCid / 2 ** 32)
  writeU32(bytes, offset + 16, header.srcPort)
  writeU32(bytes, offset + 20, header.dstPort)
  writeU32(bytes, offset + 24, header.len)
  bytes[offset + 28] = header.type
  bytes[offset + 29] = header.type >>> 8
  bytes[offset + 30] = header.op
  bytes[offset + 31] = header.op >>> 8
  writeU32(bytes, offset + 32, header.flags)
  writeU32(bytes, offset + 36, header.bufAlloc)
  writeU32(bytes, offset + 40, header.fwdCnt)
}

function checkPlace(bytes: Uint8Array, offset: number): void {
  checkBytes('bytes', bytes)
  if (bytes.length < VSOCK_HEADER_BYTES) refuseOption('bytes', bytes, `at least ${VSOCK_HEADER_BYTES} bytes`)
  checkInteger('offset', offset, 0, bytes.length - VSOCK_HEADER_BYTES, 'bytes')
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** `value` modulo 2^32; `>>>` takes the low word of any Number. */
function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/**
 * Automatic receive steering (virtio 1.4 §5.1.9.5.5): the frames of a flow come on the receive queue of the pair on which the guest sends
 * that flow (NET-MQ-DEV-04). Flows are told apart by a hash that is the same for both directions; two of one hash share a queue.
 */
import type { NetFrame } from './frame.ts'

const FLOWS = 256
const [IPV4, IPV6] = [0x0800, 0x86dd]
const [TCP, UDP] = [6, 17]

export class Steering {
  readonly #pairs = new Uint16Array(FLOWS)

  /** Every flow on the first pair again (NET-MQ-DEV-06). */
  reset(): void {
    this.#pairs.fill(0)
  }

  /** The guest sent this frame on `pair`. */
  learn(frame: NetFrame, pair: number): void {
    this.#pairs[flowHash(frame)] = pair
  }

  /** The pair of a frame for the guest, among the first `pairs`. */
  pairFor(frame: NetFrame, pairs: number): number {
    const pair = this.#pairs[flowHash(frame)]!
    return pair < pairs ? pair : 0
  }
}

/** 0 to 255, the same for source and destination exchanged: IP addresses, and ports of TCP and UDP; else the Ethernet addresses. */
export function flowHash(frame: NetFrame): number {
  const { buffer: b, offset, lengthBytes } = frame
  const end = offset + lengthBytes
  const at = offset + frame.linkHeaderBytes
  const type = at >= offset + 14 && at <= end ? (b[at - 2]! << 8) | b[at - 1]! : 0
  let hash = 0
  let ports = end
  if (type === IPV4 && at + 20 <= end) {
    hash = xor(b, at + 12, 8)
    const isFragment = ((b[at + 6]! & 0x3f) | b[at + 7]!) !== 0
    if (!isFragment && (b[at + 9] === TCP || b[at + 9] === UDP)) ports = at + 4 * (b[at]! & 0xf)
  } else if (type === IPV6 && at + 40 <= end) {
    hash = xor(b, at + 8, 32)
    if (b[at + 6] === TCP || b[at + 6] === UDP) ports = at + 40
  } else hash = xor(b, offset, 12)
  if (ports + 4 <= end) hash ^= b[ports]! ^ b[ports + 2]! ^ rotated(b[ports + 1]! ^ b[ports + 3]!)
  return hash & (FLOWS - 1)
}

/** The two halves of a range against each other, so that their order does not count; and the bytes of that, each turned by its place. */
function xor(bytes: Uint8Array, at: number, length: number): number {
  const half = length / 2
  let hash = 0
  for (let i = 0; i < half; i++) hash = rotated(hash) ^ bytes[at + i]! ^ bytes[at + half + i]!
  return hash
}

function rotated(byte: number): number {
  return ((byte << 3) | (byte >>> 5)) & 0xff
}

/**
 * Checksum and segmentation requests (virtio 1.4 §5.1.9.2, §5.1.9.4): which ones a side may make, whether they make sense, and what is
 * done where the receiver does not take them. A request that the sender may make and the receiver takes is passed through as it is.
 * Segmentation is not done here: a frame for a receiver that does not take it is dropped.
 */
import type { NetFlags } from './contract.ts'
import type { NetFrame } from './frame.ts'
import {
  type NetHeader,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_GSO_UDP_L4,
} from './header.ts'

/** What a side may ask of the other, after negotiation. */
export interface Offloads {
  readonly csum: boolean
  readonly tso4: boolean
  readonly tso6: boolean
  readonly ecn: boolean
  readonly ufo: boolean
  readonly uso: boolean
}

/** What drivers may ask of devices. */
export function hostOffloads(features: NetFlags): Offloads {
  const { csum, hostTso4, hostTso6, hostEcn, hostUfo, hostUso } = features
  return { csum, tso4: hostTso4, tso6: hostTso6, ecn: hostEcn, ufo: hostUfo, uso: hostUso }
}

/** What devices may ask of drivers. */
export function guestOffloads(features: NetFlags): Offloads {
  const { guestCsum, guestTso4, guestTso6, guestEcn, guestUfo, guestUso4, guestUso6 } = features
  return {
    csum: guestCsum,
    tso4: guestTso4,
    tso6: guestTso6,
    ecn: guestEcn,
    ufo: guestUfo,
    uso: guestUso4 || guestUso6,
  }
}

/** Whether segmentation of this type may be asked for; unknown types, tunnels among them, never. */
export function allowsGso(offloads: Offloads, gsoType: number): boolean {
  if (gsoType === VIRTIO_NET_HDR_GSO_NONE) return true
  if (!offloads.csum) return false
  const type = gsoType & ~VIRTIO_NET_HDR_GSO_ECN
  const isEcn = type !== gsoType
  if (type === VIRTIO_NET_HDR_GSO_TCPV4) return offloads.tso4 && (!isEcn || offloads.ecn)
  if (type === VIRTIO_NET_HDR_GSO_TCPV6) return offloads.tso6 && (!isEcn || offloads.ecn)
  if (isEcn) return false
  if (type === VIRTIO_NET_HDR_GSO_UDP) return offloads.ufo
  return type === VIRTIO_NET_HDR_GSO_UDP_L4 && offloads.uso
}

/**
 * What is wrong with the requests of a frame, under what its sender may ask; null when nothing is. Bits of `flags` that nobody knows
 * mean nothing (NET-TX-DEV-01, NET-RX-DRV-01), and csum_start and csum_offset nothing without NEEDS_CSUM (NET-TX-DEV-02,
 * NET-RX-DRV-04).
 */
export function offloadFault(header: NetHeader, lengthBytes: number, offloads: Offloads): string | null {
  const { flags, gsoType, gsoSize, csumStart, csumOffset } = header
  const needsCsum = (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0
  if (needsCsum && !offloads.csum) return 'NEEDS_CSUM was not negotiated'
  if (needsCsum && csumStart + csumOffset + 2 > lengthBytes) {
    return `the checksum at ${csumStart} + ${csumOffset} lies past the end of ${lengthBytes} bytes`
  }
  if (gsoType === VIRTIO_NET_HDR_GSO_NONE) return null
  if (!allowsGso(offloads, gsoType)) return `gso_type ${gsoType} was not negotiated`
  if (!needsCsum) return 'a frame to be cut into segments comes without NEEDS_CSUM'
  return gsoSize === 0 ? 'segments of gso_size 0 never end' : null
}

/** Only the requests that the next side may hear: known flags, and fields that one of them gives a meaning. */
export function keepKnown(header: NetHeader, knownFlags: number): void {
  header.flags &= knownFlags
  if ((header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0) {
    header.csumStart = 0
    header.csumOffset = 0
  }
  if (header.gsoType !== VIRTIO_NET_HDR_GSO_NONE) return
  header.hdrLen = 0
  header.gsoSize = 0
}

/** Bits of `flags` that a driver may set on what it sends, and a device on what a driver receives. */
export const TRANSMIT_FLAGS = VIRTIO_NET_HDR_F_NEEDS_CSUM
export const RECEIVE_FLAGS = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID

/**
 * For a receiver without `csum`: does what NEEDS_CSUM asks for, in the frame itself (§5.1.9.2: the ones' complement sum from csum_start
 * to the end). The request was found to be sound, and is for no segmentation.
 */
export function finishChecksum(frame: NetFrame): void {
  const { buffer, offset, lengthBytes, header } = frame
  if ((header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    const end = offset + lengthBytes
    let sum = 0
    for (let at = offset + header.csumStart; at < end; at += 2) {
      sum += (buffer[at]! << 8) | (at + 1 < end ? buffer[at + 1]! : 0)
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
    // Of UDP 0 means that there is none; for the ones' complement 0xffff is the same number.
    const folded = ~sum & 0xffff || 0xffff
    const place = offset + header.csumStart + header.csumOffset
    buffer[place] = folded >>> 8
    buffer[place + 1] = folded
  }
  keepKnown(header, 0)
}

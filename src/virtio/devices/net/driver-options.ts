/** What net drivers are made of. */
import { checkArray, checkFunction, checkInteger, checkWord } from '../../../internal/check-option.ts'
import type { FeatureSet } from '../../features.ts'
import { NET_FEATURES, type NetFeature, type NetFlags } from './contract.ts'
import { ETHERNET_HEADER_BYTES, MAX_FRAME_BYTES, type NetFrame, VLAN_TAG_BYTES } from './frame.ts'
import { NET_HEADER_BYTES } from './header.ts'
import { parseStation } from './mac-address.ts'

/** Ethernet's own: what may be sent and received where no MTU was negotiated. */
const USUAL_MTU = 1500
/** NET-RXB-DRV-01: room for a whole segmentation request, where buffers are not merged. */
const BIG_BUFFER_BYTES = 65601
/** Transmit buffers are as many as fit in here, one at least and as many as the queue has entries at most. */
export const TRANSMIT_BYTES = 1 << 20
/** NET-RXB-DRV-02 */
const LEAST_BUFFER_BYTES = 1526

/**
 * What a driver uses when it is offered and nobody says otherwise: everything but segmentation, whose frames are for a network stack, and
 * CTRL_VLAN, under which no tagged frame comes before its VLAN was added.
 */
export const NET_DRIVER_FEATURES: readonly NetFeature[] = [
  ...(['csum', 'guestCsum', 'mtu', 'mac', 'mrgRxbuf', 'status', 'ctrlVq', 'ctrlRx'] as const),
  ...(['ctrlRxExtra', 'guestAnnounce', 'mq', 'ctrlMacAddr', 'ctrlGuestOffloads'] as const),
]

/** What a `NetDriver` is made of. */
export interface NetDriverOptions {
  /** Called with every frame that comes; it may send. The frame is valid during the call only. What it throws is a `fault` of the driver. */
  readonly onFrame?: (frame: NetFrame) => void
  /** Features to use when they are offered. Default: `NET_DRIVER_FEATURES`. */
  readonly want?: readonly NetFeature[]
  /** The address of this station, where the device gives none, or takes another (CTRL_MAC_ADDR). Default: what the device gives. */
  readonly mac?: string
  /** Entries of each receive and transmit queue, 1 to 32768: at most what the device has. Default 64. */
  readonly queueSize?: number
  /**
   * Bytes of each receive buffer, the header of 12 bytes included. Default, and least without MRG_RXBUF: what one frame takes. With it
   * 1526 by default and 12 at least, and all buffers of a queue together hold one frame.
   */
  readonly rxBufferBytes?: number
  /** Longest frame to send, 14 to 65553 bytes. Default: what MTU allows; 65553 where segmentation was negotiated. */
  readonly maxFrameBytes?: number
  /** Common features to use when offered; default: as `startDriver`. */
  readonly commonFeatures?: FeatureSet
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkDriverOptions(options: NetDriverOptions): void {
  const { onFrame, want = [], mac, queueSize, rxBufferBytes, maxFrameBytes } = options
  if (onFrame !== undefined) checkFunction('onFrame', onFrame)
  checkArray('want', want, 'an array of feature names')
  for (const name of want) checkWord('want', name, Object.keys(NET_FEATURES))
  if (mac !== undefined) parseStation('mac', mac)
  if (queueSize !== undefined) checkInteger('queueSize', queueSize, 1, 32768, 'entries')
  if (rxBufferBytes !== undefined) {
    checkInteger('rxBufferBytes', rxBufferBytes, NET_HEADER_BYTES, NET_HEADER_BYTES + MAX_FRAME_BYTES, 'bytes')
  }
  if (maxFrameBytes !== undefined) {
    checkInteger('maxFrameBytes', maxFrameBytes, ETHERNET_HEADER_BYTES, MAX_FRAME_BYTES, 'bytes')
  }
}

/** Bytes of one receive buffer, and what those of a queue have to hold together, for what was negotiated. */
export function receiveRoom(features: NetFlags, mtu: number): { readonly buffer: number; readonly total: number } {
  const { guestTso4, guestTso6, guestUfo, guestUso4, guestUso6 } = features
  const mayBeBig = guestTso4 || guestTso6 || guestUfo || guestUso4 || guestUso6
  // NET-CFG-DRV-08
  const frame = NET_HEADER_BYTES + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES + (features.mtu ? mtu : USUAL_MTU)
  const total = mayBeBig ? BIG_BUFFER_BYTES : Math.max(frame, LEAST_BUFFER_BYTES)
  return { buffer: features.mrgRxbuf ? LEAST_BUFFER_BYTES : total, total }
}

/** The longest frame that a driver has to send. */
export function longestFrame(features: NetFlags, mtu: number): number {
  const { hostTso4, hostTso6, hostUfo, hostUso } = features
  if (hostTso4 || hostTso6 || hostUfo || hostUso) return MAX_FRAME_BYTES
  return ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES + (features.mtu ? mtu : USUAL_MTU)
}

/** The net device (virtio 1.4 §5.1), its driver, and what connects them. */
export {
  NET_FEATURES,
  type NetContract,
  type NetFeature,
  type NetFlags,
  type NetQueue,
  type NetQueueName,
  netContract,
  VIRTIO_NET_S_ANNOUNCE,
  VIRTIO_NET_S_LINK_UP,
} from './contract.ts'
export type { SwitchedOffload } from './control.ts'
export { NetDevice } from './device.ts'
export { NetCounters, type NetDeviceOptions } from './device-options.ts'
export { NetDriver, type NetDriverEvents } from './driver.ts'
export { type NetCommandOptions, NetControl } from './driver-control.ts'
export { NET_DRIVER_FEATURES, type NetDriverOptions } from './driver-options.ts'
export type { NetDriverState, NetPairState } from './driver-start.ts'
export { NetFrame } from './frame.ts'
export {
  NET_HEADER_BYTES,
  NetHeader,
  readNetHeader,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_GSO_UDP_L4,
  writeNetHeader,
} from './header.ts'
export { type NetEnd, NetPort, type NetRequest } from './port.ts'
export type { ReceiveMode } from './receive-filter.ts'
export { NetSwitch } from './switch.ts'

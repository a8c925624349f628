/**
 * What net devices and drivers agree on (virtio 1.4 §5.1.2-4): queues in pairs, a control queue behind them, features and the
 * configuration. Not here: RSS, hash reports, coalescing, statistics, flow filters, tunnels and IPsec.
 */
import { mac, u16 } from '../../config-layout.ts'
import type { QueueSpec } from '../../device-contract.ts'
import { DEVICE_FEATURES } from '../../device-features.ts'
import { VIRTIO_ID_NET } from '../../device-ids.ts'
import type { FeatureDependency } from '../../features.ts'

const NET = DEVICE_FEATURES[VIRTIO_ID_NET]

/** The features of net devices and drivers here, by name; bit numbers. */
export const NET_FEATURES = {
  csum: NET.VIRTIO_NET_F_CSUM,
  guestCsum: NET.VIRTIO_NET_F_GUEST_CSUM,
  ctrlGuestOffloads: NET.VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
  mtu: NET.VIRTIO_NET_F_MTU,
  mac: NET.VIRTIO_NET_F_MAC,
  guestTso4: NET.VIRTIO_NET_F_GUEST_TSO4,
  guestTso6: NET.VIRTIO_NET_F_GUEST_TSO6,
  guestEcn: NET.VIRTIO_NET_F_GUEST_ECN,
  guestUfo: NET.VIRTIO_NET_F_GUEST_UFO,
  hostTso4: NET.VIRTIO_NET_F_HOST_TSO4,
  hostTso6: NET.VIRTIO_NET_F_HOST_TSO6,
  hostEcn: NET.VIRTIO_NET_F_HOST_ECN,
  hostUfo: NET.VIRTIO_NET_F_HOST_UFO,
  mrgRxbuf: NET.VIRTIO_NET_F_MRG_RXBUF,
  status: NET.VIRTIO_NET_F_STATUS,
  ctrlVq: NET.VIRTIO_NET_F_CTRL_VQ,
  ctrlRx: NET.VIRTIO_NET_F_CTRL_RX,
  ctrlVlan: NET.VIRTIO_NET_F_CTRL_VLAN,
  ctrlRxExtra: NET.VIRTIO_NET_F_CTRL_RX_EXTRA,
  guestAnnounce: NET.VIRTIO_NET_F_GUEST_ANNOUNCE,
  mq: NET.VIRTIO_NET_F_MQ,
  ctrlMacAddr: NET.VIRTIO_NET_F_CTRL_MAC_ADDR,
  guestUso4: NET.VIRTIO_NET_F_GUEST_USO4,
  guestUso6: NET.VIRTIO_NET_F_GUEST_USO6,
  hostUso: NET.VIRTIO_NET_F_HOST_USO,
} as const

/** A feature of `NET_FEATURES`. */
export type NetFeature = keyof typeof NET_FEATURES
/** Which of them were negotiated. */
export type NetFlags = { readonly [K in NetFeature]: boolean }

/** Queues of a net device: receiveq1, transmitq1, receiveq2, ..., and controlq. */
export type NetQueueName = `receiveq${number}` | `transmitq${number}` | 'controlq'

/** One queue of a net device. */
export interface NetQueue extends QueueSpec {
  readonly name: NetQueueName
}

/** The contract of every net device and driver. */
export type NetContract = ReturnType<typeof netContract>

/** VIRTIO_NET_S_LINK_UP of `status`. */
export const VIRTIO_NET_S_LINK_UP = 1
/** VIRTIO_NET_S_ANNOUNCE of `status`. */
export const VIRTIO_NET_S_ANNOUNCE = 2

/**
 * Commands without a queue for them: §5.1.3.1 does not say so, and a device does not refuse a driver for it; NET-CFG-DEV-14 and
 * NET-CFG-DRV-14 ask for it.
 */
export const CONTROL_DEPENDENCIES: readonly FeatureDependency[] = [
  { feature: NET.VIRTIO_NET_F_CTRL_RX_EXTRA, anyOf: [NET.VIRTIO_NET_F_CTRL_VQ] },
  { feature: NET.VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, anyOf: [NET.VIRTIO_NET_F_CTRL_VQ] },
]

const CONTROL_QUEUE_SIZE = 64

/** VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX: pairs of queues that a device may have. */
export const MAX_PAIRS = 0x8000
/** Entries of a queue when nobody says otherwise. */
export const NET_QUEUE_SIZE = 256

/** `pairs` of queues, 1 to 0x8000, each of `queueSize` entries. */
export function netContract(pairs = 1, queueSize = NET_QUEUE_SIZE) {
  return {
    id: VIRTIO_ID_NET as number,
    queues: netQueues(pairs, queueSize, true),
    features: NET_FEATURES,
    config: {
      mac: mac('mac', { feature: 'mac' }),
      status: u16('status', { feature: 'status' }),
      maxVirtqueuePairs: u16('max_virtqueue_pairs', { feature: 'mq' }),
      mtu: u16('mtu', { feature: 'mtu' }),
    },
    dependencies: [] as readonly FeatureDependency[],
  } as const
}

/** Receive and transmit queues in turn, and the control queue behind them (IMP-NET-01). */
export function netQueues(pairs: number, queueSize: number, hasControl: boolean): readonly NetQueue[] {
  const queues: NetQueue[] = []
  for (let pair = 1; pair <= pairs; pair++) {
    queues.push({ name: `receiveq${pair}`, size: queueSize }, { name: `transmitq${pair}`, size: queueSize })
  }
  if (hasControl) queues.push({ name: 'controlq', size: CONTROL_QUEUE_SIZE })
  return queues
}

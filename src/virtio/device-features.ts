/**
 * Feature bits by name (virtio 1.4 §5.*.3, §6) and the dependencies between them (§5.1.3.1), as data: names for messages and
 * the rules that negotiation enforces. A bit outside 24..43 means nothing without the device type.
 */
import * as common from './constants.ts'
import * as ids from './device-ids.ts'
import { checkFeatureSet, type FeatureDependency, type FeatureSet } from './features.ts'

type FeatureNames = Readonly<Record<string, number>>

/** Bits 24..43, the same for every device type. */
export const COMMON_FEATURES = {
  VIRTIO_F_INDIRECT_DESC: common.VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_EVENT_IDX: common.VIRTIO_F_EVENT_IDX,
  VIRTIO_F_VERSION_1: common.VIRTIO_F_VERSION_1,
  VIRTIO_F_ACCESS_PLATFORM: common.VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_RING_PACKED: common.VIRTIO_F_RING_PACKED,
  VIRTIO_F_IN_ORDER: common.VIRTIO_F_IN_ORDER,
  VIRTIO_F_ORDER_PLATFORM: common.VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_SR_IOV: common.VIRTIO_F_SR_IOV,
  VIRTIO_F_NOTIFICATION_DATA: common.VIRTIO_F_NOTIFICATION_DATA,
  VIRTIO_F_NOTIF_CONFIG_DATA: common.VIRTIO_F_NOTIF_CONFIG_DATA,
  VIRTIO_F_RING_RESET: common.VIRTIO_F_RING_RESET,
  VIRTIO_F_ADMIN_VQ: common.VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_SUSPEND: common.VIRTIO_F_SUSPEND,
} as const

/** Bits of one device type, keyed by device id. Legacy bits are absent: nobody may offer or accept them (FEAT-DRV-05). */
export const DEVICE_FEATURES = {
  [ids.VIRTIO_ID_NET]: {
    VIRTIO_NET_F_CSUM: 0,
    VIRTIO_NET_F_GUEST_CSUM: 1,
    VIRTIO_NET_F_CTRL_GUEST_OFFLOADS: 2,
    VIRTIO_NET_F_MTU: 3,
    VIRTIO_NET_F_MAC: 5,
    VIRTIO_NET_F_GUEST_TSO4: 7,
    VIRTIO_NET_F_GUEST_TSO6: 8,
    VIRTIO_NET_F_GUEST_ECN: 9,
    VIRTIO_NET_F_GUEST_UFO: 10,
    VIRTIO_NET_F_HOST_TSO4: 11,
    VIRTIO_NET_F_HOST_TSO6: 12,
    VIRTIO_NET_F_HOST_ECN: 13,
    VIRTIO_NET_F_HOST_UFO: 14,
    VIRTIO_NET_F_MRG_RXBUF: 15,
    VIRTIO_NET_F_STATUS: 16,
    VIRTIO_NET_F_CTRL_VQ: 17,
    VIRTIO_NET_F_CTRL_RX: 18,
    VIRTIO_NET_F_CTRL_VLAN: 19,
    VIRTIO_NET_F_CTRL_RX_EXTRA: 20,
    VIRTIO_NET_F_GUEST_ANNOUNCE: 21,
    VIRTIO_NET_F_MQ: 22,
    VIRTIO_NET_F_CTRL_MAC_ADDR: 23,
    VIRTIO_NET_F_DEVICE_STATS: 50,
    VIRTIO_NET_F_HASH_TUNNEL: 51,
    VIRTIO_NET_F_VQ_NOTF_COAL: 52,
    VIRTIO_NET_F_NOTF_COAL: 53,
    VIRTIO_NET_F_GUEST_USO4: 54,
    VIRTIO_NET_F_GUEST_USO6: 55,
    VIRTIO_NET_F_HOST_USO: 56,
    VIRTIO_NET_F_HASH_REPORT: 57,
    VIRTIO_NET_F_GUEST_HDRLEN: 59,
    VIRTIO_NET_F_RSS: 60,
    VIRTIO_NET_F_RSC_EXT: 61,
    VIRTIO_NET_F_STANDBY: 62,
    VIRTIO_NET_F_SPEED_DUPLEX: 63,
    VIRTIO_NET_F_RSS_CONTEXT: 64,
    VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO: 65,
    VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM: 66,
    VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO: 67,
    VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM: 68,
    VIRTIO_NET_F_OUT_NET_HEADER: 69,
    VIRTIO_NET_F_IPSEC: 70,
  },
  [ids.VIRTIO_ID_BLOCK]: {
    VIRTIO_BLK_F_SIZE_MAX: 1,
    VIRTIO_BLK_F_SEG_MAX: 2,
    VIRTIO_BLK_F_GEOMETRY: 4,
    VIRTIO_BLK_F_RO: 5,
    VIRTIO_BLK_F_BLK_SIZE: 6,
    VIRTIO_BLK_F_FLUSH: 9,
    VIRTIO_BLK_F_TOPOLOGY: 10,
    VIRTIO_BLK_F_CONFIG_WCE: 11,
    VIRTIO_BLK_F_MQ: 12,
    VIRTIO_BLK_F_DISCARD: 13,
    VIRTIO_BLK_F_WRITE_ZEROES: 14,
    VIRTIO_BLK_F_LIFETIME: 15,
    VIRTIO_BLK_F_SECURE_ERASE: 16,
    VIRTIO_BLK_F_ZONED: 17,
  },
  [ids.VIRTIO_ID_CONSOLE]: {
    VIRTIO_CONSOLE_F_SIZE: 0,
    VIRTIO_CONSOLE_F_MULTIPORT: 1,
    VIRTIO_CONSOLE_F_EMERG_WRITE: 2,
  },
  [ids.VIRTIO_ID_VSOCK]: {
    VIRTIO_VSOCK_F_STREAM: 0,
    VIRTIO_VSOCK_F_SEQPACKET: 1,
    VIRTIO_VSOCK_F_NO_IMPLIED_STREAM: 2,
  },
  [ids.VIRTIO_ID_FS]: {
    VIRTIO_FS_F_NOTIFICATION: 0,
  },
  [ids.VIRTIO_ID_BALLOON]: {
    VIRTIO_BALLOON_F_MUST_TELL_HOST: 0,
    VIRTIO_BALLOON_F_STATS_VQ: 1,
    VIRTIO_BALLOON_F_DEFLATE_ON_OOM: 2,
    VIRTIO_BALLOON_F_FREE_PAGE_HINT: 3,
    VIRTIO_BALLOON_F_PAGE_POISON: 4,
    VIRTIO_BALLOON_F_PAGE_REPORTING: 5,
  },
  [ids.VIRTIO_ID_GPIO]: {
    VIRTIO_GPIO_F_IRQ: 0,
  },
  [ids.VIRTIO_ID_I2C_ADAPTER]: {
    VIRTIO_I2C_F_ZERO_LENGTH_REQUEST: 0,
  },
  [ids.VIRTIO_ID_MEM]: {
    VIRTIO_MEM_F_ACPI_PXM: 0,
    VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE: 1,
    VIRTIO_MEM_F_PERSISTENT_SUSPEND: 2,
  },
  [ids.VIRTIO_ID_PMEM]: {
    VIRTIO_PMEM_F_SHMEM_REGION: 0,
  },
} as const

const NET = DEVICE_FEATURES[ids.VIRTIO_ID_NET]

function requires(feature: number, ...prerequisites: readonly (number | readonly number[])[]): FeatureDependency[] {
  return prerequisites.map((anyOf) => ({ feature, anyOf: typeof anyOf === 'number' ? [anyOf] : anyOf }))
}

const NET_DEPENDENCIES: readonly FeatureDependency[] = [
  ...requires(NET.VIRTIO_NET_F_GUEST_TSO4, NET.VIRTIO_NET_F_GUEST_CSUM),
  ...requires(NET.VIRTIO_NET_F_GUEST_TSO6, NET.VIRTIO_NET_F_GUEST_CSUM),
  ...requires(NET.VIRTIO_NET_F_GUEST_ECN, [NET.VIRTIO_NET_F_GUEST_TSO4, NET.VIRTIO_NET_F_GUEST_TSO6]),
  ...requires(NET.VIRTIO_NET_F_GUEST_UFO, NET.VIRTIO_NET_F_GUEST_CSUM),
  ...requires(NET.VIRTIO_NET_F_GUEST_USO4, NET.VIRTIO_NET_F_GUEST_CSUM),
  ...requires(NET.VIRTIO_NET_F_GUEST_USO6, NET.VIRTIO_NET_F_GUEST_CSUM),
  ...requires(
    NET.VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO,
    NET.VIRTIO_NET_F_GUEST_TSO4,
    NET.VIRTIO_NET_F_GUEST_TSO6,
    NET.VIRTIO_NET_F_GUEST_USO4,
    NET.VIRTIO_NET_F_GUEST_USO6,
  ),
  ...requires(NET.VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM, NET.VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO),
  ...requires(NET.VIRTIO_NET_F_HOST_TSO4, NET.VIRTIO_NET_F_CSUM),
  ...requires(NET.VIRTIO_NET_F_HOST_TSO6, NET.VIRTIO_NET_F_CSUM),
  ...requires(NET.VIRTIO_NET_F_HOST_ECN, [NET.VIRTIO_NET_F_HOST_TSO4, NET.VIRTIO_NET_F_HOST_TSO6]),
  ...requires(NET.VIRTIO_NET_F_HOST_UFO, NET.VIRTIO_NET_F_CSUM),
  ...requires(NET.VIRTIO_NET_F_HOST_USO, NET.VIRTIO_NET_F_CSUM),
  ...requires(
    NET.VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO,
    NET.VIRTIO_NET_F_HOST_TSO4,
    NET.VIRTIO_NET_F_HOST_TSO6,
    NET.VIRTIO_NET_F_HOST_USO,
  ),
  ...requires(NET.VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM, NET.VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO),
  ...requires(NET.VIRTIO_NET_F_CTRL_RX, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_CTRL_VLAN, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_GUEST_ANNOUNCE, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_MQ, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_CTRL_MAC_ADDR, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_NOTF_COAL, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_RSC_EXT, [NET.VIRTIO_NET_F_HOST_TSO4, NET.VIRTIO_NET_F_HOST_TSO6]),
  ...requires(NET.VIRTIO_NET_F_RSS, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_VQ_NOTF_COAL, NET.VIRTIO_NET_F_CTRL_VQ),
  ...requires(NET.VIRTIO_NET_F_HASH_TUNNEL, NET.VIRTIO_NET_F_CTRL_VQ, [
    NET.VIRTIO_NET_F_RSS,
    NET.VIRTIO_NET_F_HASH_REPORT,
  ]),
  ...requires(NET.VIRTIO_NET_F_RSS_CONTEXT, NET.VIRTIO_NET_F_CTRL_VQ, NET.VIRTIO_NET_F_RSS),
]

/** The dependencies of virtio 1.4 for one device type; the common features have none among themselves. */
export function featureDependencies(deviceId: number): readonly FeatureDependency[] {
  return deviceId === ids.VIRTIO_ID_NET ? NET_DEPENDENCIES : []
}

/** The specification's name of a bit, or `feature 63` for a bit that is not known for that type. */
export function featureName(bit: number, deviceId: number): string {
  const named = Object.entries({ ...COMMON_FEATURES, ...namesOf(deviceId) }).find(([, value]) => value === bit)
  return named?.[0] ?? `feature ${bit}`
}

/** The bit of a specification name; undefined when the type has no such feature. */
export function featureBit(name: string, deviceId: number): number | undefined {
  return namesOf(deviceId)[name] ?? (COMMON_FEATURES as FeatureNames)[name]
}

/** Names of a whole set, ascending by bit, for messages. */
export function featureNames(features: FeatureSet, deviceId: number): string[] {
  checkFeatureSet('features', features)
  return features.toArray().map((bit) => featureName(bit, deviceId))
}

function namesOf(deviceId: number): FeatureNames {
  return (DEVICE_FEATURES as Readonly<Record<number, FeatureNames>>)[deviceId] ?? {}
}

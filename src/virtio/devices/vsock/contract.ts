/** What vsock devices and drivers agree on (virtio 1.4 §5.10.1-4). */
import { u64 } from '../../config-layout.ts'
import { DEVICE_FEATURES } from '../../device-features.ts'
import { VIRTIO_ID_VSOCK } from '../../device-ids.ts'
import type { FeatureDependency } from '../../features.ts'

const { VIRTIO_VSOCK_F_STREAM, VIRTIO_VSOCK_F_SEQPACKET, VIRTIO_VSOCK_F_NO_IMPLIED_STREAM } =
  DEVICE_FEATURES[VIRTIO_ID_VSOCK]

/** The contract of every vsock device and driver: queues rx, tx and event. */
export type VsockContract = ReturnType<typeof vsockContract>

/** `queueSize` is of the rx and tx queue: a power of two from 1 to 32768. */
export function vsockContract(queueSize = 128) {
  return {
    id: VIRTIO_ID_VSOCK as number,
    queues: [
      { name: 'rx', size: queueSize },
      { name: 'tx', size: queueSize },
      { name: 'event', size: Math.min(queueSize, 8) },
    ],
    features: {
      stream: VIRTIO_VSOCK_F_STREAM,
      seqpacket: VIRTIO_VSOCK_F_SEQPACKET,
      noImpliedStream: VIRTIO_VSOCK_F_NO_IMPLIED_STREAM,
    },
    config: { guestCid: u64('guest_cid') },
    dependencies: [] as readonly FeatureDependency[],
  } as const
}

/**
 * VSK-DRV-02, -03, VSK-DEV-02, -03: without NO_IMPLIED_STREAM there are streams, named or not, as with drivers and devices that
 * are older than the feature bits.
 */
export function hasStreams(features: { readonly stream: boolean; readonly noImpliedStream: boolean }): boolean {
  return features.stream || !features.noImpliedStream
}

/**
 * Bytes of configuration space by device type, with every feature that adds fields (virtio 1.4 §5.*.4): what lies behind is nobody's.
 * Types whose layout is not in this table are bounded by what their transport says alone.
 */
import * as ids from './device-ids.ts'

export const CONFIG_BYTES: Readonly<Record<number, number>> = {
  // Up to the zoned characteristics: model at 92, three bytes behind it.
  [ids.VIRTIO_ID_BLOCK]: 96,
  [ids.VIRTIO_ID_CONSOLE]: 12,
  [ids.VIRTIO_ID_RNG]: 0,
  [ids.VIRTIO_ID_BALLOON]: 16,
  [ids.VIRTIO_ID_SCSI]: 36,
  [ids.VIRTIO_ID_GPU]: 16,
  [ids.VIRTIO_ID_VSOCK]: 8,
  // tag[36], num_request_queues, notify_buf_size
  [ids.VIRTIO_ID_FS]: 44,
  [ids.VIRTIO_ID_I2C_ADAPTER]: 0,
}

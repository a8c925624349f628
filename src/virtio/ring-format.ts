/** Which of the two layouts the rings of a device have. */
import type { QueueFormat } from '../virtqueue/index.ts'
import { VIRTIO_F_RING_PACKED } from './constants.ts'
import type { FeatureSet } from './features.ts'

/** By what was negotiated (RFB-DRV-06). */
export function formatOf(features: FeatureSet): QueueFormat {
  return features.has(VIRTIO_F_RING_PACKED) ? 'packed' : 'split'
}

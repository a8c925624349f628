/** Common features of drivers: what there is, and what one uses unless its options say something else. */
import {
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from './constants.ts'
import { FeatureSet } from './features.ts'

/** All that a driver here can do, whatever its device is: `commonFeatures` is a choice among these. */
export const DRIVER_COMMON_FEATURES = FeatureSet.of(
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_VERSION_1,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_RING_PACKED,
)

/** What a driver uses of these, besides INDIRECT_DESC where it has tables. */
export const USUAL_DRIVER_FEATURES = FeatureSet.of(VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_RESET)

/** The blk device (virtio 1.4 §5.2), its driver, and what keeps the sectors. */
export { type BlkBackend, MemoryDisk } from './backend.ts'
export {
  BLK_FEATURES,
  type BlkContract,
  type BlkFeature,
  type BlkFlags,
  type BlkQueue,
  type BlkQueueName,
  blkContract,
  SECTOR_BYTES,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_S_UNSUPP,
  VIRTIO_BLK_T_DISCARD,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
  VIRTIO_BLK_T_SECURE_ERASE,
  VIRTIO_BLK_T_WRITE_ZEROES,
  VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
} from './contract.ts'
export { BlkCounters, BlkDevice } from './device.ts'
export type { BlkDeviceOptions, BlkGeometry, BlkRangeLimits, BlkTopology } from './device-options.ts'
export {
  BlkDriver,
  type BlkDriverEvents,
  type BlkResumed,
} from './driver.ts'
export type { BlkDone, BlkRequestState, BlkSentState } from './driver-lane.ts'
export { BLK_DRIVER_FEATURES, type BlkDriverOptions } from './driver-options.ts'
export type { BlkDriverState } from './driver-start.ts'

/**
 * What blk devices and drivers agree on (virtio 1.4 §5.2.2-4): queues, features, the configuration, and the numbers of requests. Not here:
 * zoned devices and LIFETIME.
 */
import { bytes, type ConfigField, u8, u16, u32, u64 } from '../../config-layout.ts'
import type { QueueSpec } from '../../device-contract.ts'
import { DEVICE_FEATURES } from '../../device-features.ts'
import { VIRTIO_ID_BLOCK } from '../../device-ids.ts'

const BLK = DEVICE_FEATURES[VIRTIO_ID_BLOCK]

/** The features of blk devices and drivers here, by name; bit numbers. */
export const BLK_FEATURES = {
  sizeMax: BLK.VIRTIO_BLK_F_SIZE_MAX,
  segMax: BLK.VIRTIO_BLK_F_SEG_MAX,
  geometry: BLK.VIRTIO_BLK_F_GEOMETRY,
  ro: BLK.VIRTIO_BLK_F_RO,
  blkSize: BLK.VIRTIO_BLK_F_BLK_SIZE,
  flush: BLK.VIRTIO_BLK_F_FLUSH,
  topology: BLK.VIRTIO_BLK_F_TOPOLOGY,
  configWce: BLK.VIRTIO_BLK_F_CONFIG_WCE,
  mq: BLK.VIRTIO_BLK_F_MQ,
  discard: BLK.VIRTIO_BLK_F_DISCARD,
  writeZeroes: BLK.VIRTIO_BLK_F_WRITE_ZEROES,
  secureErase: BLK.VIRTIO_BLK_F_SECURE_ERASE,
} as const

/** A feature of `BLK_FEATURES`. */
export type BlkFeature = keyof typeof BLK_FEATURES
/** Which of them were negotiated. */
export type BlkFlags = { readonly [K in BlkFeature]: boolean }

/** Queues of a blk device: requestq1 and, with MQ, those behind it. */
export type BlkQueueName = `requestq${number}`

/** One queue of a blk device. */
export interface BlkQueue extends QueueSpec {
  readonly name: BlkQueueName
}

/** The contract of every blk device and driver. */
export type BlkContract = ReturnType<typeof blkContract>

/** Bytes of a sector, whatever the block size is. */
export const SECTOR_BYTES = 512

/** A read. */
export const VIRTIO_BLK_T_IN = 0
/** A write. */
export const VIRTIO_BLK_T_OUT = 1
/** What was written and answered survives. */
export const VIRTIO_BLK_T_FLUSH = 4
/** The device's id, 20 bytes. */
export const VIRTIO_BLK_T_GET_ID = 8
/** Sectors that are not needed any more. */
export const VIRTIO_BLK_T_DISCARD = 11
/** Sectors that are to read as zeros. */
export const VIRTIO_BLK_T_WRITE_ZEROES = 13
/** Sectors whose content is to be gone for good. */
export const VIRTIO_BLK_T_SECURE_ERASE = 14

/** It is done. */
export const VIRTIO_BLK_S_OK = 0
/** It failed, or makes no sense. */
export const VIRTIO_BLK_S_IOERR = 1
/** The device does not know it. */
export const VIRTIO_BLK_S_UNSUPP = 2

/** Of a segment of WRITE_ZEROES: the device may deallocate. */
export const VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP = 1

/** Type, reserved, sector. */
export const BLK_HEADER_BYTES = 16
/** Sector, number of sectors, flags: of DISCARD, WRITE_ZEROES and SECURE_ERASE. */
export const BLK_SEGMENT_BYTES = 16
/** Of GET_ID. */
export const BLK_ID_BYTES = 20

/** Most queues of a device: those of PCI have 16 bits, and num_queues too. */
export const MAX_BLK_QUEUES = 0xffff
/** Entries of a queue when nobody says otherwise. */
export const BLK_QUEUE_SIZE = 128

/** `count` queues, 1 to 65535, each of `queueSize` entries. */
export function blkContract(count = 1, queueSize = BLK_QUEUE_SIZE) {
  return {
    id: VIRTIO_ID_BLOCK as number,
    queues: blkQueues(count, queueSize),
    features: BLK_FEATURES,
    config: BLK_CONFIG,
  } as const
}

/** The queues of a device: `requestq1`, `requestq2`, ... */
export function blkQueues(count: number, queueSize: number): readonly BlkQueue[] {
  return Array.from({ length: count }, (_, index) => ({ name: `requestq${index + 1}` as const, size: queueSize }))
}

const BLK_CONFIG = {
  capacity: u64('capacity'),
  sizeMax: u32('size_max', { feature: 'sizeMax' }),
  segMax: u32('seg_max', { feature: 'segMax' }),
  cylinders: u16('geometry.cylinders', { feature: 'geometry' }),
  heads: u8('geometry.heads', { feature: 'geometry' }),
  sectors: u8('geometry.sectors', { feature: 'geometry' }),
  blkSize: u32('blk_size', { feature: 'blkSize' }),
  physicalBlockExp: u8('topology.physical_block_exp', { feature: 'topology' }),
  alignmentOffset: u8('topology.alignment_offset', { feature: 'topology' }),
  minIoSize: u16('topology.min_io_size', { feature: 'topology' }),
  optIoSize: u32('topology.opt_io_size', { feature: 'topology' }),
  writeback: u8('writeback', { feature: 'configWce', driverWritable: true }),
  unused0: u8('unused0'),
  numQueues: u16('num_queues', { feature: 'mq' }),
  maxDiscardSectors: u32('max_discard_sectors', { feature: 'discard' }),
  maxDiscardSeg: u32('max_discard_seg', { feature: 'discard' }),
  discardSectorAlignment: u32('discard_sector_alignment', { feature: 'discard' }),
  maxWriteZeroesSectors: u32('max_write_zeroes_sectors', { feature: 'writeZeroes' }),
  maxWriteZeroesSeg: u32('max_write_zeroes_seg', { feature: 'writeZeroes' }),
  writeZeroesMayUnmap: u8('write_zeroes_may_unmap', { feature: 'writeZeroes' }),
  unused1: bytes('unused1', 3) as ConfigField<Uint8Array>,
  maxSecureEraseSectors: u32('max_secure_erase_sectors', { feature: 'secureErase' }),
  maxSecureEraseSeg: u32('max_secure_erase_seg', { feature: 'secureErase' }),
  secureEraseSectorAlignment: u32('secure_erase_sector_alignment', { feature: 'secureErase' }),
} as const

/** What blk drivers are made of. */
import { checkArray, checkInteger, checkObject, checkWord } from '../../../internal/check-option.ts'
import { VirtioError } from '../../../internal/error.ts'
import type { Driver } from '../../driver.ts'
import type { FeatureSet } from '../../features.ts'
import {
  BLK_FEATURES,
  type BlkContract,
  type BlkFeature,
  type BlkFlags,
  MAX_BLK_QUEUES,
  SECTOR_BYTES,
} from './contract.ts'
import type { LaneLimits } from './driver-lane.ts'

/** What a driver uses when it is offered and nobody says otherwise: all of `BLK_FEATURES`. */
export const BLK_DRIVER_FEATURES = Object.keys(BLK_FEATURES) as readonly BlkFeature[]

/** Most bytes of one request when nobody says otherwise. */
export const DEFAULT_REQUEST_BYTES = 1 << 20

/** What a `BlkDriver` is made of. */
export interface BlkDriverOptions {
  /** Features to use when they are offered. Default: `BLK_DRIVER_FEATURES`. */
  readonly want?: readonly BlkFeature[]
  /** Queues to use, 1 to 65535: at most what the device has. Default 4. */
  readonly queues?: number
  /** Entries of each queue, 4 to 32768: at most what the device has. A request takes 3 and more of them. Default 128. */
  readonly queueSize?: number
  /** Entries of each indirect table, 0 to 32768: with 3 or more a request takes one entry of its queue. 0, the default: no tables. */
  readonly indirectLength?: number
  /** Most bytes of one request, 512 to 2^30, in which what is longer is cut. Default 1 MiB. */
  readonly maxRequestBytes?: number
  /** Common features to use when offered; default: as `startDriver`. */
  readonly commonFeatures?: FeatureSet
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkBlkDriverOptions(options: BlkDriverOptions): void {
  checkObject('options', options)
  const { want = [], queues = 1, queueSize = 4, indirectLength = 0, maxRequestBytes = DEFAULT_REQUEST_BYTES } = options
  checkArray('want', want, 'an array of feature names')
  for (const name of want) checkWord('want', name, Object.keys(BLK_FEATURES))
  checkInteger('queues', queues, 1, MAX_BLK_QUEUES, 'queues')
  checkInteger('queueSize', queueSize, 4, 32768, 'entries')
  checkInteger('indirectLength', indirectLength, 0, 32768, 'entries')
  checkInteger('maxRequestBytes', maxRequestBytes, 512, 2 ** 30, 'bytes')
}

/**
 * How large a request may be, by what the device and the queue allow. Throws `VirtioError` BLK_NO_ROOM when not a sector fits.
 */
export function requestLimits(
  { config, queues }: Driver<BlkContract>,
  features: BlkFlags,
  { indirectLength = 0, maxRequestBytes = DEFAULT_REQUEST_BYTES }: BlkDriverOptions,
): LaneLimits & { readonly maxRequestBytes: number } {
  const { size, indirect } = queues[0]!.ring
  const isIndirect = indirect && indirectLength > 2
  // Beside header and status.
  const room = (isIndirect ? Math.min(indirectLength, size) : size) - 2
  const segments = features.segMax ? Math.min(room, config.segMax) : room
  const segmentBytes = features.sizeMax ? config.sizeMax : 2 ** 30
  const bytes = Math.min(maxRequestBytes, segmentBytes * segments)
  if (bytes >= SECTOR_BYTES) {
    return { segmentBytes, isIndirect, maxRequestBytes: Math.floor(bytes / SECTOR_BYTES) * SECTOR_BYTES }
  }
  const what = `${segments} segments of ${segmentBytes} bytes (a ring of ${size}, seg_max, size_max)`
  throw new VirtioError('BLK_NO_ROOM', `no sector fits a request, which can have ${what}`)
}

/** What blk devices are made of. */
import {
  checkArray,
  checkBoolean,
  checkInteger,
  checkObject,
  checkPowerOfTwo,
  checkWord,
  MAX_U16,
  MAX_U32,
  refuseOption,
} from '../../../internal/check-option.ts'
import type { ViolationPolicy } from '../../../virtqueue/index.ts'
import type { ConfigValues } from '../../config-layout.ts'
import type { FeatureSet } from '../../features.ts'
import { type BlkBackend, checkBackend } from './backend.ts'
import {
  BLK_FEATURES,
  BLK_ID_BYTES,
  BLK_QUEUE_SIZE,
  type BlkContract,
  type BlkFeature,
  MAX_BLK_QUEUES,
  SECTOR_BYTES,
} from './contract.ts'

/** Requests that a back-end has at once when nobody says otherwise. */
export const DEFAULT_DEPTH = 128

/** Bounds of one DISCARD, WRITE_ZEROES or SECURE_ERASE request. */
export interface BlkRangeLimits {
  /** Sectors of a segment, 1 to 2^32 - 1. Default 2^22: 2 GiB. */
  readonly maxSectors?: number
  /** Segments of a request, 1 to 2^16. Default 16. */
  readonly maxSegments?: number
  /**
   * Sectors, 1 to 2^32 - 1, default 1. What a discard does not cover of such a unit stays as it is; a secure erase that is not of whole units is
   * refused. WRITE_ZEROES has none.
   */
  readonly alignment?: number
}

/** TOPOLOGY: what is quick, not what is allowed. */
export interface BlkTopology {
  /** A physical block is 2 to this power of logical ones, 0 to 31. Default 0. */
  readonly physicalBlockExp?: number
  /** Logical blocks before the first physical one, 0 to 255. Default 0. */
  readonly alignmentOffset?: number
  /** Suggested least size of a request, 0 to 65535 logical blocks. Default 0. */
  readonly minIoSize?: number
  /** Suggested size of a request, in logical blocks. Default 0: none. */
  readonly optIoSize?: number
}

/** GEOMETRY: for who still counts in cylinders. */
export interface BlkGeometry {
  /** 0 to 65535. */
  readonly cylinders: number
  /** 0 to 255. */
  readonly heads: number
  /** 0 to 255. */
  readonly sectors: number
}

/** What a `BlkDevice` is made of. */
export interface BlkDeviceOptions {
  readonly backend: BlkBackend
  /** Of GET_ID: at most 20 printable characters of ASCII. Default: none. */
  readonly id?: string
  /** Nothing can be written, whatever the back-end can. Default: whether it cannot write. */
  readonly readOnly?: boolean
  /** Bytes of a logical block, a power of two from 512 to 2^31. A hint: requests count in sectors. Default 512. */
  readonly blockSize?: number
  /** Default: not offered. */
  readonly topology?: BlkTopology
  /** Default: not offered. */
  readonly geometry?: BlkGeometry
  /** Most bytes of one segment of data, 512 to 2^32 - 1. Default: SIZE_MAX is not offered. */
  readonly sizeMax?: number
  /** Most segments of data in a request, 1 to 32766. Default: SEG_MAX is not offered. */
  readonly segMax?: number
  /** Queues, 1 to 65535. More than 1 offers MQ. Default 1. */
  readonly queues?: number
  /** Entries of each queue: a power of two, 2 to 32768. Default 128. */
  readonly queueSize?: number
  readonly discard?: BlkRangeLimits
  readonly writeZeroes?: BlkRangeLimits
  readonly secureErase?: BlkRangeLimits
  /** Requests that the back-end has at once, 1 to 65536; more wait in their queue. Default 128. */
  readonly depth?: number
  /** Features to offer. Default: all that the back-end and the options above give. */
  readonly offer?: readonly BlkFeature[]
  readonly policy?: ViolationPolicy
  /** Common features to offer; default: all that are supported. */
  readonly commonFeatures?: FeatureSet
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkBlkOptions(options: BlkDeviceOptions): void {
  checkObject('options', options)
  checkBackend(options.backend)
  const { id, readOnly, blockSize = SECTOR_BYTES, topology, geometry, sizeMax, segMax, offer } = options
  const { queues = 1, queueSize = BLK_QUEUE_SIZE, depth = DEFAULT_DEPTH } = options
  if (id !== undefined && !(typeof id === 'string' && id.length <= BLK_ID_BYTES && /^[ -~]*$/.test(id))) {
    refuseOption('id', id, `at most ${BLK_ID_BYTES} printable characters of ASCII`)
  }
  if (readOnly !== undefined) checkBoolean('readOnly', readOnly)
  if (readOnly === false && isReadOnly(options)) refuseOption('readOnly', readOnly, 'true: the back-end has no write()')
  checkPowerOfTwo('blockSize', blockSize, SECTOR_BYTES, 2 ** 31, 'bytes')
  if (topology !== undefined) checkTopology(topology)
  if (geometry !== undefined) checkGeometry(geometry)
  if (sizeMax !== undefined) checkInteger('sizeMax', sizeMax, SECTOR_BYTES, MAX_U32, 'bytes')
  if (segMax !== undefined) checkInteger('segMax', segMax, 1, 32766, 'segments')
  checkInteger('queues', queues, 1, MAX_BLK_QUEUES, 'queues')
  // A header and a status byte: less holds no request.
  checkPowerOfTwo('queueSize', queueSize, 2, 32768, 'entries')
  for (const name of ['discard', 'writeZeroes', 'secureErase'] as const) checkLimits(name, options[name])
  checkInteger('depth', depth, 1, 65536, 'requests')
  if (offer === undefined) return
  checkArray('offer', offer, 'an array of feature names')
  const possible = offerable(options)
  for (const name of offer) {
    checkWord('offer', name, Object.keys(BLK_FEATURES))
    if (!possible.includes(name)) refuseOption('offer', offer, `without ${name}, for which the options have nothing`)
  }
  // BLK-INIT-DEV-02
  if (offer.includes('configWce') && !offer.includes('flush')) refuseOption('offer', offer, 'with flush for configWce')
}

/** Throws `VirtioError` INVALID_OPTION. */
function checkTopology(topology: BlkTopology): void {
  checkObject('topology', topology)
  const { physicalBlockExp = 0, alignmentOffset = 0, minIoSize = 0, optIoSize = 0 } = topology
  checkInteger('topology.physicalBlockExp', physicalBlockExp, 0, 31)
  checkInteger('topology.alignmentOffset', alignmentOffset, 0, 255, 'blocks')
  checkInteger('topology.minIoSize', minIoSize, 0, MAX_U16, 'blocks')
  checkInteger('topology.optIoSize', optIoSize, 0, MAX_U32, 'blocks')
}

/** Throws `VirtioError` INVALID_OPTION. */
function checkGeometry(geometry: BlkGeometry): void {
  checkObject('geometry', geometry)
  checkInteger('geometry.cylinders', geometry.cylinders, 0, MAX_U16)
  checkInteger('geometry.heads', geometry.heads, 0, 255)
  checkInteger('geometry.sectors', geometry.sectors, 0, 255)
}

/** Throws `VirtioError` INVALID_OPTION. */
function checkLimits(name: 'discard' | 'writeZeroes' | 'secureErase', limits: BlkRangeLimits | undefined): void {
  if (limits === undefined) return
  checkObject(name, limits)
  const { maxSectors, maxSegments, alignment } = limitsOf(limits)
  checkInteger(`${name}.maxSectors`, maxSectors, 1, MAX_U32, 'sectors')
  checkInteger(`${name}.maxSegments`, maxSegments, 1, 65536, 'segments')
  checkInteger(`${name}.alignment`, alignment, 1, MAX_U32, 'sectors')
  if (name === 'writeZeroes' && alignment !== 1) refuseOption(`${name}.alignment`, alignment, '1: there is no other')
}

/** With what is used where an option was left out. */
export function limitsOf(limits: BlkRangeLimits = {}): Required<BlkRangeLimits> {
  const { maxSectors = 2 ** 22, maxSegments = 16, alignment = 1 } = limits
  return { maxSectors, maxSegments, alignment }
}

/** Whether nothing can be written. */
export function isReadOnly({ readOnly, backend }: BlkDeviceOptions): boolean {
  return readOnly === true || (backend.write === undefined && backend.bytes === undefined)
}

/** What the back-end and the options give (BLK-INIT-DEV-01: FLUSH always). */
export function offerable(options: BlkDeviceOptions): readonly BlkFeature[] {
  const { backend, sizeMax, segMax, topology, geometry, queues = 1 } = options
  const writable = !isReadOnly(options)
  const there: Readonly<Record<BlkFeature, boolean>> = {
    sizeMax: sizeMax !== undefined,
    segMax: segMax !== undefined,
    geometry: geometry !== undefined,
    ro: !writable,
    blkSize: true,
    flush: true,
    topology: topology !== undefined,
    configWce: true,
    mq: queues > 1,
    discard: writable && backend.discard !== undefined,
    writeZeroes: writable,
    secureErase: writable && backend.secureErase !== undefined,
  }
  return (Object.keys(there) as BlkFeature[]).filter((name) => there[name])
}

/** The first values of the configuration. */
export function configOf(options: BlkDeviceOptions): Partial<ConfigValues<BlkContract['config']>> {
  const { backend, sizeMax, segMax, topology, geometry, blockSize = SECTOR_BYTES, queues = 1 } = options
  const [discard, zeroes, erase] = [options.discard, options.writeZeroes, options.secureErase].map(limitsOf) as [
    Required<BlkRangeLimits>,
    Required<BlkRangeLimits>,
    Required<BlkRangeLimits>,
  ]
  return {
    capacity: backend.sectors,
    ...(sizeMax !== undefined && { sizeMax }),
    ...(segMax !== undefined && { segMax }),
    ...geometry,
    blkSize: blockSize,
    ...topology,
    writeback: 1,
    numQueues: queues,
    maxDiscardSectors: discard.maxSectors,
    maxDiscardSeg: discard.maxSegments,
    discardSectorAlignment: discard.alignment,
    maxWriteZeroesSectors: zeroes.maxSectors,
    maxWriteZeroesSeg: zeroes.maxSegments,
    // BLK-OP-DEV-10: 0 where zeros are written.
    writeZeroesMayUnmap: backend.writeZeroes === undefined || backend.bytes !== undefined ? 0 : 1,
    maxSecureEraseSectors: erase.maxSectors,
    maxSecureEraseSeg: erase.maxSegments,
    secureEraseSectorAlignment: erase.alignment,
  }
}

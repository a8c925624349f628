/** The segments of DISCARD, WRITE_ZEROES and SECURE_ERASE (virtio 1.4 §5.2.6): read once, and all checked before the first is obeyed. */
import { VirtioError } from '../../../internal/error.ts'
import type { ChainReader } from '../../../virtqueue/index.ts'
import type { ConfigValues } from '../../config-layout.ts'
import {
  BLK_SEGMENT_BYTES,
  type BlkContract,
  VIRTIO_BLK_T_DISCARD,
  VIRTIO_BLK_T_SECURE_ERASE,
  VIRTIO_BLK_T_WRITE_ZEROES,
  VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
} from './contract.ts'

/** One segment. */
export interface BlkRange {
  readonly sector: number
  readonly sectors: number
  readonly mayUnmap: boolean
}

/** Why a request is refused: `clause` is empty for what is no mistake of the driver's. */
export interface Refusal {
  readonly isUnsupported: boolean
  readonly clause: string
  readonly message: string
}

type Config = ConfigValues<BlkContract['config']>

/** What the configuration says of one of the three requests. */
export function rangeLimits(type: number, config: Config) {
  switch (type) {
    case VIRTIO_BLK_T_DISCARD: {
      const [most, segments] = [config.maxDiscardSectors, config.maxDiscardSeg]
      return { name: 'discard', clause: 'BLK-OP-DRV-09', most, segments, alignment: 1 } as const
    }
    case VIRTIO_BLK_T_WRITE_ZEROES: {
      const [most, segments] = [config.maxWriteZeroesSectors, config.maxWriteZeroesSeg]
      return { name: 'writeZeroes', clause: 'BLK-OP-DRV-11', most, segments, alignment: 1 } as const
    }
    case VIRTIO_BLK_T_SECURE_ERASE: {
      const [most, segments] = [config.maxSecureEraseSectors, config.maxSecureEraseSeg]
      const alignment = Math.max(1, config.secureEraseSectorAlignment)
      return { name: 'secureErase', clause: 'BLK-OP-DRV-10', most, segments, alignment } as const
    }
    default:
      return null
  }
}

/** All segments of a request of `type`, or why it is refused: then none of them is obeyed. */
export function readRanges(reader: ChainReader, type: number, config: Config): readonly BlkRange[] | Refusal {
  const limits = rangeLimits(type, config)!
  const { remaining } = reader
  if (remaining === 0 || remaining % BLK_SEGMENT_BYTES !== 0) {
    return broken('BLK-OP-DRV-07', `${remaining} bytes of data are no segments of ${BLK_SEGMENT_BYTES} bytes`)
  }
  const count = remaining / BLK_SEGMENT_BYTES
  if (count > limits.segments) return broken(limits.clause, `${count} segments, and there may be ${limits.segments}`)
  const ranges: BlkRange[] = []
  for (let i = 0; i < count; i++) {
    const sector = readSector(reader)
    const sectors = reader.u32()
    const flags = reader.u32()
    const known = type === VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0
    // BLK-OP-DEV-05, -06
    if ((flags & ~known) !== 0) {
      return { isUnsupported: true, clause: 'BLK-OP-DRV-14', message: `flags ${flags} of a segment` }
    }
    if (sectors > limits.most)
      return broken(limits.clause, `a segment of ${sectors} sectors, and ${limits.most} are the most`)
    if (!isWithin(sector, sectors, config.capacity)) return outside(sector, sectors, config.capacity)
    if (sector % limits.alignment !== 0 || sectors % limits.alignment !== 0) {
      return broken('', `sectors ${sector} to ${sector + sectors} are not whole units of ${limits.alignment}`)
    }
    ranges.push({ sector, sectors, mayUnmap: flags !== 0 })
  }
  return ranges
}

/** A le64; above 2^53 some Number that is above it too: no disk is as large. */
export function readSector(reader: ChainReader): number {
  const low = reader.u32()
  return reader.u32() * 2 ** 32 + low
}

/** BLK-OP-DRV-02 */
export function isWithin(sector: number, sectors: number, capacity: number): boolean {
  return sector <= capacity && sectors <= capacity - sector
}

export function outside(sector: number, sectors: number, capacity: number): Refusal {
  return broken('BLK-OP-DRV-02', `sectors ${sector} to ${sector + sectors} of a disk of ${capacity}`)
}

/** What is answered with IOERR. */
export function broken(clause: string, message: string): Refusal {
  return { isUnsupported: false, clause, message }
}

/**
 * The data of requests for a range of any length, cut as the device's limits want it; `room`: most segments of a request for other reasons. Throws
 * `VirtioError` BLK_NO_ROOM for limits under which nothing can be asked for.
 */
export function encodeRanges(
  { sector, sectors, flags }: { readonly sector: number; readonly sectors: number; readonly flags: number },
  { name, most, segments, alignment }: NonNullable<ReturnType<typeof rangeLimits>>,
  room: number,
): readonly Uint8Array[] {
  const longest = most - (most % alignment)
  const count = Math.min(segments, room)
  if (longest === 0 || count === 0) {
    throw new VirtioError('BLK_NO_ROOM', `the device takes no ${name}: ${most} sectors, ${segments} segments at most`)
  }
  const requests: Uint8Array[] = []
  for (let done = 0; done < sectors; ) {
    const data = new Uint8Array(Math.min(count, Math.ceil((sectors - done) / longest)) * BLK_SEGMENT_BYTES)
    const view = new DataView(data.buffer)
    for (let at = 0; at < data.length; at += BLK_SEGMENT_BYTES) {
      view.setBigUint64(at, BigInt(sector + done), true)
      view.setUint32(at + 8, Math.min(longest, sectors - done), true)
      view.setUint32(at + 12, flags, true)
      done += longest
    }
    requests.push(data)
  }
  return requests
}

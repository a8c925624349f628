/**
 * A blk device (virtio 1.4 §5.2): requests of the driver, done by a back-end. Each is looked at as a whole before anything is done; what is wrong
 * with it is answered with its status, and no driver gets more of the storage than `capacity` says, whatever it sends.
 */
import { isPromise } from '../../../internal/watch-promise.ts'
import type { Request } from '../../../virtqueue/index.ts'
import { FEATURES_OK } from '../../constants.ts'
import { Device } from '../../device.ts'
import type { DeviceQueue } from '../../device-queue.ts'
import type { DeviceRegisters } from '../../device-registers.ts'
import { protocolViolation } from '../../protocol-violation.ts'
import { type BlkBackend, checkSectors } from './backend.ts'
import {
  BLK_HEADER_BYTES,
  BLK_ID_BYTES,
  BLK_QUEUE_SIZE,
  type BlkContract,
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
} from './contract.ts'
import {
  type BlkDeviceOptions,
  checkBlkOptions,
  configOf,
  DEFAULT_DEPTH,
  isReadOnly,
  offerable,
} from './device-options.ts'
import { broken, isWithin, outside, type Refusal, readRanges, readSector } from './ranges.ts'
import { Job, jobOfRanges, PIECE_BYTES, type Work } from './work.ts'

/** Requests per turn of a queue, and bytes after which a turn ends. */
const TURN = 16
const TURN_BYTES = 1 << 20

/** A request that the back-end has, and the life of the queue that it belongs to. */
interface UnderWay {
  readonly request: Request
  readonly queue: DeviceQueue
  readonly ring: DeviceQueue['ring']
  readonly generation: number
}

/** What became of the requests of a device, since it was made. */
export class BlkCounters {
  /** Answered with OK. */
  done = 0
  /** Answered with IOERR, or UNSUPP. */
  failed = 0
  unsupported = 0
  /** Too short to be answered: they came back as they were. */
  malformed = 0
}

/** The host's half: a device for a transport, before a storage. */
export class BlkDevice {
  /** The device itself: its queues, configuration and events. */
  readonly device: Device<BlkContract>
  readonly counters = new BlkCounters()
  readonly #backend: BlkBackend
  readonly #readOnly: boolean
  readonly #id: Uint8Array
  readonly #depth: number
  readonly #underWay = new Set<UnderWay>()
  /** Requests of a snapshot, to be begun anew. */
  readonly #again: (readonly [Request, DeviceQueue])[] = []
  /** A queue was left alone until a request that is under way is done. */
  #holds = false
  #turnBytes = 0

  /** Throws `VirtioError` INVALID_OPTION for what no device can have. */
  constructor(options: BlkDeviceOptions) {
    checkBlkOptions(options)
    const { backend, id = '', queues = 1, queueSize = BLK_QUEUE_SIZE, depth = DEFAULT_DEPTH } = options
    this.#backend = backend
    this.#readOnly = isReadOnly(options)
    this.#id = new Uint8Array(BLK_ID_BYTES)
    for (let i = 0; i < id.length; i++) this.#id[i] = id.charCodeAt(i)
    this.#depth = depth
    const contract = blkContract(queues, queueSize)
    this.device = new Device<BlkContract>(
      contract,
      contract.queues.map(() => (queue) => this.#serve(queue)),
      {
        onReset: () => this.#forgetDriver(),
        onRestore: (_, { queues }) => this.#restore(Object.values(queues) as DeviceQueue[]),
      },
      {
        config: configOf(options),
        offer: options.offer ?? offerable(options),
        ...(options.policy !== undefined && { policy: options.policy }),
        ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
      },
    )
    this.device.events.on('status', (status, before) => this.#lookAtStatus(status, before))
  }

  /** What a transport fronts; saves and restores the device. */
  get registers(): DeviceRegisters {
    return this.device.registers
  }

  /** Names for a driver in the same process. */
  get contract(): BlkContract {
    return this.device.contract
  }

  /** Requests that the back-end has. */
  get underWay(): number {
    return this.#underWay.size
  }

  /** Whether writes are answered before they are flushed (virtio 1.4 §5.2.6.2): what the driver has chosen, or its features say. */
  get isWriteback(): boolean {
    const { features, config } = this.device
    return features.configWce ? config.values.writeback !== 0 : features.flush
  }

  /**
   * The back-end has another size now: the driver is told (BLK-OP-DEV-02), and requests are measured by it from here on. Throws `VirtioError`
   * INVALID_OPTION for a size that cannot be.
   */
  capacityChanged(): void {
    checkSectors(this.#backend)
    const { sectors } = this.#backend
    if (sectors !== this.device.config.values.capacity) this.device.config.update({ capacity: sectors })
  }

  #serve(queue: DeviceQueue): void {
    // Without MQ there is one.
    if (queue.index > 0 && !this.device.features.mq) return
    if (this.#again.length > 0) for (const [request, its] of this.#again.splice(0)) this.#begin(request, its, true)
    if (this.#mustWait()) return
    this.#turnBytes = 0
    for (const request of queue.drain(TURN)) {
      this.#begin(request, queue, false)
      if (this.#turnBytes >= TURN_BYTES || this.#underWay.size >= this.#depth) break
    }
  }

  /**
   * The back-end has enough to do; or it still has requests of an earlier life of a queue, whose driver takes them for over: a write of
   * those must not land on top of a new one.
   */
  #mustWait(): boolean {
    this.#holds = this.#underWay.size >= this.#depth
    if (this.#underWay.size === 0) return this.#holds
    for (const { queue, ring, generation } of this.#underWay) {
      if (this.#holds) break
      this.#holds = queue.ring !== ring || ring?.generation !== generation
    }
    return this.#holds
  }

  #begin(request: Request, queue: DeviceQueue, isDeferred: boolean): void {
    const { reader, writer, chain } = request
    this.#turnBytes += chain.readableBytes + chain.writableBytes
    if (writer.remaining === 0) {
      this.counters.malformed++
      this.#report('IMP-BLK-04', 'a request has no room for its status', queue)
      if (isDeferred) request.complete()
      return
    }
    let work: Work
    try {
      work = reader.remaining < BLK_HEADER_BYTES ? broken('IMP-BLK-04', 'a request has no header') : this.#work(request)
    } catch (error) {
      work = this.#failed(error, queue)
    }
    if (typeof work === 'number') {
      this.#answer(request, work)
      if (isDeferred) request.complete()
    } else if (isPromise(work)) this.#wait(request, queue, work as PromiseLike<number>, isDeferred)
    else {
      if (work.clause !== '') this.#report(work.clause, work.message, queue)
      this.#answer(request, work.isUnsupported ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR)
      if (isDeferred) request.complete()
    }
  }

  #wait(request: Request, queue: DeviceQueue, work: PromiseLike<number>, isDeferred: boolean): void {
    if (!isDeferred) request.defer()
    const { ring } = queue
    const entry: UnderWay = { request, queue, ring, generation: ring?.generation ?? -1 }
    this.#underWay.add(entry)
    const end = (status: number) => {
      this.#underWay.delete(entry)
      // Of a life of the queue that is over, both do nothing.
      this.#answer(request, status)
      request.complete()
      if (!this.#holds || this.#mustWait()) return
      for (const each of Object.values(this.device.queues) as DeviceQueue[]) each.wake()
    }
    work.then(end, (error: unknown) => end(this.#failed(error, queue)))
  }

  /** The status, now or later; or why there is nothing to do. What the back-end throws, it throws. */
  #work(request: Request): Work {
    const { reader, writer, chain } = request
    const { features } = this.device
    const type = reader.u32()
    reader.u32()
    const sector = readSector(reader)
    switch (type) {
      case VIRTIO_BLK_T_IN: {
        const refusal = this.#refuseData(
          sector,
          writer.remaining - 1,
          chain,
          chain.readableCount,
          chain.segmentCount,
          1,
        )
        return refusal ?? this.#read(request, sector, writer.remaining - 1)
      }
      case VIRTIO_BLK_T_OUT: {
        // BLK-OP-DEV-03, -04
        if (this.#readOnly) return VIRTIO_BLK_S_IOERR
        const refusal = this.#refuseData(sector, reader.remaining, chain, 0, chain.readableCount, BLK_HEADER_BYTES)
        return refusal ?? this.#write(request, sector, reader.remaining)
      }
      case VIRTIO_BLK_T_FLUSH:
        if (!features.flush) return VIRTIO_BLK_S_UNSUPP
        if (sector !== 0) return broken('BLK-OP-DRV-04', `a flush of sector ${sector}`)
        return new Job([], this.#flush()).run()
      case VIRTIO_BLK_T_GET_ID:
        if (writer.remaining !== BLK_ID_BYTES + 1)
          return broken('BLK-OP-DRV-08', `room for an id of ${writer.remaining - 1} bytes`)
        writer.bytes(this.#id)
        return VIRTIO_BLK_S_OK
      case VIRTIO_BLK_T_DISCARD:
        return features.discard ? this.#ranges(request, type) : VIRTIO_BLK_S_UNSUPP
      case VIRTIO_BLK_T_WRITE_ZEROES:
        return features.writeZeroes ? this.#ranges(request, type) : VIRTIO_BLK_S_UNSUPP
      case VIRTIO_BLK_T_SECURE_ERASE:
        return features.secureErase ? this.#ranges(request, type) : VIRTIO_BLK_S_UNSUPP
      default:
        // IMP-BLK-02, BLK-ZON-DEV-15: and zones, which are not offered.
        return VIRTIO_BLK_S_UNSUPP
    }
  }

  /** `other`: bytes of the segments `first` to `end` that are not data, header or status. */
  #refuseData(
    sector: number,
    lengthBytes: number,
    { length }: Request['chain'],
    first: number,
    end: number,
    other: number,
  ): Refusal | null {
    if (lengthBytes % SECTOR_BYTES !== 0) return broken('BLK-OP-DRV-06', `${lengthBytes} bytes are no sectors`)
    const { capacity, sizeMax, segMax } = this.device.config.values
    const sectors = lengthBytes / SECTOR_BYTES
    if (!isWithin(sector, sectors, capacity)) return outside(sector, sectors, capacity)
    const { features } = this.device
    if (!features.sizeMax && !features.segMax) return null
    // The header is in front of what is written, the status behind what is read: neither counts.
    let segments = 0
    let skip = first === 0 ? other : 0
    let left = lengthBytes
    for (let i = first; i < end && left > 0; i++) {
      const before = Math.min(skip, length[i]!)
      skip -= before
      const data = Math.min(left, length[i]! - before)
      left -= data
      if (data === 0) continue
      segments++
      if (features.sizeMax && data > sizeMax)
        return broken('IMP-BLK-03', `a segment of ${data} bytes, with size_max ${sizeMax}`)
    }
    if (!features.segMax || segments <= segMax) return null
    return broken('IMP-BLK-03', `${segments} segments of data, with seg_max ${segMax}`)
  }

  #read({ writer }: Request, sector: number, lengthBytes: number): Work {
    const backend = this.#backend
    if (backend.bytes !== undefined) {
      writer.cursor.write(backend.bytes, sector * SECTOR_BYTES, lengthBytes)
      return VIRTIO_BLK_S_OK
    }
    let done = 0
    const piece = () => {
      const target = new Uint8Array(Math.min(PIECE_BYTES, lengthBytes - done))
      const from = sector + done / SECTOR_BYTES
      done += target.length
      // IMP-BLK-01: in its order, and nothing of a piece that failed.
      return { answer: backend.read(from, target), end: () => void writer.bytes(target) }
    }
    return new Job(pieces(lengthBytes, piece)).run()
  }

  #write({ reader }: Request, sector: number, lengthBytes: number): Work {
    const backend = this.#backend
    // BLK-OP-DEV-13: what is not to be cached is done when it survives.
    const last = this.isWriteback ? null : this.#flush()
    if (backend.bytes !== undefined) {
      reader.cursor.read(backend.bytes, sector * SECTOR_BYTES, lengthBytes)
      return last === null ? VIRTIO_BLK_S_OK : new Job([], last).run()
    }
    let done = 0
    const piece = () => {
      const source = reader.bytes(Math.min(PIECE_BYTES, lengthBytes - done))
      const to = sector + done / SECTOR_BYTES
      done += source.length
      // The queue was reset meanwhile, and the rest is not there any more.
      if (source.length === 0) return { answer: undefined }
      return { answer: backend.write!(to, source) }
    }
    return new Job(pieces(lengthBytes, piece), last).run()
  }

  #ranges({ reader }: Request, type: number): Work {
    // BLK-OP-DEV-03, -04
    if (this.#readOnly) return VIRTIO_BLK_S_IOERR
    const ranges = readRanges(reader, type, this.device.config.values)
    if (!Array.isArray(ranges)) return ranges as Refusal
    const alignment = Math.max(1, this.device.config.values.discardSectorAlignment)
    const last = type === VIRTIO_BLK_T_WRITE_ZEROES && !this.isWriteback ? this.#flush() : null
    return jobOfRanges(this.#backend, type, ranges, alignment, last).run()
  }

  #flush() {
    const backend = this.#backend
    return backend.flush === undefined ? null : () => ({ answer: backend.flush!() })
  }

  /** The status is the last byte there is room for, and no byte before it is left out (IMP-BLK-01, VQS-USED-DEV-02). */
  #answer({ writer }: Request, status: number): void {
    if (writer.remaining > 1) writer.cursor.fill(0, writer.remaining - 1)
    writer.u8(status)
    if (status === VIRTIO_BLK_S_OK) this.counters.done++
    else if (status === VIRTIO_BLK_S_UNSUPP) this.counters.unsupported++
    else this.counters.failed++
  }

  /** The storage failed, not the device: it goes on. */
  #failed(error: unknown, { index }: DeviceQueue): number {
    this.registers.reportFault(error, index, false)
    return VIRTIO_BLK_S_IOERR
  }

  #report(clause: string, message: string, { index }: DeviceQueue): void {
    this.registers.reportViolation(protocolViolation('blk-request-refused', clause, message, index))
  }

  /** BLK-INIT-DEV-03: before the driver looks at it. */
  #lookAtStatus(status: number, before: number): void {
    // Of a snapshot it comes with all the rest, at once.
    const isNew = (status & FEATURES_OK) !== 0 && (before & FEATURES_OK) === 0 && before !== 0
    if (isNew) this.#setWriteback(this.registers.features.has(this.contract.features.flush) ? 1 : 0)
  }

  #forgetDriver(): void {
    this.#again.length = 0
    this.#setWriteback(1)
  }

  #setWriteback(writeback: number): void {
    if (this.device.config.values.writeback !== writeback) this.device.config.update({ writeback })
  }

  /** What the back-end had then is begun anew: it is not said how far it had come, and to do it again changes nothing. */
  #restore(queues: readonly DeviceQueue[]): void {
    for (const queue of queues) {
      for (const request of queue.deferred) {
        request.reader.attach(request.chain)
        request.writer.attach(request.chain)
        this.#again.push([request, queue])
      }
      if (queue.deferred.length > 0) queue.wake()
    }
    this.capacityChanged()
  }
}

function* pieces<T>(lengthBytes: number, next: () => T): Generator<() => T> {
  for (let done = 0; done < lengthBytes; done += PIECE_BYTES) yield next
}

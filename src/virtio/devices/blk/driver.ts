/**
 * A blk driver (virtio 1.4 §5.2): reads, writes and the rest as promises, or over memory of the caller's with a callback. What the device does not
 * take is refused here; what it answers is looked at before anybody believes it.
 */
import { checkBytes, checkFunction, checkInteger } from '../../../internal/check-option.ts'
import { Emitter, type Events } from '../../../internal/emitter.ts'
import { VirtioError } from '../../../internal/error.ts'
import { STATE_VERSION } from '../../../internal/saved-state.ts'
import { memoryDetached } from '../../detached-memory.ts'
import type { Driver } from '../../driver.ts'
import { DriverError } from '../../driver-error.ts'
import type { DriverTransport } from '../../driver-transport.ts'
import { answerError } from './answer.ts'
import {
  BLK_FEATURES,
  BLK_ID_BYTES,
  BLK_SEGMENT_BYTES,
  type BlkContract,
  type BlkFeature,
  type BlkFlags,
  SECTOR_BYTES,
  VIRTIO_BLK_T_DISCARD,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
  VIRTIO_BLK_T_SECURE_ERASE,
  VIRTIO_BLK_T_WRITE_ZEROES,
  VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
} from './contract.ts'
import { type BlkDone, type BlkRequestState, Lane, LOST } from './driver-lane.ts'
import { BLK_DRIVER_FEATURES, type BlkDriverOptions, checkBlkDriverOptions, requestLimits } from './driver-options.ts'
import { attach, type BlkDriverState, checkState, requireData, start } from './driver-start.ts'
import { encodeRanges, isWithin, rangeLimits } from './ranges.ts'

/** What a blk driver tells, beside the events of its `driver`. */
export type BlkDriverEvents = {
  /** The disk has another size now, in sectors. */
  capacity: (sectors: number) => void
}

/** A request that a snapshot brought back. */
export interface BlkResumed extends BlkRequestState {
  /** As that of `read` and the others; of what was added with a callback too, whose data stay where they are. */
  readonly promise: Promise<Uint8Array>
}

/** A request of ours, from its start until its promise settles. */
interface Entry {
  readonly request: BlkRequestState
  readonly done: BlkDone
  readonly fail: (error: unknown) => void
}

/** The guest's half: a driver on a transport. */
export class BlkDriver {
  /** The driver itself: its features, configuration and events. */
  readonly driver: Driver<BlkContract>
  /** What was negotiated, by name. */
  readonly features: BlkFlags
  /** Most bytes of one request: `read` and `write` cut what is longer. */
  readonly maxRequestBytes: number
  /** What the snapshot of `BlkDriver.restore` had under way. */
  readonly resumed: readonly BlkResumed[] = []
  readonly #lanes: readonly Lane[]
  readonly #events: Emitter<BlkDriverEvents>
  #capacity: number
  #nextLane = 0
  readonly #waiting: Entry[] = []
  /** Data of requests whose end nobody knows: the device may still write them (see docs/peers.md), so they are free after its reset. */
  readonly #lost: BlkRequestState[] = []
  readonly #call = (done: BlkDone, status: number, writtenBytes: number) => this.#guard(done, status, writtenBytes)

  /** Throws as `startDriver` does, and `VirtioError` INVALID_OPTION. `saved` is for `BlkDriver.restore`. */
  constructor(transport: DriverTransport<BlkContract>, options: BlkDriverOptions = {}, saved?: BlkDriverState) {
    checkBlkDriverOptions(options)
    this.driver = saved === undefined ? start(transport, options) : attach(transport, options, saved)
    try {
      const { featureSet } = this.driver
      const flags = BLK_DRIVER_FEATURES.map((name) => [name, featureSet.has(BLK_FEATURES[name])])
      this.features = Object.fromEntries(flags) as BlkFlags
      this.#events = new Emitter(['capacity'], (error) => this.driver.onFault(error, -1))
      this.#capacity = this.driver.config.capacity
      const limits = requestLimits(this.driver, this.features, options)
      this.maxRequestBytes = limits.maxRequestBytes
      this.#lanes = this.driver.queues.map((queue, index) => {
        const base = saved?.queues[index]?.base ?? this.driver.allocate(Lane.bytesFor(queue.ring.size), 32)
        return new Lane(queue, transport.memory, base, limits)
      })
      for (const lane of this.#lanes) {
        lane.queue.onUsed = () => this.#reap(lane)
        lane.queue.onReset = () => this.#resetLane(lane)
      }
      if (saved !== undefined) this.resumed = this.#resume(saved)
    } catch (error) {
      this.driver.close()
      throw error
    }
    this.driver.events.on('config', () => this.#lookAtConfig())
    this.driver.events.on('stopped', (error) => this.#stop(error))
  }

  /**
   * Goes on where `saveState` was taken: over memory that is as it was, before a device that is live, without a word to it. What was under
   * way is in `resumed`. Then call `poll`. `options` are those of the saved driver. Throws as `restoreDriver`, and INVALID_STATE: then the
   * device was reset.
   */
  static restore(
    transport: DriverTransport<BlkContract>,
    state: BlkDriverState,
    options: BlkDriverOptions = {},
  ): BlkDriver {
    checkState(state)
    return new BlkDriver(transport, options, state)
  }

  /** Plain data for `BlkDriver.restore`, taken between turns. Throws `VirtioError` NOT_RESTORABLE for a driver that has stopped. */
  saveState(): BlkDriverState {
    return {
      version: STATE_VERSION,
      driver: this.driver.saveState(),
      queues: this.#lanes.map((lane) => ({ base: lane.base, sent: lane.saveState() })),
      waiting: this.#waiting.map(({ request }) => request),
    }
  }

  get events(): Events<BlkDriverEvents> {
    return this.#events
  }

  /** Sectors of 512 bytes that the disk has now. */
  get capacity(): number {
    return this.#capacity
  }

  /** Bytes of a logical block: what the device says, else 512. */
  get blockSize(): number {
    return this.features.blkSize ? this.driver.config.blkSize : SECTOR_BYTES
  }

  get isReadOnly(): boolean {
    return this.features.ro
  }

  /** Whether a write survives only after a `flush` (BLK-INIT-DRV-02, -03). */
  get isWriteback(): boolean {
    return this.features.configWce ? this.driver.config.writeback !== 0 : this.features.flush
  }

  /**
   * Switches the write cache. What was written before is flushed first when it is switched off: the switch is no flush (BLK-OP-DRV-13).
   * Rejects with `VirtioError` FEATURES_MISSING, and as `flush` does.
   */
  async setWriteback(on: boolean): Promise<void> {
    this.#require('configWce')
    this.driver.writeConfig('writeback', on ? 1 : 0)
    if (!on && this.features.flush) await this.flush()
  }

  /**
   * Reads `lengthBytes` from `sector` on, a multiple of 512. Rejects with `VirtioError` BLK_IOERR, BLK_UNSUPP, BLK_SHORT when the device has written
   * less, BLK_STATUS for an answer that is none, INVALID_OPTION, OUT_OF_MEMORY, MEMORY_DETACHED; with `DriverError` when the driver has
   * stopped, or its queue was reset.
   */
  async read(sector: number, lengthBytes: number): Promise<Uint8Array> {
    this.#checkRange(sector, lengthBytes)
    const parts = this.#cut(sector, lengthBytes).map(([from, length]) => this.#send(VIRTIO_BLK_T_IN, from, length))
    const pieces = await Promise.all(parts)
    if (pieces.length === 1) return pieces[0]!
    const bytes = new Uint8Array(lengthBytes)
    let at = 0
    for (const piece of pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }

  /** Writes `bytes`, a multiple of 512, which may be changed when this returns. Rejects as `read` does, and with BLK_READ_ONLY. */
  async write(sector: number, bytes: Uint8Array): Promise<void> {
    checkBytes('bytes', bytes)
    this.#checkRange(sector, bytes.length)
    this.#requireWritable()
    let at = 0
    const parts = this.#cut(sector, bytes.length).map(([from, length]) => {
      const data = bytes.subarray(at, at + length)
      at += length
      return this.#send(VIRTIO_BLK_T_OUT, from, length, data)
    })
    await Promise.all(parts)
  }

  /** What was written and answered by now survives. Without FLUSH there is nothing to do. Rejects as `read` does. */
  async flush(): Promise<void> {
    if (!this.features.flush) return
    await this.#send(VIRTIO_BLK_T_FLUSH, 0, 0)
  }

  /** The content is not needed any more; what reads of it give is not said (BLK-OP-DRV-15). Rejects as `write`, and with FEATURES_MISSING. */
  async discard(sector: number, sectors: number): Promise<void> {
    await this.#ranges(VIRTIO_BLK_T_DISCARD, sector, sectors, 0)
  }

  /** The range reads as zeros; with `unmap` its place may be given up. Rejects as `discard` does. */
  async writeZeroes(sector: number, sectors: number, { unmap = false } = {}): Promise<void> {
    await this.#ranges(VIRTIO_BLK_T_WRITE_ZEROES, sector, sectors, unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0)
  }

  /** The content is gone for good. Both are multiples of what the device asks for. Rejects as `discard` does. */
  async secureErase(sector: number, sectors: number): Promise<void> {
    await this.#ranges(VIRTIO_BLK_T_SECURE_ERASE, sector, sectors, 0)
  }

  /** The device's id, at most 20 characters. Rejects as `read` does; with BLK_UNSUPP where it has none. */
  async id(): Promise<string> {
    const bytes = await this.#send(VIRTIO_BLK_T_GET_ID, 0, BLK_ID_BYTES)
    const end = bytes.indexOf(0)
    return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end))
  }

  /**
   * Stages a read into memory of the caller's; `kick` shows it to the device. `done` gets the status (0 is OK; -1: the driver has stopped, or
   * the queue was reset) and how many bytes the device says it wrote: all of them and the status, or the data are not there. False: no
   * room now. Throws `VirtioError` INVALID_OPTION, MEMORY_DETACHED, `DriverError` when the driver has stopped. Allocates nothing.
   */
  addRead(sector: number, address: number, lengthBytes: number, done: BlkDone): boolean {
    return this.#add(VIRTIO_BLK_T_IN, sector, address, lengthBytes, done)
  }

  /** `addRead` the other way: what is at `address` stays as it is until `done`. Throws BLK_READ_ONLY too. */
  addWrite(sector: number, address: number, lengthBytes: number, done: BlkDone): boolean {
    this.#requireWritable()
    return this.#add(VIRTIO_BLK_T_OUT, sector, address, lengthBytes, done)
  }

  /** Shows the device what was added. The device may run inside; call it last. */
  kick(): void {
    for (const { queue } of this.#lanes) queue.kick()
  }

  /** Looks at every queue, interrupt or not. */
  poll(): void {
    if (this.driver.error === null) this.driver.poll()
  }

  /** Resets the device; everything under way ends with an error. Closing twice is no error. */
  close(): void {
    const { transport } = this.driver
    this.driver.close()
    // CLEAN-DRV-02
    if (this.#lost.length > 0 && transport.readStatus() !== 0) return
    for (const request of this.#lost.splice(0)) this.#free(request)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #add(type: number, sector: number, address: number, lengthBytes: number, done: BlkDone): boolean {
    this.#requireAlive()
    checkFunction('done', done)
    checkInteger('address', address, 0)
    this.#checkRange(sector, lengthBytes)
    checkInteger('lengthBytes', lengthBytes, 0, this.maxRequestBytes, 'bytes')
    return this.#addTo(type, sector, address, lengthBytes, false, done)
  }

  /** To the next queue that has room. */
  #addTo(type: number, sector: number, address: number, lengthBytes: number, isOurs: boolean, done: BlkDone): boolean {
    const lanes = this.#lanes
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[this.#nextLane]!
      this.#nextLane = (this.#nextLane + 1) % lanes.length
      if (!lane.queue.isResetting && lane.add(type, sector, address, lengthBytes, isOurs, done)) return true
    }
    return false
  }

  #addEntry({ request: { type, sector, address, lengthBytes, isOurs }, done }: Entry): boolean {
    return this.#addTo(type, sector, address, lengthBytes, isOurs, done)
  }

  /** A request with data of ours; resolves with what was read. */
  #send(type: number, sector: number, lengthBytes: number, data?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#requireAlive()
      const { transport } = this.driver
      const address = lengthBytes === 0 ? 0 : transport.allocate(lengthBytes, 16)
      if (data !== undefined) transport.memory.write(address, data)
      const request = { type, sector, address, lengthBytes, isOurs: true }
      const entry = this.#entry(request, resolve, reject)
      if (this.#waiting.length > 0 || !this.#addEntry(entry)) this.#waiting.push(entry)
      else this.kick()
    })
  }

  #entry(request: BlkRequestState, resolve: (bytes: Uint8Array) => void, reject: (error: unknown) => void): Entry {
    const done = (status: number, writtenBytes: number) => {
      if (status === LOST) {
        this.#lost.push(request)
        const message = 'the queue was reset before the device had answered'
        reject(this.driver.error ?? new DriverError('QUEUE_RESET', message))
        return
      }
      const error = answerError(request, status, writtenBytes)
      const isRead = request.type === VIRTIO_BLK_T_IN || request.type === VIRTIO_BLK_T_GET_ID
      const bytes = new Uint8Array(error === null && isRead ? request.lengthBytes : 0)
      this.driver.transport.memory.read(request.address, bytes)
      this.#free(request)
      if (error === null) resolve(bytes)
      else reject(error)
    }
    return { request, done, fail: reject }
  }

  async #ranges(type: number, sector: number, sectors: number, flags: number): Promise<void> {
    const limits = rangeLimits(type, this.driver.config)!
    this.#require(limits.name)
    this.#requireWritable()
    checkInteger('sector', sector, 0)
    checkInteger('sectors', sectors, 0)
    this.#checkRange(sector, sectors * SECTOR_BYTES)
    if (sector % limits.alignment !== 0 || sectors % limits.alignment !== 0) {
      const message = `sector and sectors must be multiples of ${limits.alignment}, not ${sector} and ${sectors}`
      throw new VirtioError('INVALID_OPTION', message)
    }
    const room = Math.floor(this.maxRequestBytes / BLK_SEGMENT_BYTES)
    const parts = encodeRanges({ sector, sectors, flags }, limits, room).map((data) =>
      this.#send(type, 0, data.length, data),
    )
    await Promise.all(parts)
  }

  /** A turn has as many as the ring has entries: more are of requests that were made in it. */
  #reap(lane: Lane): void {
    if (this.driver.isStopped()) return
    const { queue } = lane
    let count = 0
    while (this.driver.error === null && lane.takeOne(this.#call)) {
      count++
      if (count < queue.ring.size || this.driver.transport.requestPoll === undefined) continue
      this.driver.transport.requestPoll()
      queue.hasMore = true
      break
    }
    if (count > 0) this.#sendWaiting()
  }

  #sendWaiting(): void {
    if (this.#waiting.length === 0 || this.driver.error !== null) return
    let sent = 0
    while (sent < this.#waiting.length) {
      if (!this.#addEntry(this.#waiting[sent]!)) break
      sent++
    }
    this.#waiting.splice(0, sent)
    if (sent > 0) this.kick()
  }

  #resetLane(lane: Lane): void {
    lane.lose(this.#call)
    this.#sendWaiting()
  }

  #stop(error: DriverError): void {
    for (const { request, fail } of this.#waiting.splice(0)) {
      this.#lost.push(request)
      fail(error)
    }
    for (const lane of this.#lanes) lane.lose(this.#call)
  }

  /** Code of the user's, or of ours. */
  #guard(done: BlkDone, status: number, writtenBytes: number): void {
    try {
      done(status, writtenBytes)
    } catch (error) {
      this.driver.onFault(error, -1)
    }
  }

  #lookAtConfig(): void {
    const { capacity } = this.driver.config
    if (capacity === this.#capacity) return
    this.#capacity = capacity
    this.#events.emit('capacity', capacity)
  }

  #resume({ queues, waiting }: BlkDriverState): BlkResumed[] {
    const resumed: BlkResumed[] = []
    const { memory } = this.driver.transport
    const entryOf = (request: BlkRequestState): Entry => {
      requireData(request, memory, this.maxRequestBytes)
      let entry: Entry | null = null
      const promise = new Promise<Uint8Array>((resolve, reject) => {
        entry = this.#entry(request, resolve, reject)
      })
      // Whoever made it is gone, and may never ask for it again.
      promise.catch(() => {})
      resumed.push({ ...request, promise })
      return entry!
    }
    for (const [index, lane] of this.#lanes.entries()) {
      lane.restoreState(queues[index]!.sent, (request) => entryOf(request).done)
    }
    for (const request of waiting) this.#waiting.push(entryOf(request))
    return resumed
  }

  #free({ isOurs, address, lengthBytes }: BlkRequestState): void {
    if (isOurs && lengthBytes > 0) this.driver.transport.free(address, lengthBytes)
  }

  #cut(sector: number, lengthBytes: number): (readonly [sector: number, lengthBytes: number])[] {
    const most = this.maxRequestBytes
    const count = Math.max(1, Math.ceil(lengthBytes / most))
    return Array.from({ length: count }, (_, i) => [
      sector + (i * most) / SECTOR_BYTES,
      Math.min(most, lengthBytes - i * most),
    ])
  }

  /** BLK-OP-DRV-02, -06. Throws `VirtioError` INVALID_OPTION. */
  #checkRange(sector: number, lengthBytes: number): void {
    checkInteger('sector', sector, 0)
    checkInteger('lengthBytes', lengthBytes, 0, Number.MAX_SAFE_INTEGER, 'bytes')
    if (lengthBytes % SECTOR_BYTES !== 0) {
      throw new VirtioError('INVALID_OPTION', `lengthBytes must be a multiple of 512, not ${lengthBytes}`)
    }
    if (isWithin(sector, lengthBytes / SECTOR_BYTES, this.#capacity)) return
    const what = `sectors ${sector} to ${sector + lengthBytes / SECTOR_BYTES}`
    throw new VirtioError('INVALID_OPTION', `${what} are not on this disk, which has ${this.#capacity}`)
  }

  #require(name: BlkFeature): void {
    if (!this.features[name]) throw new VirtioError('FEATURES_MISSING', `${name} was not negotiated`)
  }

  #requireWritable(): void {
    if (this.features.ro) throw new VirtioError('BLK_READ_ONLY', 'the disk is read-only')
  }

  #requireAlive(): void {
    if (this.driver.error !== null) throw this.driver.error
    if (this.driver.transport.memory.isDetached) throw memoryDetached()
  }
}

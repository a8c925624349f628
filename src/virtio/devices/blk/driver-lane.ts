/**
 * One queue of a blk driver: headers and status bytes in a block of their own, data wherever the caller has it. A request costs no
 * allocation. Which chain is which request is remembered here, not in the ring.
 */
import { refuseState } from '../../../internal/saved-state.ts'
import type { GuestMemory } from '../../../memory/index.ts'
import { BufferList, UsedBuffer } from '../../../virtqueue/index.ts'
import type { DriverQueue } from '../../driver-queue.ts'
import { BLK_HEADER_BYTES, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN } from './contract.ts'

/** What is told of a request: the status, and the bytes that the device says it wrote, the status among them. */
export type BlkDone = (status: number, writtenBytes: number) => void

/** Instead of a status: the device has written none. */
export const NO_STATUS = 0xff
/** Instead of a status: the driver has stopped, or the queue was reset. */
export const LOST = -1

/** Header, and the status behind it. */
const SLOT_BYTES = 32

/** A request that the device has, or that waits: plain data. */
export interface BlkRequestState {
  readonly type: number
  readonly sector: number
  readonly address: number
  readonly lengthBytes: number
  /** The driver allocated the data, and frees them. */
  readonly isOurs: boolean
}

/** A request of a queue, with its chain and the place of its header. */
export interface BlkSentState extends BlkRequestState {
  readonly head: number
  readonly slot: number
}

/** Limits of one request. */
export interface LaneLimits {
  /** Most bytes of a segment. */
  readonly segmentBytes: number
  readonly isIndirect: boolean
}

export class Lane {
  readonly queue: DriverQueue
  readonly base: number
  readonly #memory: GuestMemory
  readonly #limits: LaneLimits
  readonly #buffers = new BufferList()
  readonly #used = new UsedBuffer()
  /** And the status behind it: none yet. */
  readonly #header = new Uint8Array(BLK_HEADER_BYTES + 1).fill(NO_STATUS, BLK_HEADER_BYTES)
  readonly #view = new DataView(this.#header.buffer)
  readonly #free: number[] = []
  /** By head, a list for each member: an object a request would be an allocation. */
  readonly #types: number[]
  readonly #sectors: number[]
  readonly #addresses: number[]
  readonly #lengths: number[]
  readonly #ours: boolean[]
  readonly #slots: number[]
  readonly #done: (BlkDone | undefined)[]

  /** `base`: where there are `bytesFor` bytes for headers. */
  constructor(queue: DriverQueue, memory: GuestMemory, base: number, limits: LaneLimits) {
    this.queue = queue
    this.base = base
    this.#memory = memory
    this.#limits = limits
    const { size } = queue.ring
    this.#types = new Array(size).fill(0)
    this.#sectors = new Array(size).fill(0)
    this.#addresses = new Array(size).fill(0)
    this.#lengths = new Array(size).fill(0)
    this.#ours = new Array(size).fill(false)
    this.#slots = new Array(size).fill(-1)
    this.#done = new Array(size).fill(undefined)
    this.#freeAll()
  }

  static bytesFor(size: number): number {
    return size * SLOT_BYTES
  }

  /** Stages a request; false: there is no room now. `done` is called once, unless the driver is restored elsewhere. */
  add(type: number, sector: number, address: number, lengthBytes: number, isOurs: boolean, done: BlkDone): boolean {
    const isWritable = type === VIRTIO_BLK_T_IN || type === VIRTIO_BLK_T_GET_ID
    const slot = this.#free.pop()
    if (slot === undefined) return false
    const view = this.#view
    view.setUint32(0, type, true)
    view.setUint32(8, sector >>> 0, true)
    view.setUint32(12, sector / 2 ** 32, true)
    this.#memory.write(slot, this.#header)
    const buffers = this.#buffers.clear().addReadable(slot, BLK_HEADER_BYTES)
    const { segmentBytes, isIndirect } = this.#limits
    for (let at = 0; at < lengthBytes; at += segmentBytes) {
      const length = Math.min(segmentBytes, lengthBytes - at)
      if (isWritable) buffers.addWritable(address + at, length)
      else buffers.addReadable(address + at, length)
    }
    buffers.addWritable(slot + BLK_HEADER_BYTES, 1)
    const head = this.queue.ring.add(buffers, isIndirect ? 0 : buffers.count)
    if (head < 0) {
      this.#free.push(slot)
      return false
    }
    this.#keep(head, slot, type, sector, address, lengthBytes, isOurs, done)
    return true
  }

  /** The next request that is done, if any: `done` was called when this returns. */
  takeOne(call: (done: BlkDone, status: number, writtenBytes: number) => void): boolean {
    if (!this.queue.ring.popUsed(this.#used)) return false
    const { id, writtenBytes } = this.#used
    const slot = this.#slots[id]!
    const status = this.#memory.readU8(slot + BLK_HEADER_BYTES)
    this.#free.push(slot)
    const done = this.#forget(id)
    if (done !== undefined) call(done, status, writtenBytes)
    return true
  }

  /** The ring is empty, or nobody's any more: nothing comes of what was under way. */
  lose(call: (done: BlkDone, status: number, writtenBytes: number) => void): void {
    const lost = this.#done.flatMap((done) => (done === undefined ? [] : [done]))
    this.#done.fill(undefined)
    this.#slots.fill(-1)
    this.#freeAll()
    for (const done of lost) call(done, LOST, 0)
  }

  saveState(): BlkSentState[] {
    return this.#done.flatMap((done, head) => {
      if (done === undefined) return []
      return [
        {
          head,
          slot: this.#slots[head]!,
          type: this.#types[head]!,
          sector: this.#sectors[head]!,
          address: this.#addresses[head]!,
          lengthBytes: this.#lengths[head]!,
          isOurs: this.#ours[head]!,
        },
      ]
    })
  }

  /** Takes over what `saveState` said. Throws `VirtioError` INVALID_STATE unless the ring has such chains outstanding, and no others. */
  restoreState(sent: readonly BlkSentState[], doneOf: (request: BlkSentState) => BlkDone): void {
    const { name, ring } = this.queue
    for (const request of sent) {
      const { head, slot } = request
      const at = this.#free.indexOf(slot)
      if (ring.writableBytesOf(head) < 1 || this.#done[head] !== undefined || at < 0) {
        refuseState('blk driver', `chain ${head} of ${name} is not outstanding like that, or there twice`)
      }
      this.#free.splice(at, 1)
      const { type, sector, address, lengthBytes, isOurs } = request
      this.#keep(head, slot, type, sector, address, lengthBytes, isOurs, doneOf(request))
    }
    if (sent.length === ring.outstanding) return
    refuseState('blk driver', `${name} has ${ring.outstanding} chains outstanding, ${sent.length} are told of`)
  }

  #keep(
    head: number,
    slot: number,
    type: number,
    sector: number,
    address: number,
    lengthBytes: number,
    isOurs: boolean,
    done: BlkDone,
  ): void {
    this.#slots[head] = slot
    this.#types[head] = type
    this.#sectors[head] = sector
    this.#addresses[head] = address
    this.#lengths[head] = lengthBytes
    this.#ours[head] = isOurs
    this.#done[head] = done
  }

  #forget(head: number): BlkDone | undefined {
    const done = this.#done[head]
    this.#done[head] = undefined
    this.#slots[head] = -1
    return done
  }

  #freeAll(): void {
    this.#free.length = 0
    for (let slot = this.queue.ring.size - 1; slot >= 0; slot--) this.#free.push(this.base + slot * SLOT_BYTES)
  }
}

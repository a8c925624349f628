/**
 * What a driver offers in one request: device-readable buffers, then device-writable ones (VQS-FRM-DRV-01), by guest-physical
 * address. Caller-owned and reused; allocates only when it grows.
 */
import { checkInteger, MAX_U32 } from '../../internal/check-option.ts'
import { VirtioError } from '../../internal/error.ts'

/** Room that a list may be made with; it grows beyond. */
const LARGEST_CAPACITY = 2 ** 20

/**
 * The buffers of one chain that a driver offers, readable ones first: addresses and lengths in bytes, in arrays that
 * are used again. What is no buffer is a `VirtioError` INVALID_OPTION, and not added.
 */
export class BufferList {
  count = 0
  readableCount = 0
  readableBytes = 0
  writableBytes = 0
  address: Float64Array
  length: Uint32Array

  constructor(capacity = 16) {
    checkInteger('capacity', capacity, 1, LARGEST_CAPACITY, 'buffers')
    this.address = new Float64Array(capacity)
    this.length = new Uint32Array(capacity)
  }

  addReadable(address: number, length: number): this {
    if (this.readableCount !== this.count) {
      throw new VirtioError('INVALID_OPTION', 'readable buffers come before writable ones (VQS-FRM-DRV-01)')
    }
    this.#append(address, length)
    this.readableCount++
    this.readableBytes += length
    return this
  }

  addWritable(address: number, length: number): this {
    this.#append(address, length)
    this.writableBytes += length
    return this
  }

  clear(): this {
    this.count = 0
    this.readableCount = 0
    this.readableBytes = 0
    this.writableBytes = 0
    return this
  }

  #append(address: number, length: number): void {
    const isAddress = Number.isSafeInteger(address) && address >= 0
    if (!isAddress || typeof length !== 'number' || length >>> 0 !== length) refuseBuffer(address, length)
    const index = this.count
    if (index === this.address.length) this.#grow()
    this.address[index] = address
    this.length[index] = length
    this.count = index + 1
  }

  #grow(): void {
    const { address, length } = this
    this.address = new Float64Array(2 * address.length)
    this.length = new Uint32Array(2 * length.length)
    this.address.set(address)
    this.length.set(length)
  }
}

function refuseBuffer(address: number, length: number): void {
  checkInteger('address', address, 0)
  checkInteger('length', length, 0, MAX_U32, 'bytes')
}

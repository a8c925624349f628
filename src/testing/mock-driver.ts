/**
 * A driver for the tests of a device: it lays out requests over memory of its own, in any framing, counts its kicks, and says
 * what came back. It is the specification's driver (`ReferenceDriver`) with hands.
 *
 *     const driver = new MockDriver({ size: 8, seed: 1 })
 *     const device = new MyDevice(driver.memory, driver.ring)
 *     const request = driver.send([Uint8Array.of(1, 2, 3)], 16, { framing: 'random' })
 *     if (driver.kick()) device.run()
 *     expect(driver.receive()).toBe(request); expect(request.reply()).toEqual(...)
 */
import { checkFlags, checkInteger, checkObject, checkPowerOfTwo } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { Random } from '../internal/random.ts'
import { GuestMemory } from '../memory/index.ts'
import { ReferenceDriver } from './format/split/reference-peers.ts'
import type { ByteRange } from './format/split/reference-split-ring.ts'
import { QueueMismatch } from './mismatch.ts'
import type { DriverRing } from './queue-targets.ts'
import { layOutRing } from './ring-layout.ts'

/** Options of `MockDriver`. */
export interface MockDriverOptions {
  /** Of the ring: a power of two. Default 8. */
  readonly size?: number
  readonly eventIdx?: boolean
  readonly indirect?: boolean
  /** Of random framings. Default 1. */
  readonly seed?: number
  /** For buffers. Default 64 KiB. */
  readonly dataBytes?: number
}

/** `whole`: a buffer for each part given, one for the reply. `bytes`: one byte each. `random`: cut anywhere, some in a table. */
export type Framing = 'whole' | 'bytes' | 'random'

/** A request that the mock driver made, and what came of it. */
export class MockRequest {
  readonly head: number
  /** Bytes that the device says it wrote; -1 while it holds the request. */
  writtenBytes = -1
  readonly #memory: GuestMemory
  readonly #writable: readonly ByteRange[]

  constructor(head: number, memory: GuestMemory, writable: readonly ByteRange[]) {
    this.head = head
    this.#memory = memory
    this.#writable = writable
  }

  get done(): boolean {
    return this.writtenBytes >= 0
  }

  /** What the device wrote, and by its own word how much of it counts. Empty while it holds the request. */
  reply(): Uint8Array {
    return this.buffer().subarray(0, Math.max(0, this.writtenBytes))
  }

  /** All of the writable bytes as they are now. */
  buffer(): Uint8Array {
    const bytes = new Uint8Array(this.#writable.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const { address, length } of this.#writable) {
      this.#memory.read(address, bytes.subarray(at, at + length))
      at += length
    }
    return bytes
  }
}

/**
 * A driver to script in a test of a device: it lays out requests, counts its kicks, and throws `QueueMismatch` when
 * what comes back breaks a rule.
 */
export class MockDriver {
  readonly memory: GuestMemory
  readonly ring: DriverRing
  /** How often the device had to be kicked. */
  kicks = 0
  readonly #driver: ReferenceDriver
  readonly #random: Random
  readonly #requests = new Map<number, MockRequest>()
  readonly #data: ByteRange
  #cursor = 0

  constructor(options: MockDriverOptions = {}) {
    checkObject('options', options)
    const { size = 8, eventIdx = false, indirect = false, seed = 1, dataBytes = 0x1_0000 } = options
    checkPowerOfTwo('size', size, 1, 32768, 'entries')
    checkInteger('seed', seed, 0)
    checkFlags(options, 'eventIdx', 'indirect')
    checkInteger('dataBytes', dataBytes, 16, 2 ** 30, 'bytes')
    const { ring, end } = layOutRing({ size, eventIdx, indirect })
    this.ring = ring
    this.memory = GuestMemory.ofSize(end + dataBytes - ring.descriptorArea, ring.descriptorArea)
    this.#data = { address: end, length: dataBytes }
    this.#driver = new ReferenceDriver(this.memory, ring)
    this.#random = new Random(seed, 0)
  }

  /** Requests that the device holds. */
  get outstanding(): number {
    return this.#requests.size
  }

  /**
   * Lays out and publishes one request: `parts` to read, then `replyBytes` to write. Null: the ring is full. Writable bytes are
   * filled with 0xa5, so that what was not written shows. Throws `VirtioError` NO_MEMORY when `dataBytes` cannot hold it.
   */
  send(parts: readonly Uint8Array[], replyBytes: number, { framing = 'whole' as Framing } = {}): MockRequest | null {
    const readable = parts.flatMap((part) => {
      const range = this.#place(part.length)
      this.memory.write(range.address, part)
      return [range]
    })
    const writable = replyBytes > 0 ? [this.#place(replyBytes)] : []
    for (const { address, length } of writable) this.memory.fill(address, length, 0xa5)
    const room = this.ring.size
    const cut = this.#cut(readable, writable, framing, room)
    const direct = framing === 'random' ? this.#random.between(0, cut.readable.length + cut.writable.length) : room
    const head = this.#driver.add(cut.readable, cut.writable, direct)
    if (head < 0) return null
    this.#driver.publish()
    const request = new MockRequest(head, this.memory, writable)
    this.#requests.set(head, request)
    return request
  }

  /** Whether the device must be kicked for what was sent since the last time. */
  kick(): boolean {
    const wanted = this.#driver.wantsNotification()
    if (wanted) this.kicks++
    return wanted
  }

  /** The next request that came back, or null. Throws `QueueMismatch` when the device lies about it. */
  receive(): MockRequest | null {
    const used = this.#driver.reap()
    if (used === null) return null
    if (used.kind === 'fault') throw new QueueMismatch(`the device broke ${used.rule}`, '')
    const request = this.#requests.get(used.id)!
    this.#requests.delete(used.id)
    request.writtenBytes = used.writtenBytes
    return request
  }

  /** Asks for interrupts, or for silence; true: something came back already. */
  setInterrupts(on: boolean): boolean {
    return this.#driver.setNotifications(on)
  }

  #place(length: number): ByteRange {
    const { address, length: bytes } = this.#data
    if (length > bytes) throw new VirtioError('NO_MEMORY', `${length} bytes do not fit the ${bytes} for buffers`)
    // Round and round: what is in flight at once must fit, as in a real driver.
    if (this.#cursor + length > bytes) this.#cursor = 0
    this.#cursor += length
    return { address: address + this.#cursor - length, length }
  }

  /** Never into more buffers than the ring has descriptors. */
  #cut(readable: readonly ByteRange[], writable: readonly ByteRange[], framing: Framing, room: number) {
    let spare = room - readable.length - writable.length
    const pieces = (ranges: readonly ByteRange[]): ByteRange[] =>
      ranges.flatMap((range) => {
        const cut: ByteRange[] = []
        let rest = range
        while (
          spare > 0 &&
          rest.length > 1 &&
          (framing === 'bytes' || (framing === 'random' && this.#random.chance(0.5)))
        ) {
          const length = framing === 'bytes' ? 1 : this.#random.between(1, rest.length - 1)
          cut.push({ address: rest.address, length })
          rest = { address: rest.address + length, length: rest.length - length }
          spare--
        }
        return [...cut, rest]
      })
    return { readable: pieces(readable), writable: pieces(writable) }
  }
}

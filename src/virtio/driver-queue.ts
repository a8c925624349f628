/**
 * A driver's queue: requests as promises (`call`) or callbacks (`post`), over the raw ring, which stays in reach. The device is
 * distrusted by the ring itself; this layer owns the buffers, and keeps them while the device may write to them (CLEAN-DRV-02).
 */
import { assert } from '../internal/assert.ts'
import { VirtioError } from '../internal/error.ts'
import { WaitList } from '../internal/wait-list.ts'
import { BufferList, type SplitDriverQueue, UsedBuffer } from '../virtqueue/index.ts'
import type { DriverError } from './driver-error.ts'
import type { DriverTransport } from './driver-transport.ts'

export interface CallOptions {
  /** Bytes of room for the device's answer; default none. */
  readonly reply?: number
  /** Stops the wait. The request itself cannot be taken back: its buffers stay the device's until it returns them. */
  readonly signal?: AbortSignal
}

export interface Reply {
  /** What the device says it wrote: at most the room there was. */
  readonly bytes: Uint8Array
}

/** What happens when the device returns a chain: `writtenBytes` of it, or an error when the device is given up. */
type Completion = (writtenBytes: number, error: DriverError | null) => void

export class DriverQueue {
  readonly name: string
  readonly index: number
  /** The raw ring, for drivers that manage their own buffers; whoever uses it sets `onUsed` too. */
  readonly ring: SplitDriverQueue
  /** Called for each used buffer notification instead of the queue's own reaping. */
  onUsed: (() => void) | null = null
  readonly #transport: DriverTransport
  readonly #indirectLength: number
  readonly #completions: (Completion | undefined)[]
  readonly #buffers = new BufferList()
  readonly #used = new UsedBuffer()
  readonly #room = new WaitList()
  #error: DriverError | null = null

  /** Made by `startDriver` only. */
  constructor(name: string, ring: SplitDriverQueue, transport: DriverTransport, indirectLength: number) {
    this.name = name
    this.index = ring.index
    this.ring = ring
    this.#transport = transport
    this.#indirectLength = indirectLength
    this.#completions = new Array(ring.size).fill(undefined)
  }

  /**
   * Sends `readable` and resolves with the device's answer; waits for room when the ring is full (museum 45). Each element is a
   * descriptor of its own. Rejects with `DriverError` when the device is given up, `VirtioError` REQUEST_TOO_LONG when the
   * ring can never hold it, OUT_OF_MEMORY, or the signal's reason.
   */
  async call(readable: readonly Uint8Array[], options: CallOptions = {}): Promise<Reply> {
    const { reply = 0, signal } = options
    signal?.throwIfAborted()
    const parts = readable.filter((part) => part.length > 0)
    const count = parts.length + (reply > 0 ? 1 : 0)
    assert(count > 0, 'a call sends or receives at least one byte')
    const indirect = count > 1 && count <= this.#indirectLength
    this.#requireRing(count)
    while (this.#error === null && this.ring.freeDescriptors < (indirect ? 1 : count)) await this.#room.wait(signal)
    return this.#send(parts, reply, indirect ? 0 : count, signal)
  }

  /**
   * Stages one chain of the caller's own buffers; `kick` shows it to the device. False: no room now. Throws `DriverError` when the
   * device is given up, `VirtioError` REQUEST_TOO_LONG when the ring, whose size the device may limit, can never hold it.
   */
  add(buffers: BufferList, completion: (writtenBytes: number) => void, direct?: number): boolean {
    if (this.#error !== null) throw this.#error
    this.#requireRing(buffers.count)
    return this.#add(buffers, (writtenBytes, error) => error === null && completion(writtenBytes), direct)
  }

  /** `add`, then `kick`. */
  post(buffers: BufferList, completion: (writtenBytes: number) => void, direct?: number): boolean {
    const added = this.add(buffers, completion, direct)
    if (added) this.kick()
    return added
  }

  /** Publishes what was added and notifies the device when it wants to be. The device may run inside; call it last. */
  kick(): void {
    this.ring.publish()
    if (this.ring.needsNotification()) this.#transport.notify(this.index)
  }

  /** Completes what the device has returned; says how many. Called by the driver's interrupt handler, or to poll. */
  reap(): number {
    let count = 0
    while (this.#error === null && this.ring.popUsed(this.#used)) {
      const { id, writtenBytes } = this.#used
      const completion = this.#completions[id]
      this.#completions[id] = undefined
      completion?.(writtenBytes, null)
      count++
    }
    if (count > 0) this.#room.wake()
    return count
  }

  /** @internal Rejects everything that waits, and whatever comes. */
  fail(error: DriverError): void {
    if (this.#error !== null) return
    this.#error = error
    for (const [id, completion] of this.#completions.entries()) {
      this.#completions[id] = undefined
      completion?.(0, error)
    }
    this.#room.wake()
  }

  #send(parts: readonly Uint8Array[], reply: number, direct: number, signal: AbortSignal | undefined): Promise<Reply> {
    if (this.#error !== null) throw this.#error
    const { memory } = this.#transport
    const sent = parts.reduce((sum, part) => sum + part.length, 0)
    const address = this.#transport.allocate(sent + reply, 16)
    const buffers = this.#buffers.clear()
    let end = address
    for (const part of parts) {
      memory.write(end, part)
      buffers.addReadable(end, part.length)
      end += part.length
    }
    if (reply > 0) buffers.addWritable(end, reply)
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal?.reason)
      const added = this.#add(
        buffers,
        (writtenBytes, error) => {
          signal?.removeEventListener('abort', abort)
          // A device that was given up may still write: its buffers are lost until the reset.
          if (error !== null) return reject(error)
          const bytes = new Uint8Array(writtenBytes)
          memory.read(address + sent, bytes)
          this.#transport.free(address, sent + reply)
          resolve({ bytes })
        },
        direct,
      )
      assert(added, 'there was room before the buffers were written')
      signal?.addEventListener('abort', abort, { once: true })
      this.kick()
    })
  }

  /** VQS-IND-DRV-03: a table holds no more than the ring does. */
  #requireRing(count: number): void {
    const { size } = this.ring
    if (count > size) {
      throw new VirtioError('REQUEST_TOO_LONG', `${count} buffers do not fit queue ${this.name}, a ring of ${size}`)
    }
  }

  #add(buffers: BufferList, completion: Completion, direct?: number): boolean {
    const head = this.ring.add(buffers, direct)
    if (head < 0) return false
    this.#completions[head] = completion
    return true
  }
}

/**
 * A driver's queue: requests as promises (`call`) or callbacks (`post`), over the raw ring, which stays in reach. The device is
 * distrusted by the ring itself; this layer owns the buffers, and keeps them while the device may write to them (CLEAN-DRV-02).
 */
import { assert } from '../internal/assert.ts'
import { checkFunction, checkInteger, refuseOption } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { watchPromise } from '../internal/watch-promise.ts'
import { BufferList, type DriverRing, UsedBuffer } from '../virtqueue/index.ts'
import { memoryDetached } from './detached-memory.ts'
import type { DriverError } from './driver-error.ts'
import { checkCalls, type QueueCalls, requireDriverState } from './driver-state.ts'
import type { DriverTransport } from './driver-transport.ts'
import { type CallOptions, PendingCall, type Reply } from './pending-call.ts'

/** What happens when the device returns a chain of the caller's own buffers. */
type Completion = (writtenBytes: number) => void

/** A queue as the driver's user sees it: `call` sends a request and gets the answer. */
export class DriverQueue {
  readonly name: string
  readonly index: number
  /** The raw ring, for drivers that manage their own buffers; whoever uses it sets `onUsed` too. */
  readonly ring: DriverRing
  /** Called for each used buffer notification instead of the queue's own reaping. */
  onUsed: (() => void) | null = null
  /** Called when the queue was reset (`Driver.resetQueue`), for who uses the ring itself: it is empty, and wants its buffers anew. */
  onReset: (() => void) | null = null
  /** @internal A turn ended at its bound: the next interrupt is one of ours. */
  hasMore = false
  readonly #transport: DriverTransport
  readonly #indirectLength: number
  readonly #report: (error: unknown) => void
  /** By head: what `add` was given; and the calls that the device has, oldest first. */
  readonly #completions: (Completion | undefined)[]
  readonly #calls = new Map<number, PendingCall>()
  /** Calls that found no room, oldest first. */
  readonly #waiting: PendingCall[] = []
  readonly #buffers = new BufferList()
  readonly #used = new UsedBuffer()
  #resumed: readonly PendingCall[] = []
  #error: DriverError | null = null
  /** The device was asked to let go of the queue: nothing is sent until it is set up anew. */
  #isResetting = false

  /** Made by `startDriver` and `restoreDriver` only. `report` is told what the caller's own functions throw. */
  constructor(
    name: string,
    ring: DriverRing,
    transport: DriverTransport,
    indirectLength: number,
    report: (error: unknown) => void,
  ) {
    this.name = name
    this.index = ring.index
    this.ring = ring
    this.#transport = transport
    this.#indirectLength = indirectLength
    this.#report = report
    this.#completions = new Array(ring.size).fill(undefined)
  }

  /**
   * Sends `readable` and resolves with the device's answer; waits for room when the ring is full, in the order of the calls (museum
   * 45). Each element is a descriptor of its own. Rejects with `DriverError` when the device is given up, `VirtioError`
   * REQUEST_TOO_LONG when the ring can never hold it, OUT_OF_MEMORY, MEMORY_DETACHED, INVALID_OPTION, or the signal's reason.
   */
  call(readable: readonly Uint8Array[], options: CallOptions = {}): Promise<Reply> {
    let call: PendingCall
    try {
      call = new PendingCall(readable, options, (aborted) => this.#forget(aborted), this.#report)
    } catch (error) {
      return Promise.reject(error)
    }
    try {
      this.#requireRing(call.buffers)
      if (this.#error !== null) throw this.#error
      this.#requireMemory()
      if (this.#waiting.length > 0 || !this.#fits(call)) this.#waiting.push(call)
      else {
        this.#send(call)
        this.kick()
      }
    } catch (error) {
      call.fail(error)
    }
    return call.promise
  }

  /**
   * Stages one chain of the caller's own buffers; `kick` shows it to the device. False: no room now, or the queue is being reset. Throws
   * `DriverError` when the device is given up, `VirtioError` REQUEST_TOO_LONG when the ring, whose size the device may limit, can never hold it,
   * MEMORY_DETACHED, or INVALID_OPTION. What `completion` throws, or rejects with, is a `fault` of the driver.
   */
  add(buffers: BufferList, completion: (writtenBytes: number) => void, direct?: number): boolean {
    if (this.#error !== null) throw this.#error
    checkBuffers(buffers)
    checkFunction('completion', completion)
    this.#requireRing(buffers.count)
    if (buffers.count === 0) refuseOption('buffers', buffers, 'a BufferList with at least one buffer')
    if (direct !== undefined) this.#checkDirect(direct, buffers.count)
    this.#requireMemory()
    if (this.#isResetting) return false
    const head = this.ring.add(buffers, direct)
    if (head < 0) return false
    this.#completions[head] = completion
    return true
  }

  /** `add`, then `kick`. */
  post(buffers: BufferList, completion: (writtenBytes: number) => void, direct?: number): boolean {
    const added = this.add(buffers, completion, direct)
    if (added) this.kick()
    return added
  }

  /**
   * Publishes what was added and notifies the device when it wants to be. The device may run inside; call it last. Of a driver that has
   * stopped it does nothing: the memory of its ring may be another driver's. Throws `VirtioError` MEMORY_DETACHED.
   */
  kick(): void {
    if (this.#error !== null || this.#isResetting) return
    this.#requireMemory()
    this.ring.publish()
    if (this.ring.needsNotification()) this.#transport.notify(this.index)
  }

  /**
   * Completes what the device has returned; says how many. Called by the driver's interrupt handler, or to poll. A turn has as many
   * completions as the ring has entries: more are of requests that were made in it, and come in the next turn.
   */
  reap(): number {
    let count = 0
    while (this.#error === null && this.ring.popUsed(this.#used)) {
      const { id, writtenBytes } = this.#used
      const completion = this.#completions[id]
      if (completion === undefined) this.#finish(id, writtenBytes)
      else {
        this.#completions[id] = undefined
        try {
          watchPromise(completion(writtenBytes), this.#report)
        } catch (error) {
          this.#report(error)
        }
      }
      count++
      if (count < this.ring.size || this.#transport.requestPoll === undefined) continue
      this.#transport.requestPoll()
      this.hasMore = true
      break
    }
    if (count > 0) this.#sendWaiting()
    return count
  }

  /** Calls that a snapshot brought back, in the order in which they were made: the device has them, or they wait for room. */
  get resumed(): readonly Pick<PendingCall, 'promise' | 'onSettled'>[] {
    return this.#resumed
  }

  /** @internal Rejects everything that waits, and whatever comes. */
  fail(error: DriverError): void {
    if (this.#error !== null) return
    this.#error = error
    this.#completions.fill(undefined)
    // A device that was given up may still write: its buffers are lost until the reset.
    for (const call of [...this.#calls.values(), ...this.#waiting.splice(0)]) call.fail(error)
  }

  /** @internal The device is asked to let go of the queue. */
  get isResetting(): boolean {
    return this.#isResetting
  }

  /** @internal Nothing is sent from now on; what comes back is still taken. */
  beginReset(): void {
    this.#isResetting = true
  }

  /** @internal The device has let go of the queue: its memory is the driver's (VQRST-DRV-02). Returns the calls that were not answered. */
  empty(): readonly PendingCall[] {
    const lost = [...this.#calls.values()]
    this.#completions.fill(undefined)
    this.releaseBuffers()
    this.ring.reset()
    return lost
  }

  /** @internal The device has the queue again: what waited is sent. */
  endReset(): void {
    this.#isResetting = false
    this.#sendWaiting()
  }

  /** @internal The device, or the queue, was reset: the buffers of its calls are free. */
  releaseBuffers(): void {
    for (const { address, sentBytes, replyBytes } of this.#calls.values()) {
      this.#transport.free(address, sentBytes + replyBytes)
    }
    this.#calls.clear()
  }

  /** @internal */
  saveCalls(): QueueCalls {
    return {
      ownsRing: this.onUsed !== null,
      posted: this.#completions.flatMap((completion, id) => (completion === undefined ? [] : [id])),
      calls: Array.from(this.#calls, ([id, { address, sentBytes, replyBytes }]) => ({
        id,
        address,
        sentBytes,
        replyBytes,
      })),
      waiting: this.#waiting.map(({ parts, replyBytes }) => ({
        parts: parts.map((part) => [...part]),
        replyBytes,
      })),
    }
  }

  /** @internal `completionOf` gives a chain that was added with a callback another one. */
  restoreCalls(state: QueueCalls, completionOf: ((id: number) => Completion) | undefined): void {
    checkCalls(state, this.name, this.ring)
    const resumed = (readable: readonly Uint8Array[], reply: number) => {
      const call = new PendingCall(readable, { reply }, (aborted) => this.#forget(aborted), this.#report)
      // Whoever made it is gone, and may never ask for it again.
      call.promise.catch(() => {})
      return call
    }
    for (const { id, address, sentBytes, replyBytes } of state.calls) {
      const call = resumed([new Uint8Array(sentBytes)], replyBytes)
      call.address = address
      this.#calls.set(id, call)
    }
    for (const { parts, replyBytes } of state.waiting) {
      const readable = parts.map((part) => Uint8Array.from(part))
      this.#waiting.push(resumed(readable, replyBytes))
    }
    for (const id of state.posted) {
      requireDriverState(
        completionOf !== undefined,
        `chain ${id} of queue ${this.name} was added with a callback: pass options.completion`,
      )
      this.#completions[id] = completionOf?.(id)
    }
    this.#resumed = [...this.#calls.values(), ...this.#waiting]
    // Its owner sets the real one.
    if (state.ownsRing) this.onUsed = () => {}
  }

  #fits({ buffers }: PendingCall): boolean {
    if (this.#isResetting) return false
    return this.ring.freeDescriptors >= (this.#inTable(buffers) ? 1 : buffers)
  }

  #inTable(buffers: number): boolean {
    return buffers > 1 && buffers <= this.#indirectLength
  }

  /** There is room for it. Throws `VirtioError` OUT_OF_MEMORY. */
  #send(call: PendingCall): void {
    const { memory } = this.#transport
    const { parts, sentBytes, replyBytes } = call
    call.address = this.#transport.allocate(sentBytes + replyBytes, 16)
    const buffers = this.#buffers.clear()
    let end = call.address
    for (const part of parts) {
      memory.write(end, part)
      buffers.addReadable(end, part.length)
      end += part.length
    }
    if (replyBytes > 0) buffers.addWritable(end, replyBytes)
    const head = this.ring.add(buffers, this.#inTable(buffers.count) ? 0 : buffers.count)
    assert(head >= 0, 'there was room before the buffers were written')
    this.#calls.set(head, call)
  }

  #sendWaiting(): void {
    let sent = 0
    for (let next = this.#waiting[0]; next !== undefined && this.#error === null; next = this.#waiting[0]) {
      if (!this.#fits(next)) break
      this.#waiting.shift()
      try {
        this.#send(next)
        sent++
      } catch (error) {
        next.fail(error)
      }
    }
    if (sent > 0) this.kick()
  }

  #finish(id: number, writtenBytes: number): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    const bytes = new Uint8Array(writtenBytes)
    this.#transport.memory.read(call.address + call.sentBytes, bytes)
    try {
      this.#transport.free(call.address, call.sentBytes + call.replyBytes)
    } catch (error) {
      this.#report(error)
    }
    call.succeed(bytes)
  }

  #forget(call: PendingCall): void {
    const index = this.#waiting.indexOf(call)
    if (index >= 0) this.#waiting.splice(index, 1)
  }

  /** How many ring descriptors a chain takes before its table. */
  #checkDirect(direct: number, count: number): void {
    checkInteger('direct', direct, 0, count, 'buffers')
    const inTable = count - direct
    if (inTable <= Math.min(this.#indirectLength, this.ring.size)) return
    const has = `a table of queue ${this.name} has ${this.#indirectLength} entries`
    throw new VirtioError('INVALID_OPTION', `direct leaves ${inTable} buffers to a table, and ${has} (indirectLength)`)
  }

  #requireMemory(): void {
    if (this.#transport.memory.isDetached) throw memoryDetached()
  }

  /** VQS-IND-DRV-03: a table holds no more than the ring does. */
  #requireRing(count: number): void {
    const { size } = this.ring
    if (count > size) {
      throw new VirtioError('REQUEST_TOO_LONG', `${count} buffers do not fit queue ${this.name}, a ring of ${size}`)
    }
  }
}

/** A list of the other copy of this package, where a program has two, is one as well. */
function checkBuffers(value: unknown): void {
  if (value instanceof BufferList) return
  const { count, address } = (value ?? {}) as { readonly count?: unknown; readonly address?: unknown }
  if (typeof count !== 'number' || !ArrayBuffer.isView(address)) refuseOption('buffers', value, 'a BufferList')
}

/**
 * The friendly way to serve a queue: `for (const request of queue.drain(16)) request.writer.u32(request.reader.u32() + 1)`.
 *
 * A thin layer over the device side of a ring. Whatever the loop body does, and however it ends, each request comes back to the driver
 * exactly once, with the bytes its writer counted; a turn is bounded; used elements are published once a turn, and the driver
 * is notified when it wants to be. The objects are reused, so a request costs no allocation.
 */
import { assert } from '../internal/assert.ts'
import { refuseOption } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { ChainReader, ChainWriter } from './chain/chain-stream.ts'
import { DescriptorChain } from './chain/descriptor-chain.ts'
import type { DeviceRing } from './device-ring.ts'
import { checkRequestState, type RequestState, reopenChain, saveRequest } from './request-state.ts'

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** The device's hands on one chain. Valid until the loop goes on, or, after `defer`, until `complete`. */
export class Request {
  readonly chain = new DescriptorChain()
  readonly reader = new ChainReader()
  readonly writer = new ChainWriter()
  readonly #owner: RequestQueue
  #generation = -1

  /** Made by `RequestQueue` only. */
  constructor(owner: RequestQueue) {
    this.#owner = owner
  }

  /** Not given back yet. */
  get pending(): boolean {
    return this.#generation >= 0
  }

  /**
   * Gives the request back with what was written so far: early, inside the loop, or whenever a deferred one is done. After a
   * reset of the queue it does nothing: the chain belongs to a life that is over (museum 28). Called again, it is a mistake of the
   * program: it throws an error with the code ASSERTION, and nothing comes back twice.
   */
  complete(): void {
    assert(this.#generation >= 0, 'a request is completed once')
    this.#owner.settle(this)
  }

  /**
   * Keeps the request beyond the loop: the loop takes another object, and nothing comes back until `complete`. Called twice, or when the
   * loop has gone on, it is a mistake of the program: it throws an error with the code ASSERTION.
   */
  defer(): this {
    this.#owner.defer(this)
    return this
  }

  /** @internal */
  isOf(queue: RequestQueue): boolean {
    return this.#owner === queue
  }

  /** @internal Takes over the chain that was just popped. */
  begin(generation: number): void {
    this.#generation = generation
    this.reader.attach(this.chain)
    this.writer.attach(this.chain)
  }

  /** @internal As `saveRequest` found it. */
  resume(generation: number, state: RequestState): void {
    this.begin(generation)
    this.reader.cursor.skip(state.readBytes)
    this.reader.overrun = state.readerOverrun
    // Not by the writer's own `skip`, which would write zeros over what is there.
    this.writer.cursor.skip(state.writtenBytes)
    this.writer.overrun = state.writerOverrun
  }

  /** @internal Its queue is gone: what is read from now on is zeros, what is written is dropped. */
  revoke(): void {
    this.chain.clear()
    this.reader.attach(this.chain)
    this.writer.attach(this.chain)
  }

  /** @internal Ends the request; false when its queue was reset meanwhile. */
  end(generation: number): boolean {
    const live = this.#generation === generation
    this.#generation = -1
    return live
  }
}

/**
 * A device's queue as requests with a reader and a writer: `drain` hands them out one by one, and returns the buffers
 * of each to the driver when the loop goes on, unless the request was deferred.
 */
export class RequestQueue implements IterableIterator<Request, undefined> {
  readonly queue: DeviceRing
  /**
   * @internal A loop that ends early keeps its last request until `giveLastBack`: whoever runs the loop does not know yet whether it
   * ended with an error.
   */
  keepsLast = false
  readonly #notifyUsed: () => void
  readonly #spare: Request[] = []
  readonly #deferred = new Set<Request>()
  readonly #result: { done: false; value: Request }
  #current: Request
  /** Of the loop: what it may take in all, and from now on. */
  #limit = 0
  #left = 0
  #draining = false
  /** Of the queue when the loop began: a reset ends the loop. */
  #generation = 0

  /** `notifyUsed` sends the used buffer notification; it is called only when the driver wants it. */
  constructor(queue: DeviceRing, notifyUsed: () => void = () => {}) {
    this.queue = queue
    this.#notifyUsed = notifyUsed
    this.#current = new Request(this)
    this.#result = { done: false, value: this.#current }
    queue.memory.observe(this)
  }

  /** Called by the memory when a region got another buffer. */
  rebind(): void {
    for (const { reader, writer } of [this.#current, ...this.#deferred]) {
      reader.cursor.rebind()
      writer.cursor.rebind()
    }
  }

  /**
   * Up to `limit` waiting requests, one at a time, for one `for ... of`. Afterwards `waiting` says whether the limit cut it
   * short. Loops over one queue do not nest. Throws `VirtioError` INVALID_OPTION for a limit that is none.
   */
  drain(limit: number): this {
    if (this.#draining) assert(false, `queue ${this.queue.index} is being drained already`)
    if (typeof limit !== 'number' || !(limit >= 0)) refuseOption('limit', limit, 'a number of requests, 0 or more')
    this.#draining = true
    this.#limit = limit
    this.#left = limit
    this.#generation = this.queue.generation
    return this
  }

  /** Requests that the driver has made available by now: serve them in another turn, without waiting for a notification. */
  get waiting(): number {
    return this.queue.availableCount()
  }

  /** Requests that the present loop has handed out, or else the last one. */
  get taken(): number {
    return this.#limit - this.#left
  }

  /** Requests that were deferred and not completed yet, oldest first. */
  get deferred(): readonly Request[] {
    return [...this.#deferred]
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<Request, undefined> {
    const queue = this.queue
    this.#giveBack(this.#current)
    const request = this.#current
    if (this.#left > 0 && queue.generation === this.#generation && queue.popAvailable(request.chain)) {
      this.#left--
      request.begin(queue.generation)
      return this.#result
    }
    return this.return()
  }

  /** Ends the turn; `for ... of` calls it on `break` and on a throw too. */
  return(): IteratorResult<Request, undefined> {
    if (!this.keepsLast) this.#giveBack(this.#current)
    this.#draining = false
    this.#limit -= this.#left
    this.#left = 0
    this.#flush()
    return DONE
  }

  /** @internal Gives the request back that `keepsLast` has kept, if any. */
  giveLastBack(): void {
    this.keepsLast = false
    if (!this.#current.pending || this.#draining) return
    this.#giveBack(this.#current)
    this.#flush()
  }

  /** The queue was reset: no request that is still out can reach the driver's memory any more (RESET-DEV-02, museum 28). */
  revoke(): void {
    for (const request of this.#deferred) this.#revoke(request)
    if (this.#current.pending) this.#revoke(this.#current)
  }

  /**
   * The deferred requests for a snapshot, oldest first, with what was read and written of each: plain data, as JSON keeps it. Taken
   * between loops: within one it throws `VirtioError` NOT_RESTORABLE.
   */
  saveState(): RequestState[] {
    if (this.#draining) {
      throw new VirtioError(
        'NOT_RESTORABLE',
        `queue ${this.queue.index} is being drained: save when the loop has ended`,
      )
    }
    return Array.from(this.#deferred, saveRequest)
  }

  /**
   * The saved requests, deferred as they were, in a new `RequestQueue` over a ring that was restored. The driver may have changed its
   * descriptors since: the saved addresses count. Throws `VirtioError` INVALID_STATE unless they are all that the ring has in flight.
   */
  restoreState(states: readonly RequestState[]): void {
    checkRequestState(states, this.queue)
    for (const state of states) {
      const request = new Request(this)
      reopenChain(state, this.queue, request.chain)
      request.resume(this.queue.generation, state)
      this.#deferred.add(request)
    }
  }

  /**
   * Gives several deferred requests back at once: the driver sees all of them, or none yet, as it has to with the buffers of one network
   * frame. Those of a queue that was reset, or of another one, are left alone.
   */
  completeTogether(requests: readonly Request[]): void {
    for (const request of requests) if (request.isOf(this)) this.#settle(request)
    if (!this.#draining) this.#flush()
  }

  /** @internal `Request.complete`. */
  settle(request: Request): void {
    this.#settle(request)
    if (!this.#draining) this.#flush()
  }

  /** @internal `Request.defer`. */
  defer(request: Request): void {
    assert(request === this.#current && request.pending, 'only the request of the running loop can be deferred, once')
    this.#deferred.add(request)
    this.#current = this.#spare.pop() ?? new Request(this)
    this.#result.value = this.#current
  }

  #settle(request: Request): void {
    this.#giveBack(request)
    if (this.#deferred.delete(request)) this.#spare.push(request)
  }

  /** Nothing, when it is back already. */
  #giveBack(request: Request): void {
    if (!request.end(this.queue.generation)) return
    if (this.queue.onWrite !== null) this.#tellWritten(request)
    this.queue.addUsed(request.chain.id, request.writer.written)
  }

  #revoke(request: Request): void {
    if (this.queue.onWrite !== null) this.#tellWritten(request)
    request.revoke()
  }

  #tellWritten({ chain, writer }: Request): void {
    let left = writer.written
    for (let i = chain.readableCount; left > 0; i++) {
      const length = Math.min(left, chain.length[i]!)
      this.queue.onWrite?.(chain.address[i]!, length)
      left -= length
    }
  }

  #flush(): void {
    this.queue.publish()
    if (this.queue.needsNotification()) this.#notifyUsed()
  }
}

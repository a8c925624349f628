/** One `call` of a driver, from its start until its promise settles: first it may wait for room, then the device has it. */
import {
  checkArray,
  checkBytes,
  checkFunction,
  checkInteger,
  checkObject,
  checkSignal,
  MAX_U32,
  refuseOption,
} from '../internal/check-option.ts'
import { watchPromise } from '../internal/watch-promise.ts'

/** Options of a call: the room for its answer, and how to stop waiting. */
export interface CallOptions {
  /** Bytes of room for the device's answer; default none. */
  readonly reply?: number
  /** Stops the wait. The request itself cannot be taken back: its buffers stay the device's until it returns them. */
  readonly signal?: AbortSignal
  /**
   * Called when the promise settles, at that very moment and not a microtask later: for a simulator whose time is its own. One of
   * the two arguments is null. With it the promise may be left alone. What it throws, or rejects with, is a `fault` of the driver.
   */
  readonly onSettled?: (reply: Reply | null, error: unknown) => void
}

/** The answer to a call. */
export interface Reply {
  /** What the device says it wrote: at most the room there was. */
  readonly bytes: Uint8Array
}

export class PendingCall {
  readonly promise: Promise<Reply>
  readonly parts: readonly Uint8Array[]
  readonly sentBytes: number
  readonly replyBytes: number
  /** Where its buffers are, once it was sent: first what is sent, then the reply's room. */
  address = 0
  /** Set for a call that a snapshot brought back, whose caller is gone; see `CallOptions.onSettled`. */
  onSettled: CallOptions['onSettled']
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: (call: PendingCall) => void
  readonly #report: (error: unknown) => void
  readonly #abort = () => {
    this.#onAbort(this)
    this.fail(this.#signal?.reason)
  }
  #settled = false
  #resolve!: (reply: Reply) => void
  #reject!: (error: unknown) => void

  /**
   * Throws the reason of a signal that is aborted already, and `VirtioError` INVALID_OPTION. `onAbort` tells when the caller's patience
   * ends, `report` what `onSettled` throws.
   */
  constructor(
    readable: readonly Uint8Array[],
    options: CallOptions,
    onAbort: (call: PendingCall) => void,
    report: (error: unknown) => void,
  ) {
    checkArray('readable', readable, 'an array of Uint8Array')
    for (const [i, part] of readable.entries()) checkBytes(`readable[${i}]`, part)
    checkObject('options', options)
    const { reply = 0, signal, onSettled } = options
    checkInteger('reply', reply, 0, MAX_U32, 'bytes')
    if (onSettled !== undefined) checkFunction('onSettled', onSettled)
    if (signal !== undefined) checkSignal('signal', signal)
    signal?.throwIfAborted()
    this.parts = readable.filter((part) => part.length > 0)
    this.sentBytes = this.parts.reduce((sum, part) => sum + part.length, 0)
    this.replyBytes = reply
    if (this.buffers === 0) refuseOption('reply', reply, 'at least 1 in a call that sends no bytes')
    this.onSettled = onSettled
    this.#signal = signal
    this.#onAbort = onAbort
    this.#report = report
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (onSettled !== undefined) this.promise.catch(() => {})
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** How many buffers its chain has. */
  get buffers(): number {
    return this.parts.length + (this.replyBytes > 0 ? 1 : 0)
  }

  succeed(bytes: Uint8Array): void {
    this.#settle({ bytes }, null)
  }

  fail(error: unknown): void {
    this.#settle(null, error)
  }

  #settle(reply: Reply | null, error: unknown): void {
    if (this.#settled) return
    this.#settled = true
    this.#signal?.removeEventListener('abort', this.#abort)
    if (reply === null) this.#reject(error)
    else this.#resolve(reply)
    try {
      watchPromise(this.onSettled?.(reply, error), this.#report)
    } catch (thrown) {
      this.#report(thrown)
    }
  }
}

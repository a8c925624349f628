/**
 * A queue as a device's handler sees it: the same object over every reset, empty while the driver has not set it up. A thin
 * layer over `RequestQueue`, which serves one activation.
 */
import { type DeviceRing, type Request, RequestQueue, type RequestState } from '../virtqueue/index.ts'
import { requireState } from './device-state.ts'

/**
 * A queue as the model of a device uses it: requests to drain, one at a time, over the ring of the present activation.
 */
export class DeviceQueue {
  readonly index: number
  readonly name: string
  /** The ring of the present activation; null while there is none. */
  ring: DeviceRing | null = null
  /** @internal The handler asked for requests in this turn: it may be called again when more are waiting. */
  drained = false
  /** @internal The promise of an `async` handler has not settled; and a turn was due meanwhile. */
  busy = false
  kicked = false
  #requests: RequestQueue | null = null
  readonly #notifyUsed: () => void
  readonly #wake: () => void

  /** Made by `Device` only. */
  constructor(index: number, name: string, notifyUsed: () => void, wake: () => void) {
    this.index = index
    this.name = name
    this.#notifyUsed = notifyUsed
    this.#wake = wake
  }

  /**
   * Up to `limit` waiting requests, one at a time: the bound of one turn. A request is given back when the loop goes on or ends,
   * however it ends, with the bytes its writer counted.
   */
  drain(limit: number): Iterable<Request> {
    this.drained = true
    return this.#requests?.drain(limit) ?? []
  }

  /** Requests that the driver has made available by now. */
  get waiting(): number {
    return this.ring?.availableCount() ?? 0
  }

  /** Requests that were deferred and not completed yet, oldest first. */
  get deferred(): readonly Request[] {
    return this.#requests?.deferred ?? []
  }

  /** Gives deferred requests back at once: the driver sees all of them, or none yet. Those of an earlier life of the queue are left alone. */
  completeTogether(requests: readonly Request[]): void {
    this.#requests?.completeTogether(requests)
  }

  /** Gives the queue a turn without a kick: the device has something for buffers that the driver posted earlier. */
  wake(): void {
    this.#wake()
  }

  /** @internal */
  start(ring: DeviceRing | null): void {
    this.ring = ring
    this.drained = false
    this.busy = false
    this.#requests?.revoke()
    this.#requests = ring === null ? null : new RequestQueue(ring, this.#notifyUsed)
  }

  /** @internal A turn begins: a request whose loop it leaves early goes back when it ends. */
  beginTurn(): void {
    this.drained = false
    if (this.#requests !== null) this.#requests.keepsLast = true
  }

  /** @internal The handler is done, however. */
  endTurn(): void {
    this.#requests?.giveLastBack()
  }

  /** @internal The handler failed: its loop ends, whether it had begun or not. */
  endLoop(): void {
    this.#requests?.return()
    this.endTurn()
  }

  /** @internal Requests that wait go back as they are, if the handler that failed took none of them. */
  refuseWaiting(): void {
    const requests = this.#requests
    if (requests === null || (this.drained && requests.taken > 0)) return
    for (const _ of this.drain(requests.waiting));
  }

  /** @internal The deferred requests. */
  saveState(): RequestState[] {
    return this.#requests?.saveState() ?? []
  }

  /** @internal The deferred requests of a queue that was just started over a restored ring. */
  restoreState(states: readonly RequestState[]): void {
    const isEmpty = Array.isArray(states) && states.length === 0
    requireState(this.#requests !== null || isEmpty, `queue ${this.name} has deferred requests, and no ring`)
    this.#requests?.restoreState(states)
  }
}

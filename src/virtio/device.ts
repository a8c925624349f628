/**
 * A running device: the queues of a declared device over its registers. Whoever kicks it runs it; a turn is one call of a
 * queue's handler, bounded by what the handler drains, and a run is a bounded number of turns (museum 21).
 */

import { checkArray, checkFunction, checkObject } from '../internal/check-option.ts'
import type { Events } from '../internal/emitter.ts'
import { VirtioError } from '../internal/error.ts'
import { isPromise, watchPromise } from '../internal/watch-promise.ts'
import type { DeviceRing, RequestState, ViolationPolicy } from '../virtqueue/index.ts'
import type { ConfigValues } from './config-layout.ts'
import { ConfigSpace } from './config-space.ts'
import { checkFeatureName, type DeviceContract, type FeatureName, type QueueName } from './device-contract.ts'
import { DeviceQueue } from './device-queue.ts'
import { DeviceRegisters } from './device-registers.ts'
import type { DeviceEvents } from './device-registers-options.ts'
import { requireState } from './device-state.ts'
import type { DeviceModel } from './device-transport.ts'
import { FeatureSet } from './features.ts'
import { requirePlain } from './guarded-model.ts'

/** Handler calls in one run, after which `onNotify` and `poll` report that work is left. */
const TURNS_PER_RUN = 64
/** Runs in a row of a woken device whose transport cannot come back to it: more are a device that never becomes idle. */
const RUNS_PER_WAKE = 1024

/** The features of a contract by name: true where both sides agreed on it. */
export type NegotiatedFeatures<C extends DeviceContract> = { readonly [K in FeatureName<C>]: boolean }

/** What the functions of a device get beside the queue: features, configuration, and the way to be polled again. */
export interface DeviceContext<C extends DeviceContract> {
  /** What was negotiated, by name. */
  readonly features: NegotiatedFeatures<C>
  /** The present values. To change them: `device.config.update`. */
  readonly config: ConfigValues<C['config']>
  readonly queues: { readonly [K in QueueName<C>]: DeviceQueue }
  /** The device cannot go on, whatever its policy is: it asks for a reset, with `cause` for people. */
  needsReset(cause: unknown): void
}

/**
 * Serves a queue that may have work. It is called after a doorbell or a poll, and drains as much as it likes;
 * `defineDevice` takes one a queue. It may be `async`: the queue has its next turn when the promise has settled, and what that rejects
 * with is a fault, as what a handler throws.
 */
export type QueueHandler<C extends DeviceContract> = (
  queue: DeviceQueue,
  context: DeviceContext<C>,
) => void | PromiseLike<void>

/** Options of one device: first configuration values, and the features that it offers. */
export interface DeviceOptions<C extends DeviceContract> {
  /** First values of configuration fields. */
  readonly config?: Partial<ConfigValues<C['config']>>
  /** Features to offer; default: all that the contract has. */
  readonly offer?: readonly FeatureName<C>[]
  readonly commonFeatures?: FeatureSet
  readonly policy?: ViolationPolicy
}

/**
 * What a device does at the turns of its life; every hook may be left out. Nothing waits for the promise of an `async` one; what it
 * rejects with is a fault, as what a hook throws. `onSave` returns what is saved, and no promise.
 */
export interface DeviceHooks<C extends DeviceContract> {
  /** The device is live; queues may be used from here on. */
  onActivate?(context: DeviceContext<C>): void
  /** The device was reset: everything that belongs to the driver is gone. */
  onReset?(): void
  onConfigWrite?(context: DeviceContext<C>): void
  /** What the device has to know again in `onRestore`: plain data, as JSON keeps it. Called between turns. */
  onSave?(): unknown
  /**
   * A saved state is restored, live or not; called instead of `onActivate`, before any handler. `saved` is what `onSave` returned
   * (null without one), and foreign input: throw for what it cannot be. `queues.NAME.deferred` holds the requests that were deferred
   * then. Without this hook a device with deferred requests cannot be saved.
   */
  onRestore?(saved: unknown, context: DeviceContext<C>): void
}

/** What a `Device` adds to the state of its registers. */
interface ModelState {
  /** Queues that want a turn, oldest first. */
  readonly pending: readonly number[]
  readonly deferred: readonly (readonly RequestState[])[]
  /** Of the declaration's `onSave`. */
  readonly own: unknown
}

/**
 * A device made of a contract and of functions that serve its queues. `registers` are for the transport, `config` and
 * `queue` for the model.
 */
export class Device<C extends DeviceContract = DeviceContract> implements DeviceModel {
  readonly contract: C
  readonly config: ConfigSpace<C['config']>
  readonly registers: DeviceRegisters
  readonly queues: { readonly [K in QueueName<C>]: DeviceQueue }
  readonly #queues: readonly DeviceQueue[]
  readonly #handlers: readonly QueueHandler<C>[]
  readonly #hooks: DeviceHooks<C>
  readonly #context: DeviceContext<C>
  #features: NegotiatedFeatures<C>
  /** Queues that want a turn, oldest first, each once. No set: its iterators would cost every kick. */
  readonly #pending: number[] = []
  #running = false

  /** `handlers[i]` serves queue i. Use `defineDevice`. */
  constructor(
    contract: C,
    handlers: readonly QueueHandler<C>[],
    hooks: DeviceHooks<C>,
    options: DeviceOptions<C> = {},
  ) {
    checkDeviceOptions(contract, options)
    this.contract = contract
    this.config = new ConfigSpace<C['config']>(contract.config, options.config)
    this.#handlers = handlers
    this.#hooks = hooks
    this.#features = this.#named(FeatureSet.empty)
    const offered = options.offer ?? (Object.keys(contract.features) as FeatureName<C>[])
    this.registers = new DeviceRegisters(
      {
        deviceId: contract.id,
        features: FeatureSet.of(...offered.map((name) => contract.features[name] as number)),
        queueSizes: contract.queues.map((queue) => queue.size),
        config: this.config,
        ...(contract.dependencies !== undefined && { dependencies: contract.dependencies }),
        ...(options.policy !== undefined && { policy: options.policy }),
        ...(options.commonFeatures !== undefined && { commonFeatures: options.commonFeatures }),
      },
      this,
    )
    this.#queues = contract.queues.map(
      ({ name }, index) =>
        new DeviceQueue(
          index,
          name,
          () => this.registers.notifyUsed(index),
          () => this.#wake(index),
        ),
    )
    this.queues = Object.fromEntries(this.#queues.map((queue) => [queue.name, queue])) as typeof this.queues
    const device = this
    this.#context = {
      queues: this.queues,
      needsReset: (cause) => this.registers.setNeedsReset(cause),
      get features() {
        return device.#features
      },
      get config() {
        return device.config.values
      },
    }
  }

  get events(): Events<DeviceEvents> {
    return this.registers.events
  }

  get features(): NegotiatedFeatures<C> {
    return this.#features
  }

  /** Goes on where a run's bound stopped. True: work is still left. */
  poll(): boolean {
    return this.registers.poll()
  }

  onActivate(rings: readonly (DeviceRing | null)[], features: FeatureSet): void {
    this.#features = this.#named(features)
    for (const queue of this.#queues) queue.start(rings[queue.index] ?? null)
    this.#callHook(() => this.#hooks.onActivate?.(this.#context))
    this.#lookAtAll()
    this.#goOn()
  }

  /** All that a device holds of its driver is here, in `DeviceRegisters` and in what the declaration's own `onReset` forgets. */
  onReset(): void {
    for (const queue of this.#queues) queue.start(null)
    this.#pending.length = 0
    this.#features = this.#named(FeatureSet.empty)
    this.#callHook(() => this.#hooks.onReset?.(), false)
  }

  onNotify(index: number): boolean {
    this.#want(index)
    return this.onPoll()
  }

  #want(index: number): void {
    if (!this.#pending.includes(index)) this.#pending.push(index)
  }

  onPoll(): boolean {
    // A kick from inside a turn (the driver runs in our notification) is served by the run that is going on.
    if (this.#running) return false
    this.#running = true
    try {
      for (let turn = 0; turn < TURNS_PER_RUN; turn++) {
        const index = this.#pending.shift()
        if (index === undefined) return false
        this.#turn(this.#queues[index]!)
      }
      return this.#pending.length > 0
    } finally {
      this.#running = false
    }
  }

  onQueueEnable(index: number, ring: DeviceRing): void {
    this.#queues[index]?.start(ring)
  }

  onQueueReset(index: number): void {
    this.#queues[index]?.start(null)
    const place = this.#pending.indexOf(index)
    if (place >= 0) this.#pending.splice(place, 1)
  }

  onConfigWrite(): void {
    const before = this.#pending.length
    this.#callHook(() => this.#hooks.onConfigWrite?.(this.#context))
    // The hook woke a queue.
    if (this.#pending.length > before) this.#goOn()
  }

  onSave(): ModelState {
    const busy = this.#queues.find((queue) => queue.busy)
    if (busy !== undefined) {
      throw new VirtioError('NOT_RESTORABLE', `the handler of queue ${busy.name} has not ended: save between turns`)
    }
    const deferred = this.#queues.map((queue) => queue.saveState())
    const deferring = this.#queues.find((_, index) => deferred[index]!.length > 0)
    if (deferring !== undefined && this.#hooks.onRestore === undefined) {
      const what = `queue ${deferring.name} has deferred requests`
      throw new VirtioError(
        'NOT_RESTORABLE',
        `${what}: to be saved, the device needs an onRestore that takes them back`,
      )
    }
    return { pending: [...this.#pending], deferred, own: requirePlain(this.#hooks.onSave?.() ?? null) }
  }

  onRestore(saved: unknown, rings: readonly (DeviceRing | null)[], features: FeatureSet): void {
    const { pending, deferred, own } = this.#checkModelState(saved)
    this.#features = this.#named(rings.some((ring) => ring !== null) ? features : FeatureSet.empty)
    try {
      for (const queue of this.#queues) {
        queue.start(rings[queue.index] ?? null)
        queue.restoreState(deferred[queue.index]!)
      }
      // A wake of a hook waits for the end of the hook.
      this.#running = true
      if (this.#hooks.onRestore !== undefined) this.#watch(this.#hooks.onRestore(own, this.#context))
      else if (this.registers.isLive) this.#watch(this.#hooks.onActivate?.(this.#context))
    } catch (error) {
      this.onReset()
      throw error
    } finally {
      this.#running = false
    }
    for (const index of pending) this.#want(index)
    this.#lookAtAll()
    // The driver's own next kick may never come, and the owner's loop is not to see work done out of its turn.
    if (this.#pending.length > 0 && !this.registers.requestPoll()) this.#goOn()
  }

  #checkModelState(saved: unknown): ModelState {
    requireState(saved !== null && typeof saved === 'object', 'model must be an object')
    const { pending, deferred } = saved as ModelState
    const isQueue = (index: unknown) => Number.isInteger(index) && this.#queues[index as number] !== undefined
    requireState(Array.isArray(pending) && pending.every(isQueue), 'model.pending must be queue indices')
    const count = this.#queues.length
    requireState(Array.isArray(deferred) && deferred.length === count, `model.deferred must be of ${count} queues`)
    return saved as ModelState
  }

  /** A restored driver does not repeat its kick (museum 29), so what waits already gets its turn. */
  #lookAtAll(): void {
    for (const queue of this.#queues) if (queue.waiting > 0) this.#want(queue.index)
  }

  /**
   * Runs what is pending, where no kick stands behind it. One run is enough for a transport that comes back for the rest: whoever wakes
   * the device is not held by a driver that is quicker than it.
   */
  #goOn(): void {
    for (let run = 0; run < RUNS_PER_WAKE; run++) if (!this.onPoll() || this.registers.requestPoll()) return
    const turns = RUNS_PER_WAKE * TURNS_PER_RUN
    this.registers.reportFault(new VirtioError('NEVER_IDLE', `the device still had work after ${turns} turns`), -1)
  }

  /** What a hook throws, or rejects with, is a fault of the device; a wake in it waits for its end. A reset is complete all the same. */
  #callHook(hook: () => unknown, breaks?: boolean): void {
    const wasRunning = this.#running
    this.#running = true
    try {
      this.#watch(hook(), breaks)
    } catch (error) {
      this.registers.reportFault(error, -1, breaks)
    } finally {
      this.#running = wasRunning
    }
  }

  #watch(result: unknown, breaks?: boolean): void {
    watchPromise(result, (error) => this.registers.reportFault(error, -1, breaks))
  }

  #turn(queue: DeviceQueue): void {
    if (queue.ring === null || !this.registers.isLive) return
    if (queue.busy) {
      queue.kicked = true
      return
    }
    queue.beginTurn()
    try {
      const result: unknown = this.#handlers[queue.index]!(queue, this.#context)
      if (isPromise(result)) {
        this.#waitFor(queue, result)
        return
      }
      queue.endTurn()
    } catch (error) {
      this.#failed(queue, error)
    }
    if (this.#hasMore(queue)) this.#want(queue.index)
  }

  /** An `async` handler: the queue has its next turn when this one is over, and no other meanwhile. */
  #waitFor(queue: DeviceQueue, handling: PromiseLike<unknown>): void {
    const { ring } = queue
    queue.busy = true
    queue.kicked = false
    const end = () => {
      queue.busy = false
      if (!this.registers.isLive || !(this.#hasMore(queue) || queue.kicked)) return
      this.#want(queue.index)
      // A queue that always has more is not to hold the program: the transport comes back when it is its turn.
      if (!this.registers.requestPoll()) this.#goOn()
    }
    Promise.resolve(handling).then(
      () => {
        if (queue.ring !== ring) return
        queue.endTurn()
        end()
      },
      (error: unknown) => {
        // After a reset of the queue it says nothing of the queue's new life.
        if (queue.ring !== ring) {
          this.registers.reportFault(error, queue.index, false)
          return
        }
        this.#failed(queue, error)
        end()
      },
    )
  }

  /**
   * A turn that stopped at its bound has not seen the ring empty, which alone re-arms the notification: without this the next kick would
   * never come (museum 33). A handler that took nothing waits for something else than requests.
   */
  #hasMore(queue: DeviceQueue): boolean {
    return queue.drained && queue.ring?.enableNotifications() === true
  }

  /** With policy `reject` the device goes on, and so does who called it: requests that the handler did not get to go back as they are. */
  #failed(queue: DeviceQueue, error: unknown): void {
    queue.endLoop()
    this.registers.reportFault(error, queue.index)
    if (this.registers.isLive) queue.refuseWaiting()
  }

  #wake(index: number): void {
    if (!this.registers.isLive) return
    this.#want(index)
    this.#goOn()
  }

  #named(features: FeatureSet): NegotiatedFeatures<C> {
    const entries = Object.entries(this.contract.features).map(([name, bit]) => [name, features.has(bit)])
    return Object.fromEntries(entries) as NegotiatedFeatures<C>
  }
}

const HOOKS = ['onActivate', 'onReset', 'onConfigWrite', 'onSave', 'onRestore'] as const

/** Throws `VirtioError` INVALID_OPTION for a hook that is no function. */
export function checkHooks(hooks: Readonly<Partial<Record<(typeof HOOKS)[number], unknown>>>): void {
  for (const name of HOOKS) if (hooks[name] !== undefined) checkFunction(name, hooks[name])
}

/** Policy and common features are looked at by the registers, values by the configuration. */
function checkDeviceOptions(contract: DeviceContract, options: DeviceOptions<DeviceContract>): void {
  checkObject('options', options)
  const { offer, config } = options
  if (config !== undefined) checkObject('config', config, 'values by field')
  if (offer === undefined) return
  checkArray('offer', offer, 'an array of feature names')
  for (const name of offer) checkFeatureName('offer', name, contract)
}

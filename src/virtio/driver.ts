/**
 * A driver that runs: the queues of one device, its negotiated features and configuration, and what to do when it interrupts or
 * breaks. It has no thread: the transport's interrupt, or a call of `poll`, moves it.
 */
import { assert } from '../internal/assert.ts'
import { checkWord } from '../internal/check-option.ts'
import type { Events } from '../internal/emitter.ts'
import { VirtioError } from '../internal/error.ts'
import { FaultEmitter } from '../internal/fault-emitter.ts'
import { messageOf } from '../internal/report-error.ts'
import { STATE_VERSION } from '../internal/saved-state.ts'
import { watchPromise } from '../internal/watch-promise.ts'
import type { UsedLengthPolicy, Violation } from '../virtqueue/index.ts'
import type { ConfigValues } from './config-layout.ts'
import {
  DEVICE_NEEDS_RESET,
  FAILED,
  VIRTIO_F_RING_RESET,
  VIRTIO_INTERRUPT_CONFIG,
  VIRTIO_INTERRUPT_USED,
} from './constants.ts'
import { memoryDetached } from './detached-memory.ts'
import type { DeviceContract, QueueName } from './device-contract.ts'
import type { DriverConfig } from './driver-config.ts'
import { DriverError } from './driver-error.ts'
import type { DriverQueue } from './driver-queue.ts'
import type { DriverState } from './driver-state.ts'
import type { DriverTransport, QueueAddresses } from './driver-transport.ts'
import type { FeatureSet } from './features.ts'

/** What a driver tells, with the arguments of each listener. */
export type DriverEvents = {
  /** The device broke a rule of a ring; the driver has given it up, but for a used length that was clamped (`usedLength`). */
  violation: (violation: Violation) => void
  /** The configuration changed. */
  config: () => void
  /** The device was given up, or the driver closed: start a new driver to go on. */
  stopped: (error: DriverError) => void
  /**
   * Your own code threw: a completion, an `onSettled`, an `onUsed` or a listener, on queue `queue` (-1: none). The driver goes on. What
   * nobody listens for is printed.
   */
  fault: (error: unknown, queue: number) => void
}

const DRIVER_EVENTS = ['violation', 'config', 'stopped', 'fault'] as const

/** A block of the transport's memory that lives as long as the driver. */
export interface DriverBlock {
  readonly address: number
  readonly lengthBytes: number
}

/** Where a queue and its indirect tables are, for a snapshot. */
export interface QueuePlace {
  readonly addresses: QueueAddresses
  readonly indirectArea: number
  readonly indirectLength: number
  readonly usedLength: UsedLengthPolicy
}

/** The driver that runs on each transport: a transport has one interrupt handler, and a device one driver. */
const RUNNING = new WeakMap<DriverTransport, DriverCore>()

/** Before another driver starts: what the present one has under way is rejected, not forgotten. */
export function replaceDriver(transport: DriverTransport, device: 'reset the device' | 'keep the device'): void {
  RUNNING.get(transport)?.giveWay(device)
}

/**
 * A driver that has brought its device up; `Driver` adds its queues by name. `close` ends it, and all of its calls with
 * an error.
 */
export class DriverCore<C extends DeviceContract = DeviceContract, N = unknown> implements Disposable {
  readonly contract: C
  readonly transport: DriverTransport
  /** What was negotiated, as bits. */
  readonly featureSet: FeatureSet
  /** The features that were wanted or required, by name: true when negotiated. */
  readonly features: N
  readonly queues: readonly DriverQueue[]
  readonly #config: DriverConfig<C['config']>
  readonly #blocks: DriverBlock[]
  readonly #places: readonly QueuePlace[]
  readonly #events = new FaultEmitter<DriverEvents>('the driver', DRIVER_EVENTS)
  #error: DriverError | null = null

  /** Made by `startDriver` and `restoreDriver` only. */
  constructor(
    contract: C,
    transport: DriverTransport,
    featureSet: FeatureSet,
    features: N,
    queues: readonly DriverQueue[],
    config: DriverConfig<C['config']>,
    blocks: readonly DriverBlock[],
    places: readonly QueuePlace[],
  ) {
    this.contract = contract
    this.transport = transport
    this.featureSet = featureSet
    this.features = features
    this.queues = queues
    this.#config = config
    this.#blocks = [...blocks]
    this.#places = places
    for (const queue of queues) {
      if (queue.name in this) throw new VirtioError('CONTRACT', `a queue cannot be called ${queue.name}`)
      Object.defineProperty(this, queue.name, { value: queue, enumerable: true })
    }
    RUNNING.set(transport, this as unknown as DriverCore)
    transport.onInterrupt(() => this.handleInterrupt())
  }

  get events(): Events<DriverEvents> {
    return this.#events
  }

  /** Why the driver stopped; null while it runs. */
  get error(): DriverError | null {
    return this.#error
  }

  /**
   * Memory of the transport that lives as long as the driver: freed when it is closed, and part of its saved state. Throws `VirtioError`
   * OUT_OF_MEMORY, or `DriverError` when the driver has stopped.
   */
  allocate(lengthBytes: number, align: number): number {
    if (this.#error !== null) throw this.#error
    const address = this.transport.allocate(lengthBytes, align)
    this.#blocks.push({ address, lengthBytes })
    return address
  }

  /** One accessor per field; each access reads the device. For several fields of one version: `readConfig`. */
  get config(): ConfigValues<C['config']> {
    return this.#config.fields
  }

  readConfig(): ConfigValues<C['config']> {
    return this.#config.read()
  }

  /**
   * Writes one field; the device ignores what is not the driver's to write. Throws `VirtioError` INVALID_OPTION for a field that does
   * not exist, CONFIG_VALUE for a value that does not fit, `DriverError` when the driver has stopped.
   */
  writeConfig<K extends keyof C['config'] & string>(key: K, value: ConfigValues<C['config']>[K]): void {
    if (this.#error !== null) throw this.#error
    this.#config.write(key, value)
  }

  /**
   * The interrupt service routine. Acknowledges first and looks afterwards, so that what is raised meanwhile interrupts again
   * (museum 26).
   */
  handleInterrupt(): void {
    if (this.#error !== null) return
    const reasons = this.transport.takeInterrupts()
    if ((reasons & VIRTIO_INTERRUPT_CONFIG) !== 0) {
      if ((this.transport.readStatus() & DEVICE_NEEDS_RESET) !== 0) {
        this.#stop(needsReset(this.transport))
        return
      }
      this.#events.tell('config')
    }
    let isUsed = (reasons & VIRTIO_INTERRUPT_USED) !== 0
    for (const queue of this.queues) {
      isUsed ||= queue.hasMore
      queue.hasMore = false
    }
    if (isUsed) this.poll()
  }

  /**
   * Completes whatever the device has returned on any queue, interrupt or not. Detached memory is a fault: rebind it, and call again. Of a
   * driver that has stopped it does nothing.
   */
  poll(): void {
    if (this.isStopped()) return
    for (const queue of this.queues) {
      if (this.#error !== null) return
      this.#takeUsed(queue)
    }
  }

  /**
   * @internal For drivers that use rings by themselves: one that has stopped touches nothing. Detached memory is a fault, and what there is to do
   * waits for `rebind` and a `poll`.
   */
  isStopped(): boolean {
    if (this.#error !== null) return true
    if (!this.transport.memory.isDetached) return false
    this.onFault(memoryDetached(), -1)
    return true
  }

  /**
   * Resets one queue alone (§2.6.1) and sets it up anew in its place; the other queues go on. What the device has completed by then is
   * taken; calls that it has not answered are rejected with `DriverError` QUEUE_RESET; calls that wait for room are sent afterwards. What
   * was added with a callback and has not come back is forgotten, and its buffers are the caller's.
   *
   * False: the device has not let go of the queue yet (VQRST-DRV-01). Nothing is sent then, and the memory stays the device's, until
   * another call returns true. Throws `VirtioError` INVALID_OPTION for a queue that does not exist, FEATURES_MISSING when RING_RESET was
   * not negotiated, QUEUE_IN_USE for a ring that is used by itself (`onUsed`) without an `onReset`, QUEUE_REFUSED when the device does not
   * take the queue again, MEMORY_DETACHED; `DriverError` when the driver has stopped. The device may run inside.
   */
  resetQueue(name: QueueName<C>): boolean {
    if (this.#error !== null) throw this.#error
    const names = this.queues.map((queue) => queue.name)
    checkWord('name', name, names)
    const index = names.indexOf(name)
    const [queue, place] = [this.queues[index], this.#places[index]]
    assert(queue !== undefined && place !== undefined, 'every queue has its place')
    if (!this.featureSet.has(VIRTIO_F_RING_RESET)) {
      throw new VirtioError('FEATURES_MISSING', `queue ${name} cannot be reset alone: RING_RESET was not negotiated`)
    }
    if (queue.onUsed !== null && queue.onReset === null) {
      throw new VirtioError('QUEUE_IN_USE', `the ring of queue ${name} is used by itself: set its onReset`)
    }
    if (this.transport.memory.isDetached) throw memoryDetached()
    queue.beginReset()
    if (!this.transport.resetQueue(index)) return false
    this.#takeUsed(queue)
    if (this.#error !== null) throw this.#error
    // A completion has called this too.
    if (!queue.isResetting) return true
    const lost = queue.empty()
    this.transport.setupQueue(index, place.addresses)
    const isEnabled = this.transport.enableQueue(index)
    if (isEnabled) queue.endReset()
    const error = new DriverError('QUEUE_RESET', `queue ${name} was reset before the device had answered`)
    for (const call of lost) call.fail(error)
    if (!isEnabled) throw new VirtioError('QUEUE_REFUSED', `the device does not take queue ${name} again`)
    this.#guard(queue, queue.onReset)
    return true
  }

  /** What the device has returned: the queue completes its own, or whoever uses the ring itself does. */
  #takeUsed(queue: DriverQueue): void {
    if (queue.onUsed === null) queue.reap()
    else this.#guard(queue, queue.onUsed)
  }

  /** Code of the user's. */
  #guard(queue: DriverQueue, run: (() => void) | null): void {
    try {
      watchPromise(run?.(), (error) => this.onFault(error, queue.index))
    } catch (error) {
      this.onFault(error, queue.index)
    }
  }

  /**
   * Plain data for `restoreDriver`, taken between turns, when everything added was kicked. Save the memory and the device at the same
   * time. Throws `VirtioError` NOT_RESTORABLE for a driver that has stopped, has something added and not kicked, or waits for the reset of
   * a queue.
   */
  saveState(): DriverState {
    if (this.#error !== null) {
      throw new VirtioError('NOT_RESTORABLE', `the driver has stopped: ${this.#error.message}`, { cause: this.#error })
    }
    const resetting = this.queues.find(({ isResetting }) => isResetting)
    if (resetting !== undefined) {
      throw new VirtioError(
        'NOT_RESTORABLE',
        `the device has not let go of queue ${resetting.name}, which is being reset`,
      )
    }
    return {
      version: STATE_VERSION,
      deviceId: this.contract.id,
      featureWindows: [0, 1, 2, 3].map((window) => this.featureSet.window(window)),
      queues: this.queues.map((queue, index) => {
        const place = this.#places[index]
        assert(place !== undefined, 'every queue has its place')
        const { addresses, indirectArea, indirectLength, usedLength } = place
        return {
          name: queue.name,
          addresses,
          indirectArea,
          indirectLength,
          usedLength,
          ring: queue.ring.saveState(),
          ...queue.saveCalls(),
        }
      }),
      blocks: [...this.#blocks],
      transport: this.transport.saveState?.() ?? null,
    }
  }

  /** @internal Code of the user's threw. */
  onFault(error: unknown, queue: number): void {
    this.#events.fault(error, queue)
  }

  /** @internal Another driver takes over the transport. */
  giveWay(device: 'reset the device' | 'keep the device'): void {
    this.#stop(new DriverError('DRIVER_REPLACED', 'another driver was started on the same transport'))
    if (device === 'reset the device') this.close()
    else RUNNING.delete(this.transport)
  }

  /** @internal A queue's ring found the device at fault. */
  onViolation(violation: Violation): void {
    // The rings of a driver that has stopped may be another driver's memory by now, and so may the device.
    if (this.#error !== null) return
    this.#events.tell('violation', violation)
    // A used length that was clamped: the ring goes on.
    if (this.queues[violation.queue]?.ring.violation === null) return
    this.#stop(new DriverError('DEVICE_VIOLATION', violation.message, violation))
    this.transport.writeStatus(this.transport.readStatus() | FAILED)
  }

  /** Resets the device and frees the rings. Pending calls are rejected. Closing twice is no error. */
  close(): void {
    this.#stop(new DriverError('DRIVER_CLOSED', 'the driver was closed'))
    // Closing a driver twice must not reset the device of the next one.
    if (RUNNING.get(this.transport) !== (this as unknown as DriverCore)) return
    RUNNING.delete(this.transport)
    this.transport.onInterrupt(null)
    this.transport.writeStatus(0)
    // CLEAN-DRV-02: what a device that never resets may still write to is not given back.
    if (this.transport.readStatus() !== 0) return
    for (const { address, lengthBytes } of this.#blocks) this.transport.free(address, lengthBytes)
    for (const queue of this.queues) queue.releaseBuffers()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #stop(error: DriverError): void {
    if (this.#error !== null) return
    this.#error = error
    for (const queue of this.queues) queue.fail(error)
    this.#events.tell('stopped', error)
  }
}

/** The error of a device that asks for a reset, with what it died of when the transport knows. */
export function needsReset(transport: DriverTransport): DriverError {
  const cause = transport.deviceFault ?? null
  const why = cause === null ? '' : `: ${messageOf(cause)}`
  return new DriverError(
    'DEVICE_NEEDS_RESET',
    `the device asks for a reset${why}`,
    null,
    cause === null ? {} : { cause },
  )
}

/** A running driver; its queues are members by name. */
export type Driver<C extends DeviceContract = DeviceContract, N = unknown> = DriverCore<C, N> & {
  readonly [K in QueueName<C>]: DriverQueue
}

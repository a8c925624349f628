/**
 * A driver that runs: the queues of one device, its negotiated features and configuration, and what to do when it interrupts or
 * breaks. It has no thread: the transport's interrupt, or a call of `poll`, moves it.
 */
import { Emitter, type Events } from '../internal/emitter.ts'
import type { Violation } from '../virtqueue/index.ts'
import type { ConfigValues } from './config-layout.ts'
import { DEVICE_NEEDS_RESET, FAILED, VIRTIO_INTERRUPT_CONFIG, VIRTIO_INTERRUPT_USED } from './constants.ts'
import type { DeviceContract, QueueName } from './device-contract.ts'
import type { DriverConfig } from './driver-config.ts'
import { DriverError } from './driver-error.ts'
import type { DriverQueue } from './driver-queue.ts'
import type { DriverTransport } from './driver-transport.ts'
import type { FeatureSet } from './features.ts'

export type DriverEvents = {
  /** The device broke a rule of a ring; the driver has given it up. */
  violation: (violation: Violation) => void
  /** The configuration changed. */
  config: () => void
  /** The device was given up, or the driver closed: start a new driver to go on. */
  stopped: (error: DriverError) => void
}

/** A block of the transport's memory that lives as long as the driver. */
export interface DriverBlock {
  readonly address: number
  readonly lengthBytes: number
}

export class DriverCore<C extends DeviceContract = DeviceContract, N = unknown> implements Disposable {
  readonly contract: C
  readonly transport: DriverTransport
  /** What was negotiated, as bits. */
  readonly featureSet: FeatureSet
  /** The features that were wanted or required, by name: true when negotiated. */
  readonly features: N
  readonly queues: readonly DriverQueue[]
  readonly #config: DriverConfig<C['config']>
  readonly #blocks: readonly DriverBlock[]
  readonly #events = new Emitter<DriverEvents>()
  #error: DriverError | null = null

  /** Made by `startDriver` only. */
  constructor(
    contract: C,
    transport: DriverTransport,
    featureSet: FeatureSet,
    features: N,
    queues: readonly DriverQueue[],
    config: DriverConfig<C['config']>,
    blocks: readonly DriverBlock[],
  ) {
    this.contract = contract
    this.transport = transport
    this.featureSet = featureSet
    this.features = features
    this.queues = queues
    this.#config = config
    this.#blocks = blocks
    transport.onInterrupt(() => this.handleInterrupt())
  }

  get events(): Events<DriverEvents> {
    return this.#events
  }

  /** Why the driver stopped; null while it runs. */
  get error(): DriverError | null {
    return this.#error
  }

  /** One accessor per field; each access reads the device. For several fields of one version: `readConfig`. */
  get config(): ConfigValues<C['config']> {
    return this.#config.fields
  }

  readConfig(): ConfigValues<C['config']> {
    return this.#config.read()
  }

  writeConfig<K extends keyof C['config'] & string>(key: K, value: ConfigValues<C['config']>[K]): void {
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
        this.#stop(new DriverError('DEVICE_NEEDS_RESET', 'the device asks for a reset'))
        return
      }
      this.#events.emit('config')
    }
    if ((reasons & VIRTIO_INTERRUPT_USED) !== 0) this.poll()
  }

  /** Completes whatever the device has returned on any queue, interrupt or not. */
  poll(): void {
    for (const queue of this.queues) {
      if (queue.onUsed !== null) queue.onUsed()
      else queue.reap()
    }
  }

  /** @internal A queue's ring found the device at fault. */
  onViolation(violation: Violation): void {
    this.#events.emit('violation', violation)
    this.#stop(new DriverError('DEVICE_VIOLATION', violation.message, violation))
    this.transport.writeStatus(this.transport.readStatus() | FAILED)
  }

  /** Resets the device and frees the rings. Pending calls are rejected. Closing twice is no error. */
  close(): void {
    this.#stop(new DriverError('DRIVER_CLOSED', 'the driver was closed'))
    this.transport.onInterrupt(null)
    this.transport.writeStatus(0)
    // CLEAN-DRV-02: what a device that never resets may still write to is not given back.
    if (this.transport.readStatus() !== 0) return
    for (const { address, lengthBytes } of this.#blocks) this.transport.free(address, lengthBytes)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #stop(error: DriverError): void {
    if (this.#error !== null) return
    this.#error = error
    for (const queue of this.queues) queue.fail(error)
    this.#events.emit('stopped', error)
  }
}

/** A running driver; its queues are members by name. */
export type Driver<C extends DeviceContract = DeviceContract, N = unknown> = DriverCore<C, N> & {
  readonly [K in QueueName<C>]: DriverQueue
}

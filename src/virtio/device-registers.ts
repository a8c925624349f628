/**
 * The device-side state that every transport fronts (virtio 1.4 §2, §4): status, feature windows, queue registers, configuration
 * space, interrupt status. A transport maps its registers onto these members one to one; the device model sits behind the hooks.
 *
 * Configured, then running: a queue's registers are the driver's until it is enabled, and a validated ring's from then on
 * (museum 23). Whatever a driver writes, in whatever order, is either legal or ignored and told to observers.
 */
import { assert } from '../internal/assert.ts'
import type { Events } from '../internal/emitter.ts'
import { VirtioError } from '../internal/error.ts'
import { FaultEmitter } from '../internal/fault-emitter.ts'
import { STATE_VERSION } from '../internal/saved-state.ts'
import type { Violation, ViolationPolicy } from '../virtqueue/index.ts'
import {
  DEVICE_NEEDS_RESET,
  DRIVER_OK,
  FAILED,
  FEATURES_OK,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_RING_RESET,
  VIRTIO_INTERRUPT_CONFIG,
  VIRTIO_INTERRUPT_USED,
} from './constants.ts'
import { memoryDetached } from './detached-memory.ts'
import { DEVICE_EVENTS, type DeviceEvents, type DeviceRegistersOptions } from './device-registers-options.ts'
import { checkDeviceShape, type DeviceState, requireIdle, requireState, savedFeatures } from './device-state.ts'
import { checkDeviceTransport, type DeviceModel, type DeviceTransport } from './device-transport.ts'
import { FeatureSet } from './features.ts'
import { GuardedModel } from './guarded-model.ts'
import { type ProtocolRule, type ProtocolViolation, protocolViolation } from './protocol-violation.ts'
import { QueueRegisters } from './queue-registers.ts'
import { ReadableRegisters } from './readable-registers.ts'
import { checkStatusWrite } from './status.ts'

/** The registers of a device, without a transport's layout (virtio 1.4 §2, §3). What the driver does wrong is an event. */
export class DeviceRegisters extends ReadableRegisters {
  readonly events: Events<DeviceEvents>
  /** As the driver wrote it; out of range is harmless (museum 24). */
  queueSelect = 0
  readonly #model: GuardedModel
  readonly #policy: ViolationPolicy
  readonly #queues: readonly QueueRegisters[]
  readonly #events = new FaultEmitter<DeviceEvents>('the device', DEVICE_EVENTS)
  #transport: DeviceTransport | null = null
  #status = 0
  /** The driver wrote 0, and the model has still something under way. */
  #resetting = false
  #interruptStatus = 0
  #resetCause: unknown = null

  /** Throws `VirtioError` FEATURES for an offer that is not closed, or lacks VERSION_1. */
  constructor(options: DeviceRegistersOptions, model: DeviceModel) {
    super(options)
    this.config.notifyConfigChange = () => this.notifyConfigChange()
    this.#model = new GuardedModel(model, (error, breaks) => this.reportFault(error, -1, breaks))
    this.#policy = options.policy ?? 'needs-reset'
    const onViolation = (violation: Violation) => this.#violation(violation)
    this.#queues = options.queueSizes.map((_, index) => new QueueRegisters(index, options, this.#policy, onViolation))
    this.events = this.#events
  }

  /** A transport introduces itself, once: before that no register may be touched. */
  attach(transport: DeviceTransport): void {
    if (this.#transport !== null) throw new VirtioError('DEVICE_IN_USE', 'the device has a transport already')
    checkDeviceTransport(transport)
    this.#transport = transport
    if (transport.limitsAccess === true) this.offer(VIRTIO_F_ACCESS_PLATFORM)
  }

  // --- status and features ---------------------------------------------------------------------------------------------

  get status(): number {
    return this.#status
  }

  /** The driver's read: sees 0 once a reset is complete (RESET-DRV-01). */
  readStatus(): number {
    if (this.#resetting && this.#model.isResetComplete()) this.#finishReset()
    return this.#status
  }

  /** What was negotiated; empty before FEATURES_OK. */
  get features(): FeatureSet {
    return (this.#status & FEATURES_OK) !== 0 ? this.driverFeatures : FeatureSet.empty
  }

  /** DRIVER_OK, and nothing broken since: the device may use its queues (STATUS-DEV-01). */
  get isLive(): boolean {
    return !this.#resetting && (this.#status & (DRIVER_OK | DEVICE_NEEDS_RESET | FAILED)) === DRIVER_OK
  }

  writeStatus(value: number): void {
    if (this.#resetting) {
      if (value !== 0)
        this.#reject('status-while-resetting', 'RESET-DRV-01', `${value} was written before the reset ended`)
      return
    }
    const problem = checkStatusWrite(this.#status, value)
    if (problem !== null) {
      this.reportViolation(problem)
      return
    }
    if (value === 0) {
      this.#reset()
      return
    }
    const added = value & ~this.#status & ~DEVICE_NEEDS_RESET
    if ((added & FEATURES_OK) !== 0) {
      const refusal = this.refusalOf(this.driverFeatures)
      // FEAT-DEV-03: FEATURES_OK reads back clear, and that is the driver's answer.
      if (refusal !== null) {
        this.reportViolation(refusal)
        return
      }
    }
    this.#setStatus(this.#status | added)
    if ((added & DRIVER_OK) !== 0) this.#activate()
  }

  /** Ignored once FEATURES_OK is set (INIT-DRV-04). There is no way to read it back (museum 46). */
  writeDriverFeatures(word: number): void {
    if ((this.#status & FEATURES_OK) !== 0) {
      this.#reject('features-after-features-ok', 'INIT-DRV-04', 'features were written after FEATURES_OK')
      return
    }
    this.selectDriverFeatures(word)
  }

  /**
   * The device met an error that only a reset clears (STATUS-DEV-02); a live driver is told (STATUS-DEV-03). `cause`, an error or a
   * violation, is for people: a driver in the same process shows it.
   */
  setNeedsReset(cause: unknown = null): void {
    if ((this.#status & DEVICE_NEEDS_RESET) !== 0 || this.#status === 0 || this.#resetting) return
    this.#resetCause = cause
    this.#setStatus(this.#status | DEVICE_NEEDS_RESET)
    this.notifyConfigChange()
  }

  /** Why the device needs a reset: what `setNeedsReset` was told; null while it needs none. */
  get resetCause(): unknown {
    return this.#resetCause
  }

  /** Tells observers what the driver did wrong; a device model does so for its own kind of request. */
  reportViolation(violation: ProtocolViolation): void {
    this.#events.tell('violation', violation)
  }

  /** Code of the user's threw (queue -1: a hook). Unless the policy is `reject`, that breaks the device until a reset. */
  reportFault(error: unknown, queue: number, breaks: boolean = this.#policy !== 'reject'): void {
    this.#events.fault(error, queue)
    if (breaks) this.setNeedsReset(error)
  }

  // --- queues ----------------------------------------------------------------------------------------------------------

  get queueCount(): number {
    return this.#queues.length
  }

  /** Largest size of the selected queue; 0 when there is no such queue. */
  get queueSizeMax(): number {
    return this.#selected?.sizeMax ?? 0
  }

  get queueSize(): number {
    return this.#selected?.size ?? 0
  }

  set queueSize(size: number) {
    const queue = this.#configurable()
    if (queue !== undefined) queue.size = size
  }

  get queueEnabled(): boolean {
    return this.#selected?.ring != null
  }

  /** Areas 0, 1, 2 are descriptor, driver, device; `half` 1 is the upper word of the address. */
  readQueueAddress(area: 0 | 1 | 2, half: 0 | 1): number {
    return this.#selected?.addressWords[2 * area + half] ?? 0
  }

  writeQueueAddress(area: 0 | 1 | 2, half: 0 | 1, word: number): void {
    const queue = this.#configurable()
    if (queue !== undefined) queue.addressWords[2 * area + half] = word
  }

  /**
   * Makes the selected queue usable with the registers as they are now. When they describe no valid ring, `queueEnabled` stays
   * false and the device needs a reset.
   */
  enableQueue(): void {
    const queue = this.#configurable()
    if (queue === undefined) return
    if ((this.#status & FEATURES_OK) === 0) {
      this.#reject('queue-before-features-ok', 'INIT-DRV-01', 'enabled before FEATURES_OK', queue.index)
      return
    }
    const refusal = queue.enable(this.#attached, this.driverFeatures)
    if (refusal !== null) {
      this.reportViolation(refusal)
      this.setNeedsReset()
    } else if (this.isLive && queue.ring !== null) this.#model.onQueueEnable(queue.index, queue.ring)
  }

  /** MMIO's QueueReady = 0: the device lets go of the queue; or, when it may not, the queue stays enabled, as the driver reads back. */
  disableQueue(): void {
    const queue = this.#selected
    if (queue === undefined || queue.ring === null) return
    if (!this.#model.mayDisableQueue(queue.index)) {
      this.#reject('queue-rewritten-while-enabled', 'MMIO-REG-DRV-15', 'disabled while in use', queue.index)
    } else {
      this.#model.onQueueReset(queue.index)
      queue.disable()
    }
  }

  /** Queue reset (§2.6.1): complete when this returns, with every register of the queue at its default (VQRST-DEV-02). */
  resetQueue(): void {
    const queue = this.#selected
    if (queue === undefined) this.#reportAbsent()
    else if (!this.features.has(VIRTIO_F_RING_RESET)) {
      this.#reject('queue-reset-not-negotiated', 'IMP-VQRST-01', 'reset without RING_RESET', queue.index)
    } else {
      this.disableQueue()
      if (queue.ring === null) queue.clear()
    }
  }

  /** A kick. Ignored unless the device is live and the queue enabled. True: the model has work left, call `poll`. */
  notify(index: number): boolean {
    if (this.#resetting || this.#isDetached()) return false
    if (!this.isLive) {
      if ((this.#status & (DRIVER_OK | FAILED)) === 0) {
        this.#reject('notify-before-driver-ok', 'INIT-DRV-07', 'a kick before DRIVER_OK', index)
      }
      return false
    }
    const queue = this.#queues[index]
    if (queue === undefined || queue.ring === null) {
      this.#reject('queue-absent', 'IMP-VQ-01', `a kick for queue ${index}, which is not enabled`, index)
      return false
    }
    return this.#model.onNotify(index)
  }

  /** For a model that its own host woke: `poll` is to be called later. False: this transport cannot, see to it yourself. */
  requestPoll(): boolean {
    const { requestPoll } = this.#attached
    if (requestPoll === undefined) return false
    requestPoll()
    return true
  }

  /** Lets the model go on with work that a turn's bound left over. True: call again. */
  poll(): boolean {
    return this.isLive && !this.#isDetached() && this.#model.onPoll()
  }

  // --- configuration and interrupts --------------------------------------------------------------------------------------

  writeConfig(offset: number, source: Uint8Array): void {
    if ((this.#status & FEATURES_OK) === 0 && this.config.isEarly?.(offset, source.length) !== true) {
      this.#reject('config-before-features-ok', 'INIT-DRV-03', 'configuration written before FEATURES_OK')
      return
    }
    if (this.config.write(offset, source)) this.#model.onConfigWrite()
    else
      this.#reject(
        'config-read-only',
        'IMP-CFG-03',
        `${source.length} bytes at ${offset} are not the driver's to write`,
      )
  }

  /** What was signalled and not acknowledged yet: VIRTIO_INTERRUPT_* bits. */
  get interruptStatus(): number {
    return this.#interruptStatus
  }

  /** Clears only what the driver has seen: what was raised after its read stays (museum 26). */
  acknowledgeInterrupts(reasons: number): void {
    this.#interruptStatus &= ~reasons
  }

  /** Used buffer notification. Silent unless the driver is there to hear it (STATUS-DEV-01, RESET-DEV-02). */
  notifyUsed(queue: number): void {
    this.#interrupt(VIRTIO_INTERRUPT_USED, queue)
  }

  notifyConfigChange(): void {
    this.#interrupt(VIRTIO_INTERRUPT_CONFIG, -1)
  }

  #interrupt(reason: number, queue: number): void {
    if ((this.#status & DRIVER_OK) === 0 || this.#resetting) return
    this.#interruptStatus |= reason
    this.#attached.raiseInterrupt(reason, queue)
    this.#events.tell('interrupt', reason, queue)
  }

  // --- snapshots ---------------------------------------------------------------------------------------------------------

  /** Plain data, taken between turns. Chains in flight stay in flight: the model's `onSave` says what completes them. */
  saveState(): DeviceState {
    if (this.#resetting) throw new VirtioError('NOT_RESTORABLE', 'a device is saved before or after its reset')
    const config = new Uint8Array(this.config.lengthBytes)
    this.config.read(0, config)
    return {
      version: STATE_VERSION,
      deviceId: this.deviceId,
      status: this.#status,
      featureWindows: [0, 1, 2, 3].map((window) => this.driverFeatures.window(window)),
      selectors: [this.deviceFeaturesSelect, this.driverFeaturesSelect, this.queueSelect],
      interruptStatus: this.#interruptStatus,
      configGeneration: this.config.generation,
      config: [...config],
      queues: this.#queues.map((queue) => queue.saveState()),
      model: this.#model.save(),
    }
  }

  /**
   * Takes over a saved state in a device that is as after a reset, over memory that is as it was. A live device goes on, and its
   * model looks at every queue: the driver does not repeat its kicks (museum 29). Throws `VirtioError` INVALID_STATE, and stays
   * as after a reset, for what cannot be the state of this device.
   */
  restoreState(state: DeviceState): void {
    if (this.#status !== 0) throw new VirtioError('DEVICE_IN_USE', 'a state is restored into a device that is reset')
    checkDeviceShape(state, this.deviceId, this.#queues.length, this.config.lengthBytes)
    const features = savedFeatures(state)
    if ((state.status & FEATURES_OK) !== 0) {
      const refusal = this.refusalOf(features)
      requireState(refusal === null, refusal?.message ?? '')
    }
    try {
      for (const [index, queue] of this.#queues.entries()) {
        queue.restoreState(state.queues[index]!, this.#attached, features)
      }
      this.config.restore(Uint8Array.from(state.config), state.configGeneration)
      this.driverFeatures = features
      this.#status = state.status
      this.#restoreModel(state.model)
    } catch (error) {
      this.#clear()
      this.#status = 0
      throw error
    }
    ;[this.deviceFeaturesSelect, this.driverFeaturesSelect, this.queueSelect] = state.selectors
    if (state.status !== 0) this.#events.tell('status', state.status, 0)
    if (state.interruptStatus !== 0 && (this.#status & DRIVER_OK) !== 0) {
      this.#interruptStatus |= state.interruptStatus
      this.#attached.raiseInterrupt(state.interruptStatus, -1)
    }
  }

  // --- inside ------------------------------------------------------------------------------------------------------------

  get #attached(): DeviceTransport {
    assert(this.#transport !== null, 'the device has no transport yet')
    return this.#transport
  }

  /** Nothing that a device writes into a buffer that was taken away arrives anywhere. */
  #isDetached(): boolean {
    if (!this.#attached.memory.isDetached) return false
    const error = memoryDetached()
    if (this.isLive) this.#events.fault(error, -1)
    this.setNeedsReset(error)
    return true
  }

  get #selected(): QueueRegisters | undefined {
    return this.#queues[this.queueSelect]
  }

  /** The selected queue while its registers may be written (museum 23); undefined, and reported, otherwise. */
  #configurable(): QueueRegisters | undefined {
    const queue = this.#selected
    if (queue === undefined) this.#reportAbsent()
    if (queue === undefined || queue.ring === null) return queue
    this.#reject('queue-rewritten-while-enabled', 'MMIO-REG-DRV-15', 'registers written while enabled', queue.index)
    return undefined
  }

  #activate(): void {
    this.#model.onActivate(
      this.#queues.map((queue) => queue.ring),
      this.driverFeatures,
    )
  }

  #restoreModel(saved: unknown): void {
    const wasActivated = (this.#status & DRIVER_OK) !== 0
    const rings = this.#queues.map((queue) => (wasActivated ? queue.ring : null))
    const { restore } = this.#model
    if (restore !== null) {
      restore(saved, rings, this.driverFeatures)
      return
    }
    requireIdle(rings)
    if (this.isLive) this.#activate()
  }

  #reset(): void {
    if (this.#status !== 0) {
      this.#model.onReset()
      this.#resetting = !this.#model.isResetComplete()
    }
    if (!this.#resetting) this.#finishReset()
  }

  #finishReset(): void {
    this.#resetting = false
    this.#clear()
    this.#setStatus(0)
  }

  #clear(): void {
    for (const queue of this.#queues) {
      queue.disable()
      queue.clear()
    }
    this.clearReadable()
    this.#interruptStatus = 0
    this.#resetCause = null
    this.queueSelect = 0
  }

  #setStatus(status: number): void {
    const before = this.#status
    this.#status = status
    if (status !== before) this.#events.tell('status', status, before)
  }

  #violation(violation: Violation): void {
    this.#events.tell('violation', violation)
    if (this.#policy === 'needs-reset') this.setNeedsReset(violation)
  }

  #reject(rule: ProtocolRule, clause: string, message: string, queue = -1): void {
    this.reportViolation(protocolViolation(rule, clause, message, queue))
  }

  #reportAbsent(): void {
    this.#reject('queue-absent', 'IMP-VQ-01', `queue ${this.queueSelect} does not exist`, this.queueSelect)
  }
}

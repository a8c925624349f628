/**
 * The device's two neighbours, both small and synchronous. Below its registers lies the transport, which carries interrupts and
 * grants memory; above them the device model, which serves the queues.
 */
import { checkMemory, checkMethods } from '../internal/check-option.ts'
import type { GuestMemory } from '../memory/index.ts'
import type { DeviceRing } from '../virtqueue/index.ts'
import type { FeatureSet } from './features.ts'

/** What a transport's device half gives to `DeviceRegisters`. */
export interface DeviceTransport {
  /** The driver's memory as far as the device may touch it: rings, tables and buffers lie in it. */
  readonly memory: GuestMemory
  /**
   * The device reaches only what the platform grants it, so ACCESS_PLATFORM is offered (§6.1). A driver that does not accept it has to
   * guess which addresses the device can reach; it is not refused for that.
   */
  readonly limitsAccess?: boolean
  /**
   * `reason` is VIRTIO_INTERRUPT_USED with a queue index, or VIRTIO_INTERRUPT_CONFIG with -1. Must not call back inline: the device
   * may be in the middle of a turn.
   */
  raiseInterrupt(reason: number, queue: number): void
  /** Told of each range that the device wrote: buffers when they go back, used rings when they are published. */
  readonly onDeviceWrite?: (address: number, lengthBytes: number) => void
  /**
   * The device has work left that no kick will bring on, because its own host woke it: call `registers.poll()` later, until that says
   * false. Must not call back inline. A transport without it has its device go on to its end in the wake itself, within a bound.
   */
  requestPoll?(): void
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkDeviceTransport(transport: DeviceTransport): void {
  checkMethods('transport', transport, 'a DeviceTransport', ['raiseInterrupt'])
  checkMemory('transport.memory', transport.memory)
}

/**
 * What a device model does when its registers change. Every hook runs inside the driver's register access, so it does a
 * bounded amount of work and returns.
 */
export interface DeviceModel {
  /** DRIVER_OK: the device is live. `queues[i]` is null for a queue that the driver left out (§3.1.1 step 7). */
  onActivate(queues: readonly (DeviceRing | null)[], features: FeatureSet): void
  /** Reset: forget every queue now, or as soon as nothing is under way. When it is complete nothing may be written (RESET-DEV-02). */
  onReset(): void
  /**
   * Is the reset complete? Asked when `onReset` returns and, until it is, at every read of the status, which stays what it was.
   * Left out: a reset is complete when `onReset` returns.
   */
  isResetComplete?(): boolean
  /** The driver kicked a live queue. True: work is left, call `onPoll`. */
  onNotify(queue: number): boolean
  /** Goes on with work that was left. True: there is still some. */
  onPoll?(): boolean
  /** A queue was enabled while the device was live, as after a queue reset (VQRST-DEV-03). */
  onQueueEnable?(queue: number, ring: DeviceRing): void
  /**
   * May the driver take this queue away now (MMIO's QueueReady = 0)? False: the device still uses it, and the queue stays enabled, as
   * the driver reads back. Left out: it may, whenever it likes.
   */
  mayDisableQueue?(queue: number): boolean
  /** One queue stops: run none of its requests, write nothing to it (VQRST-DEV-01). */
  onQueueReset?(queue: number): void
  /** The driver changed a field of the configuration space. */
  onConfigWrite?(): void
  /** What the model has to know again in `onRestore`: plain data, as JSON keeps it. Called between turns. */
  onSave?(): unknown
  /**
   * A saved state is restored, live or not; called instead of `onActivate`. `saved` is what `onSave` returned, as JSON kept it:
   * foreign input, throw `VirtioError` INVALID_STATE for what it cannot be. `queues` are those of a device that was activated,
   * with what was in flight still in flight, else all null. A model that does not have it is activated anew, and refused a state
   * with chains in flight: it would not know them.
   */
  onRestore?(saved: unknown, queues: readonly (DeviceRing | null)[], features: FeatureSet): void
}

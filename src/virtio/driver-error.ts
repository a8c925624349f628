/** Why a driver gave up on its device: what a pending call is rejected with. */
import { VirtioError } from '../internal/error.ts'
import type { Violation } from '../virtqueue/index.ts'

/** Why a driver, or a call, gave up. */
export type DriverErrorCode =
  /** The device broke a rule of a ring; `violation` says which. */
  | 'DEVICE_VIOLATION'
  /** The device asked for a reset. What was in flight may or may not have happened (STATUS-DRV-04). */
  | 'DEVICE_NEEDS_RESET'
  /** The call's queue was reset, before the device answered: it may or may not have happened. The driver goes on. */
  | 'QUEUE_RESET'
  /** `close` was called. */
  | 'DRIVER_CLOSED'
  /** Another driver was started on the same transport. */
  | 'DRIVER_REPLACED'

/** A driver gave up, or a call did: `code` says why, `violation` which rule the device broke, if that was it. */
export class DriverError extends VirtioError {
  override readonly name = 'DriverError'
  declare readonly code: DriverErrorCode
  readonly violation: Violation | null

  /** `cause` in `options`: what the device died of, when the transport knows. */
  constructor(code: DriverErrorCode, message: string, violation: Violation | null = null, options?: ErrorOptions) {
    super(code, message, options)
    this.violation = violation
  }
}

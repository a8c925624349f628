/** Why a driver gave up on its device: what a pending call is rejected with. */
import { VirtioError } from '../internal/error.ts'
import type { Violation } from '../virtqueue/index.ts'

export type DriverErrorCode =
  /** The device broke a rule of a ring; `violation` says which. */
  | 'DEVICE_VIOLATION'
  /** The device asked for a reset. What was in flight may or may not have happened (STATUS-DRV-04). */
  | 'DEVICE_NEEDS_RESET'
  /** `close` was called. */
  | 'DRIVER_CLOSED'

export class DriverError extends VirtioError {
  override readonly name = 'DriverError'
  declare readonly code: DriverErrorCode
  readonly violation: Violation | null

  constructor(code: DriverErrorCode, message: string, violation: Violation | null = null) {
    super(code, message)
    this.violation = violation
  }
}

/**
 * Receive buffers in which a device can put nothing: they go back empty, and a guest that reposts them would keep it busy. After so many in a row
 * the device asks for a reset.
 */
import type { DeviceQueue } from '../device-queue.ts'
import type { DeviceRegisters } from '../device-registers.ts'
import { type ProtocolRule, protocolViolation } from '../protocol-violation.ts'

/** At least so many in a row, and as many as the queue has entries. */
const MOST_IN_A_ROW = 64

export class UselessBuffers {
  #inARow = 0

  /** A buffer was of use, or the device begins anew. */
  clear(): void {
    this.#inARow = 0
  }

  /** One more. `purpose`: what it had no room for. The device may be stopped when this returns. */
  add(queue: DeviceQueue, registers: DeviceRegisters, rule: ProtocolRule, clause: string, purpose: string): void {
    this.#inARow++
    if (this.#inARow < Math.max(MOST_IN_A_ROW, queue.ring?.size ?? 0)) return
    const message = `${this.#inARow} buffers in a row had no room for ${purpose}`
    const violation = protocolViolation(rule, clause, message, queue.index)
    registers.reportViolation(violation)
    registers.setNeedsReset(violation)
  }
}

/** Queue resets that a driver asked for through registers (virtio 1.4 §2.6.1): a model may use its queue for a while. */
import type { DeviceRegisters } from '../virtio/index.ts'

export class QueueResets {
  readonly #registers: DeviceRegisters
  /** Queues whose reset is not done. */
  readonly #pending = new Set<number>()

  constructor(registers: DeviceRegisters) {
    this.#registers = registers
  }

  /** The driver asks for a reset of the selected queue. */
  ask(): void {
    const { queueSelect } = this.#registers
    this.#registers.resetQueue()
    if (this.#registers.queueEnabled) this.#pending.add(queueSelect)
  }

  /** Whether the reset of the selected queue was asked for and is not done; the device is asked again. */
  isUnderWay(): boolean {
    const { queueSelect } = this.#registers
    if (!this.#pending.has(queueSelect)) return false
    this.#registers.resetQueue()
    if (!this.#registers.queueEnabled) this.#pending.delete(queueSelect)
    return this.#pending.has(queueSelect)
  }

  /** The device was reset. */
  clear(): void {
    this.#pending.clear()
  }
}

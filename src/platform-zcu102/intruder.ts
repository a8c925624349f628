import { type GuestMemory, MemoryError } from '../memory/index.ts'
import type { DeviceRegisters } from '../virtio/index.ts'

/** A guest that does what it likes with its own RAM and its doorbells, once its connections are up. For tests of isolation. */
export interface Intruder {
  readonly vm: number
  /**
   * Runs in place of the guest's code, at each release of its flows and each of its interrupts. Returns `Kick` bits; `behave`
   * runs the guest's code after all and returns its bits. A reset goes by `Kick.reset`; the other `registers` of its device it may write.
   */
  act(memory: GuestMemory, behave: () => number, registers: DeviceRegisters): number
  /** What the status of its device reads after a `Kick.reset`: 0 when the reset is complete. */
  onStatus?(status: number, memory: GuestMemory): void
}

/** Lets it act. Touching a page that is lent, or on its way to another VM, is a fault in stage 2: it loses its turn. */
export function attack(
  intruder: Intruder,
  memory: GuestMemory,
  behave: () => number,
  registers: DeviceRegisters,
): number {
  try {
    return intruder.act(memory, behave, registers)
  } catch (error) {
    if (error instanceof MemoryError) return 0
    throw error
  }
}

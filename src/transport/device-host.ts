/**
 * What every transport does for its device: the hooks of a user are called so that what they throw breaks the device and nobody
 * else, and work that a turn's bound left over is gone on with.
 */
import { checkFunction, checkMethods, checkObject } from '../internal/check-option.ts'
import { watchPromise } from '../internal/watch-promise.ts'
import type { DeviceRegisters } from '../virtio/index.ts'

/** Turns of the device before the event loop has its own. */
const TURNS_IN_A_ROW = 1024

/** Something with registers that a transport can attach to. Throws `VirtioError` INVALID_OPTION. */
export function checkDevice(device: { readonly registers: unknown }): void {
  checkObject('device', device, 'a device, with registers')
  checkMethods('device.registers', device.registers, 'DeviceRegisters', ['attach', 'notify', 'poll'])
}

/**
 * A hook of the user's as either side calls it: what it throws, or rejects with, is a fault of the device, which needs a reset, for a
 * kick, an interrupt or a write was lost. `afterFault` follows. Throws `VirtioError` INVALID_OPTION.
 */
export function deviceHook<A extends unknown[]>(
  registers: DeviceRegisters,
  name: string,
  hook: (...args: A) => void,
  afterFault: () => void = () => {},
): (...args: A) => void {
  checkFunction(name, hook)
  const report = (error: unknown) => {
    registers.reportFault(error, -1, true)
    afterFault()
  }
  return (...args) => {
    try {
      watchPromise(hook(...args), report)
    } catch (error) {
      report(error)
    }
  }
}

/** Calls `registers.poll()` in a microtask until nothing is left, and lets the event loop have its turn in between. */
export class DeviceLoop {
  readonly #registers: DeviceRegisters
  #scheduled = false

  constructor(registers: DeviceRegisters) {
    this.#registers = registers
  }

  /** There is work that no kick will bring on. Returns at once. */
  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#run())
  }

  #run(): void {
    for (let turn = 0; turn < TURNS_IN_A_ROW; turn++) {
      if (!this.#registers.poll()) {
        this.#scheduled = false
        return
      }
    }
    afterEvents(() => this.#run())
  }
}

/** `setImmediate` does not wait, where there is one. */
export function afterEvents(run: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => void }
  if (setImmediate === undefined) setTimeout(run, 0)
  else setImmediate(run)
}

/** A port of a console as the guest sees it. */
import { checkBytes } from '../../../internal/check-option.ts'
import type { ConsoleSize } from './contract.ts'

/** What a port asks of its driver. */
export interface DriverPortOwner {
  write(port: ConsoleDriverPort, bytes: Uint8Array): Promise<void>
  setOpen(port: ConsoleDriverPort, open: boolean): Promise<void>
}

/** A port of a `ConsoleDriver`. */
export class ConsoleDriverPort {
  readonly id: number
  /** Gets what comes, in its order; the bytes are the function's own. Null: it is dropped. What it throws is a `fault` of the driver. */
  onData: ((bytes: Uint8Array) => void) | null = null
  /** Called when something of it has changed: `name`, `size`, `isConsole`, `hostOpen`, `isRemoved`. What it throws is a `fault` of the driver. */
  onChange: (() => void) | null = null
  /** The device says that it is a terminal. Without MULTIPORT port 0 is one. */
  isConsole = false
  /** Empty for none. */
  name = ''
  /** Columns and rows; null where the device has not said. */
  size: ConsoleSize | null = null
  /** The host's program has its end open. Without MULTIPORT nobody says so: true. */
  hostOpen = false
  /** The device has taken the port away: nothing comes, and `write` rejects. */
  isRemoved = false
  readonly #owner: DriverPortOwner
  #isOpen = false

  /** Made by `ConsoleDriver` only. */
  constructor(id: number, owner: DriverPortOwner) {
    this.id = id
    this.#owner = owner
  }

  /** Whether the guest's end is open, as the device was told. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @internal */
  markOpen(open: boolean): void {
    this.#isOpen = open
  }

  /**
   * Sends a copy of bytes, in pieces of at most 4096; resolves when the device has taken all of them, in the order of the calls. Rejects with
   * `VirtioError` CONSOLE_NO_PORT once the port was removed, INVALID_OPTION, and as `DriverQueue.call` does.
   */
  async write(bytes: Uint8Array): Promise<void> {
    checkBytes('bytes', bytes)
    await this.#owner.write(this, bytes)
  }

  /** Tells the device that this end is open, or closed; a terminal is opened by the driver. Resolves and rejects as `write` does. */
  async setOpen(open: boolean): Promise<void> {
    await this.#owner.setOpen(this, open)
  }
}

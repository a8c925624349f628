/** A port of a console device: what the host's program writes and reads. */
import { checkBytes } from '../../../internal/check-option.ts'
import { refuseState } from '../../../internal/saved-state.ts'
import { ByteRing } from '../byte-ring.ts'
import type { ConsoleSize } from './contract.ts'
import { type ConsolePortOptions, checkPort, checkSize } from './device-options.ts'

/** What a port asks of its device. */
export interface PortOwner {
  /** There is something for the guest, or room for what it sends. */
  wake(port: ConsoleDevicePort): void
  /** Whether the host's end is open has changed. */
  tellOpen(port: ConsoleDevicePort): void
  tellSize(port: ConsoleDevicePort): void
  remove(port: ConsoleDevicePort): void
  fail(error: unknown): void
}

/** A saved port: plain data. */
export interface PortState {
  readonly id: number
  readonly isReady: boolean
  readonly guestOpen: boolean
  readonly isOpen: boolean
  readonly out: readonly number[]
}

/** A port as the host sees it. */
export class ConsoleDevicePort {
  readonly id: number
  readonly isConsole: boolean
  /** Empty for none. */
  readonly name: string
  /** Gets what the guest sends, in its order; the bytes are the function's own. Null: it is dropped. What it throws is a `fault` of the device. */
  onData: ((bytes: Uint8Array) => void) | null = null
  /** Called when there is room again after `write` has taken less than it was given. */
  onWritable: (() => void) | null = null
  /** Called when the guest has opened or closed its end. */
  onGuestOpen: ((open: boolean) => void) | null = null
  /** @internal The guest has said that it is there. */
  isReady = false
  /** @internal */
  isRemoved = false
  readonly #owner: PortOwner
  readonly #out: ByteRing
  #guestOpen = false
  #isOpen = true
  #isPaused = false
  #wantsRoom = false
  #size: ConsoleSize | null

  /** Made by `ConsoleDevice` only. */
  constructor(id: number, options: ConsolePortOptions, owner: PortOwner, room: number) {
    checkPort('options', options)
    const { isConsole = id === 0, name = '', size } = options
    this.id = id
    this.isConsole = isConsole
    this.name = name
    this.#size = size ?? null
    this.#owner = owner
    this.#out = new ByteRing(room)
  }

  /** Bytes that wait for the guest to read. */
  get waitingBytes(): number {
    return this.#out.length
  }

  /** The guest has opened its end. Without MULTIPORT nobody says so, and it counts as open while a driver runs. */
  get guestOpen(): boolean {
    return this.#guestOpen
  }

  /** The host's end: the guest is told of a change, and nothing that it sends is taken while it is closed. Default true. */
  get open(): boolean {
    return this.#isOpen
  }

  set open(open: boolean) {
    if (open === this.#isOpen) return
    this.#isOpen = open
    this.#owner.tellOpen(this)
    if (open) this.#owner.wake(this)
  }

  /** Nothing that the guest sends is taken while it is true: it waits in its queue. */
  get paused(): boolean {
    return this.#isPaused
  }

  set paused(paused: boolean) {
    this.#isPaused = paused
    if (!paused) this.#owner.wake(this)
  }

  /** Columns and rows; null where nobody has said. The guest is told of a change. Throws `VirtioError` INVALID_OPTION. */
  get size(): ConsoleSize | null {
    return this.#size
  }

  set size(size: ConsoleSize) {
    checkSize('size', size)
    this.#size = size
    this.#owner.tellSize(this)
  }

  /**
   * Bytes for the guest, copied: they wait for its buffers. Says how many were taken; fewer than given mean that no more fit now, and
   * `onWritable` tells when they do. 0 once the port was removed. Throws `VirtioError` INVALID_OPTION.
   */
  write(bytes: Uint8Array): number {
    checkBytes('bytes', bytes)
    if (this.isRemoved) return 0
    const taken = this.#out.push(bytes)
    this.#wantsRoom ||= taken < bytes.length
    if (taken > 0) this.#owner.wake(this)
    return taken
  }

  /** The port is gone: the guest is told, and what waits for it is lost. Port 0 stays without MULTIPORT. */
  remove(): void {
    this.#owner.remove(this)
  }

  /** @internal Whether what the guest sends is taken now. */
  get takesData(): boolean {
    return this.#isOpen && !this.#isPaused
  }

  /** @internal Moves bytes into `target`; says how many. */
  take(target: Uint8Array): number {
    return this.#out.shift(target)
  }

  /** @internal After `take`: whoever waits for room may write. */
  tellRoom(): void {
    if (!this.#wantsRoom || this.#out.free === 0) return
    this.#wantsRoom = false
    this.#guard(() => this.onWritable?.())
  }

  /** @internal */
  receive(bytes: Uint8Array): void {
    this.#guard(() => this.onData?.(bytes))
  }

  /** @internal */
  setGuestOpen(open: boolean): void {
    if (open === this.#guestOpen) return
    this.#guestOpen = open
    this.#guard(() => this.onGuestOpen?.(open))
  }

  /** @internal The guest is gone, or begins anew. What waits stays: it is for whoever reads this port. */
  forgetGuest(): void {
    this.isReady = false
    this.setGuestOpen(false)
  }

  /** @internal */
  clear(): void {
    this.#out.clear()
  }

  /** @internal */
  saveState(): PortState {
    const { id, isReady, guestOpen, open } = this
    return { id, isReady, guestOpen, isOpen: open, out: [...this.#out.toBytes()] }
  }

  /** @internal Throws `VirtioError` INVALID_STATE. */
  restoreState({ isReady, guestOpen, isOpen, out }: PortState): void {
    const areFlags = [isReady, guestOpen, isOpen].every((flag) => typeof flag === 'boolean')
    const isByte = (byte: unknown) => Number.isInteger(byte) && (byte as number) >= 0 && (byte as number) <= 255
    if (!areFlags || !Array.isArray(out) || out.length > this.#out.capacity || !out.every(isByte)) {
      refuseState('console', `port ${this.id} has flags, and at most ${this.#out.capacity} bytes`)
    }
    this.isReady = isReady
    this.#guestOpen = guestOpen
    this.#isOpen = isOpen
    this.#out.clear()
    this.#out.push(Uint8Array.from(out))
  }

  #guard(run: () => unknown): void {
    try {
      const result = run()
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
        Promise.resolve(result).then(undefined, (error) => this.#owner.fail(error))
      }
    } catch (error) {
      this.#owner.fail(error)
    }
  }
}

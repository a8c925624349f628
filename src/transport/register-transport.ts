/** What every driver's transport over registers has besides them: interrupts that the host delivers, and memory for rings and buffers. */
import { checkMemory, checkMethods, checkObject } from '../internal/check-option.ts'
import type { GuestMemory } from '../memory/index.ts'
import type { DeviceContract } from '../virtio/index.ts'
import { heapOf } from './buffer-heap.ts'
import type { BufferAllocator } from './shared-memory.ts'

/** Options of a driver's transport over registers: the driver's memory, and who may be behind them. */
export interface RegisterTransportOptions<C extends DeviceContract = DeviceContract> {
  /** The guest's memory: rings and buffers lie in it, at addresses that the device knows them by. */
  readonly memory: GuestMemory
  /** Where rings and buffers go. Default: anywhere in the largest region of `memory`. */
  readonly allocator?: BufferAllocator
  /** Names for the device's queues, features and configuration. Default: the driver brings its own. */
  readonly contract?: C
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkRegisterOptions({ memory, allocator, contract }: RegisterTransportOptions): void {
  checkMemory('memory', memory)
  if (contract !== undefined) checkObject('contract', contract, 'a DeviceContract')
  if (allocator !== undefined) checkMethods('allocator', allocator, 'a BufferAllocator', ['allocate', 'free'])
}

export class RegisterTransport<C extends DeviceContract = DeviceContract> {
  declare readonly contract?: C
  readonly memory: GuestMemory
  readonly #allocator: BufferAllocator
  #handler: (() => void) | null = null
  #kept = false
  #pollAsked = false

  constructor({ memory, allocator, contract }: RegisterTransportOptions<C>) {
    this.memory = memory
    this.#allocator = allocator ?? heapOf(memory)
    if (contract !== undefined) this.contract = contract
  }

  onInterrupt(handler: (() => void) | null): void {
    this.#handler = handler
    if (handler !== null && this.#kept) this.requestPoll()
  }

  /**
   * The driver's core takes the interrupt: runs the driver's handler, which acknowledges it. For the host, while the line is up and
   * never within one of the driver's own accesses. False: there is no handler yet, and the interrupt is kept for it.
   */
  takeInterrupt(): boolean {
    this.#kept = this.#handler === null
    this.#handler?.()
    return !this.#kept
  }

  /** The driver has let go of its turn with completions left: its handler is called in a microtask. */
  requestPoll(): void {
    if (this.#pollAsked) return
    this.#pollAsked = true
    queueMicrotask(() => {
      this.#pollAsked = false
      this.takeInterrupt()
    })
  }

  /** Memory for a ring or a buffer, at a multiple of `align`. Throws `VirtioError` OUT_OF_MEMORY. */
  allocate(lengthBytes: number, align: number): number {
    return this.#allocator.allocate(lengthBytes, align)
  }

  free(address: number, lengthBytes: number): void {
    this.#allocator.free(address, lengthBytes)
  }

  /** The allocator's blocks, for a snapshot of the driver. */
  saveState(): unknown {
    return this.#allocator.saveState?.() ?? null
  }

  restoreState(state: unknown): void {
    this.#allocator.restoreState?.(state)
  }
}

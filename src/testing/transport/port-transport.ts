/** A `DevicePort` as the transport of a driver: a driver of this package, or one for a contract of your own, under attack. */
import { BumpAllocator, type GuestMemory } from '../../memory/index.ts'
import type { DeviceContract, DriverTransport, QueueAddresses } from '../../virtio/index.ts'
import type { DevicePort } from './device-port.ts'

/**
 * The transport of a driver of this package over a port: what `attackDriver` gives to `connect`. Rings and buffers come from the first
 * region of `memory`, and are never given back.
 */
export class PortTransport<C extends DeviceContract> implements DriverTransport<C> {
  readonly contract: C
  readonly deviceId: number
  readonly memory: GuestMemory
  #handler: (() => void) | null = null
  readonly #port: DevicePort
  readonly #heap: BumpAllocator

  constructor(port: DevicePort, memory: GuestMemory, contract: C) {
    this.contract = contract
    this.deviceId = contract.id
    this.#port = port
    this.memory = memory
    const { base, size } = memory.regions[0]!
    this.#heap = new BumpAllocator(base, size)
  }

  get configLengthBytes(): number {
    return this.#port.configLengthBytes
  }

  readDeviceFeatures(window: number): number {
    return this.#port.readDeviceFeatures(window)
  }

  writeDriverFeatures(window: number, word: number): void {
    this.#port.writeDriverFeatures(window, word)
  }

  readStatus(): number {
    return this.#port.readStatus()
  }

  writeStatus(status: number): void {
    this.#port.writeStatus(status)
  }

  readConfigGeneration(): number {
    return this.#port.readConfigGeneration()
  }

  readConfig(offset: number, target: Uint8Array): void {
    this.#port.readConfig(offset, target)
  }

  writeConfig(offset: number, source: Uint8Array): void {
    this.#port.writeConfig(offset, source)
  }

  queueSizeMax(queue: number): number {
    return this.#port.queueSizeMax(queue)
  }

  setupQueue(queue: number, { size, descriptorArea, driverArea, deviceArea }: QueueAddresses): void {
    this.#port.writeQueueSize(queue, size)
    const areas = [descriptorArea, driverArea, deviceArea] as const
    for (const area of [0, 1, 2] as const) this.#port.writeQueueAddress(queue, area, areas[area], 0)
  }

  enableQueue(queue: number): boolean {
    this.#port.enableQueue(queue)
    return this.#port.isQueueEnabled(queue)
  }

  resetQueue(queue: number): boolean {
    this.#port.resetQueue?.(queue)
    return !this.#port.isQueueEnabled(queue)
  }

  notify(queue: number): void {
    this.#port.notify(queue)
  }

  takeInterrupts(): number {
    return this.#port.takeInterrupts()
  }

  onInterrupt(handler: (() => void) | null): void {
    this.#handler = handler
  }

  /** An interrupt reaches the driver. */
  interrupt(): void {
    this.#handler?.()
  }

  allocate(lengthBytes: number, align: number): number {
    return this.#heap.allocate(lengthBytes, align)
  }

  free(): void {}
}

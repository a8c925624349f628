/** The shared-memory transport as a `DevicePort`: a device of this package, or one of `defineDevice`, under attack. */
import type { GuestMemory } from '../../memory/index.ts'
import { SharedMemoryTransport, type TransportableDevice } from '../../transport/index.ts'
import type { DeviceContract } from '../../virtio/index.ts'
import type { DeviceBehindTransport, DevicePort } from './device-port.ts'

/**
 * A device behind `SharedMemoryTransport`, register by register; it runs within `notify`, one bounded run a kick. What that leaves goes
 * on at the next kick, or when interrupts are taken. For `attackDevice`, and for drivers of your own.
 */
export class SharedMemoryPort implements DevicePort {
  readonly #transport: SharedMemoryTransport
  #workLeft = false

  constructor(device: TransportableDevice<DeviceContract>, memory: GuestMemory) {
    this.#transport = new SharedMemoryTransport(device, {
      memory,
      doorbell: (queue) => {
        this.#workLeft = this.#transport.registers.notify(queue)
      },
      workLeft: () => {
        this.#workLeft = true
      },
    })
  }

  get configLengthBytes(): number {
    return this.#transport.configLengthBytes
  }

  readStatus(): number {
    return this.#transport.readStatus()
  }

  writeStatus(value: number): void {
    this.#transport.writeStatus(value)
  }

  readDeviceFeatures(window: number): number {
    return this.#transport.readDeviceFeatures(window)
  }

  writeDriverFeatures(window: number, word: number): void {
    this.#transport.writeDriverFeatures(window, word)
  }

  queueSizeMax(queue: number): number {
    return this.#transport.queueSizeMax(queue)
  }

  writeQueueSize(queue: number, size: number): void {
    this.#select(queue).queueSize = size
  }

  writeQueueAddress(queue: number, area: 0 | 1 | 2, low: number, high: number): void {
    this.#select(queue).writeQueueAddress(area, 0, low)
    this.#select(queue).writeQueueAddress(area, 1, high)
  }

  enableQueue(queue: number): void {
    this.#transport.enableQueue(queue)
  }

  isQueueEnabled(queue: number): boolean {
    return this.#select(queue).queueEnabled
  }

  resetQueue(queue: number): void {
    this.#transport.resetQueue(queue)
  }

  notify(queue: number): void {
    this.#transport.notify(queue)
  }

  takeInterrupts(): number {
    if (this.#workLeft) this.#workLeft = this.#transport.registers.poll()
    return this.#transport.takeInterrupts()
  }

  readConfigGeneration(): number {
    return this.#transport.readConfigGeneration()
  }

  readConfig(offset: number, target: Uint8Array): void {
    this.#transport.readConfig(offset, target)
  }

  writeConfig(offset: number, source: Uint8Array): void {
    this.#transport.writeConfig(offset, source)
  }

  #select(queue: number) {
    const { registers } = this.#transport
    registers.queueSelect = queue
    return registers
  }
}

/**
 * The target of `attackDevice` for devices that `create` makes, one a connection. `queues`: how many the device has; `answering`: those
 * on which every well-formed chain comes back by itself, default all.
 */
export function behindSharedMemory(
  name: string,
  create: () => TransportableDevice<DeviceContract>,
  queues: number,
  answering?: readonly number[],
): DeviceBehindTransport {
  return {
    name,
    queues,
    ...(answering !== undefined && { answering }),
    connect: (memory) => new SharedMemoryPort(create(), memory),
  }
}

/** Our transport, and our devices behind it, as the kit attacks them. */
import type { GuestMemory } from '../../../src/memory/index.ts'
import type { DeviceBehindTransport, DevicePort } from '../../../src/testing/index.ts'
import { SharedMemoryTransport, type TransportableDevice } from '../../../src/transport/index.ts'
import type { DeviceContract } from '../../../src/virtio/index.ts'

export class SharedMemoryPort implements DevicePort {
  readonly #transport: SharedMemoryTransport

  constructor(device: TransportableDevice<DeviceContract>, memory: GuestMemory) {
    this.#transport = new SharedMemoryTransport(device, { memory })
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

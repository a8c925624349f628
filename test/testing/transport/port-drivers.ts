/** Drivers behind a port: our own, whole, and any driver-side queue with the plainest handshake around it. */
import { BumpAllocator, type GuestMemory } from '../../../src/memory/index.ts'
import type { DevicePort, DriverBehindTransport, DriverQueueTarget } from '../../../src/testing/index.ts'
import { layOutRing } from '../../../src/testing/ring-layout.ts'
import { type DriverTransport, type QueueAddresses, startDriver } from '../../../src/virtio/index.ts'
import { BufferList } from '../../../src/virtqueue/index.ts'
import { adder } from '../../virtio/adder.ts'

class PortTransport implements DriverTransport<typeof adder.contract> {
  readonly contract = adder.contract
  readonly deviceId = adder.contract.id
  readonly memory: GuestMemory
  handler: (() => void) | null = null
  readonly #port: DevicePort
  readonly #heap: BumpAllocator

  constructor(port: DevicePort, memory: GuestMemory) {
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
    this.handler = handler
  }

  allocate(lengthBytes: number, align: number): number {
    return this.#heap.allocate(lengthBytes, align)
  }

  free(): void {}
}

export const ownDriverBehindPort: DriverBehindTransport = {
  name: 'the driver of the adder',
  deviceId: adder.contract.id,
  queueSizes: [8],
  connect(port, memory) {
    const transport = new PortTransport(port, memory)
    const driver = startDriver(transport, { indirectLength: 4 })
    // `post` asserts that a chain can ever fit, so who uses it looks at the size that the device allowed.
    if (driver.requests.ring.size < 2) throw new Error('a request has two buffers, and the device one entry')
    const address = transport.allocate(16, 16)
    return {
      request(done) {
        if (driver.error !== null) return false
        return driver.requests.post(new BufferList().addReadable(address, 8).addWritable(address + 8, 4), done)
      },
      interrupt: () => transport.handler?.(),
    }
  },
}

export interface Habits {
  /** Waits for a reset as long as it takes. */
  readonly patient?: boolean
  /** Uses whatever size the device names. */
  readonly trustsSizes?: boolean
}

/** A driver-side queue with a handshake. */
export function behindPort(
  target: DriverQueueTarget,
  { patient = false, trustsSizes = false }: Habits = {},
): DriverBehindTransport {
  return {
    name: target.name,
    deviceId: 1,
    queueSizes: [4],
    connect(port, memory) {
      port.writeStatus(0)
      for (let polls = 0; port.readStatus() !== 0; polls++) if (polls > 100 && !patient) throw new Error('no reset')
      for (const status of [1, 3]) port.writeStatus(status)
      if ((port.readDeviceFeatures(1) & 1) === 0) throw new Error('no VERSION_1')
      for (let window = 0; window < 4; window++) port.writeDriverFeatures(window, window === 1 ? 1 : 0)
      port.writeStatus(11)
      if ((port.readStatus() & 8) === 0) throw new Error('features refused')
      const size = port.queueSizeMax(0)
      if (size !== 4 && !trustsSizes) throw new Error('another queue than expected')
      const { ring, end } = layOutRing({ size, eventIdx: false, indirect: false }, memory.regions[0]!.base)
      memory.fill(ring.descriptorArea, end - ring.descriptorArea, 0)
      port.writeQueueSize(0, size)
      const areas = [ring.descriptorArea, ring.driverArea, ring.deviceArea] as const
      for (const area of [0, 1, 2] as const) port.writeQueueAddress(0, area, areas[area], 0)
      port.enableQueue(0)
      if (!port.isQueueEnabled(0)) throw new Error('queue refused')
      const queue = target.create(memory, ring)
      port.writeStatus(15)
      const waiting = new Map<number, () => void>()
      return {
        request(done) {
          const head = queue.add([], [{ address: end, length: 16 }], 1)
          if (head < 0) return false
          waiting.set(head, done)
          queue.publish?.()
          if (queue.wantsNotification()) port.notify(0)
          return true
        },
        interrupt() {
          port.takeInterrupts()
          for (let used = queue.reap(); used?.kind === 'used'; used = queue.reap()) waiting.get(used.id)!()
        },
      }
    },
  }
}

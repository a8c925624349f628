/**
 * The simulated shared-memory transport: driver and device in one process, meeting at a `DeviceRegisters` and in the driver's
 * memory. A register access takes effect at once, a kick is a store to a doorbell whose page traps, and an interrupt is a call.
 *
 *   driver ── registers ────────────▶ DeviceRegisters
 *          ── notify ── doorbell ───▶ the device runs       default: inline, a trap that is emulated on the driver's core
 *          ◀── handler ── interrupt ─ the device raises     default: taken when the trap returns
 *
 * Both edges are hooks, so that a simulated board makes them an exit with a cost and an injected interrupt.
 */
import { VirtioError } from '../internal/error.ts'
import { GuestMemory } from '../memory/index.ts'
import type {
  DeviceContract,
  DeviceRegisters,
  DeviceTransport,
  DriverTransport,
  QueueAddresses,
} from '../virtio/index.ts'
import { BufferHeap } from './buffer-heap.ts'

export interface SharedMemoryOptions {
  /** The driver's memory. Default: 16 MiB at 0x4000_0000. */
  readonly memory?: GuestMemory
  /** Where the driver's rings and buffers go. Default: anywhere in the largest region of `memory`. */
  readonly allocator?: BufferAllocator
  /** The ranges that the device may touch, multiples of 16 in linear regions. Default: all of `memory`. */
  readonly grants?: readonly MemoryGrant[]
  /** A kick trapped. The hook, now or later, calls `registers.notify(queue)`. Default: at once, until the device is idle. */
  readonly doorbell?: (queue: number) => void
  /** The device raised an interrupt. The hook, now or later, calls `takeInterrupt()`. Default: when no trap is running. */
  readonly interrupt?: (reason: number, queue: number) => void
}

export interface BufferAllocator {
  allocate(lengthBytes: number, align: number): number
  free(address: number, lengthBytes: number): void
}

export interface MemoryGrant {
  readonly address: number
  readonly lengthBytes: number
}

/** What a device is to a transport: registers, and names for the driver's side when they are known. */
export interface TransportableDevice<C extends DeviceContract> {
  readonly registers: DeviceRegisters
  readonly contract?: C
}

export class SharedMemoryTransport<C extends DeviceContract = DeviceContract> implements DriverTransport<C> {
  declare readonly contract?: C
  readonly registers: DeviceRegisters
  readonly memory: GuestMemory
  readonly #allocator: BufferAllocator
  readonly #doorbell: (queue: number) => void
  #handler: (() => void) | null = null
  #interruptPending = false
  #traps = 0
  #inHandler = false

  /** Throws `VirtioError` INVALID_GRANT for a range that is not the driver's to grant. */
  constructor(device: TransportableDevice<C>, options: SharedMemoryOptions = {}) {
    if (device.contract !== undefined) this.contract = device.contract
    this.registers = device.registers
    this.memory = options.memory ?? GuestMemory.ofSize(16 * 1024 * 1024, 0x4000_0000)
    this.#allocator = options.allocator ?? heapOf(this.memory)
    this.#doorbell = options.doorbell ?? ((queue) => this.#trap(queue))
    const interrupt = options.interrupt ?? (() => this.#raise())
    const deviceSide: DeviceTransport = {
      memory: options.grants === undefined ? this.memory : grantedMemory(this.memory, options.grants),
      raiseInterrupt: interrupt,
    }
    this.registers.attach(deviceSide)
  }

  get deviceId(): number {
    return this.registers.deviceId
  }

  readDeviceFeatures(window: number): number {
    this.registers.deviceFeaturesSelect = window
    return this.registers.readDeviceFeatures()
  }

  writeDriverFeatures(window: number, word: number): void {
    this.registers.driverFeaturesSelect = window
    this.registers.writeDriverFeatures(word)
  }

  readStatus(): number {
    return this.registers.readStatus()
  }

  writeStatus(status: number): void {
    this.registers.writeStatus(status)
  }

  get configLengthBytes(): number {
    return this.registers.config.lengthBytes
  }

  readConfigGeneration(): number {
    return this.registers.configGeneration
  }

  readConfig(offset: number, target: Uint8Array): void {
    this.registers.readConfig(offset, target)
  }

  writeConfig(offset: number, source: Uint8Array): void {
    this.registers.writeConfig(offset, source)
  }

  queueSizeMax(queue: number): number {
    this.registers.queueSelect = queue
    return this.registers.queueSizeMax
  }

  setupQueue(queue: number, addresses: QueueAddresses): void {
    const { registers } = this
    registers.queueSelect = queue
    registers.queueSize = addresses.size
    const areas = [addresses.descriptorArea, addresses.driverArea, addresses.deviceArea]
    for (const area of [0, 1, 2] as const) {
      registers.writeQueueAddress(area, 0, areas[area]! % 2 ** 32)
      registers.writeQueueAddress(area, 1, Math.floor(areas[area]! / 2 ** 32))
    }
  }

  enableQueue(queue: number): boolean {
    this.registers.queueSelect = queue
    this.registers.enableQueue()
    return this.registers.queueEnabled
  }

  resetQueue(queue: number): boolean {
    this.registers.queueSelect = queue
    this.registers.resetQueue()
    return !this.registers.queueEnabled
  }

  notify(queue: number): void {
    this.#doorbell(queue)
  }

  takeInterrupts(): number {
    const reasons = this.registers.interruptStatus
    this.registers.acknowledgeInterrupts(reasons)
    return reasons
  }

  onInterrupt(handler: (() => void) | null): void {
    this.#handler = handler
  }

  /** The driver's core takes the interrupt: runs the driver's handler. For an `interrupt` hook, once per injection. */
  takeInterrupt(): void {
    this.#handler?.()
  }

  allocate(lengthBytes: number, align: number): number {
    return this.#allocator.allocate(lengthBytes, align)
  }

  free(address: number, lengthBytes: number): void {
    this.#allocator.free(address, lengthBytes)
  }

  /** Trap and emulate: the driver's core runs the device until it is idle, then takes what was raised. */
  #trap(queue: number): void {
    this.#traps++
    try {
      let workLeft = this.registers.notify(queue)
      while (workLeft) workLeft = this.registers.poll()
    } finally {
      this.#traps--
    }
    this.#takePending()
  }

  #raise(): void {
    this.#interruptPending = true
    this.#takePending()
  }

  /** Interrupts are masked during a trap and during the handler itself, and one pending interrupt is one call. */
  #takePending(): void {
    if (this.#traps > 0 || this.#inHandler) return
    this.#inHandler = true
    try {
      while (this.#interruptPending) {
        this.#interruptPending = false
        this.takeInterrupt()
      }
    } finally {
      this.#inHandler = false
    }
  }
}

function heapOf(memory: GuestMemory): BufferHeap {
  const largest = memory.regions.reduce((a, b) => (b.size > a.size ? b : a))
  return new BufferHeap(largest.base, largest.size)
}

/** The granted ranges as a memory of their own over the same bytes: nothing outside them has an address there. */
function grantedMemory(memory: GuestMemory, grants: readonly MemoryGrant[]): GuestMemory {
  return new GuestMemory(
    grants.map(({ address, lengthBytes }) => {
      const region = memory.regions[memory.regionAt(address)]
      if (region === undefined || region.frames !== null || address + lengthBytes > region.end) {
        throw new VirtioError('INVALID_GRANT', `${lengthBytes} bytes at ${address} are not in one linear region`)
      }
      return {
        base: address,
        size: lengthBytes,
        buffer: region.u8.buffer as ArrayBuffer,
        byteOffset: region.u8.byteOffset + (address - region.base),
        shared: region.shared,
      }
    }),
  )
}

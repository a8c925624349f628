/**
 * The simulated shared-memory transport: driver and device in one process, meeting at a `DeviceRegisters` and in the driver's
 * memory. A register access takes effect at once, a kick is a store to a doorbell whose page traps, and an interrupt is a call.
 *
 *   driver ── registers ────────────▶ DeviceRegisters
 *          ── notify ── doorbell ───▶ the device runs       default: inline, a trap that is emulated on the driver's core
 *          ◀── handler ── interrupt ─ the device raises     default: taken when the trap returns, else in a microtask
 *
 * Both edges are hooks, so that a simulated board makes them an exit with a cost and an injected interrupt. Neither side ever runs
 * inside a turn of the other: what a device raises while it runs waits until it has returned.
 */
import { checkArray, checkMemory, checkMethods, checkObject } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { GuestMemory } from '../memory/index.ts'
import type {
  DeviceContract,
  DeviceRegisters,
  DeviceTransport,
  DriverTransport,
  QueueAddresses,
} from '../virtio/index.ts'
import { heapOf } from './buffer-heap.ts'
import { afterEvents, checkDevice, deviceHook } from './device-host.ts'

/** Options of `SharedMemoryTransport`: memory, hooks for its two edges, and what the device may see of the memory. */
export interface SharedMemoryOptions {
  /** The driver's memory. Default: 16 MiB at 0x4000_0000. */
  readonly memory?: GuestMemory
  /** Where the driver's rings and buffers go. Default: anywhere in the largest region of `memory`. */
  readonly allocator?: BufferAllocator
  /**
   * The ranges that the device may touch, multiples of 16 in linear regions. Default: all of `memory`. With it the device offers
   * ACCESS_PLATFORM, and `allocator` hands out what was granted.
   */
  readonly grants?: readonly MemoryGrant[]
  /** A kick trapped. The hook, now or later, calls `registers.notify(queue)`. Default: at once, until the device is idle. */
  readonly doorbell?: (queue: number) => void
  /**
   * The device raised an interrupt. The hook calls `takeInterrupt()` later, when the device has returned. Default: when the trap
   * returns; for a device that was woken by its own host, in a microtask. Reason 0: the driver itself asks to be called again. When the
   * hook throws, the device needs a reset, and the driver is told as by default.
   */
  readonly interrupt?: (reason: number, queue: number) => void
  /**
   * The device has work left that no kick will bring on: its host woke it, and a turn's bound stopped it. The hook, later, calls
   * `registers.poll()` until that says false. Default: in a microtask.
   */
  readonly workLeft?: () => void
  /**
   * The device wrote this range of guest memory: buffers are told when their request goes back, used rings when they are published. An
   * emulator that translates code throws away what it has of it. Costs nothing when left out.
   */
  readonly onDeviceWrite?: (address: number, lengthBytes: number) => void
}

/** Gives the driver guest memory for rings, tables and buffers. Addresses and lengths are in bytes. */
export interface BufferAllocator {
  allocate(lengthBytes: number, align: number): number
  free(address: number, lengthBytes: number): void
  /** For snapshots: plain data, as JSON keeps it, and back. Left out: whoever owns the allocator sees to it. */
  saveState?(): unknown
  restoreState?(state: unknown): void
}

/**
 * Steps that one side may cause in a row before the event loop gets its turn: two peers that always have an answer for each other, or a
 * driver in another thread, would otherwise hold the program for ever. An interrupt is a step, and so is a turn of the device.
 */
const STEPS_IN_A_ROW = 1024
/** Turns of a run that stopped at its bound. */
const STEPS_PER_RUN = 64

/** A range of guest memory that the device may access, in bytes. */
export interface MemoryGrant {
  readonly address: number
  readonly lengthBytes: number
}

/** What a device is to a transport: registers, and names for the driver's side when they are known. */
export interface TransportableDevice<C extends DeviceContract> {
  readonly registers: DeviceRegisters
  readonly contract?: C
}

/**
 * Driver and device in one process, over one guest memory. Doorbells and interrupts run at once, or through the hooks
 * of `SharedMemoryOptions` whenever a simulator wants them to.
 */
export class SharedMemoryTransport<C extends DeviceContract = DeviceContract> implements DriverTransport<C> {
  declare readonly contract?: C
  readonly registers: DeviceRegisters
  readonly memory: GuestMemory
  readonly #allocator: BufferAllocator
  /** Kept here: the memory that it watches would not. */
  readonly #grants: GrantedMemory | null
  readonly #doorbell: (queue: number) => void
  readonly #interrupt: (reason: number, queue: number) => void
  #handler: (() => void) | null = null
  #interruptPending = false
  #workPending = false
  #traps = 0
  #inHandler = false
  /** Since the event loop was last given its turn. */
  #steps = 0
  #yielding = false

  /** Throws `VirtioError` INVALID_OPTION, INVALID_GRANT for a range that is not the driver's to grant, DEVICE_IN_USE. */
  constructor(device: TransportableDevice<C>, options: SharedMemoryOptions = {}) {
    checkDevice(device)
    checkOptions(options)
    if (device.contract !== undefined) this.contract = device.contract
    this.registers = device.registers
    this.memory = options.memory ?? GuestMemory.ofSize(16 * 1024 * 1024, 0x4000_0000)
    this.#allocator = options.allocator ?? heapOf(this.memory)
    const { grants, onDeviceWrite, doorbell, interrupt, workLeft } = options
    this.#doorbell =
      doorbell === undefined ? (queue) => this.#trap(queue) : deviceHook(this.registers, 'doorbell', doorbell)
    // The driver is to hear of the device that a lost interrupt broke, so it is called as without the hook.
    const raise = () => this.#raise()
    this.#interrupt = interrupt === undefined ? raise : deviceHook(this.registers, 'interrupt', interrupt, raise)
    this.#grants = grants === undefined ? null : new GrantedMemory(this.memory, grants)
    const deviceSide: DeviceTransport = {
      memory: this.#grants?.memory ?? this.memory,
      ...(onDeviceWrite !== undefined && { onDeviceWrite: deviceHook(this.registers, 'onDeviceWrite', onDeviceWrite) }),
      limitsAccess: grants !== undefined,
      raiseInterrupt: this.#interrupt,
      requestPoll: workLeft === undefined ? () => this.#leaveWork() : deviceHook(this.registers, 'workLeft', workLeft),
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
    if (this.#interruptPending) this.#soon()
  }

  get deviceFault(): unknown {
    return this.registers.resetCause
  }

  /** The driver's core takes the interrupt: runs the driver's handler. For an `interrupt` hook, once per injection. */
  takeInterrupt(): void {
    this.#interruptPending = false
    this.#handler?.()
  }

  allocate(lengthBytes: number, align: number): number {
    return this.#allocator.allocate(lengthBytes, align)
  }

  free(address: number, lengthBytes: number): void {
    this.#allocator.free(address, lengthBytes)
  }

  requestPoll(): void {
    this.#interrupt(0, -1)
  }

  /** The allocator's blocks, for a snapshot of the driver. */
  saveState(): unknown {
    return this.#allocator.saveState?.() ?? null
  }

  restoreState(state: unknown): void {
    this.#allocator.restoreState?.(state)
  }

  /** Trap and emulate: the driver's core runs the device until it is idle, then takes what was raised. */
  #trap(queue: number): void {
    this.#traps++
    try {
      this.#workPending = this.registers.notify(queue)
      if (this.#workPending) this.#steps += STEPS_PER_RUN
      this.#runDevice()
    } finally {
      this.#traps--
    }
    this.settle()
  }

  #raise(): void {
    if (this.#interruptPending) return
    this.#interruptPending = true
    if (this.#traps === 0 && !this.#inHandler) this.#soon()
  }

  #leaveWork(): void {
    if (this.#workPending) return
    this.#workPending = true
    if (this.#traps === 0) this.#soon()
  }

  #soon(): void {
    if (!this.#yielding) queueMicrotask(() => this.settle())
  }

  #runDevice(): void {
    while (this.#workPending && this.#step()) {
      this.#workPending = this.registers.poll()
      if (this.#workPending) this.#steps += STEPS_PER_RUN - 1
    }
  }

  /**
   * Runs device and driver in turn until both are idle: what a microtask does otherwise, for a host that does not want to wait for it.
   * Interrupts are masked during a trap and during the handler itself; called from within one of them it does nothing.
   */
  settle(): void {
    if (this.#traps > 0 || this.#inHandler) return
    this.#inHandler = true
    try {
      do {
        this.#runDevice()
        // One pending interrupt is one call; without a handler it stays pending.
        if (this.#interruptPending && this.#handler !== null && this.#step()) this.takeInterrupt()
      } while (!this.#yielding && (this.#workPending || (this.#interruptPending && this.#handler !== null)))
    } finally {
      this.#inHandler = false
    }
  }

  /** False: enough for now, the event loop has its turn first. */
  #step(): boolean {
    if (this.#yielding) return false
    if (++this.#steps < STEPS_IN_A_ROW) return true
    this.#yielding = true
    afterEvents(() => {
      this.#yielding = false
      this.#steps = 0
      this.settle()
    })
    return false
  }
}

/** The hooks are looked at where they are taken. Throws `VirtioError` INVALID_OPTION. */
function checkOptions(options: SharedMemoryOptions): void {
  checkObject('options', options)
  const { memory, allocator, grants } = options
  if (memory !== undefined) checkMemory('memory', memory)
  if (allocator !== undefined) checkMethods('allocator', allocator, 'a BufferAllocator', ['allocate', 'free'])
  if (grants === undefined) return
  checkArray('grants', grants, 'an array of MemoryGrant')
  for (const [i, grant] of grants.entries()) checkObject(`grants[${i}]`, grant, 'a MemoryGrant')
}

/** The granted ranges as a memory of their own over the same bytes: nothing outside them has an address there. */
class GrantedMemory {
  readonly memory: GuestMemory
  readonly #whole: GuestMemory
  readonly #grants: readonly MemoryGrant[]

  constructor(whole: GuestMemory, grants: readonly MemoryGrant[]) {
    this.#whole = whole
    this.#grants = grants
    this.memory = new GuestMemory(
      grants.map((grant) => {
        const { region, byteOffset } = this.#place(grant)
        const { address, lengthBytes } = grant
        const buffer = region.u8.buffer as ArrayBuffer
        return { base: address, size: lengthBytes, buffer, byteOffset, shared: region.shared }
      }),
    )
    whole.observe(this)
  }

  rebind(): void {
    for (const grant of this.#grants) {
      const { region, byteOffset } = this.#place(grant)
      const { u8 } = this.memory.regions[this.memory.regionAt(grant.address)]!
      if (u8.buffer !== region.u8.buffer) this.memory.rebind(grant.address, region.u8.buffer as ArrayBuffer, byteOffset)
    }
  }

  #place({ address, lengthBytes }: MemoryGrant) {
    const region = this.#whole.regions[this.#whole.regionAt(address)]
    const isRange = Number.isSafeInteger(address) && Number.isSafeInteger(lengthBytes) && lengthBytes > 0
    if (!isRange || region === undefined || region.frames !== null || address + lengthBytes > region.end) {
      throw new VirtioError('INVALID_GRANT', `${lengthBytes} bytes at ${address} are not in one linear region`)
    }
    return { region, byteOffset: region.byteOffset + (address - region.base) }
  }
}

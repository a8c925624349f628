/** What every device side over registers does besides them: its hooks, its interrupt line, work that is left over, and configuration bytes. */
import { checkMemory, checkObject } from '../internal/check-option.ts'
import type { GuestMemory } from '../memory/index.ts'
import type { DeviceContract, DeviceRegisters } from '../virtio/index.ts'
import { protocolViolation } from '../virtio/protocol-violation.ts'
import { type AccessWidth, bytesOf, wordOf } from './access.ts'
import { checkDevice, DeviceLoop, deviceHook } from './device-host.ts'
import { QueueResets } from './queue-resets.ts'
import type { TransportableDevice } from './shared-memory.ts'

/** Options of a device behind registers: the guest's memory, and where its interrupt goes. */
export interface RegisterDeviceOptions {
  /** Guest-physical memory, as far as the device may touch it. */
  readonly memory: GuestMemory
  /**
   * The level of the interrupt line changed: true up, false down. Called from within a register access of the driver, or when the device
   * was woken; it must not run the driver inline.
   */
  readonly interruptLine: (level: boolean) => void
  /** As for `SharedMemoryTransport`: call `registers.poll()` later, until that says false. Default: in a microtask. */
  readonly workLeft?: () => void
  /** The device wrote this range of guest memory. An emulator that translates code throws away what it has of it. */
  readonly onDeviceWrite?: (address: number, lengthBytes: number) => void
}

export class RegisterDevice {
  readonly registers: DeviceRegisters
  readonly queueResets: QueueResets
  readonly #memory: GuestMemory
  readonly #onDeviceWrite: ((address: number, lengthBytes: number) => void) | undefined
  readonly #setLine: (level: boolean) => void
  readonly #leaveWork: () => void
  #line = false

  /** Throws `VirtioError` INVALID_OPTION. */
  constructor(device: TransportableDevice<DeviceContract>, options: RegisterDeviceOptions) {
    checkDevice(device)
    checkObject('options', options)
    const { memory, interruptLine, workLeft, onDeviceWrite } = options
    const { registers } = device
    checkMemory('memory', memory)
    this.registers = registers
    this.queueResets = new QueueResets(registers)
    this.#memory = memory
    this.#setLine = deviceHook(registers, 'interruptLine', interruptLine)
    const loop = new DeviceLoop(registers)
    this.#leaveWork = workLeft === undefined ? () => loop.schedule() : deviceHook(registers, 'workLeft', workLeft)
    if (onDeviceWrite !== undefined) this.#onDeviceWrite = deviceHook(registers, 'onDeviceWrite', onDeviceWrite)
  }

  /** Throws `VirtioError` DEVICE_IN_USE when the device has a transport. */
  attach(raiseInterrupt: (reason: number, queue: number) => void): void {
    this.registers.attach({
      memory: this.#memory,
      ...(this.#onDeviceWrite !== undefined && { onDeviceWrite: this.#onDeviceWrite }),
      raiseInterrupt,
      requestPoll: this.#leaveWork,
    })
  }

  /** The level of the interrupt line; the hook is told of a change. */
  get line(): boolean {
    return this.#line
  }

  set line(level: boolean) {
    if (level === this.#line) return
    this.#line = level
    this.#setLine(level)
  }

  /** A kick. */
  notify(queue: number): void {
    if (this.registers.notify(queue)) this.#leaveWork()
  }

  /** Bytes past the end of the configuration read 0. */
  readConfig(offset: number, width: AccessWidth): number {
    const bytes = new Uint8Array(width)
    this.registers.readConfig(offset, bytes)
    return wordOf(bytes, width)
  }

  writeConfig(offset: number, width: AccessWidth, value: number): void {
    this.registers.writeConfig(offset, bytesOf(value, width))
  }

  /** Tells observers of an access that no register takes. */
  refuse(clause: string, message: string): void {
    this.registers.reportViolation(protocolViolation('register-access', clause, message))
  }
}

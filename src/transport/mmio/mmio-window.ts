/**
 * The device side of virtio over MMIO (virtio 1.4 §4.2): a window of registers that an emulator puts at an address of its own. A
 * synchronous state machine: `read` and `write` of a width in, the level of one interrupt line out.
 */
import { checkInteger, checkMemory, checkMethods, checkObject, MAX_U32 } from '../../internal/check-option.ts'
import type { GuestMemory } from '../../memory/index.ts'
import type { DeviceContract, DeviceRegisters } from '../../virtio/index.ts'
import { protocolViolation } from '../../virtio/protocol-violation.ts'
import { type AccessWidth, bytesOf, checkAccess, wordOf } from '../access.ts'
import { DeviceLoop, deviceHook } from '../device-host.ts'
import type { TransportableDevice } from '../shared-memory.ts'
import * as reg from './registers.ts'

/** Options of `MmioWindow`: the guest's memory, and where its interrupt goes. */
export interface MmioWindowOptions {
  /** Guest-physical memory, as far as the device may touch it. */
  readonly memory: GuestMemory
  /**
   * The level of the interrupt line changed: true up, false down. Called from within a register access of the driver, or when the device
   * was woken; it must not run the driver inline.
   */
  readonly interruptLine: (level: boolean) => void
  /** What VendorID reads. Default 0. */
  readonly vendorId?: number
  /** As for `SharedMemoryTransport`: call `registers.poll()` later, until that says false. Default: in a microtask. */
  readonly workLeft?: () => void
  /** The device wrote this range of guest memory. An emulator that translates code throws away what it has of it. */
  readonly onDeviceWrite?: (address: number, lengthBytes: number) => void
}

/**
 * A device behind a window of memory-mapped registers. Put it at an address of at least 4096 bytes, hand it the guest's accesses,
 * and wire `interruptLine` to the interrupt controller: level-triggered, high.
 */
export class MmioWindow<C extends DeviceContract = DeviceContract> {
  readonly registers: DeviceRegisters
  readonly #vendorId: number
  readonly #setLine: (level: boolean) => void
  readonly #leaveWork: () => void
  #line = false
  /** The queue whose reset was asked for and is not done; -1: none. */
  #resetting = -1

  /** Throws `VirtioError` INVALID_OPTION, or DEVICE_IN_USE when the device has a transport. */
  constructor(device: TransportableDevice<C>, options: MmioWindowOptions) {
    checkObject('device', device, 'a device, with registers')
    checkMethods('device.registers', device.registers, 'DeviceRegisters', ['attach', 'notify', 'poll'])
    checkObject('options', options)
    const { memory, interruptLine, vendorId = 0, workLeft, onDeviceWrite } = options
    checkMemory('memory', memory)
    checkInteger('vendorId', vendorId, 0, MAX_U32)
    this.registers = device.registers
    this.#vendorId = vendorId
    this.#setLine = deviceHook(this.registers, 'interruptLine', interruptLine)
    const loop = new DeviceLoop(this.registers)
    this.#leaveWork = workLeft === undefined ? () => loop.schedule() : deviceHook(this.registers, 'workLeft', workLeft)
    this.registers.attach({
      memory,
      ...(onDeviceWrite !== undefined && { onDeviceWrite: deviceHook(this.registers, 'onDeviceWrite', onDeviceWrite) }),
      raiseInterrupt: () => this.#updateLine(),
      requestPoll: this.#leaveWork,
    })
  }

  /** The level of the interrupt line: up while InterruptStatus is not 0 (MMIO-REG-DEV-03). */
  get interruptLine(): boolean {
    return this.#line
  }

  /**
   * A read of the guest's: an unsigned number of `width` bytes. Registers are words (MMIO-REG-DRV-04): other accesses to them read 0, and
   * are told to observers as a violation. Throws `VirtioError` INVALID_OPTION for what is no access at all.
   */
  read(offset: number, width: AccessWidth): number {
    checkAccess(offset, width, 2 ** 32)
    if (offset >= reg.CONFIG) return this.#readConfig(offset - reg.CONFIG, width)
    if (!this.#isWord(offset, width)) return 0
    const { registers } = this
    switch (offset) {
      case reg.MAGIC_VALUE:
        return reg.MMIO_MAGIC
      case reg.VERSION:
        return reg.MMIO_VERSION
      case reg.DEVICE_ID:
        return registers.deviceId
      case reg.VENDOR_ID:
        return this.#vendorId
      case reg.DEVICE_FEATURES:
        return registers.readDeviceFeatures() >>> 0
      case reg.QUEUE_SIZE_MAX:
        return registers.queueSizeMax
      case reg.QUEUE_READY:
        return registers.queueEnabled ? 1 : 0
      case reg.INTERRUPT_STATUS:
        return registers.interruptStatus
      case reg.STATUS: {
        const status = registers.readStatus()
        // A reset that took its time may have ended just now.
        this.#updateLine()
        return status
      }
      case reg.SHM_LEN_LOW:
      case reg.SHM_LEN_HIGH:
      case reg.SHM_BASE_LOW:
      case reg.SHM_BASE_HIGH:
        // There is no region, whichever was selected: length and base are all ones (§4.2.2).
        return MAX_U32
      case reg.QUEUE_RESET:
        return this.#queueReset() ? 1 : 0
      case reg.CONFIG_GENERATION:
        return registers.configGeneration >>> 0
      default:
        this.#refuse('MMIO-REG-DRV-03', `a read at ${hex(offset)}, where no register can be read`)
        return 0
    }
  }

  /** A write of the guest's, of the low `width` bytes of `value`. What no register takes is ignored, and told as a violation. */
  write(offset: number, width: AccessWidth, value: number): void {
    checkAccess(offset, width, 2 ** 32)
    checkInteger('value', value, 0, MAX_U32)
    if (offset >= reg.CONFIG) {
      this.#writeConfig(offset - reg.CONFIG, width, value)
      return
    }
    if (!this.#isWord(offset, width)) return
    this.#writeRegister(offset, value)
    this.#updateLine()
  }

  #writeRegister(offset: number, value: number): void {
    const { registers } = this
    switch (offset) {
      case reg.DEVICE_FEATURES_SEL:
        registers.deviceFeaturesSelect = value
        return
      case reg.DRIVER_FEATURES:
        registers.writeDriverFeatures(value)
        return
      case reg.DRIVER_FEATURES_SEL:
        registers.driverFeaturesSelect = value
        return
      case reg.QUEUE_SEL:
        registers.queueSelect = value
        return
      case reg.QUEUE_SIZE:
        registers.queueSize = value
        return
      case reg.QUEUE_READY:
        if (value === 1) registers.enableQueue()
        else if (value === 0) registers.disableQueue()
        else this.#refuse('MMIO-REG-DRV-16', `${value} written to QueueReady, which takes 0 or 1`)
        return
      case reg.QUEUE_NOTIFY:
        if (registers.notify(value)) this.#leaveWork()
        return
      case reg.INTERRUPT_ACK:
        registers.acknowledgeInterrupts(value)
        return
      case reg.STATUS:
        registers.writeStatus(value)
        if (value === 0) this.#resetting = -1
        return
      case reg.SHM_SEL:
        // No region is there to be selected.
        return
      case reg.QUEUE_RESET:
        if (value !== 1) {
          this.#refuse('MMIO-REG-DRV-21', `${value} written to QueueReset, which takes 1`)
          return
        }
        registers.resetQueue()
        this.#resetting = registers.queueEnabled ? registers.queueSelect : -1
        return
      default: {
        const area = reg.QUEUE_AREAS.findIndex((halves) => halves.includes(offset as never))
        if (area < 0) {
          this.#refuse('MMIO-REG-DRV-02', `a write at ${hex(offset)}, where no register can be written`)
          return
        }
        const half = offset === reg.QUEUE_AREAS[area]![1] ? 1 : 0
        registers.writeQueueAddress(area as 0 | 1 | 2, half, value)
      }
    }
  }

  /** Whether the selected queue is under a reset that was asked for: a model may use the queue for a while. */
  #queueReset(): boolean {
    const { registers } = this
    if (this.#resetting !== registers.queueSelect || this.#resetting < 0) return false
    registers.resetQueue()
    if (!registers.queueEnabled) this.#resetting = -1
    return this.#resetting >= 0
  }

  /** Bytes past the end of the configuration read 0. */
  #readConfig(offset: number, width: AccessWidth): number {
    const bytes = new Uint8Array(width)
    this.registers.readConfig(offset, bytes)
    return wordOf(bytes, width)
  }

  #writeConfig(offset: number, width: AccessWidth, value: number): void {
    this.registers.writeConfig(offset, bytesOf(value, width))
    this.#updateLine()
  }

  #isWord(offset: number, width: AccessWidth): boolean {
    if (width === 4 && offset % 4 === 0) return true
    this.#refuse('MMIO-REG-DRV-04', `${width} bytes at ${hex(offset)}: registers are accessed as aligned words`)
    return false
  }

  #updateLine(): void {
    const level = this.registers.interruptStatus !== 0
    if (level === this.#line) return
    this.#line = level
    this.#setLine(level)
  }

  #refuse(clause: string, message: string): void {
    this.registers.reportViolation(protocolViolation('register-access', clause, message))
  }
}

function hex(offset: number): string {
  return `0x${offset.toString(16).padStart(3, '0')}`
}

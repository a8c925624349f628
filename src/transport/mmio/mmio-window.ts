/**
 * The device side of virtio over MMIO (virtio 1.4 §4.2): a window of registers that an emulator puts at an address of its own. A
 * synchronous state machine: `read` and `write` of a width in, the level of one interrupt line out.
 */
import { checkInteger, MAX_U32 } from '../../internal/check-option.ts'
import type { DeviceContract, DeviceRegisters } from '../../virtio/index.ts'
import { type AccessWidth, checkAccess } from '../access.ts'
import { RegisterDevice, type RegisterDeviceOptions } from '../register-device.ts'
import type { TransportableDevice } from '../shared-memory.ts'
import * as reg from './registers.ts'

/** Options of `MmioWindow`: the guest's memory, and where its interrupt goes. */
export interface MmioWindowOptions extends RegisterDeviceOptions {
  /** What VendorID reads. Default 0. */
  readonly vendorId?: number
}

/**
 * A device behind a window of memory-mapped registers. Put it at an address of at least 4096 bytes, hand it the guest's accesses,
 * and wire `interruptLine` to the interrupt controller: level-triggered, high.
 */
export class MmioWindow<C extends DeviceContract = DeviceContract> {
  readonly registers: DeviceRegisters
  readonly #device: RegisterDevice
  readonly #vendorId: number

  /** Throws `VirtioError` INVALID_OPTION, or DEVICE_IN_USE when the device has a transport. */
  constructor(device: TransportableDevice<C>, options: MmioWindowOptions) {
    this.#device = new RegisterDevice(device, options)
    this.registers = device.registers
    const { vendorId = 0 } = options
    checkInteger('vendorId', vendorId, 0, MAX_U32)
    this.#vendorId = vendorId
    this.#device.attach(() => this.#updateLine())
  }

  /** The level of the interrupt line: up while InterruptStatus is not 0 (MMIO-REG-DEV-03). */
  get interruptLine(): boolean {
    return this.#device.line
  }

  /**
   * A read of the guest's: an unsigned number of `width` bytes. Registers are words (MMIO-REG-DRV-04): other accesses to them read 0, and
   * are told to observers as a violation. Throws `VirtioError` INVALID_OPTION for what is no access at all.
   */
  read(offset: number, width: AccessWidth): number {
    checkAccess(offset, width, 2 ** 32)
    if (offset >= reg.CONFIG) return this.#device.readConfig(offset - reg.CONFIG, width)
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
        return this.#device.queueResets.isUnderWay() ? 1 : 0
      case reg.CONFIG_GENERATION:
        return registers.configGeneration >>> 0
      default:
        this.#device.refuse('MMIO-REG-DRV-03', `a read at ${hex(offset)}, where no register can be read`)
        return 0
    }
  }

  /** A write of the guest's, of the low `width` bytes of `value`. What no register takes is ignored, and told as a violation. */
  write(offset: number, width: AccessWidth, value: number): void {
    checkAccess(offset, width, 2 ** 32)
    checkInteger('value', value, 0, MAX_U32)
    if (offset >= reg.CONFIG) {
      this.#device.writeConfig(offset - reg.CONFIG, width, value)
    } else if (this.#isWord(offset, width)) this.#writeRegister(offset, value)
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
        else this.#device.refuse('MMIO-REG-DRV-16', `${value} written to QueueReady, which takes 0 or 1`)
        return
      case reg.QUEUE_NOTIFY:
        this.#device.notify(value)
        return
      case reg.INTERRUPT_ACK:
        registers.acknowledgeInterrupts(value)
        return
      case reg.STATUS:
        registers.writeStatus(value)
        if (value === 0) this.#device.queueResets.clear()
        return
      case reg.SHM_SEL:
        // No region is there to be selected.
        return
      case reg.QUEUE_RESET:
        if (value !== 1) {
          this.#device.refuse('MMIO-REG-DRV-21', `${value} written to QueueReset, which takes 1`)
          return
        }
        this.#device.queueResets.ask()
        return
      default: {
        const area = reg.QUEUE_AREAS.findIndex((halves) => halves.includes(offset as never))
        if (area < 0) {
          this.#device.refuse('MMIO-REG-DRV-02', `a write at ${hex(offset)}, where no register can be written`)
          return
        }
        const half = offset === reg.QUEUE_AREAS[area]![1] ? 1 : 0
        registers.writeQueueAddress(area as 0 | 1 | 2, half, value)
      }
    }
  }

  #isWord(offset: number, width: AccessWidth): boolean {
    if (width === 4 && offset % 4 === 0) return true
    this.#device.refuse('MMIO-REG-DRV-04', `${width} bytes at ${hex(offset)}: registers are accessed as aligned words`)
    return false
  }

  #updateLine(): void {
    this.#device.line = this.registers.interruptStatus !== 0
  }
}

function hex(offset: number): string {
  return `0x${offset.toString(16).padStart(3, '0')}`
}

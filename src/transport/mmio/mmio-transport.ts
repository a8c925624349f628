/**
 * The driver side of virtio over MMIO (virtio 1.4 §4.2): a driver of this package on anything that has such a window, an `MmioWindow`
 * in the same process or the machine of an emulator.
 */
import { checkInteger, checkMethods, checkObject, MAX_SAFE } from '../../internal/check-option.ts'
import { VirtioError } from '../../internal/error.ts'
import type { DeviceContract, DriverTransport, QueueAddresses } from '../../virtio/index.ts'
import { type AccessWidth, readBytes, writeBytes } from '../access.ts'
import { checkRegisterOptions, RegisterTransport, type RegisterTransportOptions } from '../register-transport.ts'
import * as reg from './registers.ts'

/** How a driver reaches registers: loads and stores of a width, at byte offsets from the start of the window. */
export interface MmioBus {
  /** An unsigned number of `width` bytes. */
  read(offset: number, width: AccessWidth): number
  write(offset: number, width: AccessWidth, value: number): void
}

/** Options of `MmioTransport.probe`: the driver's memory, and who may be behind the window. */
export interface MmioTransportOptions<C extends DeviceContract = DeviceContract> extends RegisterTransportOptions<C> {
  /** The registers do not tell how long the configuration is. Default 3840 bytes: the rest of a page. */
  readonly configLengthBytes?: number
}

const PAGE = 4096
/** Bits of InterruptStatus that are defined (MMIO-REG-DRV-18): used buffers, configuration. */
const KNOWN_INTERRUPTS = 0b11

/** A driver's transport over the registers of a window. The host calls `takeInterrupt` when the line is up. */
export class MmioTransport<C extends DeviceContract = DeviceContract>
  extends RegisterTransport<C>
  implements DriverTransport<C>
{
  readonly deviceId: number
  readonly configLengthBytes: number
  readonly #bus: MmioBus

  private constructor(bus: MmioBus, deviceId: number, options: MmioTransportOptions<C>) {
    super(options)
    this.#bus = bus
    this.deviceId = deviceId
    this.configLengthBytes = options.configLengthBytes ?? PAGE - reg.CONFIG
  }

  /**
   * Looks for a device (MMIO-INIT-DRV-01 to -04). Null: DeviceID is 0, there is none, which is no error. Throws `VirtioError` NO_DEVICE
   * when the window is not one of virtio, or is the legacy interface, and INVALID_OPTION.
   */
  static probe<C extends DeviceContract = DeviceContract>(
    bus: MmioBus,
    options: MmioTransportOptions<C>,
  ): MmioTransport<C> | null {
    checkMethods('bus', bus, 'an MmioBus', ['read', 'write'])
    checkObject('options', options)
    checkRegisterOptions(options)
    const { configLengthBytes } = options
    if (configLengthBytes !== undefined) checkInteger('configLengthBytes', configLengthBytes, 0, MAX_SAFE, 'bytes')
    const magic = bus.read(reg.MAGIC_VALUE, 4)
    if (magic !== reg.MMIO_MAGIC) {
      throw new VirtioError(
        'NO_DEVICE',
        `MagicValue reads 0x${magic.toString(16)}, not 0x${reg.MMIO_MAGIC.toString(16)}`,
      )
    }
    const version = bus.read(reg.VERSION, 4)
    if (version !== reg.MMIO_VERSION) {
      const legacy = version === 1 ? ', the legacy interface' : ''
      throw new VirtioError('NO_DEVICE', `Version reads ${version}${legacy}; this driver knows ${reg.MMIO_VERSION}`)
    }
    const deviceId = bus.read(reg.DEVICE_ID, 4)
    return deviceId === 0 ? null : new MmioTransport(bus, deviceId, options)
  }

  readDeviceFeatures(window: number): number {
    this.#store(reg.DEVICE_FEATURES_SEL, window)
    return this.#load(reg.DEVICE_FEATURES)
  }

  /** Some devices have two windows and repeat the second, so that a 0 in a window beyond would erase what is in it. */
  writeDriverFeatures(window: number, word: number): void {
    if (window >= 2 && word === 0) return
    this.#store(reg.DRIVER_FEATURES_SEL, window)
    this.#store(reg.DRIVER_FEATURES, word)
  }

  readStatus(): number {
    return this.#load(reg.STATUS)
  }

  writeStatus(status: number): void {
    this.#store(reg.STATUS, status)
  }

  readConfigGeneration(): number {
    return this.#load(reg.CONFIG_GENERATION)
  }

  readConfig(offset: number, target: Uint8Array): void {
    readBytes(offset, target, (at, width) => this.#bus.read(reg.CONFIG + at, width))
  }

  writeConfig(offset: number, source: Uint8Array): void {
    writeBytes(offset, source, (at, width, value) => this.#bus.write(reg.CONFIG + at, width, value))
  }

  queueSizeMax(queue: number): number {
    this.#store(reg.QUEUE_SEL, queue)
    return this.#load(reg.QUEUE_SIZE_MAX)
  }

  setupQueue(queue: number, { size, descriptorArea, driverArea, deviceArea }: QueueAddresses): void {
    this.#store(reg.QUEUE_SEL, queue)
    this.#store(reg.QUEUE_SIZE, size)
    for (const [area, address] of [descriptorArea, driverArea, deviceArea].entries()) {
      const [low, high] = reg.QUEUE_AREAS[area]!
      this.#store(low, address % 2 ** 32)
      this.#store(high, Math.floor(address / 2 ** 32))
    }
  }

  enableQueue(queue: number): boolean {
    this.#store(reg.QUEUE_SEL, queue)
    this.#store(reg.QUEUE_READY, 1)
    return this.#load(reg.QUEUE_READY) === 1
  }

  /**
   * Complete when QueueReset reads 0 again and the queue is not ready (MMIO-REG-DRV-21): a device that offers RING_RESET without the
   * register leaves it ready.
   */
  resetQueue(queue: number): boolean {
    this.#store(reg.QUEUE_SEL, queue)
    this.#store(reg.QUEUE_RESET, 1)
    return this.#load(reg.QUEUE_RESET) === 0 && this.#load(reg.QUEUE_READY) === 0
  }

  notify(queue: number): void {
    this.#store(reg.QUEUE_NOTIFY, queue)
  }

  /** InterruptStatus is read, then acknowledged: an event that comes in between stays, and keeps the line up. */
  takeInterrupts(): number {
    const reasons = this.#load(reg.INTERRUPT_STATUS) & KNOWN_INTERRUPTS
    if (reasons !== 0) this.#store(reg.INTERRUPT_ACK, reasons)
    return reasons
  }

  #load(offset: number): number {
    return this.#bus.read(offset, 4)
  }

  #store(offset: number, value: number): void {
    this.#bus.write(offset, 4, value)
  }
}

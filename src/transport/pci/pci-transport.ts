/**
 * The driver side of virtio over PCI (virtio 1.4 §4.1): a driver of this package on a function that it finds through configuration
 * space and BARs, a `PciFunction` in the same process or the machine of an emulator.
 */
import { checkFunction, checkMethods, checkObject } from '../../internal/check-option.ts'
import { VirtioError } from '../../internal/error.ts'
import {
  type DeviceContract,
  type DriverTransport,
  type QueueAddresses,
  VIRTIO_INTERRUPT_CONFIG,
  VIRTIO_INTERRUPT_USED,
} from '../../virtio/index.ts'
import { type AccessWidth, readBytes, writeBytes } from '../access.ts'
import { checkRegisterOptions, RegisterTransport, type RegisterTransportOptions } from '../register-transport.ts'
import type { MsixMessage, PciBus } from './bus.ts'
import { findStructures, type PciStructures } from './capabilities.ts'
import * as pci from './registers.ts'
import { COMMON, NO_VECTOR, PCI } from './registers.ts'

/** Options of `PciTransport.probe`: the driver's memory, its interrupts, and who may be behind the function. */
export interface PciTransportOptions<C extends DeviceContract = DeviceContract> extends RegisterTransportOptions<C> {
  /** Use MSI-X where the device has it, with these messages. Default: INTx. */
  readonly message?: (vector: number) => MsixMessage
}

/** Ids of the older interface (§4.1.2.1), by device type: a device that has both answers to them too. */
const TRANSITIONAL: Readonly<Record<number, number>> = { 4096: 1, 4097: 2, 4098: 5, 4099: 3, 4100: 8, 4101: 4, 4105: 9 }

/** A driver's transport over a PCI function. The host calls `takeInterrupt` while INTx is up, or `takeMessage` for each message. */
export class PciTransport<C extends DeviceContract = DeviceContract>
  extends RegisterTransport<C>
  implements DriverTransport<C>
{
  readonly deviceId: number
  readonly #bus: PciBus
  readonly #structures: PciStructures
  /** Entries of the MSI-X table in use; 0: interrupts are INTx. */
  readonly #vectors: number
  readonly #notifyOffsets = new Map<number, number>()
  /** What messages told since the driver last asked. */
  #told = 0

  private constructor(bus: PciBus, deviceId: number, structures: PciStructures, options: PciTransportOptions<C>) {
    super(options)
    const { message } = options
    this.#bus = bus
    this.deviceId = deviceId
    this.#structures = structures
    const command = bus.readConfig(PCI.COMMAND, 2)
    bus.writeConfig(PCI.COMMAND, 2, command | pci.COMMAND_IO | pci.COMMAND_MEMORY | pci.COMMAND_BUS_MASTER)
    this.#vectors = message === undefined || structures.msix === null ? 0 : enableMsix(bus, structures.msix, message)
  }

  /**
   * Looks for a virtio device. Null: the function is of another vendor, or is not there. Throws `VirtioError` NO_DEVICE for one of
   * virtio without the modern interface, and INVALID_OPTION.
   */
  static probe<C extends DeviceContract = DeviceContract>(
    bus: PciBus,
    options: PciTransportOptions<C>,
  ): PciTransport<C> | null {
    checkMethods('bus', bus, 'a PciBus', ['readConfig', 'writeConfig', 'readBar', 'writeBar'])
    checkObject('options', options)
    checkRegisterOptions(options)
    const { message } = options
    if (message !== undefined) checkFunction('message', message)
    if (bus.readConfig(PCI.VENDOR_ID, 2) !== pci.VENDOR) return null
    const id = bus.readConfig(PCI.DEVICE_ID, 2)
    const deviceId = TRANSITIONAL[id] ?? id - pci.FIRST_DEVICE
    if (deviceId <= 0 || id > 0x107f) return null
    return new PciTransport(bus, deviceId, findStructures(bus), options)
  }

  /** Whether interrupts are messages. */
  get usesMsix(): boolean {
    return this.#vectors > 0
  }

  get configLengthBytes(): number {
    return this.#structures.config?.bytes ?? 0
  }

  readDeviceFeatures(window: number): number {
    this.#store(COMMON.DEVICE_FEATURE_SELECT, 4, window)
    return this.#load(COMMON.DEVICE_FEATURE, 4)
  }

  /** Some devices have two windows and repeat the second, so that a 0 in a window beyond would erase what is in it. */
  writeDriverFeatures(window: number, word: number): void {
    if (window >= 2 && word === 0) return
    this.#store(COMMON.DRIVER_FEATURE_SELECT, 4, window)
    this.#store(COMMON.DRIVER_FEATURE, 4, word)
  }

  readStatus(): number {
    return this.#load(COMMON.DEVICE_STATUS, 1)
  }

  writeStatus(status: number): void {
    this.#store(COMMON.DEVICE_STATUS, 1, status)
    // What was mapped to a vector is lost with a reset; the events are mapped before the queues are set up.
    if (status === 0) this.#told = 0
  }

  readConfigGeneration(): number {
    return this.#load(COMMON.CONFIG_GENERATION, 1)
  }

  readConfig(offset: number, target: Uint8Array): void {
    const { config } = this.#structures
    if (config === null) {
      target.fill(0)
      return
    }
    readBytes(offset, target, (at, width) => this.#bus.readBar(config.bar, config.offset + at, width))
  }

  writeConfig(offset: number, source: Uint8Array): void {
    const { config } = this.#structures
    if (config === null) return
    writeBytes(offset, source, (at, width, value) => this.#bus.writeBar(config.bar, config.offset + at, width, value))
  }

  queueSizeMax(queue: number): number {
    if (queue >= this.#load(COMMON.NUM_QUEUES, 2)) return 0
    this.#store(COMMON.QUEUE_SELECT, 2, queue)
    return this.#load(COMMON.QUEUE_SIZE, 2)
  }

  /** The size is written always: after a queue reset some devices enable with the one before, whatever they show. */
  setupQueue(queue: number, { size, descriptorArea, driverArea, deviceArea }: QueueAddresses): void {
    this.#store(COMMON.QUEUE_SELECT, 2, queue)
    this.#store(COMMON.QUEUE_SIZE, 2, size)
    for (const [area, address] of [descriptorArea, driverArea, deviceArea].entries()) {
      this.#store(COMMON.QUEUE_DESC + 8 * area, 4, address % 2 ** 32)
      this.#store(COMMON.QUEUE_DESC + 8 * area + 4, 4, Math.floor(address / 2 ** 32))
    }
    if (this.#vectors > 0) {
      this.#map(COMMON.CONFIG_VECTOR, 0)
      this.#map(COMMON.QUEUE_VECTOR, this.#vectorOf(queue))
    }
    this.#notifyOffsets.set(queue, this.#load(COMMON.QUEUE_NOTIFY_OFF, 2) * this.#structures.multiplier)
  }

  enableQueue(queue: number): boolean {
    this.#store(COMMON.QUEUE_SELECT, 2, queue)
    this.#store(COMMON.QUEUE_ENABLE, 2, 1)
    return this.#load(COMMON.QUEUE_ENABLE, 2) === 1
  }

  resetQueue(queue: number): boolean {
    this.#store(COMMON.QUEUE_SELECT, 2, queue)
    this.#store(COMMON.QUEUE_RESET, 2, 1)
    return this.#load(COMMON.QUEUE_RESET, 2) === 0 && this.#load(COMMON.QUEUE_ENABLE, 2) === 0
  }

  notify(queue: number): void {
    const { notify } = this.#structures
    this.#bus.writeBar(notify.bar, notify.offset + (this.#notifyOffsets.get(queue) ?? 0), 2, queue)
  }

  /** INTx: reading ISR acknowledges. MSI-X: what the messages told, and ISR is left alone (PCI-ISR-DRV-01). */
  takeInterrupts(): number {
    if (this.#vectors > 0) {
      const told = this.#told
      this.#told = 0
      return told
    }
    const { isr } = this.#structures
    return this.#bus.readBar(isr.bar, isr.offset, 1) & (VIRTIO_INTERRUPT_USED | VIRTIO_INTERRUPT_CONFIG)
  }

  /** The driver's core takes the message of a vector; never within one of the driver's own accesses. */
  takeMessage(vector: number): boolean {
    // Where there are too few vectors, one stands for both (PCI-INT-DRV-01).
    if (vector === 0) this.#told |= VIRTIO_INTERRUPT_CONFIG
    if (vector > 0 || this.#vectors === 1) this.#told |= VIRTIO_INTERRUPT_USED
    return this.takeInterrupt()
  }

  override requestPoll(): void {
    if (this.#vectors > 0) this.#told |= VIRTIO_INTERRUPT_USED
    super.requestPoll()
  }

  /** Vector 0 is the configuration's; queues share the others in turn. */
  #vectorOf(queue: number): number {
    return this.#vectors === 1 ? 0 : 1 + (queue % (this.#vectors - 1))
  }

  /** Throws `VirtioError` NO_VECTOR when the device does not take the mapping (PCI-MSIX-DRV-05). */
  #map(register: number, vector: number): void {
    this.#store(register, 2, vector)
    if (this.#load(register, 2) !== NO_VECTOR) return
    throw new VirtioError(
      'NO_VECTOR',
      `the device has not mapped an event to vector ${vector}, of ${this.#vectors} in its table; use INTx: leave out message`,
    )
  }

  #load(offset: number, width: AccessWidth): number {
    const { bar, offset: start } = this.#structures.common
    return this.#bus.readBar(bar, start + offset, width)
  }

  #store(offset: number, width: AccessWidth, value: number): void {
    const { bar, offset: start } = this.#structures.common
    this.#bus.writeBar(bar, start + offset, width, value)
  }
}

/** Gives every entry of the table its message, unmasked, and turns MSI-X on: how many there are. */
function enableMsix(bus: PciBus, capability: number, message: (vector: number) => MsixMessage): number {
  const control = bus.readConfig(capability + 2, 2)
  const vectors = (control & 0x7ff) + 1
  const table = bus.readConfig(capability + 4, 4)
  const [bar, start] = [table & 7, table - (table & 7)]
  bus.writeConfig(capability + 2, 2, control | pci.MSIX_ENABLE | pci.MSIX_FUNCTION_MASK)
  for (let vector = 0; vector < vectors; vector++) {
    const { address, data } = message(vector)
    const entry = start + vector * pci.MSIX_ENTRY_BYTES
    bus.writeBar(bar, entry, 4, address % 2 ** 32)
    bus.writeBar(bar, entry + 4, 4, Math.floor(address / 2 ** 32))
    bus.writeBar(bar, entry + 8, 4, data)
    bus.writeBar(bar, entry + 12, 4, 0)
  }
  bus.writeConfig(capability + 2, 2, (control | pci.MSIX_ENABLE) & ~pci.MSIX_FUNCTION_MASK)
  return vectors
}

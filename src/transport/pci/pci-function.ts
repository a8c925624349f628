/**
 * The device side of virtio over PCI (virtio 1.4 §4.1), without legacy interface: a function with 256 bytes of configuration space and
 * its BARs, to be plugged into an emulator's bus. A synchronous state machine: accesses in, an INTx level or MSI-X messages out.
 */
import { checkInteger, checkWord, MAX_U32, refuseOption } from '../../internal/check-option.ts'
import {
  type DeviceContract,
  type DeviceRegisters,
  VIRTIO_INTERRUPT_CONFIG,
  VIRTIO_INTERRUPT_USED,
} from '../../virtio/index.ts'
import { type AccessWidth, checkAccess, lowBytes } from '../access.ts'
import { deviceHook } from '../device-host.ts'
import { RegisterDevice, type RegisterDeviceOptions } from '../register-device.ts'
import type { TransportableDevice } from '../shared-memory.ts'
import { type BarLayout, barLayout } from './bar-layout.ts'
import { CommonConfig } from './common-config.ts'
import { ConfigurationSpace } from './configuration-space.ts'
import { MsixTable, type SendMessage } from './msix.ts'
import { CFG_PCI, COMMAND_INTX_OFF, NO_VECTOR, PCI, STATUS_INTERRUPT } from './registers.ts'

/** Options of `PciFunction`: the guest's memory, where its interrupts go (`interruptLine` is INTx), and what its BARs look like. */
export interface PciFunctionOptions extends RegisterDeviceOptions {
  /** A message-signalled interrupt. Left out, the function has no MSI-X. Must not run the driver inline. */
  readonly sendMessage?: SendMessage
  /** Entries of the MSI-X table, 1 to 2048. Default: one for the configuration and one for each queue. */
  readonly vectors?: number
  /** BAR 0 in memory (16 KiB, default), or in I/O space (at most 16 queues, and 256 bytes of configuration: 256 bytes, or 512 with more than 64 of those). */
  readonly bar?: 'memory' | 'io'
}

/** Ids of modern devices end at 0x107f (PCI-ID-DEV-05). */
const MOST_TYPES = 0x3f

/** A virtio device as a PCI function. Hand it the guest's accesses to its configuration space and its BARs. */
export class PciFunction<C extends DeviceContract = DeviceContract> {
  readonly registers: DeviceRegisters
  readonly #device: RegisterDevice
  readonly #layout: BarLayout
  readonly #common: CommonConfig
  readonly #space: ConfigurationSpace
  readonly #msix: MsixTable | null
  #isr = 0

  /** Throws `VirtioError` INVALID_OPTION, or DEVICE_IN_USE when the device has a transport. */
  constructor(device: TransportableDevice<C>, options: PciFunctionOptions) {
    this.#device = new RegisterDevice(device, options)
    const { registers } = device
    const { sendMessage, vectors, bar = 'memory' } = options
    checkWord('bar', bar, ['memory', 'io'])
    if (vectors !== undefined) checkInteger('vectors', vectors, 1, 2048)
    if (registers.deviceId > MOST_TYPES) {
      refuseOption(
        'device',
        `device type 0x${registers.deviceId.toString(16)}`,
        `of a type from 1 to ${MOST_TYPES}: PCI has ids for no others`,
      )
    }
    this.registers = registers
    const send = sendMessage === undefined ? null : deviceHook(registers, 'sendMessage', sendMessage)
    this.#msix = send === null ? null : new MsixTable(vectors ?? registers.queueCount + 1, send)
    this.#layout = barLayout(bar, registers.queueCount, registers.config.lengthBytes, this.#msix?.vectors ?? 0)
    this.#space = new ConfigurationSpace(registers.deviceId, this.#layout)
    this.#common = new CommonConfig(this.#device, this.#msix?.vectors ?? 0)
    this.#device.attach((reason, queue) => this.#raise(reason, queue))
  }

  /** Bytes of each BAR, 0 for one that is not there. */
  get barBytes(): readonly number[] {
    return this.#layout.bars.map(({ bytes }) => bytes)
  }

  /** The level of INTx. */
  get interruptLine(): boolean {
    return this.#device.line
  }

  /**
   * The BAR and offset that the guest mapped at a physical address, or at an I/O port; null: the address is not this function's, or its
   * decoder is off.
   */
  barAt(address: number, space: 'memory' | 'io' = 'memory'): { readonly bar: number; readonly offset: number } | null {
    return this.#space.barAt(address, space)
  }

  /** A read of the configuration space: an unsigned number of `width` bytes. */
  readConfig(offset: number, width: AccessWidth): number {
    checkAccess(offset, width, 256)
    const window = this.#space.windowAt(offset)
    if (window !== null) return this.#throughWindow(window, width, null)
    let value = this.#space.read(offset, width)
    const status = PCI.STATUS - offset
    // The interrupt status is live, whatever the width of the read.
    if (this.#isr !== 0 && status >= 0 && status < width) value = (value | (STATUS_INTERRUPT << (8 * status))) >>> 0
    return value
  }

  /** A write of the configuration space, of the low `width` bytes of `value`. What cannot be written is ignored, as PCI has it. */
  writeConfig(offset: number, width: AccessWidth, value: number): void {
    checkAccess(offset, width, 256)
    checkInteger('value', value, 0, MAX_U32)
    const window = this.#space.windowAt(offset)
    if (window !== null) {
      this.#throughWindow(window, width, value)
      return
    }
    this.#space.write(offset, width, value)
    if (this.#msix !== null) this.#msix.control = this.#space.read(this.#space.msixControl, 2)
    // INTx may be off now, or interrupts be messages.
    this.#setIsr(this.#isr)
  }

  /** A read in a BAR. */
  readBar(bar: number, offset: number, width: AccessWidth): number {
    this.#checkBar(bar, offset, width)
    if (bar === 1) return this.#readMsix(offset, width)
    const { common, isr, notify, config } = this.#layout
    if (offset >= common.start && offset < common.start + common.bytes) {
      const value = this.#common.read(offset - common.start, width)
      this.#afterStatus()
      return value
    }
    if (offset >= isr.start && offset < isr.start + isr.bytes) return offset === isr.start ? this.#readIsr() : 0
    if (offset >= config.start && offset < config.start + config.bytes)
      return this.#device.readConfig(offset - config.start, width)
    if (offset >= notify.start && offset < notify.start + notify.bytes) return 0
    this.#device.refuse('PCI-CAP-DRV-06', `a read at ${hex(offset)} of BAR 0, where no structure is`)
    return 0
  }

  /** A write in a BAR, of the low `width` bytes of `value`. */
  writeBar(bar: number, offset: number, width: AccessWidth, written: number): void {
    this.#checkBar(bar, offset, width)
    checkInteger('value', written, 0, MAX_U32)
    const value = lowBytes(written, width)
    if (bar === 1) {
      if (width === 4 && offset % 4 === 0 && offset < this.#layout.msix.pendingStart)
        this.#msix!.write(offset / 4, value)
      return
    }
    const { common, notify, config } = this.#layout
    if (offset >= common.start && offset < common.start + common.bytes) {
      this.#common.write(offset - common.start, width, value)
      this.#afterStatus()
    } else if (offset >= notify.start && offset < notify.start + notify.bytes) {
      this.#notify(offset - notify.start, width, value)
    } else if (offset >= config.start && offset < config.start + config.bytes) {
      this.#device.writeConfig(offset - config.start, width, value)
    } else this.#device.refuse('PCI-CAP-DRV-09', `a write at ${hex(offset)} of BAR 0, where nothing can be written`)
  }

  // -- structures of BAR 0

  #readIsr(): number {
    const value = this.#isr
    this.registers.acknowledgeInterrupts(value)
    this.#setIsr(0)
    return value
  }

  #notify(offset: number, width: AccessWidth, value: number): void {
    const { multiplier } = this.#layout
    if (width !== 2 || offset % multiplier !== 0) {
      this.#device.refuse('PCI-KICK-DRV-01', `a kick of ${width} bytes at ${offset} of the notification structure`)
      return
    }
    if (value !== offset / multiplier) {
      this.#device.refuse('PCI-KICK-DRV-03', `queue ${value} kicked at the doorbell of queue ${offset / multiplier}`)
      return
    }
    this.#device.notify(value)
  }

  /** A reset of the device ended, in a write of the status or in a later read. */
  #afterStatus(): void {
    if (this.registers.status !== 0) return
    this.#common.reset()
    this.#setIsr(0)
  }

  // -- interrupts

  #raise(reason: number, queue: number): void {
    const msix = this.#msix
    if (msix?.enabled !== true) {
      this.#setIsr(this.#isr | reason)
      return
    }
    // The configuration bit is set whatever kind the interrupt is (PCI-ISR-DEV-02).
    if ((reason & VIRTIO_INTERRUPT_CONFIG) !== 0) {
      this.#isr |= VIRTIO_INTERRUPT_CONFIG
      this.#message(this.#common.configVector)
    }
    if ((reason & VIRTIO_INTERRUPT_USED) === 0) return
    // A restored device does not know which queue it was.
    const vectors = queue < 0 ? new Set(this.#common.queueVectors) : [this.#common.queueVectors[queue]!]
    for (const vector of vectors) this.#message(vector)
  }

  /** An event without a vector is not signalled (PCI-INT-DEV-01, PCI-INT-DEV-02). */
  #message(vector: number): void {
    if (vector !== NO_VECTOR) this.#msix!.raise(vector)
  }

  #setIsr(isr: number): void {
    this.#isr = isr
    this.#device.line = isr !== 0 && this.#msix?.enabled !== true && (this.#space.command & COMMAND_INTX_OFF) === 0
  }

  #readMsix(offset: number, width: AccessWidth): number {
    const { pendingStart } = this.#layout.msix
    const word = offset >> 2
    const value = offset >= pendingStart ? this.#msix!.pending(word - pendingStart / 4) : this.#msix!.read(word)
    return lowBytes(value >>> (8 * (offset & 3)), width)
  }

  // -- the window of the PCI_CFG capability

  /** An access to pci_cfg_data is one to the BAR, offset and length that the capability holds (PCI-ACC-DEV-02, PCI-ACC-DEV-03). */
  #throughWindow(at: number, width: AccessWidth, value: number | null): number {
    const { bar, offset, length } = this.#space.windowTarget()
    const bytes = this.#layout.bars[bar]?.bytes ?? 0
    const fits = (length === 1 || length === 2 || length === 4) && offset % length === 0 && offset + length <= bytes
    if (!fits || at !== 0 || width !== length) {
      this.#device.refuse(
        'PCI-ACC-DRV-01',
        `${width} bytes of the window of ${length} bytes at ${hex(offset)} of BAR ${bar} (capability ${CFG_PCI})`,
      )
      return 0
    }
    if (value === null) return this.readBar(bar, offset, length)
    this.writeBar(bar, offset, length, value)
    return 0
  }

  #checkBar(bar: number, offset: number, width: number): void {
    const bytes = this.#layout.bars[bar]?.bytes ?? 0
    if (bytes === 0)
      refuseOption(
        'bar',
        bar,
        `one of ${this.#layout.bars.flatMap((each, i) => (each.bytes > 0 ? [i] : [])).join(', ')}`,
      )
    checkAccess(offset, width, bytes)
  }
}

function hex(offset: number): string {
  return `0x${offset.toString(16)}`
}

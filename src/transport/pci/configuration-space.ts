/** The 256 bytes of a function's configuration space: identity, command, BARs and the list of capabilities. */
import type { AccessWidth } from '../access.ts'
import type { BarLayout, BarRange } from './bar-layout.ts'
import * as pci from './registers.ts'
import { PCI } from './registers.ts'

const FIRST_CAPABILITY = 0x40

export class ConfigurationSpace {
  /** Offset of MSI-X's message control; 0: there is no MSI-X. */
  readonly msixControl: number
  readonly #bytes = new Uint8Array(256)
  /** Bits that the guest can write. */
  readonly #writable = new Uint8Array(256)
  readonly #layout: BarLayout
  /** Of the PCI_CFG capability. */
  readonly #window: number

  constructor(deviceId: number, layout: BarLayout) {
    this.#layout = layout
    this.#set(PCI.VENDOR_ID, 2, pci.VENDOR)
    this.#set(PCI.DEVICE_ID, 2, pci.FIRST_DEVICE + deviceId)
    this.#set(PCI.STATUS, 2, pci.STATUS_CAPABILITIES)
    this.#set(PCI.REVISION, 1, 1)
    // A device that belongs to no class.
    this.#set(PCI.CLASS, 2, 0xff00)
    this.#set(PCI.SUBSYSTEM_VENDOR, 2, pci.VENDOR)
    this.#set(PCI.SUBSYSTEM_ID, 2, pci.SUBSYSTEM)
    this.#set(PCI.INTERRUPT_PIN, 1, 1)
    const command = pci.COMMAND_IO | pci.COMMAND_MEMORY | pci.COMMAND_BUS_MASTER | pci.COMMAND_INTX_OFF
    this.#allow(PCI.COMMAND, 2, command)
    this.#allow(PCI.INTERRUPT_LINE, 1, 0xff)
    for (const [i, { kind, bytes }] of layout.bars.entries()) {
      if (bytes === 0) continue
      this.#set(PCI.BAR0 + 4 * i, 4, kind === 'io' ? 1 : 0)
      this.#allow(PCI.BAR0 + 4 * i, 4, (~(bytes - 1) & (kind === 'io' ? 0xffff_fffc : 0xffff_fff0)) >>> 0)
    }

    let at = FIRST_CAPABILITY
    let link: number = PCI.CAPABILITIES
    const capability = (id: number, bytes: number): number => {
      const start = at
      this.#set(link, 1, start)
      this.#set(start, 1, id)
      link = start + 1
      at += bytes
      return start
    }
    const virtio = (type: number, { start, bytes }: BarRange, length = pci.CAP_BYTES): number => {
      const cap = capability(pci.CAP_VENDOR, length)
      this.#set(cap + 2, 1, length)
      this.#set(cap + 3, 1, type)
      this.#set(cap + 8, 4, start)
      this.#set(cap + 12, 4, bytes)
      return cap
    }
    virtio(pci.CFG_COMMON, layout.common)
    const notify = virtio(pci.CFG_NOTIFY, layout.notify, pci.CAP_BYTES + 4)
    this.#set(notify + 16, 4, layout.multiplier)
    virtio(pci.CFG_ISR, layout.isr)
    if (layout.config.bytes > 0) virtio(pci.CFG_DEVICE, layout.config)
    this.#window = virtio(pci.CFG_PCI, { start: 0, bytes: 0 }, pci.CAP_BYTES + 4)
    this.#allow(this.#window + 4, 1, 0xff)
    this.#allow(this.#window + 8, 4, 0xffff_ffff)
    this.#allow(this.#window + 12, 4, 0xffff_ffff)
    const { vectors, pendingStart } = layout.msix
    if (vectors === 0) {
      this.msixControl = 0
      return
    }
    const msix = capability(pci.CAP_MSIX, 12)
    this.msixControl = msix + 2
    this.#set(this.msixControl, 2, vectors - 1)
    this.#allow(this.msixControl, 2, pci.MSIX_ENABLE | pci.MSIX_FUNCTION_MASK)
    // Table and pending bits are in BAR 1.
    this.#set(msix + 4, 4, 1)
    this.#set(msix + 8, 4, pendingStart | 1)
  }

  get command(): number {
    return this.read(PCI.COMMAND, 2)
  }

  read(offset: number, width: AccessWidth): number {
    let value = 0
    for (let i = 0; i < width; i++) value += this.#bytes[offset + i]! * 2 ** (8 * i)
    return value
  }

  /** Only bits that can be written change. */
  write(offset: number, width: AccessWidth, value: number): void {
    for (let i = 0; i < width; i++) {
      const mask = this.#writable[offset + i]!
      this.#bytes[offset + i] = (this.#bytes[offset + i]! & ~mask) | ((value >>> (8 * i)) & mask)
    }
  }

  /** Offset within pci_cfg_data; null: the access is somewhere else. */
  windowAt(offset: number): number | null {
    const at = offset - this.#window - pci.CAP_BYTES
    return at >= 0 && at < 4 ? at : null
  }

  /** What the guest wants to access through pci_cfg_data. */
  windowTarget(): { readonly bar: number; readonly offset: number; readonly length: number } {
    const at = this.#window
    return { bar: this.read(at + 4, 1), offset: this.read(at + 8, 4), length: this.read(at + 12, 4) }
  }

  barAt(address: number, space: 'memory' | 'io'): { readonly bar: number; readonly offset: number } | null {
    const decoder = space === 'memory' ? pci.COMMAND_MEMORY : pci.COMMAND_IO
    if ((this.command & decoder) === 0) return null
    for (const [bar, { kind, bytes }] of this.#layout.bars.entries()) {
      if (kind !== space || bytes === 0) continue
      const register = this.read(PCI.BAR0 + 4 * bar, 4)
      const offset = address - (register - (register % (kind === 'io' ? 4 : 16)))
      if (offset >= 0 && offset < bytes) return { bar, offset }
    }
    return null
  }

  #set(offset: number, width: AccessWidth, value: number): void {
    for (let i = 0; i < width; i++) this.#bytes[offset + i] = value >>> (8 * i)
  }

  #allow(offset: number, width: AccessWidth, mask: number): void {
    for (let i = 0; i < width; i++) this.#writable[offset + i] = mask >>> (8 * i)
  }
}

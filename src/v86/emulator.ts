/**
 * What the adapter uses of the x86 emulator v86: members that its declarations leave out. Read from v86 0.5.462, in whose builds these
 * names are not shortened.
 */
import { checkMethods, checkObject, refuseOption } from '../internal/check-option.ts'

/** An I/O read of a fixed width; v86 passes the port. A 32-bit value is handed back as a signed number. */
export type V86PortRead = (port: number) => number
/** An I/O write of a fixed width; v86 passes the value, 32-bit ones signed. */
export type V86PortWrite = (value: number) => void

/** v86's I/O space: a handler for each port and width. A handler left out keeps what was there. */
export interface V86Io {
  register_read(port: number, device: object, read8?: V86PortRead, read16?: V86PortRead, read32?: V86PortRead): void
  register_write(
    port: number,
    device: object,
    write8?: V86PortWrite,
    write16?: V86PortWrite,
    write32?: V86PortWrite,
  ): void
}

/** A PCI function as v86 takes it. v86 copies the configuration space, and captures the ports' handlers of an I/O BAR. */
export interface V86PciDevice {
  readonly name: string
  /** Slot times 8, plus the function. */
  readonly pci_id: number
  readonly pci_space: readonly number[]
  readonly pci_bars: readonly { readonly size: number }[]
}

/** v86's PCI bus. */
export interface V86Pci {
  register_device(device: V86PciDevice): unknown
  /** By `pci_id`. */
  readonly device_spaces: ArrayLike<unknown>
  /** The ISA bridge's configuration space: from 0x60 on, the interrupt of each of the four lines. */
  readonly isa_bridge_space8: ArrayLike<number>
}

/** The processor of an emulator that is ready, with the parts of its machine. */
export interface V86Cpu {
  readonly io: V86Io
  readonly devices: { readonly pci: V86Pci }
  /** Bytes of RAM, in element 0. */
  readonly memory_size: ArrayLike<number>
  /** All RAM, within the memory of the WebAssembly instance. */
  readonly mem8: { readonly byteOffset: number }
  readonly wasm_memory: { readonly buffer: ArrayBuffer }
  device_raise_irq(irq: number): void
  device_lower_irq(irq: number): void
  /** Forgets translated code of the guest's bytes from `start` up to `end`. */
  jit_dirty_cache(start: number, end: number): void
  /** Allocates within the WebAssembly memory, which grows for it. */
  zstd_create_ctx(bytes: number): number
  zstd_free_ctx(context: number): void
}

const CPU_METHODS = [
  'device_raise_irq',
  'device_lower_irq',
  'jit_dirty_cache',
  'zstd_create_ctx',
  'zstd_free_ctx',
] as const

/** The processor of a V86. Throws `VirtioError` INVALID_OPTION for what is none, or not ready yet. */
export function cpuOf(emulator: object): V86Cpu {
  checkObject('emulator', emulator, 'a V86')
  const { v86 } = emulator as { readonly v86?: { readonly cpu?: V86Cpu } }
  const cpu = v86?.cpu
  if (cpu?.devices?.pci === undefined || cpu.io === undefined || cpu.memory_size === undefined) {
    refuseOption('emulator', emulator, 'a V86 that has told "emulator-ready"; make it with autostart: false')
  }
  checkMethods('emulator.v86.cpu', cpu, 'as in v86 0.5.462', CPU_METHODS)
  return cpu
}

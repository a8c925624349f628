/**
 * Addresses and interrupts of a Xilinx ZCU102, as its reference manual (UG1085) and Jailhouse's configuration for it
 * (siemens/jailhouse@e57d1eff, configs/arm64/zynqmp-zcu102.c) have them.
 */

export const CORES = 4

export const LOW_DDR = { start: 0n, size: 0x8000_0000n } as const
export const HIGH_DDR = { start: 0x8_0000_0000n, size: 0x8000_0000n } as const

/** At the start of the high DDR. */
export const HYPERVISOR_BYTES = 4n << 20n

export const RAM_FLAGS = ['READ', 'WRITE', 'EXECUTE'] as const

export const GICD = 0xf901_0000n

/** Type 4 is Xilinx's UART; memory-mapped, registers 4 bytes apart. */
const uart = (address: bigint) => ({ address, type: 4, flags: 3 })

export const UART1 = uart(0xff01_0000n)
export const UART1_INTERRUPT = 54
export const UART1_REGION = {
  phys: UART1.address,
  size: 0x1000n,
  flags: ['READ', 'WRITE', 'IO', 'ROOTSHARED'],
} as const

/**
 * INTx of ivshmem devices, 4 to a cell, 32 less than the first: interrupts 121 to 128 and 136 to 143 come from the programmable
 * logic on this board, and from nowhere while that is empty. The first is the root cell's.
 */
export const VPCI_IRQ_BASES = [104, 108, 89, 93] as const

export const SMMU = { type: 5, base: 0xfd80_0000n, size: 0x2_0000 } as const

/** DMA of the SD controllers, and of the GEM and DMA channels, which stay with the root cell. */
export const ROOT_STREAMS = [
  { id: 0x860, mask: 0 },
  { id: 0x861, mask: 0 },
  { id: 0x870, mask: 0xf },
] as const

/** Registers, without the SMMU, and the window of PCI Express. */
export const ROOT_REGISTERS = [
  { phys: 0xfd00_0000n, size: 0x80_0000n, flags: ['READ', 'WRITE', 'IO'] },
  { phys: 0xfd82_0000n, size: 0x27e_0000n, flags: ['READ', 'WRITE', 'IO'] },
  { phys: 0x80_0000_0000n, size: 0x100_0000n, flags: ['READ', 'WRITE', 'IO'] },
] as const

/** Of the programmable logic's window, where nothing is. */
export const COLORED_LOAD_ADDRESS = 0x4_0000_0000n

export const SYSTEM = {
  flags: ['VIRTUAL_DEBUG_CONSOLE'],
  hypervisorMemory: { phys: HIGH_DDR.start, size: HYPERVISOR_BYTES },
  debugConsole: { ...uart(0xff00_0000n), size: 0x1000 },
  pciMmconfigBase: 0xfc00_0000n,
  pciIsVirtual: 1,
  /** Any that is free: Linux chooses. */
  pciDomain: 0xffff,
  gic: {
    maintenanceIrq: 25,
    version: 2,
    gicd: GICD,
    gicc: 0xf902_f000n,
    gich: 0xf904_0000n,
    gicv: 0xf906_f000n,
  },
} as const

/** Numbers of Jailhouse's configuration files that have names. */

/** Flags of a memory region, by bit. */
export const MEMORY_FLAGS = {
  READ: 0x1n,
  WRITE: 0x2n,
  EXECUTE: 0x4n,
  DMA: 0x8n,
  IO: 0x10n,
  COMM_REGION: 0x20n,
  LOADABLE: 0x40n,
  ROOTSHARED: 0x80n,
  NO_HUGEPAGES: 0x100n,
  /** Only on the branch with cache colouring. */
  COLORED: 0x200n,
  IO_UNALIGNED: 0x8000n,
  IO_8: 0x1_0000n,
  IO_16: 0x2_0000n,
  IO_32: 0x4_0000n,
  IO_64: 0x8_0000n,
} as const

/** Flags of a cell, by bit. */
export const CELL_FLAGS = {
  PASSIVE_COMMREG: 0x1n,
  TEST_DEVICE: 0x2n,
  AARCH32: 0x4n,
  VIRTUAL_CONSOLE_PERMITTED: 0x4000_0000n,
  VIRTUAL_CONSOLE_ACTIVE: 0x8000_0000n,
} as const

/** Flags of a system, by bit. */
export const SYSTEM_FLAGS = { VIRTUAL_DEBUG_CONSOLE: 0x1n } as const

/** By the number in a file. */
export const ARCHITECTURES = ['x86', 'arm', 'arm64'] as const

/** Types of a PCI device. */
export const PCI_TYPES = { device: 1, bridge: 2, ivshmem: 3 } as const

/** Types of a console, by their number. */
export const CONSOLE_TYPES = [
  'none',
  'EFI framebuffer',
  '8250',
  'PL011',
  'Xilinx UART',
  'MVEBU',
  'HSCIF',
  'SCIFA',
  'i.MX',
  'i.MX LPUART',
  'SCIF',
] as const

/** Types of an IOMMU, by their number. */
export const IOMMU_TYPES = ['unused', 'AMD', 'Intel', 'SMMUv3', 'TI PVU', 'Arm MMU-500'] as const

/** Protocols of an ivshmem device: virtio's have the device id of virtio in the low bits. */
export const PROTOCOLS = { undefined: 0, veth: 1, custom: 0x4000, virtioFront: 0x8000, virtioBack: 0xc000 } as const

/** What is set, by name; a bit without a name as a hexadecimal number. */
export function flagsIn(value: bigint, names: Readonly<Record<string, bigint>>): string[] {
  const found: string[] = []
  let rest = value
  for (const [name, bit] of Object.entries(names)) {
    if ((value & bit) === 0n) continue
    found.push(name)
    rest &= ~bit
  }
  return rest === 0n ? found : [...found, hex(rest)]
}

/** `0x800400000`. */
export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`
}

/** `virtio front-end of device 19`. */
export function protocolInWords(protocol: number): string {
  if (protocol === PROTOCOLS.undefined) return 'undefined'
  if (protocol === PROTOCOLS.veth) return 'veth'
  if (protocol >= PROTOCOLS.virtioBack) return `virtio back-end of device ${protocol - PROTOCOLS.virtioBack}`
  if (protocol >= PROTOCOLS.virtioFront) return `virtio front-end of device ${protocol - PROTOCOLS.virtioFront}`
  return protocol >= PROTOCOLS.custom ? `custom ${hex(protocol)}` : `reserved ${hex(protocol)}`
}

/** `4 KiB`. */
export function sizeInWords(size: bigint): string {
  for (const [unit, shift] of [
    ['GiB', 30n],
    ['MiB', 20n],
    ['KiB', 10n],
  ] as const) {
    if (size > 0n && size % (1n << shift) === 0n) return `${size >> shift} ${unit}`
  }
  return `${size} B`
}

/**
 * The records of Jailhouse's configuration files, as siemens/jailhouse lays them out in include/jailhouse/cell-config.h:
 * revision 14 on its master (e57d1eff), revision 13 on the branch with cache colouring (f9099f71).
 */
import { array, characters, record, u8, u16, u32, u64 } from './binary.ts'

export const MEMORY = record({ phys: u64, virt: u64, size: u64, flags: u64 })

export const CONSOLE = record({
  address: u64,
  size: u32,
  type: u16,
  flags: u16,
  divider: u32,
  gateNumber: u32,
  clockRegister: u64,
})

export const CACHE = record({ start: u32, size: u32, type: u8, reserved: u8, flags: u16 })

export const IRQCHIP = record({ address: u64, id: u32, pinBase: u32, bitmap: array(u32, 4) })

export const PIO = record({ base: u16, length: u16 })

export const PCI_DEVICE = record({
  type: u8,
  iommu: u8,
  domain: u16,
  bdf: u16,
  barMasks: array(u32, 6),
  firstCapability: u16,
  capabilities: u16,
  msiVectors: u8,
  /** Bit 0: 64-bit addresses; bit 1: maskable. */
  msiFlags: u8,
  msixVectors: u16,
  msixRegionSize: u16,
  msixAddress: u64,
  firstRegion: u32,
  id: u8,
  peers: u8,
  protocol: u16,
})

export const PCI_CAPABILITY = record({ id: u16, start: u16, length: u16, flags: u16 })

/** Of an MMU-500: bits of the id that are ignored. Other units take both as one le32. */
export const STREAM_ID = record({ id: u16, mask: u16 })

/** `rest` is what some kinds keep behind the size: AMD's bdf, capabilities and features, TI's TLB. */
export const IOMMU = record({ type: u32, base: u64, size: u32, rest: array(u8, 12) })

export const GIC = record({
  maintenanceIrq: u8,
  version: u8,
  reserved: u16,
  gicd: u64,
  gicc: u64,
  gich: u64,
  gicv: u64,
  gicr: u64,
})

export const X86 = record({
  pmTimerAddress: u16,
  apicMode: u8,
  reserved: u8,
  vtdInterruptLimit: u32,
  tscKhz: u32,
  apicKhz: u32,
})

/** Bytes that `GIC` and `X86` share. */
export const PLATFORM_BYTES = 44

export const IOMMU_UNITS = 8

const counts = {
  cpuSetBytes: u32,
  memory: u32,
  caches: u32,
  irqchips: u32,
  pio: u32,
  pciDevices: u32,
  pciCapabilities: u32,
  streamIds: u32,
}

/** What stands behind the signature of a cell: 124 bytes, the lists follow. */
export const CELL_HEAD = record({
  name: characters(32),
  id: u32,
  flags: u32,
  counts: record(counts),
  vpciIrqBase: u32,
  cpuResetAddress: u64,
  messageTimeout: u64,
  console: CONSOLE,
})

const systemHead = {
  flags: u32,
  hypervisorMemory: MEMORY,
  debugConsole: CONSOLE,
  pciMmconfigBase: u64,
  pciMmconfigEndBus: u8,
  pciIsVirtual: u8,
  pciDomain: u16,
}

/** What stands behind the signature of a system, before the root cell; the platform's record comes last. */
export const SYSTEM_HEADS = {
  mainline: record({ ...systemHead, iommuUnits: array(IOMMU, IOMMU_UNITS) }),
  coloring: record({ ...systemHead, llcWaySize: u64, colLoadAddress: u64, iommuUnits: array(IOMMU, IOMMU_UNITS) }),
} as const

/** A signature is 8 bytes in both: 5 letters, the architecture and a le16, or 6 letters and a le16. */
export const SIGNATURE_BYTES = 8

export const REVISIONS = { mainline: 14, coloring: 13 } as const

export const SIGNATURES = {
  mainline: { system: 'JHSYS', cell: 'JHCLL' },
  coloring: { system: 'JHSYST', cell: 'JHCELL' },
} as const

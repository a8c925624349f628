/**
 * Configuration files of the Jailhouse hypervisor: read, written, checked, and made from a scenario. Public as
 * `virtio-sdk/jailhouse`.
 */
export { checkConfigs } from './check.ts'
export { configSize, decode, encode } from './codec.ts'
export {
  type CacheRegion,
  type CellConfig,
  type Console,
  type GicConfig,
  type IommuUnit,
  type Irqchip,
  type JailhouseConfig,
  type JailhouseLayout,
  jailhouseConfig,
  type MemoryRegion,
  type PciCapability,
  type PciDevice,
  type PortRegion,
  type StreamId,
  type SystemConfig,
  type X86Config,
} from './config.ts'
export { configJson, describeConfig } from './describe.ts'
export type { ConfigFault, FoundBy } from './fault.ts'
export { type CellLink, type Cells, type CellsOptions, jailhouseCells } from './from-scenario.ts'
export {
  ARCHITECTURES,
  CELL_FLAGS,
  CONSOLE_TYPES,
  IOMMU_TYPES,
  MEMORY_FLAGS,
  PCI_TYPES,
  PROTOCOLS,
  SYSTEM_FLAGS,
} from './words.ts'

/** How driver and device meet: shared memory, MMIO, PCI. Knows no device type. Public as `virtio-sdk/transport`. */
export type { DeviceTransport, DriverTransport, QueueAddresses } from '../virtio/index.ts'
export type { AccessWidth } from './access.ts'
export { InterruptLine } from './interrupt-line.ts'
export { type MmioBus, MmioTransport, type MmioTransportOptions } from './mmio/mmio-transport.ts'
export { MmioWindow, type MmioWindowOptions } from './mmio/mmio-window.ts'
export type { MsixMessage, PciBus } from './pci/bus.ts'
export type { SendMessage } from './pci/msix.ts'
export { PciFunction, type PciFunctionOptions } from './pci/pci-function.ts'
export { PciTransport, type PciTransportOptions } from './pci/pci-transport.ts'
export type { RegisterDeviceOptions } from './register-device.ts'
export type { RegisterTransportOptions } from './register-transport.ts'
export {
  type BufferAllocator,
  type MemoryGrant,
  type SharedMemoryOptions,
  SharedMemoryTransport,
  type TransportableDevice,
} from './shared-memory.ts'

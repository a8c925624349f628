/** How driver and device meet. Public as `virtio-sdk/transport`. */
export type { DeviceTransport, DriverTransport, QueueAddresses } from '../virtio/index.ts'
export { InterruptLine } from './interrupt-line.ts'
export { type MmioBus, MmioTransport, type MmioTransportOptions } from './mmio/mmio-transport.ts'
export { type AccessWidth, MmioWindow, type MmioWindowOptions } from './mmio/mmio-window.ts'
export {
  type BufferAllocator,
  type MemoryGrant,
  type SharedMemoryOptions,
  SharedMemoryTransport,
  type TransportableDevice,
} from './shared-memory.ts'

/** How driver and device meet. Public as `virtio-sdk/transport`. */
export type { DeviceTransport, DriverTransport, QueueAddresses } from '../virtio/index.ts'
export {
  type BufferAllocator,
  type MemoryGrant,
  type SharedMemoryOptions,
  SharedMemoryTransport,
  type TransportableDevice,
} from './shared-memory.ts'

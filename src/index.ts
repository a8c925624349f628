/** What a first device and a first driver need. Everything else has a subpath: `virtio-sdk/virtqueue`, `virtio-sdk/broker`, … */
export { u32le, u64le } from './internal/bytes.ts'
export { VirtioError } from './internal/error.ts'
export { GuestMemory } from './memory/index.ts'
export { SharedMemoryTransport } from './transport/index.ts'
export { connect, Device, type Driver, defineDevice, le64, startDriver, u8, u16, u32, u64 } from './virtio/index.ts'
export {
  BufferList,
  DescriptorChain,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
  type Violation,
} from './virtqueue/index.ts'

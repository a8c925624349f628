/** Guest-physical memory: regions, translation, copies, allocators, ordered access. Public as `virtio-sdk/memory`. */
export { BumpAllocator, PageAllocator } from './allocator.ts'
export { copyBytes } from './copy.ts'
export { GuestMemory, type MemoryObserver } from './guest-memory.ts'
export { MemoryError } from './memory-error.ts'
export { MemoryRegion, PAGE_SIZE, type RegionSpec } from './memory-region.ts'
export { loadOrdered, storeOrdered } from './ordered.ts'
export { SegmentCursor } from './segment-cursor.ts'
export { SegmentList } from './segment-list.ts'

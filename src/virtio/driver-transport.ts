/**
 * How a driver reaches its device: what every transport (shared memory, mmio, pci, ivshmem, vhost-user) implements for the
 * driver's side. Synchronous where hardware is; what takes time (reset) is asked for and then polled.
 */
import type { GuestMemory } from '../memory/index.ts'
import type { DeviceContract } from './device-contract.ts'

/** Where the three areas of a queue lie, and how many entries it has. */
export interface QueueAddresses {
  /** Power of two, at most what `queueSizeMax` said. */
  readonly size: number
  /** Addresses as the device sees them: guest-physical, or bus addresses behind an IOMMU. */
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
}

/**
 * How a driver reaches its device: registers, notifications both ways, and memory for rings and buffers. Write one to
 * bring a transport of your own.
 */
export interface DriverTransport<C extends DeviceContract = DeviceContract> {
  /** Names for the device's queues, features and configuration, when the transport knows who is behind it. */
  readonly contract?: C
  /** Where rings and buffers go. */
  readonly memory: GuestMemory
  /** 0: nobody is there. */
  readonly deviceId: number

  readDeviceFeatures(window: number): number
  /** Write-only, as the register is: a driver keeps its own copy (museum 46). */
  writeDriverFeatures(window: number, word: number): void
  readStatus(): number
  writeStatus(status: number): void

  /** How many bytes of configuration there are at least. */
  readonly configLengthBytes: number
  readConfigGeneration(): number
  /** At most four bytes, naturally aligned, are read at once; more are several reads (CFG-DRV-01). */
  readConfig(offset: number, target: Uint8Array): void
  writeConfig(offset: number, source: Uint8Array): void

  /** 0: the device has no such queue. */
  queueSizeMax(queue: number): number
  setupQueue(queue: number, addresses: QueueAddresses): void
  /** Asks the device to use the queue; false when it refused the setup. */
  enableQueue(queue: number): boolean
  /** Asks for a queue reset (RING_RESET negotiated); true once the device confirms it (VQRST-DRV-01). */
  resetQueue(queue: number): boolean
  /** Available buffer notification (§2.9). Never called before DRIVER_OK (INIT-DRV-07). */
  notify(queue: number): void

  /** Why the device asks for a reset, where that can be known: its model runs in the same process, and threw. Else null. */
  readonly deviceFault?: unknown

  /** Reads and acknowledges what the device signalled: VIRTIO_INTERRUPT_* bits, 0 for nothing. */
  takeInterrupts(): number
  /**
   * Called once per interrupt that reaches the driver; the handler calls `takeInterrupts`. One handler, null for none. An interrupt
   * that came while there was none is kept for the next.
   */
  onInterrupt(handler: (() => void) | null): void

  /** Memory for a ring or a buffer, at a multiple of `align` (a power of two). Throws `VirtioError` OUT_OF_MEMORY. */
  allocate(lengthBytes: number, align: number): number
  free(address: number, lengthBytes: number): void

  /**
   * The driver has let go of its turn with completions left: call the interrupt handler again, later. A transport without it has its
   * driver go on until nothing is left, however quick the device is.
   */
  requestPoll?(): void

  /** What the transport has to know again when a driver is restored: its allocator's blocks. Plain data, as JSON keeps it. */
  saveState?(): unknown
  /** Takes over what `saveState` returned, before the driver does. Throws `VirtioError` INVALID_STATE. */
  restoreState?(state: unknown): void
}

/** The register file of virtio over MMIO (virtio 1.4 §4.2.2): byte offsets in the window, each a le32. */

/** "virt", little endian. */
export const MMIO_MAGIC = 0x7472_6976
/** What version 1.0 and later call version 2; 1 is the legacy interface. */
export const MMIO_VERSION = 2

export const MAGIC_VALUE = 0x000
export const VERSION = 0x004
export const DEVICE_ID = 0x008
export const VENDOR_ID = 0x00c
export const DEVICE_FEATURES = 0x010
export const DEVICE_FEATURES_SEL = 0x014
export const DRIVER_FEATURES = 0x020
export const DRIVER_FEATURES_SEL = 0x024
export const QUEUE_SEL = 0x030
export const QUEUE_SIZE_MAX = 0x034
export const QUEUE_SIZE = 0x038
export const QUEUE_READY = 0x044
export const QUEUE_NOTIFY = 0x050
export const INTERRUPT_STATUS = 0x060
export const INTERRUPT_ACK = 0x064
export const STATUS = 0x070
/** Low and high word of the descriptor area, then of the driver area and the device area. */
export const QUEUE_AREAS = [
  [0x080, 0x084],
  [0x090, 0x094],
  [0x0a0, 0x0a4],
] as const
export const SHM_SEL = 0x0ac
export const SHM_LEN_LOW = 0x0b0
export const SHM_LEN_HIGH = 0x0b4
export const SHM_BASE_LOW = 0x0b8
export const SHM_BASE_HIGH = 0x0bc
export const QUEUE_RESET = 0x0c0
export const CONFIG_GENERATION = 0x0fc
/** Where the configuration space begins: to be read and written in 1, 2 or 4 bytes. */
export const CONFIG = 0x100

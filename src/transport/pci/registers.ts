/** Numbers of virtio over PCI (virtio 1.4 §4.1), and of PCI itself as far as they are needed. */

/** Qumranet's, which all virtio devices have. */
export const VENDOR = 0x1af4
/** A modern device's id is this plus the device type (§4.1.2). */
export const FIRST_DEVICE = 0x1040
/** Smallest subsystem id of a device without legacy interface. */
export const SUBSYSTEM = 0x1100

/** Offsets in the configuration space of a function. */
export const PCI = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION: 0x08,
  CLASS: 0x0a,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const

export const COMMAND_IO = 1
export const COMMAND_MEMORY = 2
export const COMMAND_BUS_MASTER = 4
export const COMMAND_INTX_OFF = 0x400
export const STATUS_INTERRUPT = 8
export const STATUS_CAPABILITIES = 0x10

export const CAP_VENDOR = 9
export const CAP_MSIX = 0x11

/** cfg_type of a virtio capability (§4.1.4). */
export const CFG_COMMON = 1
export const CFG_NOTIFY = 2
export const CFG_ISR = 3
export const CFG_DEVICE = 4
export const CFG_PCI = 5

/** Bytes of a virtio capability; those of notify and PCI_CFG have 4 more. */
export const CAP_BYTES = 16

/** Offsets in the common configuration (§4.1.4.3), each with the width of its field; 64-bit fields are two halves. */
export const COMMON = {
  DEVICE_FEATURE_SELECT: 0,
  DEVICE_FEATURE: 4,
  DRIVER_FEATURE_SELECT: 8,
  DRIVER_FEATURE: 12,
  CONFIG_VECTOR: 16,
  NUM_QUEUES: 18,
  DEVICE_STATUS: 20,
  CONFIG_GENERATION: 21,
  QUEUE_SELECT: 22,
  QUEUE_SIZE: 24,
  QUEUE_VECTOR: 26,
  QUEUE_ENABLE: 28,
  QUEUE_NOTIFY_OFF: 30,
  QUEUE_DESC: 32,
  QUEUE_NOTIF_CONFIG_DATA: 56,
  QUEUE_RESET: 58,
} as const
export const COMMON_BYTES = 60

/** Reads back where no vector is mapped. */
export const NO_VECTOR = 0xffff

/** An MSI-X table entry: address low and high, data, control (bit 0: masked). */
export const MSIX_ENTRY_BYTES = 16
export const MSIX_ENABLE = 0x8000
export const MSIX_FUNCTION_MASK = 0x4000

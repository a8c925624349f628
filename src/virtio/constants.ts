/** Status, interrupt and common feature constants, spelled as in virtio 1.4 §2.1, §4.2.2 and §6. Features are bit numbers. */

// Device status (§2.1): a byte, 0 after reset.
export const ACKNOWLEDGE = 1
export const DRIVER = 2
export const DRIVER_OK = 4
export const FEATURES_OK = 8
export const SUSPEND = 16
export const DEVICE_NEEDS_RESET = 64
export const FAILED = 128

// Reasons of an interrupt: InterruptStatus of MMIO (§4.2.2) and the ISR byte of PCI (§4.1.4.5) agree on these bits.
export const VIRTIO_INTERRUPT_USED = 1
export const VIRTIO_INTERRUPT_CONFIG = 2

// Features that belong to every device type (§6).
export const VIRTIO_F_INDIRECT_DESC = 28
export const VIRTIO_F_EVENT_IDX = 29
export const VIRTIO_F_VERSION_1 = 32
export const VIRTIO_F_ACCESS_PLATFORM = 33
export const VIRTIO_F_RING_PACKED = 34
export const VIRTIO_F_IN_ORDER = 35
export const VIRTIO_F_ORDER_PLATFORM = 36
export const VIRTIO_F_SR_IOV = 37
export const VIRTIO_F_NOTIFICATION_DATA = 38
export const VIRTIO_F_NOTIF_CONFIG_DATA = 39
export const VIRTIO_F_RING_RESET = 40
export const VIRTIO_F_ADMIN_VQ = 41
export const VIRTIO_F_SUSPEND = 43

/** Feature bits exist up to 127: four 32-bit windows (§2.2, IMP-FEAT-01). */
export const FEATURE_BITS = 128
export const FEATURE_WINDOWS = 4

/** Status, interrupt and common feature constants, spelled as in virtio 1.4 §2.1, §4.2.2 and §6. Features are bit numbers. */

// Device status (§2.1): a byte, 0 after reset.
export const ACKNOWLEDGE = 1
/** Status: the guest knows how to drive the device. */
export const DRIVER = 2
/** Status: the driver is set up, and the device is live. */
export const DRIVER_OK = 4
/** Status: the driver has accepted its features; the device clears it when it cannot work with them. */
export const FEATURES_OK = 8
/** Status: the driver asks the device to suspend, with VIRTIO_F_SUSPEND. */
export const SUSPEND = 16
/** Status: the device cannot go on until it is reset. */
export const DEVICE_NEEDS_RESET = 64
/** Status: the driver has given the device up. */
export const FAILED = 128

// Reasons of an interrupt: InterruptStatus of MMIO (§4.2.2) and the ISR byte of PCI (§4.1.4.5) agree on these bits.
/** Reason of an interrupt: the device used buffers of at least one queue. */
export const VIRTIO_INTERRUPT_USED = 1
/** Reason of an interrupt: the configuration, or the status, has changed. */
export const VIRTIO_INTERRUPT_CONFIG = 2

// Features that belong to every device type (§6).
/** Feature bit: descriptors may refer to tables of descriptors. */
export const VIRTIO_F_INDIRECT_DESC = 28
/** Feature bit: each side says at which index it wants to be notified. */
export const VIRTIO_F_EVENT_IDX = 29
/** Feature bit: the device complies with virtio 1.0 or later, and is no legacy device. */
export const VIRTIO_F_VERSION_1 = 32
/** Feature bit: the device reaches memory only as the platform lets it, behind an IOMMU for example. */
export const VIRTIO_F_ACCESS_PLATFORM = 33
/** Feature bit: packed virtqueues. */
export const VIRTIO_F_RING_PACKED = 34
/** Feature bit: the device uses buffers in the order in which they were made available. */
export const VIRTIO_F_IN_ORDER = 35
/** Feature bit: memory accesses are ordered as the platform orders those of devices. */
export const VIRTIO_F_ORDER_PLATFORM = 36
/** Feature bit: single root I/O virtualization. */
export const VIRTIO_F_SR_IOV = 37
/** Feature bit: the driver passes the position in the ring with its notifications. */
export const VIRTIO_F_NOTIFICATION_DATA = 38
/** Feature bit: the driver passes a number that the device gave with its notifications. */
export const VIRTIO_F_NOTIF_CONFIG_DATA = 39
/** Feature bit: one queue can be reset alone. */
export const VIRTIO_F_RING_RESET = 40
/** Feature bit: the device has administration virtqueues. */
export const VIRTIO_F_ADMIN_VQ = 41
/** Feature bit: the driver may suspend the device. */
export const VIRTIO_F_SUSPEND = 43

/** Feature bits exist up to 127: four 32-bit windows (§2.2, IMP-FEAT-01). */
export const FEATURE_BITS = 128
/** Words of 32 bits in which features are shown and accepted. */
export const FEATURE_WINDOWS = 4

/**
 * Device type numbers of virtio 1.4 §5. The specification names the types in prose only, so the constants are spelled as in
 * Linux's virtio_ids.h where that has one. Number 0 is reserved: a transport that shows it has no device behind it.
 */
export const VIRTIO_ID_NET = 1
/** Block device. */
export const VIRTIO_ID_BLOCK = 2
/** Console. */
export const VIRTIO_ID_CONSOLE = 3
/** Entropy source. */
export const VIRTIO_ID_RNG = 4
/** Traditional memory balloon. */
export const VIRTIO_ID_BALLOON = 5
/** ioMemory. */
export const VIRTIO_ID_IOMEM = 6
/** rpmsg. */
export const VIRTIO_ID_RPMSG = 7
/** SCSI host. */
export const VIRTIO_ID_SCSI = 8
/** 9P transport. */
export const VIRTIO_ID_9P = 9
/** mac80211 wireless network. */
export const VIRTIO_ID_MAC80211_WLAN = 10
/** rproc serial. */
export const VIRTIO_ID_RPROC_SERIAL = 11
/** Virtio CAIF. */
export const VIRTIO_ID_CAIF = 12
/** Memory balloon. */
export const VIRTIO_ID_MEMORY_BALLOON = 13
/** GPU. */
export const VIRTIO_ID_GPU = 16
/** Timer or clock. */
export const VIRTIO_ID_CLOCK = 17
/** Input device. */
export const VIRTIO_ID_INPUT = 18
/** Socket device. */
export const VIRTIO_ID_VSOCK = 19
/** Crypto device. */
export const VIRTIO_ID_CRYPTO = 20
/** Signal distribution module. */
export const VIRTIO_ID_SIGNAL_DIST = 21
/** pstore. */
export const VIRTIO_ID_PSTORE = 22
/** IOMMU. */
export const VIRTIO_ID_IOMMU = 23
/** Memory device. */
export const VIRTIO_ID_MEM = 24
/** Sound card. */
export const VIRTIO_ID_SOUND = 25
/** File system. */
export const VIRTIO_ID_FS = 26
/** Persistent memory. */
export const VIRTIO_ID_PMEM = 27
/** Replay protected memory block. */
export const VIRTIO_ID_RPMB = 28
/** mac80211 simulated wireless network. */
export const VIRTIO_ID_MAC80211_HWSIM = 29
/** Video encoder. */
export const VIRTIO_ID_VIDEO_ENCODER = 30
/** Video decoder. */
export const VIRTIO_ID_VIDEO_DECODER = 31
/** SCMI. */
export const VIRTIO_ID_SCMI = 32
/** Nitro secure module. */
export const VIRTIO_ID_NITRO_SEC_MOD = 33
/** I2C adapter. */
export const VIRTIO_ID_I2C_ADAPTER = 34
/** Watchdog. */
export const VIRTIO_ID_WATCHDOG = 35
/** CAN. */
export const VIRTIO_ID_CAN = 36
/** Parameter server. */
export const VIRTIO_ID_PARAM_SERV = 38
/** Audio policy. */
export const VIRTIO_ID_AUDIO_POLICY = 39
/** Bluetooth. */
export const VIRTIO_ID_BT = 40
/** GPIO. */
export const VIRTIO_ID_GPIO = 41
/** RDMA. */
export const VIRTIO_ID_RDMA = 42
/** Camera. */
export const VIRTIO_ID_CAMERA = 43
/** Internal shared memory. */
export const VIRTIO_ID_ISM = 44
/** SPI controller. */
export const VIRTIO_ID_SPI = 45
/** Trusted execution environment. */
export const VIRTIO_ID_TEE = 46
/** CPU balloon. */
export const VIRTIO_ID_CPU_BALLOON = 47
/** Media. */
export const VIRTIO_ID_MEDIA = 48
/** USB controller. */
export const VIRTIO_ID_USB = 49

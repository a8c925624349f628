/** Devices and drivers: features, status, configuration, life cycles. Public as `virtio-sdk/virtio`. */
export {
  bytes,
  type ConfigField,
  type ConfigFields,
  ConfigLayout,
  type ConfigValues,
  type FieldOptions,
  le64,
  mac,
  u8,
  u16,
  u32,
  u64,
} from './config-layout.ts'
export { type ConfigRegisters, ConfigSpace } from './config-space.ts'
export {
  type ConnectOptions,
  connect,
  type DriverOptions,
  type FeatureFlags,
  type NegotiatedDevice,
  startDriver,
} from './connect.ts'
export {
  ACKNOWLEDGE,
  DEVICE_NEEDS_RESET,
  DRIVER,
  DRIVER_OK,
  FAILED,
  FEATURE_BITS,
  FEATURE_WINDOWS,
  FEATURES_OK,
  SUSPEND,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_NOTIF_CONFIG_DATA,
  VIRTIO_F_NOTIFICATION_DATA,
  VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_SR_IOV,
  VIRTIO_F_SUSPEND,
  VIRTIO_F_VERSION_1,
  VIRTIO_INTERRUPT_CONFIG,
  VIRTIO_INTERRUPT_USED,
} from './constants.ts'
export { type DefinedContract, type DeviceDefinition, defineDevice } from './define-device.ts'
export {
  Device,
  type DeviceContext,
  type DeviceHooks,
  type DeviceOptions,
  type NegotiatedFeatures,
  type QueueHandler,
} from './device.ts'
export type { DeviceContract, FeatureName, QueueName, QueueSpec } from './device-contract.ts'
export {
  COMMON_FEATURES,
  DEVICE_FEATURES,
  featureBit,
  featureDependencies,
  featureName,
  featureNames,
} from './device-features.ts'
export {
  VIRTIO_ID_9P,
  VIRTIO_ID_AUDIO_POLICY,
  VIRTIO_ID_BALLOON,
  VIRTIO_ID_BLOCK,
  VIRTIO_ID_BT,
  VIRTIO_ID_CAIF,
  VIRTIO_ID_CAMERA,
  VIRTIO_ID_CAN,
  VIRTIO_ID_CLOCK,
  VIRTIO_ID_CONSOLE,
  VIRTIO_ID_CPU_BALLOON,
  VIRTIO_ID_CRYPTO,
  VIRTIO_ID_FS,
  VIRTIO_ID_GPIO,
  VIRTIO_ID_GPU,
  VIRTIO_ID_I2C_ADAPTER,
  VIRTIO_ID_INPUT,
  VIRTIO_ID_IOMEM,
  VIRTIO_ID_IOMMU,
  VIRTIO_ID_ISM,
  VIRTIO_ID_MAC80211_HWSIM,
  VIRTIO_ID_MAC80211_WLAN,
  VIRTIO_ID_MEDIA,
  VIRTIO_ID_MEM,
  VIRTIO_ID_MEMORY_BALLOON,
  VIRTIO_ID_NET,
  VIRTIO_ID_NITRO_SEC_MOD,
  VIRTIO_ID_PARAM_SERV,
  VIRTIO_ID_PMEM,
  VIRTIO_ID_PSTORE,
  VIRTIO_ID_RDMA,
  VIRTIO_ID_RNG,
  VIRTIO_ID_RPMB,
  VIRTIO_ID_RPMSG,
  VIRTIO_ID_RPROC_SERIAL,
  VIRTIO_ID_SCMI,
  VIRTIO_ID_SCSI,
  VIRTIO_ID_SIGNAL_DIST,
  VIRTIO_ID_SOUND,
  VIRTIO_ID_SPI,
  VIRTIO_ID_TEE,
  VIRTIO_ID_USB,
  VIRTIO_ID_VIDEO_DECODER,
  VIRTIO_ID_VIDEO_ENCODER,
  VIRTIO_ID_VSOCK,
  VIRTIO_ID_WATCHDOG,
} from './device-ids.ts'
export type { DeviceQueue } from './device-queue.ts'
export { DeviceRegisters } from './device-registers.ts'
export {
  type DeviceEvents,
  type DeviceRegistersOptions,
  SUPPORTED_COMMON_FEATURES,
  USUAL_COMMON_FEATURES,
} from './device-registers-options.ts'
export type { DeviceState, QueueState } from './device-state.ts'
export type { DeviceModel, DeviceTransport } from './device-transport.ts'
export * from './devices/blk/index.ts'
export * from './devices/console/index.ts'
export { type EntropyContract, type EntropyOptions, entropyDevice } from './devices/entropy.ts'
export * from './devices/net/index.ts'
export {
  SHUTDOWN_BOTH,
  SHUTDOWN_RECEIVE,
  SHUTDOWN_SEND,
  type VsockCloseReason,
  VsockConnection,
  type VsockIndication,
  type VsockState,
} from './devices/vsock/connection.ts'
export { type VsockContract, vsockContract } from './devices/vsock/contract.ts'
export { VsockDevice, type VsockDeviceOptions } from './devices/vsock/device.ts'
export { VsockDriver, type VsockDriverOptions, type VsockFeatures } from './devices/vsock/driver.ts'
export {
  VsockEndpoint,
  type VsockEndpointOptions,
  type VsockListener,
  type VsockSocketType,
} from './devices/vsock/endpoint.ts'
export {
  readVsockHeader,
  VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
  VIRTIO_VSOCK_OP_CREDIT_REQUEST,
  VIRTIO_VSOCK_OP_CREDIT_UPDATE,
  VIRTIO_VSOCK_OP_INVALID,
  VIRTIO_VSOCK_OP_REQUEST,
  VIRTIO_VSOCK_OP_RESPONSE,
  VIRTIO_VSOCK_OP_RST,
  VIRTIO_VSOCK_OP_RW,
  VIRTIO_VSOCK_OP_SHUTDOWN,
  VIRTIO_VSOCK_SEQ_EOM,
  VIRTIO_VSOCK_SEQ_EOR,
  VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE,
  VIRTIO_VSOCK_SHUTDOWN_F_SEND,
  VIRTIO_VSOCK_TYPE_SEQPACKET,
  VIRTIO_VSOCK_TYPE_STREAM,
  VSOCK_HEADER_BYTES,
  VSOCK_HOST_CID,
  VsockHeader,
  vsockHeaderLayout,
  writeVsockHeader,
} from './devices/vsock/header.ts'
export {
  type VsockMessage,
  type VsockMessageOptions,
  type VsockSendOptions,
  VsockSeqpacketSocket,
} from './devices/vsock/seqpacket-socket.ts'
export { VsockSocket } from './devices/vsock/socket.ts'
export { type PayloadSource, VsockSocketBase, type VsockSocketEvents } from './devices/vsock/socket-base.ts'
export type {
  VsockConnectionState,
  VsockDriverState,
  VsockEndpointState,
  VsockMessageEnd,
  VsockSlotsState,
  VsockSocketState,
} from './devices/vsock/state.ts'
export { type Driver, DriverCore, type DriverEvents } from './driver.ts'
export { DriverError, type DriverErrorCode } from './driver-error.ts'
export { DRIVER_COMMON_FEATURES, USUAL_DRIVER_FEATURES } from './driver-features.ts'
export type { DriverQueue } from './driver-queue.ts'
export type { DriverQueueState, DriverState } from './driver-state.ts'
export type { DriverTransport, QueueAddresses } from './driver-transport.ts'
export { brokenDependency, closedSubset, type FeatureDependency, FeatureSet } from './features.ts'
export type { CallOptions, Reply } from './pending-call.ts'
export type { ProtocolRule, ProtocolViolation } from './protocol-violation.ts'
export { type RestoreOptions, restoreDriver } from './restore-driver.ts'
export { checkStatusWrite } from './status.ts'

/** The console device (virtio 1.4 §5.3), its driver, and their ports. */
export {
  CONSOLE_FEATURES,
  type ConsoleContract,
  type ConsoleFeature,
  type ConsoleFlags,
  type ConsoleQueue,
  type ConsoleQueueName,
  type ConsoleSize,
  consoleContract,
  VIRTIO_CONSOLE_CONSOLE_PORT,
  VIRTIO_CONSOLE_DEVICE_ADD,
  VIRTIO_CONSOLE_DEVICE_READY,
  VIRTIO_CONSOLE_DEVICE_REMOVE,
  VIRTIO_CONSOLE_PORT_NAME,
  VIRTIO_CONSOLE_PORT_OPEN,
  VIRTIO_CONSOLE_PORT_READY,
  VIRTIO_CONSOLE_RESIZE,
} from './contract.ts'
export { ConsoleDevice } from './device.ts'
export type { ConsoleDeviceOptions, ConsolePortOptions } from './device-options.ts'
export { ConsoleDevicePort } from './device-port.ts'
export { ConsoleDriver, type ConsoleDriverState, type ConsolePortState } from './driver.ts'
export { CONSOLE_DRIVER_FEATURES, type ConsoleDriverOptions } from './driver-options.ts'
export { ConsoleDriverPort } from './driver-port.ts'

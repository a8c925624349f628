/** What console drivers are made of. */
import { checkArray, checkFunction, checkInteger, checkObject, checkWord } from '../../../internal/check-option.ts'
import type { FeatureSet } from '../../features.ts'
import { CONSOLE_FEATURES, type ConsoleFeature, MAX_PORTS } from './contract.ts'
import type { ConsoleDriverPort } from './driver-port.ts'

/** What a driver uses when it is offered and nobody says otherwise: all of `CONSOLE_FEATURES`. */
export const CONSOLE_DRIVER_FEATURES = Object.keys(CONSOLE_FEATURES) as readonly ConsoleFeature[]

export const DEFAULT_DRIVER_PORTS = 31
export const DEFAULT_RX_BYTES = 1024
/** Room for a message with the longest name, and some more. */
export const CONTROL_ROOM = 512

/** What a `ConsoleDriver` is made of. */
export interface ConsoleDriverOptions {
  /** Called with each port when it is there, before any of its data: the place to set `onData`. What it throws is a `fault` of the driver. */
  readonly onPort?: (port: ConsoleDriverPort) => void
  /** Features to use when they are offered. Default: `CONSOLE_DRIVER_FEATURES`. */
  readonly want?: readonly ConsoleFeature[]
  /** Ports to have queues for, 1 to 512: at most what the device has. Default 31. */
  readonly maxPorts?: number
  /** Entries of each queue, 1 to 32768: at most what the device has. Default 32. */
  readonly queueSize?: number
  /** Bytes of each receive buffer, 1 to 1048576. Default 1024. */
  readonly rxBufferBytes?: number
  /** Common features to use when offered; default: as `startDriver`. */
  readonly commonFeatures?: FeatureSet
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkConsoleDriverOptions(options: ConsoleDriverOptions): void {
  checkObject('options', options)
  const { onPort, want = [], maxPorts = 1, queueSize = 1, rxBufferBytes = 1 } = options
  if (onPort !== undefined) checkFunction('onPort', onPort)
  checkArray('want', want, 'an array of feature names')
  for (const name of want) checkWord('want', name, Object.keys(CONSOLE_FEATURES))
  checkInteger('maxPorts', maxPorts, 1, MAX_PORTS, 'ports')
  checkInteger('queueSize', queueSize, 1, 32768, 'entries')
  checkInteger('rxBufferBytes', rxBufferBytes, 1, 2 ** 20, 'bytes')
}

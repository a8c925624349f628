/** What console devices are made of. */
import {
  checkArray,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkObject,
  checkPowerOfTwo,
  checkWord,
  MAX_U16,
  refuseOption,
} from '../../../internal/check-option.ts'
import type { ViolationPolicy } from '../../../virtqueue/index.ts'
import type { FeatureSet } from '../../features.ts'
import {
  CONSOLE_FEATURES,
  CONSOLE_QUEUE_SIZE,
  type ConsoleFeature,
  type ConsoleSize,
  DEFAULT_BUFFER_BYTES,
  MAX_NAME_BYTES,
  MAX_PORTS,
} from './contract.ts'

/** What a port is. */
export interface ConsolePortOptions {
  /** The guest is to use it as a terminal. Default: of port 0 true, of others false. */
  readonly isConsole?: boolean
  /** How the guest finds it: at most 256 bytes of UTF-8, none of them 0. Default: none. */
  readonly name?: string
  /** Columns and rows of a terminal. Default: that of the device. */
  readonly size?: ConsoleSize
}

/** What a `ConsoleDevice` is made of. */
export interface ConsoleDeviceOptions {
  /** Columns and rows of port 0. Default: SIZE is not offered. */
  readonly size?: ConsoleSize
  /** Ports that are there from the start, port 0 first. Default: port 0, a console. */
  readonly ports?: readonly ConsolePortOptions[]
  /** Most ports, those of `addPort` included, 1 to 512. More than 1 offers MULTIPORT. Default: as many as `ports`. */
  readonly maxPorts?: number
  /** Gets each character of an emergency write, 0 to 255, at any time. Default: EMERG_WRITE is not offered. */
  readonly onEmergency?: (byte: number) => void
  /** Bytes for the guest that each port keeps, 1 to 2^30. Default 65536. */
  readonly bufferBytes?: number
  /** Entries of each queue: a power of two, 1 to 32768. Default 32. */
  readonly queueSize?: number
  /** Features to offer. Default: those that the options above ask for. */
  readonly offer?: readonly ConsoleFeature[]
  readonly policy?: ViolationPolicy
  /** Common features to offer; default: all that are supported. */
  readonly commonFeatures?: FeatureSet
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkConsoleOptions(options: ConsoleDeviceOptions): void {
  checkObject('options', options)
  const {
    size,
    ports = [{}],
    onEmergency,
    bufferBytes = DEFAULT_BUFFER_BYTES,
    queueSize = CONSOLE_QUEUE_SIZE,
  } = options
  if (size !== undefined) checkSize('size', size)
  checkArray('ports', ports, 'an array of ConsolePortOptions')
  const { maxPorts = ports.length } = options
  if (ports.length > 0) checkInteger('maxPorts', maxPorts, 1, MAX_PORTS, 'ports')
  if (ports.length < 1 || ports.length > maxPorts) {
    refuseOption('the length of ports', ports.length, `1 or more, and at most maxPorts`)
  }
  for (const [id, port] of ports.entries()) checkPort(`ports[${id}]`, port)
  if (onEmergency !== undefined) checkFunction('onEmergency', onEmergency)
  checkInteger('bufferBytes', bufferBytes, 1, 2 ** 30, 'bytes')
  checkPowerOfTwo('queueSize', queueSize, 1, 32768, 'entries')
  if (options.offer === undefined) return
  checkArray('offer', options.offer, 'an array of feature names')
  const possible = offerable(options)
  for (const name of options.offer) {
    checkWord('offer', name, Object.keys(CONSOLE_FEATURES))
    if (!possible.includes(name as ConsoleFeature)) {
      refuseOption('offer', options.offer, `without ${name}, for which the options have nothing`)
    }
  }
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkPort(what: string, port: ConsolePortOptions): void {
  checkObject(what, port)
  const { isConsole = false, name = '', size } = port
  checkBoolean(`${what}.isConsole`, isConsole)
  const isName = typeof name === 'string' && new TextEncoder().encode(name).length <= MAX_NAME_BYTES
  if (!isName || name.includes('\0')) refuseOption(`${what}.name`, name, `text of at most ${MAX_NAME_BYTES} bytes`)
  if (size !== undefined) checkSize(`${what}.size`, size)
}

/** Throws `VirtioError` INVALID_OPTION. */
export function checkSize(what: string, size: ConsoleSize): void {
  checkObject(what, size)
  checkInteger(`${what}.columns`, size.columns, 0, MAX_U16)
  checkInteger(`${what}.rows`, size.rows, 0, MAX_U16)
}

/** What the options ask for. */
export function offerable({ size, ports = [{}], maxPorts, onEmergency }: ConsoleDeviceOptions): ConsoleFeature[] {
  const there: Readonly<Record<ConsoleFeature, boolean>> = {
    size: size !== undefined,
    multiport: (maxPorts ?? ports.length) > 1,
    emergWrite: onEmergency !== undefined,
  }
  return (Object.keys(there) as ConsoleFeature[]).filter((name) => there[name])
}

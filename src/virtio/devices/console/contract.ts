/**
 * What console devices and drivers agree on (virtio 1.4 §5.3.2-4, §5.3.6.2): two queues a port, two for control, features, configuration, and the
 * messages of the control queues.
 */
import { u16, u32 } from '../../config-layout.ts'
import type { QueueSpec } from '../../device-contract.ts'
import { DEVICE_FEATURES } from '../../device-features.ts'
import { VIRTIO_ID_CONSOLE } from '../../device-ids.ts'

const CONSOLE = DEVICE_FEATURES[VIRTIO_ID_CONSOLE]

/** The features of console devices and drivers, by name; bit numbers. */
export const CONSOLE_FEATURES = {
  size: CONSOLE.VIRTIO_CONSOLE_F_SIZE,
  multiport: CONSOLE.VIRTIO_CONSOLE_F_MULTIPORT,
  emergWrite: CONSOLE.VIRTIO_CONSOLE_F_EMERG_WRITE,
} as const

/** A feature of `CONSOLE_FEATURES`. */
export type ConsoleFeature = keyof typeof CONSOLE_FEATURES
/** Which of them were negotiated. */
export type ConsoleFlags = { readonly [K in ConsoleFeature]: boolean }

/** Queues of a console: two a port, and two for control behind those of port 0. */
export type ConsoleQueueName = `receiveq${number}` | `transmitq${number}` | 'controlReceiveq' | 'controlTransmitq'

/** One queue of a console. */
export interface ConsoleQueue extends QueueSpec {
  readonly name: ConsoleQueueName
}

/** The contract of every console device and driver. */
export type ConsoleContract = ReturnType<typeof consoleContract>

/** Columns and rows of a terminal. */
export interface ConsoleSize {
  /** 0 to 65535. */
  readonly columns: number
  /** 0 to 65535. */
  readonly rows: number
}

/** Driver: it is there (1), or has failed (0). */
export const VIRTIO_CONSOLE_DEVICE_READY = 0
/** Device: a port is there. */
export const VIRTIO_CONSOLE_DEVICE_ADD = 1
/** Device: a port is gone. */
export const VIRTIO_CONSOLE_DEVICE_REMOVE = 2
/** Driver: it knows the port (1), or could not take it (0). */
export const VIRTIO_CONSOLE_PORT_READY = 3
/** Device: the port is a terminal. */
export const VIRTIO_CONSOLE_CONSOLE_PORT = 4
/** Device: columns and rows, four bytes. */
export const VIRTIO_CONSOLE_RESIZE = 5
/** Both: the end of the port is open (1), or closed (0). */
export const VIRTIO_CONSOLE_PORT_OPEN = 6
/** Device: how the port is called, in UTF-8. */
export const VIRTIO_CONSOLE_PORT_NAME = 7

/** id, event, value. */
export const CONTROL_BYTES = 8
/** Longest name of a port, in bytes. */
export const MAX_NAME_BYTES = 256
/** Most ports of a device here. */
export const MAX_PORTS = 512
/** Entries of a queue when nobody says otherwise. */
export const CONSOLE_QUEUE_SIZE = 32
/** Bytes that a port keeps for a guest that does not read, when nobody says otherwise. */
export const DEFAULT_BUFFER_BYTES = 65_536

/** A console of at most `ports` ports, 1 to 512, each queue of `queueSize` entries. */
export function consoleContract(ports = 1, queueSize = CONSOLE_QUEUE_SIZE) {
  return {
    id: VIRTIO_ID_CONSOLE as number,
    queues: consoleQueues(ports, queueSize, true),
    features: CONSOLE_FEATURES,
    config: {
      cols: u16('cols', { feature: 'size' }),
      rows: u16('rows', { feature: 'size' }),
      maxNrPorts: u32('max_nr_ports', { feature: 'multiport' }),
      // CON-DEV-02
      emergWr: u32('emerg_wr', { feature: 'emergWrite', driverWritable: true, early: true }),
    },
  } as const
}

/** The queues in the order of their indices (IMP-CON-01); without MULTIPORT those of port 0. */
export function consoleQueues(ports: number, queueSize: number, isMultiport: boolean): readonly ConsoleQueue[] {
  const queues: ConsoleQueue[] = [
    { name: 'receiveq0', size: queueSize },
    { name: 'transmitq0', size: queueSize },
  ]
  if (!isMultiport) return queues
  queues.push({ name: 'controlReceiveq', size: queueSize }, { name: 'controlTransmitq', size: queueSize })
  for (let port = 1; port < ports; port++) {
    queues.push({ name: `receiveq${port}`, size: queueSize }, { name: `transmitq${port}`, size: queueSize })
  }
  return queues
}

/** Index of a port's receive queue; its transmit queue is the next. */
export function receiveIndex(port: number): number {
  return port === 0 ? 0 : 2 + 2 * port
}

/** A message of a control queue, whole. */
export function controlMessage(
  id: number,
  event: number,
  value: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(CONTROL_BYTES + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, id, true)
  view.setUint16(4, event, true)
  view.setUint16(6, value, true)
  bytes.set(data, CONTROL_BYTES)
  return bytes
}

/** The data of RESIZE. */
export function sizeBytes({ columns, rows }: ConsoleSize): Uint8Array {
  const bytes = new Uint8Array(4)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, columns, true)
  view.setUint16(2, rows, true)
  return bytes
}

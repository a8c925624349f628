/** Options of devices and their drivers, for the test that walks them all. */
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import * as virtio from 'virtio-sdk/virtio'

/** How the options of one function or class are walked. */
export interface Walk {
  /** Hands over one option with a value that is wrong; the others are right. */
  readonly call: (option: Readonly<Record<string, never>>) => unknown
  /** Right values of the options that have members of their own. */
  readonly sample?: Readonly<Record<string, unknown>>
  /** By option: which of VALUES are right after all. */
  readonly right?: Readonly<Record<string, readonly unknown[]>>
}

// biome-ignore lint/suspicious/noExplicitAny: never gets as far as to be used
const nothing = {} as any
const net = { mac: '02:00:00:00:00:01' }
const blk = { backend: { sectors: 8, read() {}, write() {} } }

export const DEVICE_WALKS: Readonly<Record<string, Walk>> = {
  BlkDevice: {
    call: (option) => new virtio.BlkDevice({ ...blk, ...option }),
    sample: {
      ...blk,
      topology: {},
      geometry: { cylinders: 1, heads: 1, sectors: 1 },
      discard: {},
      writeZeroes: {},
      secureErase: {},
      offer: ['flush'],
    },
    right: {
      'backend.sectors': [2 ** 32],
      'backend.bytes': [],
      'topology.physicalBlockExp': [0],
      'topology.alignmentOffset': [0],
      'topology.minIoSize': [0],
      'topology.optIoSize': [0],
      'geometry.cylinders': [0],
      'geometry.heads': [0],
      'geometry.sectors': [0],
      id: [''],
    },
  },
  BlkDriver: {
    call: (option) => new virtio.BlkDriver(new SharedMemoryTransport(new virtio.BlkDevice(blk)), option),
    right: { indirectLength: [0] },
    sample: { want: ['flush'] },
  },
  ConsoleDevice: {
    call: (option) => new virtio.ConsoleDevice(option),
    sample: { size: { columns: 80, rows: 25 }, ports: [{ size: { columns: 80, rows: 25 } }], offer: ['size'] },
    right: {
      'size.columns': [0],
      'size.rows': [0],
      'ports[].name': [''],
    },
  },
  ConsoleDriver: {
    call: (option) => new virtio.ConsoleDriver(new SharedMemoryTransport(new virtio.ConsoleDevice()), option),
    sample: { want: ['size'] },
  },
  ConsoleDevicePort: {
    call: (option) => new virtio.ConsoleDevicePort(0, option, nothing, 1),
    right: { name: [''], 'size.columns': [0], 'size.rows': [0] },
    sample: { size: { columns: 80, rows: 25 } },
  },
  NetDevice: { call: (option) => new virtio.NetDevice({ ...net, ...option }), sample: { offer: ['mac'] } },
  NetDriver: {
    call: (option) => new virtio.NetDriver(new SharedMemoryTransport(new virtio.NetDevice(net)), option),
    sample: { want: ['mac'] },
  },
}

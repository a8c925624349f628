/** Drivers behind a port: our own, whole, and any driver-side queue with the plainest handshake around it. */
import { type DriverBehindTransport, type DriverQueueTarget, PortTransport } from '../../../src/testing/index.ts'
import { layOutRing } from '../../../src/testing/ring-layout.ts'
import { startDriver } from '../../../src/virtio/index.ts'
import { BufferList } from '../../../src/virtqueue/index.ts'
import { adder } from '../../virtio/adder.ts'

export const ownDriverBehindPort: DriverBehindTransport = {
  name: 'the driver of the adder',
  deviceId: adder.contract.id,
  queueSizes: [8],
  connect(port, memory) {
    const transport = new PortTransport(port, memory, adder.contract)
    const driver = startDriver(transport, { indirectLength: 4 })
    // `post` asserts that a chain can ever fit, so who uses it looks at the size that the device allowed.
    if (driver.requests.ring.size < 2) throw new Error('a request has two buffers, and the device one entry')
    const address = transport.allocate(16, 16)
    return {
      request(done) {
        if (driver.error !== null) return false
        return driver.requests.post(new BufferList().addReadable(address, 8).addWritable(address + 8, 4), done)
      },
      interrupt: () => transport.interrupt(),
    }
  },
}

export interface Habits {
  /** Waits for a reset as long as it takes. */
  readonly patient?: boolean
  /** Uses whatever size the device names. */
  readonly trustsSizes?: boolean
}

/** A driver-side queue with a handshake. */
export function behindPort(
  target: DriverQueueTarget,
  { patient = false, trustsSizes = false }: Habits = {},
): DriverBehindTransport {
  return {
    name: target.name,
    deviceId: 1,
    queueSizes: [4],
    connect(port, memory) {
      port.writeStatus(0)
      for (let polls = 0; port.readStatus() !== 0; polls++) if (polls > 100 && !patient) throw new Error('no reset')
      for (const status of [1, 3]) port.writeStatus(status)
      if ((port.readDeviceFeatures(1) & 1) === 0) throw new Error('no VERSION_1')
      for (let window = 0; window < 4; window++) port.writeDriverFeatures(window, window === 1 ? 1 : 0)
      port.writeStatus(11)
      if ((port.readStatus() & 8) === 0) throw new Error('features refused')
      const size = port.queueSizeMax(0)
      if (size !== 4 && !trustsSizes) throw new Error('another queue than expected')
      const { ring, end } = layOutRing({ size, eventIdx: false, indirect: false }, memory.regions[0]!.base)
      memory.fill(ring.descriptorArea, end - ring.descriptorArea, 0)
      port.writeQueueSize(0, size)
      const areas = [ring.descriptorArea, ring.driverArea, ring.deviceArea] as const
      for (const area of [0, 1, 2] as const) port.writeQueueAddress(0, area, areas[area], 0)
      port.enableQueue(0)
      if (!port.isQueueEnabled(0)) throw new Error('queue refused')
      const queue = target.create(memory, ring)
      port.writeStatus(15)
      const waiting = new Map<number, () => void>()
      return {
        request(done) {
          const head = queue.add([], [{ address: end, length: 16 }], 1)
          if (head < 0) return false
          waiting.set(head, done)
          queue.publish?.()
          if (queue.wantsNotification()) port.notify(0)
          return true
        },
        interrupt() {
          port.takeInterrupts()
          for (let used = queue.reap(); used?.kind === 'used'; used = queue.reap()) waiting.get(used.id)!()
        },
      }
    },
  }
}

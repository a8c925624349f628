/** The drivers of block, console and network devices behind a port: each does its own kind of thing, and is asked to do it again. */
import { type DriverBehindTransport, PortTransport } from '../../../src/testing/index.ts'
import {
  BlkDriver,
  blkContract,
  ConsoleDriver,
  consoleContract,
  NetDriver,
  netContract,
} from '../../../src/virtio/index.ts'

/** Reads and writes of one sector, in memory of its own; with the promises of the rest, which nobody waits for. */
const blk: DriverBehindTransport = {
  name: 'the blk driver',
  deviceId: 2,
  queueSizes: [16],
  connect(port, memory) {
    const transport = new PortTransport(port, memory, blkContract())
    const driver = new BlkDriver(transport, { queueSize: 16, queues: 1 })
    const address = transport.allocate(512, 16)
    let turn = 0
    const ignored = () => {}
    return {
      request(done) {
        if (driver.driver.error !== null) return false
        // A disk of no size has requests of no length.
        const lengthBytes = driver.capacity > 0 ? 512 : 0
        turn++
        if (turn % 5 === 0) driver.read(0, lengthBytes).catch(ignored)
        if (turn % 7 === 0) driver.id().catch(ignored)
        const isWrite = turn % 2 === 0 && !driver.isReadOnly
        const isAdded = isWrite
          ? driver.addWrite(0, address, lengthBytes, done)
          : driver.addRead(0, address, lengthBytes, done)
        if (isAdded) driver.kick()
        return isAdded
      },
      interrupt: () => transport.interrupt(),
    }
  },
}

/** Bytes of the first port, while the device says what it likes of others. */
const terminal: DriverBehindTransport = {
  name: 'the console driver',
  deviceId: 3,
  queueSizes: [8, 8, 8, 8, 8, 8],
  connect(port, memory) {
    const transport = new PortTransport(port, memory, consoleContract(2))
    const driver = new ConsoleDriver(transport, { queueSize: 8, maxPorts: 2, rxBufferBytes: 64 })
    return {
      request(done) {
        if (driver.driver.error !== null) return false
        for (const each of driver.ports.values()) each.write(Uint8Array.of(1, 2, 3)).catch(() => {})
        const transmit = driver.driver.queues[1]!
        if (transmit.ring.freeDescriptors === 0) return false
        transmit.call([Uint8Array.of(7)], { onSettled: () => done() })
        return true
      },
      interrupt: () => transport.interrupt(),
    }
  },
}

/** Frames, which are done when their buffers come back, and commands. */
const net: DriverBehindTransport = {
  name: 'the net driver',
  deviceId: 1,
  queueSizes: [8, 8, 8],
  connect(port, memory) {
    const transport = new PortTransport(port, memory, netContract())
    const driver = new NetDriver(transport, { queueSize: 8, mac: '02:00:00:00:00:07', onFrame: () => {} })
    const frame = new Uint8Array(60)
    const waiting: (() => void)[] = []
    const { ring } = driver.driver.queues[1]!
    return {
      request(done) {
        if (driver.driver.error !== null || !driver.send(frame)) return false
        waiting.push(done)
        // Commands of the driver's own: who waits for them is told of their end.
        if (driver.features.ctrlRx) driver.control.setReceiveMode('promiscuous', true).catch(() => {})
        return true
      },
      interrupt() {
        transport.interrupt()
        driver.poll()
        while (driver.driver.error === null && waiting.length > ring.outstanding) waiting.shift()!()
      },
    }
  },
}

export const DEVICE_DRIVERS: readonly DriverBehindTransport[] = [blk, terminal, net]

/** Net drivers before devices that answer late, in another order, short, or stop; their snapshots, and queues that are reset. */
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  Device,
  type DeviceQueue,
  NetDevice,
  type NetDeviceOptions,
  NetDriver,
  type NetDriverOptions,
  NetPort,
  netContract,
} from 'virtio-sdk/virtio'
import type { Request } from 'virtio-sdk/virtqueue'
import { afterEach, describe, expect, it } from 'vitest'
import { settled } from '../../transport/every-transport.ts'
import { frameOf, MAC_A, MAC_B } from './frames.ts'

const code = (name: string) => expect.objectContaining({ code: name })
const open: NetDriver[] = []
afterEach(() => {
  for (const driver of open.splice(0)) driver.close()
})

/** A device whose queues keep what they get until the test says what becomes of it. */
function odd(options: NetDriverOptions = {}, config = {}) {
  const held: Request[][] = [[], [], []]
  const contract = netContract()
  const device = new Device(
    contract,
    contract.queues.map((_, index) => (queue: DeviceQueue) => {
      for (const request of queue.drain(64)) held[index]!.push(request.defer())
    }),
    {},
    {
      config: { mac: MAC_A, status: 1, mtu: 1500, maxVirtqueuePairs: 1, ...config },
      offer: ['mac', 'mtu', 'mrgRxbuf', 'ctrlVq', 'ctrlRx'],
    },
  )
  const frames: number[] = []
  const driver = new NetDriver(new SharedMemoryTransport(device), {
    queueSize: 4,
    onFrame: ({ lengthBytes }) => frames.push(lengthBytes),
    ...options,
  })
  open.push(driver)
  const [rx, tx, control] = held as [Request[], Request[], Request[]]
  return { device, driver, frames, rx, tx, control }
}

/** A frame behind a header that says `buffers`. */
function packet(length: number, buffers = 1): Uint8Array {
  const bytes = new Uint8Array(12 + length)
  bytes[10] = buffers
  return bytes
}

describe('a device that', () => {
  it('takes frames late: the queue is full until it gives them back, in whatever order', async () => {
    const { driver, tx } = odd()
    await settled()
    let told = 0
    driver.events.on('sendable', () => told++)
    const sent = Array.from({ length: 6 }, () => driver.send(frameOf(MAC_B, MAC_A)))
    expect([sent, tx.length]).toEqual([[true, true, true, true, false, false], 4])
    for (const index of [2, 0]) tx[index]!.complete()
    await settled()
    expect([told, driver.send(frameOf(MAC_B, MAC_A)), driver.send(frameOf(MAC_B, MAC_A))]).toEqual([1, true, true])
    expect(driver.send(frameOf(MAC_B, MAC_A))).toBe(false)
  })

  it('gives receive buffers back in another order, and some too short: a frame is whole, or none', async () => {
    const { frames, rx, driver } = odd()
    await settled()
    expect(rx.length).toBe(4)
    const [a, b, c, d] = rx.splice(0)
    c!.writer.bytes(packet(100))
    c!.complete()
    a!.writer.bytes(packet(5))
    a!.complete()
    d!.complete()
    b!.writer.bytes(packet(60, 2))
    b!.complete()
    await settled()
    expect([frames, driver.malformedFrames, driver.driver.error]).toEqual([[100], 3, null])
    // The buffers are posted again.
    expect(rx.length).toBe(4)
  })

  it('answers a command late, with what is no answer, or not at all', async () => {
    const { driver, control, device } = odd()
    await settled()
    const commands = [1, 2, 3, 4].map((byte) => driver.control.setReceiveMode('promiscuous', byte % 2 === 0))
    const ends = commands.map((command) =>
      command.then(
        () => 'OK',
        (error) => error.code,
      ),
    )
    await settled()
    // Each is three buffers, and the queue has 64.
    expect(control.length).toBe(4)
    control[1]!.writer.u8(0)
    control[1]!.complete()
    control[0]!.complete()
    control[2]!.writer.u8(77)
    control[2]!.complete()
    await settled()
    device.registers.setNeedsReset(new Error('burned'))
    expect(await Promise.all(ends)).toEqual(['NET_COMMAND', 'OK', 'NET_COMMAND', 'DEVICE_NEEDS_RESET'])
    expect(() => driver.send(frameOf(MAC_B, MAC_A))).toThrow('burned')
  })

  it('NET-CFG-DEV-02: has an MTU that no device may have is refused', () => {
    expect(() => odd({}, { mtu: 67 })).toThrow(code('CONFIG_VALUE'))
    expect(odd({}, { mtu: 68 }).driver.maxFrameBytes).toBe(86)
  })
})

function network(options: Partial<NetDeviceOptions> = {}, driverOptions: NetDriverOptions = {}) {
  const device = new NetDevice({ mac: MAC_A, ...options })
  const heard: number[] = []
  const port = new NetPort(({ lengthBytes }) => heard.push(lengthBytes))
  device.outlet = (frame) => port.deliver(frame)
  port.outlet = (frame) => device.deliver(frame)
  const transport = new SharedMemoryTransport(device)
  const came: number[] = []
  const driver = new NetDriver(transport, {
    queueSize: 8,
    onFrame: ({ lengthBytes }) => came.push(lengthBytes),
    ...driverOptions,
  })
  open.push(driver)
  return { device, transport, driver, heard, came, port }
}

it('a queue that is reset alone has its buffers again, and the other goes on', async () => {
  const { driver, port, came, heard } = network()
  for (const name of ['receiveq1', 'transmitq1'] as const) {
    expect(driver.driver.resetQueue(name)).toBe(true)
    for (let i = 0; i < 20; i++) {
      port.send(frameOf(MAC_A, MAC_B, 60 + i))
      expect(driver.send(frameOf(MAC_B, MAC_A, 60 + i))).toBe(true)
      await settled(4)
    }
  }
  expect([came.length, heard.length, driver.malformedFrames]).toEqual([40, 40, 0])
})

it('save and restore: device and driver go on, with filters, pairs, the address, and what is in the rings', async () => {
  const first = network({ pairs: 2 })
  await first.driver.setPairs(2)
  await first.driver.setMac('02:00:00:00:00:77')
  await first.driver.control.setReceiveMode('noBroadcast', true)
  first.driver.send(frameOf(MAC_B, MAC_A))
  const image = first.transport.memory.regions[0]!
  const saved = JSON.parse(JSON.stringify([first.device.registers.saveState(), first.driver.saveState()]))
  const memory = new GuestMemory([
    { base: image.base, size: image.size, buffer: image.u8.slice().buffer as ArrayBuffer },
  ])
  first.driver.close()

  const device = new NetDevice({ mac: MAC_A, pairs: 2 })
  const transport = new SharedMemoryTransport(device, { memory })
  device.registers.restoreState(saved[0])
  const came: number[] = []
  const driver = NetDriver.restore(transport, saved[1], { onFrame: ({ lengthBytes }) => came.push(lengthBytes) })
  open.push(driver)
  driver.poll()
  expect([driver.mac, driver.pairs, device.pairs, device.mac, driver.linkUp]).toEqual([
    ...['02:00:00:00:00:77', 2, 2, '02:00:00:00:00:77', true],
  ])
  const heard: number[] = []
  const port = new NetPort(({ lengthBytes }) => heard.push(lengthBytes))
  device.outlet = (frame) => port.deliver(frame)
  port.outlet = (frame) => device.deliver(frame)
  for (let i = 0; i < 30; i++) {
    expect(driver.send(frameOf(MAC_B, MAC_A, 100))).toBe(true)
    port.send(frameOf('02:00:00:00:00:77', MAC_B, 90))
    port.send(frameOf('ff:ff:ff:ff:ff:ff', MAC_B, 91))
    await settled(4)
  }
  expect([heard.length, came]).toEqual([30, new Array(30).fill(90)])
  await driver.control.setReceiveMode('noBroadcast', false)
  for (const wrong of [
    null,
    { ...saved[1], version: 1 },
    { ...saved[1], mac: 'x' },
    { ...saved[1], usedPairs: 3 },
    { ...saved[1], pairs: [] },
  ]) {
    expect(() => NetDriver.restore(transport, wrong)).toThrow(code('INVALID_STATE'))
  }
})

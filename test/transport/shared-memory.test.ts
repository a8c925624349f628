import { u32le } from 'virtio-sdk'
import { BumpAllocator, GuestMemory } from 'virtio-sdk/memory'
import { type SharedMemoryOptions, SharedMemoryTransport } from 'virtio-sdk/transport'
import { startDriver } from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { adder } from '../virtio/adder.ts'

const request = [u32le(20), u32le(22)]

function connectAdder(options: SharedMemoryOptions) {
  const device = adder.create()
  const transport = new SharedMemoryTransport(device, options)
  return { device, transport, driver: startDriver(transport) }
}

describe('edges', () => {
  it('a doorbell hook is the trap, and decides when the device runs', async () => {
    const traps: number[] = []
    const { device, driver } = connectAdder({ doorbell: (queue) => traps.push(queue) })
    const call = driver.requests.call(request, { reply: 4 })
    expect(traps).toEqual([0])
    expect(device.queues.requests.waiting).toBe(1)
    expect(device.registers.notify(0)).toBe(false)
    expect((await call).bytes[0]).toBe(42)
  })

  it('an interrupt hook is the injection, and decides when the driver hears of it', async () => {
    const raised: [number, number][] = []
    const { transport, driver } = connectAdder({ interrupt: (reason, queue) => raised.push([reason, queue]) })
    const call = driver.requests.call(request, { reply: 4 })
    expect(raised).toEqual([[1, 0]])
    expect(driver.requests.ring.outstanding).toBe(1)
    transport.takeInterrupt()
    expect((await call).bytes[0]).toBe(42)
    expect(transport.registers.interruptStatus).toBe(0)
  })

  it('interrupts are suppressed as the ring says', () => {
    const raised: number[] = []
    const { transport, driver } = connectAdder({ interrupt: (reason) => raised.push(reason) })
    const address = transport.allocate(64, 16)
    driver.requests.ring.disableNotifications()
    driver.requests.post(new BufferList().addReadable(address, 8), () => {})
    expect(raised).toEqual([])
    expect(driver.requests.reap()).toBe(1)
    driver.requests.ring.enableNotifications()
    driver.requests.post(new BufferList().addReadable(address, 8), () => {})
    expect(raised).toEqual([1])
  })

  it('a kick is suppressed while the device does not want it', () => {
    let kicks = 0
    const { device, driver, transport } = connectAdder({ doorbell: () => kicks++ })
    const address = transport.allocate(64, 16)
    device.queues.requests.ring?.disableNotifications()
    driver.requests.post(new BufferList().addReadable(address, 8), () => {})
    expect(kicks).toBe(0)
  })

  it('a driver that kicks from its interrupt handler does not recurse', async () => {
    const { driver, transport } = connectAdder({})
    const address = transport.allocate(64, 16)
    let rounds = 0
    let depth = 0
    let deepest = 0
    const again = () => {
      deepest = Math.max(deepest, ++depth)
      if (++rounds < 20_000) driver.requests.post(new BufferList().addReadable(address, 8), again)
      depth--
    }
    driver.requests.post(new BufferList().addReadable(address, 8), again)
    // The event loop has its turn in between.
    while (rounds < 20_000) await new Promise((resolve) => setImmediate(resolve))
    expect(rounds).toBe(20_000)
    expect(deepest).toBe(1)
  })

  it('configuration changes interrupt without a kick', () => {
    const { device, driver, transport } = connectAdder({})
    let changes = 0
    driver.events.on('config', () => changes++)
    device.config.update({ limit: 5 })
    transport.settle()
    expect([changes, driver.config.limit]).toEqual([1, 5])
  })

  it('museum 26: what is raised after the interrupt was taken interrupts again', () => {
    let pending = 0
    const { device, driver, transport } = connectAdder({ interrupt: () => pending++ })
    let changes = 0
    driver.events.on('config', () => {
      if (++changes === 1) device.config.update({ limit: 6 })
    })
    device.config.update({ limit: 5 })
    while (pending > 0) {
      pending--
      transport.takeInterrupt()
    }
    expect(changes).toBe(2)
  })
})

describe('memory', () => {
  it('works over shared memory, several regions, and addresses past 4 GiB', async () => {
    const memory = new GuestMemory([
      { base: 0, size: 65536 },
      { base: 2 ** 33, size: 2 ** 20, buffer: new SharedArrayBuffer(2 ** 20) },
    ])
    const { driver, transport } = connectAdder({ memory })
    expect(transport.allocate(64, 64)).toBeGreaterThan(2 ** 33 - 1)
    expect((await driver.requests.call(request, { reply: 4 })).bytes[0]).toBe(42)
  })

  it('grants: the device reaches what was granted, and nothing else has an address for it', async () => {
    const memory = GuestMemory.ofSize(2 ** 20)
    const grants = [{ address: 0x10000, lengthBytes: 0x10000 }]
    const granted = new BumpAllocator(0x10000, 0x10000)
    const allocator = { allocate: granted.allocate.bind(granted), free() {} }
    const { device, driver } = connectAdder({ memory, grants, allocator })
    expect((await driver.requests.call(request, { reply: 4 })).bytes[0]).toBe(42)
    const rules: string[] = []
    device.events.on('violation', ({ rule }) => rules.push(rule))
    memory.fill(0x30000, 64, 0xaa)
    driver.requests.post(new BufferList().addReadable(0x10000, 8).addWritable(0x30000, 64), () => {})
    expect(rules).toEqual(['buffer-outside-memory'])
    expect(memory.readU8(0x30000)).toBe(0xaa)
    expect(device.registers.status & 64).toBe(64)
  })

  it('a grant of what is not there is refused', () => {
    const memory = GuestMemory.ofSize(65536)
    for (const [address, lengthBytes] of [
      [65536, 16],
      [65520, 32],
      [-16, 16],
    ] as const) {
      const make = () => new SharedMemoryTransport(adder.create(), { memory, grants: [{ address, lengthBytes }] })
      expect(make).toThrow(expect.objectContaining({ code: 'INVALID_GRANT' }))
    }
  })

  it('rings outside the grant are refused, and the driver is told', () => {
    const memory = GuestMemory.ofSize(65536)
    const grants = [{ address: 0, lengthBytes: 64 }]
    const transport = new SharedMemoryTransport(adder.create(), { memory, grants })
    expect(() => startDriver(transport)).toThrow(expect.objectContaining({ code: 'QUEUE_REFUSED' }))
  })
})

describe('one device, one transport', () => {
  it('a second transport is our own mistake', () => {
    const device = adder.create()
    new SharedMemoryTransport(device)
    expect(() => new SharedMemoryTransport(device)).toThrow('has a transport already')
  })
})

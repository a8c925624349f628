/** Neither side runs inside a turn of the other, and neither can hold the program. */
import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { DeviceRegisters, defineDevice, startDriver } from 'virtio-sdk/virtio'
import { BufferList, type Request, UsedBuffer } from 'virtio-sdk/virtqueue'
import { describe, expect, it, vi } from 'vitest'

describe('a device that is woken by its own host', () => {
  it('does not have the driver run inside its turn', async () => {
    const log: string[] = []
    let depth = 0
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        depth++
        for (const request of queue.drain(1)) {
          request.complete()
          log.push('turn')
        }
        depth--
      },
    })
    const device = definition.create()
    const transport = new SharedMemoryTransport(device, { doorbell: () => {} })
    const driver = startDriver(transport)
    const address = transport.allocate(64, 16)
    const buffers = new BufferList().addReadable(address, 4)
    for (let i = 0; i < 3; i++) driver.requests.add(buffers, () => log.push(`completion, depth ${depth}`))
    driver.requests.kick()
    device.queues.requests.wake()
    expect(log).toEqual(['turn', 'turn', 'turn'])
    await Promise.resolve()
    expect(log.slice(3)).toEqual(Array(3).fill('completion, depth 0'))
  })

  it('completes several deferred requests without the driver in between', async () => {
    const held: Request[] = []
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        for (const request of queue.drain(8)) held.push(request.defer())
      },
    })
    const transport = new SharedMemoryTransport(definition.create())
    const driver = startDriver(transport)
    const address = transport.allocate(64, 16)
    const buffers = new BufferList().addReadable(address, 4)
    // The driver reposts at once, which the model must not see in the middle of its loop.
    const repost = () => driver.requests.post(buffers, () => {})
    for (let i = 0; i < 3; i++) driver.requests.post(buffers, repost)
    expect(held).toHaveLength(3)
    for (const request of held) request.complete()
    expect(held).toHaveLength(3)
    held.length = 0
    await Promise.resolve()
    expect(held).toHaveLength(3)
  })

  it('is not served by a driver that has no time to run: the host is let go, and the device polled later', async () => {
    let turns = 0
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        turns++
        // A model that always wants another turn.
        queue.wake()
      },
    })
    const device = definition.create()
    const transport = new SharedMemoryTransport(device)
    startDriver(transport)
    device.queues.requests.wake()
    expect(turns).toBe(64)
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(turns).toBeGreaterThan(64)
    transport.writeStatus(0)
  })

  it('behind a transport that cannot come back is stopped, and says so', () => {
    const faults: unknown[] = []
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        queue.wake()
      },
    })
    const device = definition.create()
    device.events.on('fault', (error) => faults.push(error))
    const attach = DeviceRegisters.prototype.attach
    DeviceRegisters.prototype.attach = function (transport) {
      attach.call(this, { memory: transport.memory, raiseInterrupt: () => {} })
    }
    try {
      startDriver(new SharedMemoryTransport(device))
    } finally {
      DeviceRegisters.prototype.attach = attach
    }
    device.queues.requests.wake()
    expect(faults).toEqual([expect.objectContaining({ code: 'NEVER_IDLE' })])
    expect(device.registers.isLive).toBe(false)
  })
})

it('two sides that always have an answer for each other let the event loop have its turn', async () => {
  const definition = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      for (const _ of queue.drain(8));
    },
  })
  const transport = new SharedMemoryTransport(definition.create())
  const driver = startDriver(transport)
  const buffers = new BufferList().addReadable(transport.allocate(64, 16), 4)
  let reposts = 0
  const repost = () => {
    reposts++
    driver.requests.post(buffers, repost)
  }
  repost()
  const first = reposts
  // 1024 interrupts, each of a turn of at most eight completions.
  expect(first).toBeLessThanOrEqual(1024 * 8)
  // A timer of the event loop looks, so that it has its turn; and the exchange has its own, sooner or later.
  await vi.waitFor(() => expect(reposts).toBeGreaterThan(first))
  driver.close()
  const atEnd = reposts
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(reposts).toBe(atEnd)
})

it('a driver in another thread that reposts at once lets the event loop have its turn', async () => {
  let turns = 0
  const definition = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      turns++
      for (const request of queue.drain(8)) request.complete()
      // As the other thread would: it never kicks.
      while (driver.requests.ring.popUsed(used));
      while (driver.requests.ring.add(buffers) >= 0);
      driver.requests.ring.publish()
    },
  })
  const used = new UsedBuffer()
  const transport = new SharedMemoryTransport(definition.create())
  const driver = startDriver(transport)
  driver.requests.onUsed = () => {}
  const buffers = new BufferList().addReadable(transport.allocate(64, 16), 4)
  driver.requests.ring.add(buffers)
  driver.requests.kick()
  expect(turns).toBeGreaterThan(64)
  expect(turns).toBeLessThanOrEqual(1024 + 64)
  await new Promise((resolve) => setImmediate(resolve))
  expect(turns).toBeGreaterThan(1024 + 64)
  driver.close()
})

it('an interrupt that came while there was no handler is kept for the next', async () => {
  const definition = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      for (const request of queue.drain(8)) request.writer.u32(request.reader.u32())
    },
  })
  const transport = new SharedMemoryTransport(definition.create())
  const driver = startDriver(transport)
  transport.onInterrupt(null)
  const call = driver.requests.call([u32le(9)], { reply: 4 })
  await Promise.resolve()
  transport.onInterrupt(() => driver.handleInterrupt())
  expect((await call).bytes[0]).toBe(9)
})

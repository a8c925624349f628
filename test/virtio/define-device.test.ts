import { u32le } from 'virtio-sdk'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { bytes, defineDevice, startDriver, u8 } from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { adder, SpyTransport } from './adder.ts'

describe('defineDevice', () => {
  it('serves requests with negotiated features and configuration', async () => {
    const device = adder.create({ config: { limit: 10 } })
    const driver = startDriver(new SpyTransport(device), { want: ['checksum'] })
    const call = () => driver.requests.call([u32le(7), u32le(5)], { reply: 8 })
    expect([...new Uint32Array((await call()).bytes.buffer)]).toEqual([2, 2])
    device.config.update({ limit: 100 })
    expect(new Uint32Array((await call()).bytes.buffer)[0]).toBe(12)
    driver.close()
    const plain = startDriver(new SharedMemoryTransport(adder.create()))
    expect((await plain.requests.call([u32le(7), u32le(5)], { reply: 8 })).bytes.length).toBe(4)
  })

  it('refuses what no device can be', () => {
    const queues = [{ name: 'q', size: 8 }] as const
    const q = () => {}
    const refused = expect.objectContaining({ code: 'CONTRACT' })
    expect(() => defineDevice({ id: 0, queues, q })).toThrow(refused)
    expect(() => defineDevice({ id: 1, queues: [{ name: 'q', size: 12 }], q })).toThrow(refused)
    expect(() => defineDevice({ id: 1, queues: [...queues, ...queues], q })).toThrow(refused)
    for (const bit of [24, 29, 32, 41, 49, 128, -1, 1.5]) {
      expect(() => defineDevice({ id: 1, queues, features: { odd: bit }, q })).toThrow(refused)
    }
    expect(() => defineDevice({ id: 1, queues, config: { a: u8('a', { feature: 'nobody' }) }, q })).toThrow(refused)
    expect(() =>
      defineDevice({ id: 1, queues, config: { a: bytes('a', 2) }, q }).create({ config: { a: Uint8Array.of(1) } }),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_VALUE' }))
  })
})

describe('a handler that throws', () => {
  function throwing(policy: 'reject' | 'needs-reset') {
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        for (const request of queue.drain(8)) {
          const value = request.reader.u32()
          request.writer.u32(value)
          if (value === 13) throw new Error('unlucky')
        }
      },
    })
    const device = definition.create({ policy })
    const faults: unknown[] = []
    device.events.on('fault', (error, queue) => faults.push([(error as Error).message, queue]))
    return { device, faults, driver: startDriver(new SharedMemoryTransport(device)) }
  }

  it('gives its request back, is reported, and the rest is served under policy reject', async () => {
    const { device, faults, driver } = throwing('reject')
    const replies = await Promise.all([1, 13, 2].map((value) => driver.requests.call([u32le(value)], { reply: 4 })))
    expect(replies.map(({ bytes: reply }) => reply[0])).toEqual([1, 13, 2])
    expect(faults).toEqual([['unlucky', 0]])
    expect(device.registers.isLive).toBe(true)
  })

  it('STATUS-DEV-02: needs a reset otherwise; a new driver starts afresh', async () => {
    const { device, faults, driver } = throwing('needs-reset')
    await expect(driver.requests.call([u32le(13)], { reply: 4 })).rejects.toThrow(
      expect.objectContaining({ code: 'DEVICE_NEEDS_RESET' }),
    )
    expect(faults.length).toBe(1)
    expect(device.registers.status & 64).toBe(64)
    const again = startDriver(driver.transport, { contract: device.contract })
    expect((await again.requests.call([u32le(1)], { reply: 4 })).bytes[0]).toBe(1)
  })
})

describe('turns', () => {
  it('museum 21: a run is bounded however fast the driver refills, and poll goes on', () => {
    let calls = 0
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 128 }],
      requests(queue) {
        calls++
        for (const _ of queue.drain(1)) break
      },
    })
    const device = definition.create()
    let left: boolean | null = null
    const transport = new SharedMemoryTransport(device, {
      doorbell: (queue) => (left = device.registers.notify(queue)),
    })
    const driver = startDriver(transport)
    const address = transport.allocate(64, 16)
    let done = 0
    for (let i = 0; i < 100; i++) driver.requests.add(new BufferList().addReadable(address, 4), () => done++)
    driver.requests.kick()
    expect([calls, left]).toEqual([64, true])
    expect(device.poll()).toBe(false)
    expect(calls).toBe(100)
    expect(device.poll()).toBe(false)
    transport.settle()
    expect(done).toBe(100)
  })

  it('museum 33: a turn that ends at its bound, or early, does not lose the next kick', async () => {
    for (const size of [4, 8]) {
      const driver = startDriver(new SharedMemoryTransport(adder.create()), { queueSizes: { requests: size } })
      const address = driver.transport.allocate(64, 16)
      let done = 0
      for (let round = 0; round < 20; round++) {
        // Four is what the adder drains in one turn.
        for (let i = 0; i < 4; i++) driver.requests.add(new BufferList().addReadable(address, 8), () => done++)
        driver.requests.kick()
        expect(done).toBe(4 * (round + 1))
      }
    }
  })

  it('a handler that takes nothing is not called again and again', () => {
    let calls = 0
    const definition = defineDevice({ id: 9, queues: [{ name: 'rx', size: 8 }], rx: () => void calls++ })
    const device = definition.create()
    const driver = startDriver(new SharedMemoryTransport(device))
    driver.rx.post(new BufferList().addWritable(driver.transport.allocate(64, 16), 64), () => {})
    expect(calls).toBe(1)
    expect(device.queues.rx.waiting).toBe(1)
    device.queues.rx.wake()
    expect(calls).toBe(2)
  })
})

describe('deferred requests', () => {
  it('museum 28: are completed later, and after a reset come to nothing', async () => {
    const waiting: (() => void)[] = []
    const definition = defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      requests(queue) {
        for (const request of queue.drain(8)) {
          const later = request.defer()
          waiting.push(() => {
            if (later.pending) later.complete()
          })
        }
      },
    })
    const device = definition.create()
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport)
    const first = driver.requests.call([u32le(1)], { reply: 4 })
    waiting.shift()?.()
    expect((await first).bytes.length).toBe(0)
    const second = driver.requests.call([u32le(2)], { reply: 4 })
    driver.close()
    await expect(second).rejects.toThrow(expect.objectContaining({ code: 'DRIVER_CLOSED' }))
    const before = transport.memory.regions[0]!.u8.slice()
    waiting.shift()?.()
    expect(Buffer.compare(transport.memory.regions[0]!.u8, before)).toBe(0)
    expect(device.registers.interruptStatus).toBe(0)
  })
})

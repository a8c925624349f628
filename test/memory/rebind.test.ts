/** Rings over adjacent regions, and buffers that are taken away under a device, as those of WebAssembly memories are. */
import { u32le } from 'virtio-sdk'
import { GuestMemory } from 'virtio-sdk/memory'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { defineDevice, startDriver } from 'virtio-sdk/virtio'
import {
  BufferList,
  DescriptorChain,
  layoutSplitQueue,
  type Request,
  RequestQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
  UsedBuffer,
} from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src/internal/random.ts'

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('a ring that spans adjacent regions', () => {
  const layout = layoutSplitQueue(8, 0)

  /** Cut at every multiple of 16 in the ring: buffers of their own, shared or not. */
  const cuts = Array.from({ length: Math.ceil(layout.bytes / 16) - 1 }, (_, i) => 16 * (i + 1))

  it.each([['private'], ['shared'], ['half shared']])('works wherever it is cut: %s memory', (kind) => {
    const bufferOf = (bytes: number, first: boolean) =>
      kind === 'shared' || (kind === 'half shared' && first) ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
    for (const cut of cuts) {
      const memory = new GuestMemory([
        { base: 0, size: cut, buffer: bufferOf(cut, true) },
        { base: cut, size: 4096 - cut, buffer: bufferOf(4096 - cut, false) },
      ])
      for (const eventIdx of [false, true]) {
        const config = { size: 8, ...layout, eventIdx, indirect: true }
        const driver = new SplitDriverQueue(memory, { ...config, indirectArea: 2048, indirectLength: 2 })
        const device = new SplitDeviceQueue(memory, config)
        const chain = new DescriptorChain()
        const used = new UsedBuffer()
        const random = new Random(cut)
        for (let round = 0; round < 40; round++) {
          const buffers = new BufferList().addReadable(3000, 4 + (round % 8)).addWritable(3100, 8)
          expect(driver.add(buffers, random.chance(0.5) ? 0 : 2)).toBeGreaterThanOrEqual(0)
          driver.publish()
          driver.needsNotification()
          expect(device.popAvailable(chain)).toBe(true)
          expect([chain.readableBytes, chain.writableBytes]).toEqual([4 + (round % 8), 8])
          device.addUsed(chain.id, round % 9)
          device.publish()
          expect(device.needsNotification()).toBe(true)
          expect([driver.popUsed(used), used.writtenBytes]).toEqual([true, round % 9])
          // Which re-arms for the next.
          expect(driver.popUsed(used)).toBe(false)
          expect(device.popAvailable(chain)).toBe(false)
        }
      }
    }
  })

  it('of one buffer is one piece', () => {
    const buffer = new ArrayBuffer(8192)
    const memory = new GuestMemory([
      { base: 0, size: 64, buffer },
      { base: 64, size: 4096, buffer, byteOffset: 64 },
    ])
    const driver = new SplitDriverQueue(memory, { size: 8, ...layout })
    driver.add(new BufferList().addReadable(3000, 4))
    driver.publish()
    expect(new Uint16Array(buffer)[layout.driverArea / 2 + 1]).toBe(1)
  })

  it('is refused over a hole, and over scattered pages', () => {
    const hole = new GuestMemory([
      { base: 0, size: 64 },
      { base: 80, size: 4096 },
    ])
    expect(() => new SplitDriverQueue(hole, { size: 8, ...layout })).toThrow('not backed by memory')
    const buffer = new ArrayBuffer(4 * 4096)
    const pages = new GuestMemory([{ base: 0, size: 8192, buffer, frames: Int32Array.of(2, 0) }])
    expect(() => new SplitDriverQueue(pages, { size: 8, ...layoutSplitQueue(8, 4096 - 32) })).toThrow(
      'not in one piece of memory but in 2',
    )
  })

  it('IMP-VQS-02: areas that overlap are found in any piece', () => {
    const buffer = new ArrayBuffer(8192)
    const memory = new GuestMemory([
      { base: 0, size: 64, buffer: new ArrayBuffer(64) },
      { base: 64, size: 4096, buffer },
      // The same bytes once more.
      { base: 0x10000, size: 4096, buffer },
    ])
    const overlapping = { ...layout, deviceArea: 0x10000 }
    expect(() => new SplitDriverQueue(memory, { size: 8, ...overlapping })).toThrow('overlap')
  })
})

const BASE = 0x4000_0000
const BYTES = 1 << 20

function detachable() {
  const held: Request[] = []
  const definition = defineDevice({
    id: 0x1234,
    queues: [{ name: 'requests', size: 8 }],
    requests(queue) {
      for (const request of queue.drain(8)) {
        request.writer.u16(request.reader.u16())
        held.push(request.defer())
      }
    },
  })
  const device = definition.create()
  const memory = new GuestMemory([{ base: BASE, size: BYTES, buffer: new ArrayBuffer(BYTES) }])
  const faults: unknown[] = []
  device.events.on('fault', (error) => faults.push(error))
  const grow = () =>
    structuredClone(memory.regions[0]!.u8.buffer as ArrayBuffer, {
      transfer: [memory.regions[0]!.u8.buffer as ArrayBuffer],
    })
  return { device, memory, held, faults, grow }
}

describe('a buffer that is detached', () => {
  it('is noticed at the next kick and at a poll: a fault, and the device needs a reset', () => {
    for (const look of ['kick', 'poll']) {
      const { device, memory, faults, grow } = detachable()
      const transport = new SharedMemoryTransport(device, { memory, doorbell: () => {} })
      const driver = startDriver(transport)
      expect([memory.isDetached, device.registers.notify(0)]).toEqual([false, false])
      grow()
      expect(memory.isDetached).toBe(true)
      if (look === 'kick') device.registers.notify(0)
      else device.poll()
      expect(faults).toEqual([code('MEMORY_DETACHED')])
      expect([device.registers.isLive, device.registers.resetCause]).toEqual([false, faults[0]])
      // Once is enough.
      device.registers.notify(0)
      device.poll()
      expect(faults).toHaveLength(1)
      transport.settle()
      expect(driver.error).toMatchObject({ code: 'DEVICE_NEEDS_RESET', cause: faults[0] })
    }
  })

  it('is replaced by rebind: rings go on, and requests that were deferred', async () => {
    for (const grants of [undefined, [{ address: BASE, lengthBytes: BYTES / 2 }]]) {
      const { device, memory, held, faults, grow } = detachable()
      const transport = new SharedMemoryTransport(device, { memory, ...(grants && { grants }) })
      const driver = startDriver(transport, { indirectLength: 4 })
      const before = driver.requests.call([u32le(0x0001_0001), u32le(0)], { reply: 4 })
      expect(held).toHaveLength(1)
      const buffer = grow()
      memory.rebind(BASE, buffer)
      const after = driver.requests.call([u32le(0x0002_0002)], { reply: 4 })
      for (const request of held) {
        request.writer.u16(request.reader.u16())
        request.complete()
      }
      expect((await before).bytes).toEqual(u32le(0x0001_0001))
      expect((await after).bytes).toEqual(u32le(0x0002_0002))
      expect(faults).toEqual([])
    }
  })

  it('is not replaced by one that does not hold the region', () => {
    const { memory } = detachable()
    expect(() => memory.rebind(BASE, new ArrayBuffer(BYTES - 16))).toThrow(code('INVALID_REGION'))
    expect(() => memory.rebind(BASE, new ArrayBuffer(BYTES), 16)).toThrow(code('INVALID_REGION'))
    expect(() => memory.rebind(0, new ArrayBuffer(BYTES))).toThrow(code('OUT_OF_BOUNDS'))
    memory.writeU32(BASE, 7)
    memory.rebind(BASE + 100, new ArrayBuffer(2 * BYTES), BYTES)
    expect(memory.readU32(BASE)).toBe(0)
  })
})

describe('onDeviceWrite', () => {
  it('tells exactly what changed in the memory while the device ran', () => {
    for (const eventIdx of [false, true]) {
      const random = new Random(7)
      const memory = GuestMemory.ofSize(65536)
      const layout = layoutSplitQueue(8, 0)
      const config = { size: 8, ...layout, eventIdx }
      const driver = new SplitDriverQueue(memory, config)
      const told: [number, number][] = []
      const device = new SplitDeviceQueue(memory, {
        ...config,
        onWrite: (address, length) => told.push([address, length]),
      })
      const requests = new RequestQueue(device)
      const { u8 } = memory.regions[0]!
      const used = new UsedBuffer()
      for (let round = 0; round < 60; round++) {
        const count = random.between(1, 2)
        for (let i = 0; i < count; i++) {
          const buffers = new BufferList().addReadable(1024, 8)
          for (let part = 0; part < 3; part++) buffers.addWritable(4096 + 512 * (3 * i + part), random.between(1, 100))
          driver.add(buffers)
        }
        driver.publish()
        const before = u8.slice()
        told.length = 0
        for (const request of requests.drain(8)) {
          const { writer } = request
          const bytes = random.between(0, writer.remaining)
          for (let i = 0; i < bytes; i++) writer.u8(random.between(0, 255))
          if (random.chance(0.3)) writer.copyFrom(request.reader, Math.min(writer.remaining, 8))
        }
        if (random.chance(0.2)) device.disableNotifications()
        else device.enableNotifications()
        const covered = new Uint8Array(u8.length)
        for (const [address, length] of told) covered.fill(1, address, address + length)
        const missed = Array.from(u8.keys()).filter((i) => u8[i] !== before[i] && covered[i] === 0)
        expect(missed).toEqual([])
        expect(told.every(([, length]) => length > 0)).toBe(true)
        while (driver.popUsed(used)) {}
      }
    }
  })

  it('tells of what was written into a request that a reset ends', () => {
    const { device, memory, held } = detachable()
    const told: [number, number][] = []
    const transport = new SharedMemoryTransport(device, {
      memory,
      onDeviceWrite: (address, length) => told.push([address, length]),
    })
    const driver = startDriver(transport)
    driver.requests.call([u32le(5)], { reply: 4 }).catch(() => {})
    const [address] = held[0]!.chain.address.subarray(1)
    driver.close()
    expect(told).toContainEqual([address, 2])
  })
})

it('a memory that was made to keep its buffers refuses another one', () => {
  const memory = GuestMemory.fixed([{ base: 0, size: 4096 }])
  expect(() => memory.rebind(0, new ArrayBuffer(4096))).toThrowError(code('INVALID_REGION'))
  memory.writeU8(5, 7)
  expect(memory.readU8(5)).toBe(7)
})

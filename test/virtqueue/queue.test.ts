import { describe, expect, it } from 'vitest'
import { GuestMemory } from '../../src/memory/index.ts'
import {
  BufferList,
  DescriptorChain,
  indirectTablesBytes,
  layoutRing,
  openDeviceRing,
  openDriverRing,
  type QueueFormat,
  ringAreaBytes,
  ringBytes,
  ringSizeAtMost,
  UsedBuffer,
} from '../../src/virtqueue/index.ts'

const FORMATS: readonly QueueFormat[] = ['split', 'packed']

describe.each(FORMATS)('a %s ring behind the facade', (format) => {
  const SIZE = 8
  const BUFFERS = 0x4000

  function open() {
    const memory = GuestMemory.ofSize(0x8000)
    const location = { size: SIZE, ...layoutRing(format, SIZE, 0x1000) }
    return {
      memory,
      location,
      driver: openDriverRing(format, memory, location),
      device: openDeviceRing(format, memory, location),
    }
  }

  it('carries a request there and back, and both sides say what they are', () => {
    const { memory, driver, device } = open()
    memory.writeU32(BUFFERS, 41)
    const id = driver.add(new BufferList().addReadable(BUFFERS, 4).addWritable(BUFFERS + 4, 4))
    driver.publish()
    const chain = new DescriptorChain()
    expect([driver.format, device.format, driver.needsNotification(), device.popAvailable(chain)]).toEqual([
      format,
      format,
      true,
      true,
    ])
    memory.writeU32(BUFFERS + 4, memory.readU32(BUFFERS) + 1)
    device.addUsed(chain.id, 4)
    device.publish()
    const used = new UsedBuffer()
    expect([device.needsNotification(), driver.popUsed(used), { ...used }]).toEqual([
      true,
      true,
      { id, writtenBytes: 4 },
    ])
    expect([memory.readU32(BUFFERS + 4), driver.freeDescriptors]).toEqual([42, SIZE])
  })

  it('is saved as plain data that says its format and version, and goes on in another object', () => {
    const { memory, location, driver, device } = open()
    const id = driver.add(new BufferList().addWritable(BUFFERS, 4))
    driver.publish()
    device.popAvailable(new DescriptorChain())
    const state = JSON.parse(JSON.stringify({ driver: driver.saveState(), device: device.saveState() }))
    expect(state.driver).toMatchObject({ version: 2, format, size: SIZE })
    expect(state.device).toMatchObject({ version: 2, format, size: SIZE, nextUsed: state.driver.nextUsed })
    expect(state.device.nextAvailable).toBe(state.driver.nextAvailable)
    const next = openDeviceRing(format, memory, location)
    next.restoreState(state.device)
    next.addUsed(id, 2)
    next.publish()
    const used = new UsedBuffer()
    expect([openDriverRing(format, memory, location, state.driver).popUsed(used), used.writtenBytes]).toEqual([true, 2])
  })

  it('says how much memory it needs', () => {
    for (const size of [1, 2, 64, 32768]) {
      const layout = layoutRing(format, size, 0x1000)
      const [descriptors, driver, device] = ringAreaBytes(format, size)
      expect(layout.driverArea).toBeGreaterThanOrEqual(layout.descriptorArea + descriptors!)
      expect(layout.deviceArea).toBeGreaterThanOrEqual(layout.driverArea + driver!)
      expect(layout.bytes).toBe(layout.deviceArea + device! - 0x1000)
      expect(ringBytes(format, size)).toBe(layout.bytes)
      expect(ringSizeAtMost(format, size)).toBe(size)
    }
    expect(indirectTablesBytes(8, 3)).toBe(8 * 3 * 16)
  })
})

// IMP-VQP-15
it('a split ring has a power of two of entries, a packed one any number', () => {
  const sizes = [1, 3, 255, 256, 32767, 65535]
  expect(sizes.map((most) => ringSizeAtMost('split', most))).toEqual([1, 2, 128, 256, 16384, 32768])
  expect(sizes.map((most) => ringSizeAtMost('packed', most))).toEqual([1, 3, 255, 256, 32767, 32768])
})

it('a format that is none is refused by name', () => {
  const wrong = 'paired' as QueueFormat
  expect(() => layoutRing(wrong, 8, 0)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})

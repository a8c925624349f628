import { describe, expect, it } from 'vitest'
import { GuestMemory, PAGE_SIZE } from '../../../src/memory/index.ts'
import { layoutSplitQueue, ringBytes, SplitDeviceQueue, SplitDriverQueue } from '../../../src/virtqueue/index.ts'
import { SplitRing } from '../../../src/virtqueue/split/split-layout.ts'
import { RawRing } from './raw-ring.ts'

const INVALID = expect.objectContaining({ code: 'INVALID_QUEUE' })

describe('layout', () => {
  it('VQS-DRV-01: aligns the areas to 16, 2 and 4 at every size', () => {
    for (let size = 1; size <= 32768; size *= 2) {
      const { descriptorArea, driverArea, deviceArea, bytes } = layoutSplitQueue(size, 0x30)
      expect([descriptorArea % 16, driverArea % 2, deviceArea % 4]).toEqual([0, 0, 0])
      expect(driverArea - descriptorArea).toBe(16 * size)
      expect(deviceArea - driverArea).toBeGreaterThanOrEqual(6 + 2 * size)
      expect(bytes).toBe(deviceArea + 6 + 8 * size - 0x30)
      expect(ringBytes('split', size)).toBe(bytes)
    }
  })

  it('IMP-VQS-02: refuses sizes that are no power of two in 1..32768', () => {
    for (const size of [0, -1, 3, 12, 1.5, 65536, Number.NaN, 2 ** 32 + 16]) {
      expect(() => layoutSplitQueue(size, 0), String(size)).toThrow(INVALID)
    }
  })
})

describe('activation', () => {
  const { location } = new RawRing(16)

  it('asks for ordered access when any of the areas is shared', () => {
    const areas = { size: 16, descriptorArea: 0, driverArea: PAGE_SIZE, deviceArea: 2 * PAGE_SIZE }
    for (let mask = 0; mask < 8; mask++) {
      const regions = [0, 1, 2].map((i) => {
        const Buffer = ((mask >> i) & 1) === 1 ? SharedArrayBuffer : ArrayBuffer
        return { base: i * PAGE_SIZE, size: PAGE_SIZE, buffer: new Buffer(PAGE_SIZE) }
      })
      expect(new SplitRing(new GuestMemory(regions), areas).shared).toBe(mask !== 0)
    }
  })

  it('VQS-DRV-01: refuses misaligned areas, on both sides', () => {
    for (const change of [
      { descriptorArea: location.descriptorArea + 8 },
      { driverArea: location.driverArea + 1 },
      { deviceArea: location.deviceArea + 2 },
      { deviceArea: -4 },
      { deviceArea: 2 ** 53 },
    ]) {
      const memory = GuestMemory.ofSize(0x1_0000)
      expect(() => new SplitDeviceQueue(memory, { ...location, ...change })).toThrow(INVALID)
      expect(() => new SplitDriverQueue(memory, { ...location, ...change })).toThrow(INVALID)
    }
  })

  it('museum 22: refuses areas that overlap, leave RAM, or straddle a hole', () => {
    const memory = new GuestMemory([
      { base: 0, size: 0x2000 },
      { base: 0x3000, size: 0x1000 },
    ])
    for (const change of [
      { driverArea: location.descriptorArea },
      { deviceArea: location.driverArea - 2 },
      { deviceArea: location.driverArea + 4 * 9 },
      { descriptorArea: 0x1f80 },
      { descriptorArea: 0x3f80 },
      { deviceArea: 0x10_0000 },
    ]) {
      expect(() => new SplitDeviceQueue(memory, { ...location, ...change }), JSON.stringify(change)).toThrow(INVALID)
    }
    expect(() => new SplitDeviceQueue(memory, { ...location, descriptorArea: 0x1f00 })).not.toThrow()
  })

  it('museum 22: sees overlap behind two addresses of one page, and refuses a ring in pieces', () => {
    const buffer = new ArrayBuffer(4 * PAGE_SIZE)
    const alias = new GuestMemory([{ base: 0, size: 2 * PAGE_SIZE, buffer, frames: Int32Array.of(1, 1) }])
    const split = { size: 16, descriptorArea: 0, driverArea: PAGE_SIZE, deviceArea: 512 }
    expect(() => new SplitDeviceQueue(alias, split)).toThrow(/overlap/)
    const scattered = new GuestMemory([{ base: 0, size: 2 * PAGE_SIZE, buffer, frames: Int32Array.of(3, 1) }])
    expect(() => new SplitDeviceQueue(scattered, { ...split, descriptorArea: PAGE_SIZE - 128 })).toThrow(/one piece/)
    const adjacent = new GuestMemory([{ base: 0, size: 2 * PAGE_SIZE, buffer, frames: Int32Array.of(2, 3) }])
    expect(
      () => new SplitDeviceQueue(adjacent, { ...split, descriptorArea: PAGE_SIZE - 128, driverArea: 2048 }),
    ).not.toThrow()
  })

  it('VQS-NTF-DRV-06: the driver zeroes what the device will read and write; the device writes nothing', () => {
    const ring = new RawRing(8)
    const dirty = new Uint8Array(ring.layout.bytes).fill(0xa5)
    ring.memory.write(ring.layout.descriptorArea, dirty)
    ring.device({ eventIdx: true })
    const after = new Uint8Array(ring.layout.bytes)
    ring.memory.read(ring.layout.descriptorArea, after)
    expect(after).toEqual(dirty)
    new SplitDriverQueue(ring.memory, ring.location)
    expect([ring.availableFlags, ring.usedFlags, ring.usedIndex, ring.usedEvent, ring.availEvent]).toEqual([
      0, 0, 0, 0, 0,
    ])
  })
})

/** What either side may offer and take, and what a driver does with a device that is odd, as real ones are. */
import { u32le } from 'virtio-sdk'
import { type SharedMemoryOptions, SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  defineDevice,
  FeatureSet,
  le64,
  startDriver,
  u32,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
  VIRTIO_ID_RNG,
} from 'virtio-sdk/virtio'
import { BufferList } from 'virtio-sdk/virtqueue'
import { describe, expect, it } from 'vitest'
import { BufferHeap } from '../../src/transport/buffer-heap.ts'
import { ON_SPLIT_RINGS } from '../on-split-rings.ts'
import { type AdderContract, adder, SpyTransport } from './adder.ts'
import { BareDevice } from './bare-device.ts'

const FEATURES = expect.objectContaining({ code: 'FEATURES' })
const REAL = new Set([28, 29, 32, 34, 40])

describe('common features are a choice among what is there', () => {
  it('FEAT-DEV-04, RFB-DEV-10: of a device, every other bit is refused', () => {
    for (let bit = 0; bit < 128; bit++) {
      const make = () => new BareDevice({ commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1, bit) })
      if (REAL.has(bit)) make()
      else expect(make, `bit ${bit}`).toThrow(FEATURES)
    }
  })

  it('FEAT-DEV-04: the bits of the framework are no features of a device type', () => {
    for (let bit = 0; bit < 128; bit++) {
      const make = () => new BareDevice({ features: FeatureSet.of(bit) })
      if (bit >= 24 && bit < 50 && bit !== 42) expect(make, `bit ${bit}`).toThrow(FEATURES)
      else make()
    }
  })

  it('FEAT-DRV-05, RFB-DRV-10: of a driver, every other bit is refused, offered or not', () => {
    for (let bit = 0; bit < 128; bit++) {
      const start = () => startDriver(new SpyTransport(adder.create()), { commonFeatures: FeatureSet.of(bit) })
      if (REAL.has(bit) || bit === VIRTIO_F_ACCESS_PLATFORM || bit === VIRTIO_F_ORDER_PLATFORM) start()
      else expect(start, `bit ${bit}`).toThrow(FEATURES)
    }
  })
})

/** A device whose offer is more than ours ever make. */
class Offering extends SpyTransport {
  extra = FeatureSet.empty
  accepted = FeatureSet.empty
  readonly windowsWritten: number[] = []

  override readDeviceFeatures(window: number): number {
    return super.readDeviceFeatures(window) | this.extra.window(window)
  }

  override writeDriverFeatures(window: number, word: number): void {
    this.windowsWritten.push(window)
    this.accepted = this.accepted.withWindow(window, word)
    super.writeDriverFeatures(window, (word & ~this.extra.window(window)) >>> 0)
  }
}

describe('a driver', () => {
  it('RFB-DRV-03, RFB-DRV-07: takes ACCESS_PLATFORM and ORDER_PLATFORM when they are offered, whatever commonFeatures says', () => {
    const transport = new Offering(adder.create())
    transport.extra = FeatureSet.of(VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_ORDER_PLATFORM)
    const driver = startDriver(transport, { commonFeatures: FeatureSet.empty })
    expect(driver.featureSet.toArray()).toEqual([32, 33, 36])
    expect(transport.accepted.toArray()).toEqual([32, 33, 36])
  })

  it('writes no window in which it accepts nothing', () => {
    const transport = new Offering(adder.create())
    startDriver(transport, { commonFeatures: FeatureSet.empty })
    startDriver(transport)
    expect(transport.windowsWritten).toEqual([1, 0, 1])
  })

  it("finds VERSION_1 alone in two windows that repeat, as QEMU's mmio shows them", ON_SPLIT_RINGS, () => {
    for (const fold of [(window: number) => Math.min(window, 1), (window: number) => window % 2]) {
      class TwoWindows extends SpyTransport {
        override readDeviceFeatures(window: number): number {
          return super.readDeviceFeatures(fold(window))
        }
        override writeDriverFeatures(window: number, word: number): void {
          super.writeDriverFeatures(fold(window), word)
        }
      }
      const driver = startDriver(new TwoWindows(adder.create()), { want: ['checksum'] })
      expect(driver.featureSet.toArray()).toEqual([0, 29, 32, 40])
      expect(driver.features.checksum).toBe(true)
    }
  })

  it('names what it did not accept when the device refuses the rest', () => {
    class Strict extends SpyTransport {
      override readDeviceFeatures(window: number): number {
        return super.readDeviceFeatures(window) | FeatureSet.of(24, 38).window(window)
      }
      override readStatus(): number {
        return super.readStatus() & ~8
      }
    }
    expect(() => startDriver(new Strict(adder.create()))).toThrow(
      expect.objectContaining({
        code: 'FEATURES_REFUSED',
        message: expect.stringMatching(
          /^the device refuses VIRTIO_F_EVENT_IDX, .*not accepted: feature 0, feature 1, feature 24, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_NOTIFICATION_DATA$/,
        ),
      }),
    )
  })
})

it(
  'RFB-DEV-03: a transport that grants part of the memory offers ACCESS_PLATFORM, and the driver takes it',
  ON_SPLIT_RINGS,
  async () => {
    const grants = [{ address: 0x4000_0000, lengthBytes: 1 << 20 }]
    const offered = (options: SharedMemoryOptions) => {
      const transport = new SharedMemoryTransport<AdderContract>(adder.create(), options)
      return { transport, has: transport.registers.offeredFeatures.has(VIRTIO_F_ACCESS_PLATFORM) }
    }
    expect(offered({}).has).toBe(false)
    const { transport, has } = offered({ grants })
    expect(has).toBe(true)
    const driver = startDriver(transport)
    expect(driver.featureSet.toArray()).toEqual([
      VIRTIO_F_EVENT_IDX,
      VIRTIO_F_VERSION_1,
      VIRTIO_F_ACCESS_PLATFORM,
      VIRTIO_F_RING_RESET,
    ])
    expect((await driver.requests.call([u32le(1), u32le(2)], { reply: 4 })).bytes[0]).toBe(3)
  },
)

it('RFB-DRV-04: with ACCESS_PLATFORM every address that the driver hands out is one that the device may use', async () => {
  const base = 0x4004_0000
  const heap = new BufferHeap(base, 1 << 18)
  const transport = new SharedMemoryTransport<AdderContract>(adder.create(), {
    allocator: heap,
    grants: [{ address: base, lengthBytes: 1 << 18 }],
  })
  const driver = startDriver(transport, { indirectLength: 4 })
  expect(driver.featureSet.has(VIRTIO_F_ACCESS_PLATFORM)).toBe(true)
  const ring = transport.registers.saveState().queues[0]!
  for (const [low, high] of [0, 2, 4].map((word) => ring.addressWords.slice(word, word + 2))) {
    expect([high, low! >= base, low! < base + (1 << 18)]).toEqual([0, true, true])
  }
  // Tables and buffers as well: the device would refuse what it cannot reach.
  expect((await driver.requests.call([u32le(1), u32le(2)], { reply: 4 })).bytes[0]).toBe(3)
})

it('RFB-DEV-04: a driver that declines ACCESS_PLATFORM is accepted, and the device reaches no more for it', async () => {
  class Declining extends SharedMemoryTransport<AdderContract> {
    override readDeviceFeatures(window: number): number {
      return super.readDeviceFeatures(window) & ~FeatureSet.of(VIRTIO_F_ACCESS_PLATFORM).window(window)
    }
  }
  const grants = [{ address: 0x4000_0000, lengthBytes: 1 << 16 }]
  const transport = new Declining(adder.create(), { grants })
  const rules: string[] = []
  transport.registers.events.on('violation', ({ rule }) => rules.push(rule))
  const driver = startDriver(transport)
  expect(driver.featureSet.has(VIRTIO_F_ACCESS_PLATFORM)).toBe(false)
  expect((await driver.requests.call([u32le(1), u32le(2)], { reply: 4 })).bytes[0]).toBe(3)
  const outside = new BufferList().addReadable(0x4000_0000 + (1 << 16), 8)
  driver.requests.post(outside, () => {})
  expect(rules).toEqual(['buffer-outside-memory'])
})

describe('configuration', () => {
  it('a le64 field has any value, on both sides', () => {
    const masks = defineDevice({
      id: 23,
      queues: [],
      config: {
        page: le64('page_size_mask', { initial: 0xffff_ffff_ffff_f000n }),
        end: le64('end', { driverWritable: true }),
      },
    })
    const device = masks.create({ config: { end: 5n } })
    const driver = startDriver(new SharedMemoryTransport(device))
    expect(driver.readConfig()).toEqual({ page: 0xffff_ffff_ffff_f000n, end: 5n })
    driver.writeConfig('end', 2n ** 64n - 1n)
    expect(device.config.values.end).toBe(2n ** 64n - 1n)
    for (const wrong of [2n ** 64n, -1n, 5 as unknown as bigint, Number.NaN as unknown as bigint]) {
      expect(() => driver.writeConfig('end', wrong)).toThrow('end wants a bigint from 0 to 2^64 - 1')
      expect(() => le64('end', { initial: wrong })).toThrow(expect.objectContaining({ code: 'CONFIG_VALUE' }))
    }
  })

  it('a field that cannot be read does not keep others from being read', () => {
    const odd = defineDevice({ id: 23, queues: [], config: { mask: le64('mask'), size: u32('size', { initial: 7 }) } })
    const device = odd.create({ config: { mask: 2n ** 60n } })
    const contract = {
      ...odd.contract,
      config: { mask: { ...odd.contract.config.mask, kind: 'u64', initial: 0 }, size: u32('size') },
    } as const
    const driver = startDriver(new SharedMemoryTransport({ registers: device.registers }), { contract })
    expect(driver.config.size).toBe(7)
    expect(() => driver.config.mask).toThrow('mask holds 2^53 or more: declare it as le64')
  })

  it("a field past the specification's end is refused, however long the transport says the space is", () => {
    class Endless extends SharedMemoryTransport {
      override get configLengthBytes(): number {
        return 4096
      }
      override readConfig(_: number, target: Uint8Array): void {
        target.fill(0xff)
      }
    }
    const rng = defineDevice({ id: VIRTIO_ID_RNG, queues: [] })
    const contract = { ...rng.contract, config: { seed: u32('seed') } }
    expect(() => startDriver(new Endless(rng.create()), { contract })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_TOO_SHORT',
        message: 'device type 4 has 0 bytes of configuration in virtio 1.4, the contract declares a field up to 4',
      }),
    )
  })
})

describe('a used length beyond the room of the chain', () => {
  function odd(usedLength?: 'reject' | 'clamp') {
    const transport = new SharedMemoryTransport<AdderContract>(adder.create(), { doorbell: () => {} })
    const driver = startDriver(transport, usedLength === undefined ? {} : { usedLength })
    const rules: string[] = []
    driver.events.on('violation', ({ rule }) => rules.push(rule))
    const call = driver.requests.call([u32le(1)], { reply: 8 })
    // Head 0 is used with 620 bytes, of 8.
    transport.registers.queueSelect = 0
    const used = transport.registers.readQueueAddress(2, 0)
    transport.memory.writeU32(used + 4, 0)
    transport.memory.writeU32(used + 8, 620)
    transport.memory.writeU16(used + 2, 1)
    transport.registers.notifyUsed(0)
    return { call, driver, rules }
  }

  it('is a violation by default', ON_SPLIT_RINGS, async () => {
    const { call, rules } = odd()
    await expect(call).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_VIOLATION' }))
    expect(rules).toEqual(['used-length-too-large'])
  })

  it('is clamped, and reported, for a device that is known to do it', ON_SPLIT_RINGS, async () => {
    const { call, driver, rules } = odd('clamp')
    expect((await call).bytes.length).toBe(8)
    expect([rules, driver.error]).toEqual([['used-length-too-large'], null])
  })
})

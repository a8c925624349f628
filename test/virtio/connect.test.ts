import { SharedMemoryTransport } from 'virtio-sdk/transport'
import {
  connect,
  defineDevice,
  FeatureSet,
  startDriver,
  u16,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
} from 'virtio-sdk/virtio'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { ON_SPLIT_RINGS } from '../on-split-rings.ts'
import { type AdderContract, adder, SpyTransport } from './adder.ts'

const code = (name: string) => expect.objectContaining({ code: name })

describe('initialisation', () => {
  it('INIT-DRV-01, STATUS-DRV-01, STATUS-DRV-02, SUSP-DRV-01: resets, then adds one bit after the other', () => {
    const transport = new SpyTransport(adder.create())
    startDriver(transport)
    expect(transport.statusWrites).toEqual([0, 1, 3, 11, 15])
  })

  it('INIT-DRV-07: nothing is kicked before DRIVER_OK', () => {
    const transport = new SpyTransport(adder.create())
    const misuse: string[] = []
    transport.registers.events.on('violation', ({ rule }) => misuse.push(rule))
    startDriver(transport)
    expect(transport.kicks).toEqual([])
    expect(misuse).toEqual([])
  })

  it('RESET-DRV-01: polls until status reads 0, within a bound', async () => {
    class Slow extends SpyTransport {
      left = 5
      override readStatus(): number {
        return this.left-- > 0 ? 64 : super.readStatus()
      }
    }
    expect(startDriver(new Slow(adder.create())).error).toBeNull()
    expect((await connect(new Slow(adder.create()))).error).toBeNull()
    class Stuck extends SpyTransport {
      override readStatus(): number {
        return 64
      }
    }
    expect(() => startDriver(new Stuck(adder.create()))).toThrow(code('RESET_TIMEOUT'))
    const waiting = connect(new Stuck(adder.create()), { signal: AbortSignal.timeout(5) })
    await expect(waiting).rejects.toThrow(expect.objectContaining({ name: 'TimeoutError' }))
  })

  it('MMIO-REG-DRV-10: no device, the wrong device, no contract', () => {
    const none = new (class extends SpyTransport {
      override get deviceId(): number {
        return 0
      }
    })(adder.create())
    expect(() => startDriver(none)).toThrow(code('NO_DEVICE'))
    const other = defineDevice({ id: 7, queues: [{ name: 'requests', size: 8 }], requests() {} })
    const transport = new SharedMemoryTransport(other.create())
    expect(() => startDriver(transport as never, { contract: adder.contract })).toThrow(code('WRONG_DEVICE'))
    const nameless = new SharedMemoryTransport<AdderContract>({ registers: adder.create().registers })
    expect(() => startDriver(nameless)).toThrow(code('CONTRACT'))
    expect(startDriver(nameless, { contract: adder.contract }).requests.index).toBe(0)
  })

  it('INIT-DRV-05, INIT-DRV-06: a failed step leaves FAILED and ends there', () => {
    class Refusing extends SpyTransport {
      override enableQueue(): boolean {
        return false
      }
    }
    const transport = new Refusing(adder.create())
    expect(() => startDriver(transport)).toThrow(code('QUEUE_REFUSED'))
    expect(transport.statusWrites).toEqual([0, 1, 3, 11, 139])
    class Absent extends SpyTransport {
      override queueSizeMax(): number {
        return 0
      }
    }
    expect(() => startDriver(new Absent(adder.create()))).toThrow(code('QUEUE_ABSENT'))
  })

  it('STATUS-DRV-03: after FAILED the next attempt begins with a reset', () => {
    const transport = new SpyTransport(adder.create({ offer: [] }))
    expect(() => startDriver(transport, { require: ['checksum'] })).toThrow(code('FEATURES_MISSING'))
    expect(transport.statusWrites.at(-1)! & 128).toBe(128)
    const before = transport.statusWrites.length
    startDriver(transport)
    expect(transport.statusWrites[before]).toBe(0)
  })

  it('IMP-STAT-02: FEATURES_OK is written and read back before any queue is set up or configuration read', () => {
    class Deaf extends SpyTransport {
      touched = 0
      override readStatus(): number {
        return super.readStatus() & ~8
      }
      override queueSizeMax(queue: number): number {
        this.touched++
        return super.queueSizeMax(queue)
      }
      override readConfig(offset: number, target: Uint8Array): void {
        this.touched++
        super.readConfig(offset, target)
      }
    }
    const transport = new Deaf(adder.create())
    expect(() => startDriver(transport)).toThrow(code('FEATURES_REFUSED'))
    expect(transport.statusWrites).toEqual([0, 1, 3, 11, 139])
    expect(transport.touched).toBe(0)
  })

  it('museum 45: the device offers a smaller queue than wanted, and the driver takes it', ON_SPLIT_RINGS, () => {
    const transport = new SpyTransport(adder.create())
    expect(startDriver(transport, { queueSizes: { requests: 64 } }).requests.ring.size).toBe(8)
    expect(startDriver(transport, { queueSizes: { requests: 7 } }).requests.ring.size).toBe(4)
  })

  it('a queue name that hides a member of the driver is refused', () => {
    const device = defineDevice({ id: 7, queues: [{ name: 'close', size: 8 }], close() {} }).create()
    expect(() => startDriver(new SharedMemoryTransport(device))).toThrow(code('CONTRACT'))
  })
})

describe('features', () => {
  it('FEAT-DRV-01, FEAT-DRV-06: what is wanted and not offered is simply not there', () => {
    const driver = startDriver(new SpyTransport(adder.create({ offer: ['fast'] })), { want: ['checksum', 'fast'] })
    expect(driver.features).toEqual({ checksum: false, fast: true })
    expect(driver.featureSet.toArray()).not.toContain(0)
  })

  it('FEAT-DRV-07: what is required and not offered ends in FAILED', () => {
    const transport = new SpyTransport(adder.create({ offer: [] }))
    expect(() => startDriver(transport, { require: ['checksum'] })).toThrow(code('FEATURES_MISSING'))
    expect(transport.readStatus() & 128).toBe(128)
  })

  it('FEAT-DRV-04, FEAT-DRV-05, FEAT-DRV-08: unknown bits in the offer are ignored, not accepted', () => {
    class Exotic extends SpyTransport {
      readonly accepted: number[] = []
      override readDeviceFeatures(window: number): number {
        return (super.readDeviceFeatures(window) | 0xf0f0_f000) >>> 0
      }
      override writeDriverFeatures(window: number, word: number): void {
        this.accepted[window] = word
        super.writeDriverFeatures(window, word)
      }
    }
    const transport = new Exotic(adder.create({ commonFeatures: FeatureSet.of(VIRTIO_F_VERSION_1) }))
    // EVENT_IDX (29) looks offered here, so it is accepted, and the device refuses: it never offered it (FEAT-DEV-03).
    expect(() => startDriver(transport)).toThrow(code('FEATURES_REFUSED'))
    startDriver(transport, { want: ['checksum'], commonFeatures: FeatureSet.empty })
    expect(transport.accepted).toEqual([1, 1])
  })

  it('FEAT-DRV-03: an offer is looked at before it is used: without VERSION_1 there is nothing to talk about', () => {
    class Legacy extends SpyTransport {
      override readDeviceFeatures(window: number): number {
        return window === 0 ? 3 : 0
      }
    }
    const transport = new Legacy(adder.create())
    expect(() => startDriver(transport)).toThrow('does not offer VIRTIO_F_VERSION_1')
    expect(transport.statusWrites).toEqual([0, 1, 3, 131])
  })

  it('FEAT-DRV-02: a wanted feature is dropped with its prerequisite', () => {
    const contract = { ...adder.contract, dependencies: [{ feature: 1, anyOf: [0] }] }
    const transport = new SpyTransport(adder.create())
    const driver = startDriver(transport, { contract, want: ['fast'] })
    expect(driver.features.fast).toBe(false)
    expect(startDriver(transport, { contract, want: ['fast', 'checksum'] }).features.fast).toBe(true)
  })

  it('RFB-DRV-01, RFB-DRV-02: VERSION_1 is always taken, and a device without it is refused', () => {
    const driver = startDriver(new SpyTransport(adder.create()), { commonFeatures: FeatureSet.empty })
    expect(driver.featureSet.toArray()).toEqual([VIRTIO_F_VERSION_1])
    class Legacy extends SpyTransport {
      override readDeviceFeatures(): number {
        return 0
      }
    }
    expect(() => startDriver(new Legacy(adder.create()))).toThrow('VIRTIO_F_VERSION_1')
  })

  it('INDIRECT_DESC is only taken by a driver that has tables', () => {
    const transport = new SpyTransport(adder.create())
    expect(startDriver(transport).featureSet.has(VIRTIO_F_INDIRECT_DESC)).toBe(false)
    const driver = startDriver(transport, { indirectLength: 4 })
    expect(driver.featureSet.has(VIRTIO_F_INDIRECT_DESC)).toBe(true)
    expect(driver.featureSet.has(VIRTIO_F_EVENT_IDX)).toBe(true)
  })
})

describe('queues that depend on the device', () => {
  const lines = { id: 0x1234 as number, features: { many: 0 }, config: { count: u16('count') } } as const
  const device = () =>
    defineDevice({
      ...lines,
      queues: [
        { name: 'line0', size: 4 },
        { name: 'line1', size: 4 },
      ],
      line0(queue) {
        for (const _ of queue.drain(4));
      },
      line1(queue) {
        for (const _ of queue.drain(4));
      },
    }).create({ config: { count: 2 } })
  const contract = { ...lines, queues: [] as readonly { name: `line${number}`; size: number }[] }

  it('are chosen once, after FEATURES_OK, by what was negotiated and by the configuration', () => {
    const asked: (number | boolean)[][] = []
    const transport = new SharedMemoryTransport(device(), {})
    const driver = startDriver<typeof contract, 'many'>(transport, {
      contract,
      want: ['many'],
      queues({ has, config: { count } }) {
        asked.push([transport.readStatus(), has('many'), count])
        return Array.from({ length: count }, (_, i) => ({ name: `line${i}` as const, size: 2 }))
      },
    })
    expect(asked).toEqual([[11, true, 2]])
    expect(driver.queues.map(({ name, ring }) => [name, ring.size])).toEqual([
      ['line0', 2],
      ['line1', 2],
    ])
    expect(driver.contract.queues.length).toBe(2)
  })

  it('are checked as those of a contract are', () => {
    const twice = () => [0, 0].map(() => ({ name: 'line0' as const, size: 2 }))
    const start = (queues: () => { name: `line${number}`; size: number }[]) =>
      startDriver<typeof contract>(new SharedMemoryTransport(device(), {}), { contract, queues })
    expect(() => start(twice)).toThrow(code('CONTRACT'))
    expect(() => start(() => [{ name: 'line0', size: 3 }])).toThrow('queue line0 has size 3')
    const three = () => [0, 1, 2].map((i) => ({ name: `line${i}` as const, size: 2 }))
    expect(() => start(three)).toThrow(code('QUEUE_ABSENT'))
  })
})

describe('types', () => {
  it('only features that were asked for exist, required ones are true; queues and fields by name', async () => {
    const transport = new SpyTransport(adder.create())
    const driver = await connect(transport, { want: ['checksum'], require: ['fast'] })
    expectTypeOf(driver.features.checksum).toEqualTypeOf<boolean>()
    expectTypeOf(driver.features.fast).toEqualTypeOf<true>()
    const plain = await connect(transport)
    expectTypeOf(plain.features).not.toHaveProperty('checksum')
    expectTypeOf(driver.config.limit).toEqualTypeOf<number>()
    expectTypeOf(driver.config).not.toHaveProperty('size')
    expectTypeOf(driver.requests.call).returns.resolves.toEqualTypeOf<{ readonly bytes: Uint8Array }>()
    // @ts-expect-error: a feature that the device does not have
    expect(() => startDriver(transport, { want: ['turbo'] })).toThrow('no feature turbo')
    // @ts-expect-error: a queue that the device does not have
    expect(() => startDriver(transport, { queueSizes: { events: 4 } })).toThrow('one of requests, not "events"')
    defineDevice({
      id: 1,
      queues: [{ name: 'rx', size: 8 }],
      features: { mac: 5 },
      rx(queue, { features, config, queues }) {
        expectTypeOf(features).toEqualTypeOf<{ readonly mac: boolean }>()
        expectTypeOf(config).not.toHaveProperty('limit')
        expectTypeOf(queues).toHaveProperty('rx')
        expectTypeOf(queue.drain).parameter(0).toEqualTypeOf<number>()
      },
    })
    // @ts-expect-error: queue rx has no handler
    expect(() => defineDevice({ id: 1, queues: [{ name: 'rx', size: 8 }] })).toThrow('rx')
  })
})

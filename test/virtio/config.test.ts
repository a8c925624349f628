import fc from 'fast-check'
import { SharedMemoryTransport } from 'virtio-sdk/transport'
import { bytes, ConfigLayout, ConfigSpace, defineDevice, mac, startDriver, u8, u16, u32, u64 } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { BareDevice } from './bare-device.ts'

const fields = {
  address: mac('mac'),
  mode: u8('mode', { driverWritable: true }),
  pairs: u16('max_virtqueue_pairs', { initial: 1, feature: 'multi' }),
  limit: u32('limit'),
  capacity: u64('capacity'),
  tag: bytes('tag', 3),
}

const definition = defineDevice({
  id: 0x1234,
  queues: [{ name: 'requests', size: 4 }],
  features: { multi: 0 },
  config: fields,
  requests() {},
})

describe('layout', () => {
  it('IMP-CFG-01: little-endian and packed, byte for byte', () => {
    const layout = new ConfigLayout(fields)
    const target = new Uint8Array(layout.lengthBytes)
    const values = {
      address: '02:00:00:00:00:0a',
      mode: 3,
      pairs: 0x0102,
      limit: 0x01020304,
      capacity: 2 ** 40 + 5,
      tag: Uint8Array.of(7, 8, 9),
    }
    layout.encode(values, target)
    expect([...target]).toEqual([2, 0, 0, 0, 0, 10, 3, 2, 1, 4, 3, 2, 1, 5, 0, 0, 0, 0, 1, 0, 0, 7, 8, 9])
    expect(layout.decode(target)).toEqual(values)
    expect(layout.offsetOf('limit')).toBe(9)
  })

  it('decodes what it encodes', () => {
    const layout = new ConfigLayout({ a: u8('a'), b: u64('b'), c: u32('c') })
    const value = fc.record({ a: fc.nat(255), b: fc.maxSafeNat(), c: fc.nat(0xffff_ffff) })
    fc.assert(
      fc.property(value, (values) => {
        const target = new Uint8Array(layout.lengthBytes)
        layout.encode(values, target)
        expect(layout.decode(target)).toEqual(values)
      }),
    )
  })

  it('refuses values that do not fit, naming the field', () => {
    const space = new ConfigSpace(fields)
    expect(() => space.update({ mode: 256 })).toThrow('mode wants an integer below 256')
    expect(() => space.update({ capacity: 2 ** 53 })).toThrow('capacity')
    expect(() => space.update({ address: '02:00' })).toThrow('mac wants six bytes')
    expect(() => space.update({ tag: new Uint8Array(2) })).toThrow('tag wants a Uint8Array of 3 bytes')
    expect(() => new ConfigSpace({ a: u8('x'), b: u8('x') })).toThrow('twice')
    expect(space.generation).toBe(0)
  })

  it('a u64 of 2^53 or more is refused, not rounded', () => {
    const layout = new ConfigLayout({ big: u64('big') })
    expect(() => layout.decode(Uint8Array.of(0, 0, 0, 0, 0, 0, 32, 0))).toThrow('2^53')
  })
})

describe('device side', () => {
  it('IMP-CFG-02: each update is one generation and one notification', () => {
    const config = new ConfigSpace(fields)
    const device = new BareDevice({ config })
    device.start()
    config.update({ limit: 5, pairs: 2 })
    expect(device.registers.configGeneration).toBe(1)
    expect(device.raised).toEqual(['2:-1'])
    expect(device.registers.interruptStatus).toBe(2)
  })

  it('INIT-DRV-03, IMP-CFG-03: the driver writes its own fields, after FEATURES_OK, and nothing else', () => {
    const config = new ConfigSpace(fields)
    const device = new BareDevice({ config })
    const { registers } = device
    registers.writeConfig(6, Uint8Array.of(1))
    expect(device.clauses).toEqual(['config-before-features-ok INIT-DRV-03'])
    device.start()
    registers.writeConfig(6, Uint8Array.of(9))
    expect(config.values.mode).toBe(9)
    expect(device.calls).toContain('config')
    for (const [offset, length] of [
      [0, 1],
      [6, 2],
      [5, 2],
      [24, 1],
      [-1, 1],
      [1000, 4],
    ] as const) {
      registers.writeConfig(offset, new Uint8Array(length).fill(0xff))
    }
    expect(device.clauses.slice(1)).toEqual(new Array(6).fill('config-read-only IMP-CFG-03'))
    expect(config.values).toEqual({ ...new ConfigSpace(fields).values, mode: 9 })
  })

  it('CFG-DEV-01: fields are readable before FEATURES_OK, and padding reads 0', () => {
    const device = new BareDevice({
      config: new ConfigSpace({ limit: u32('limit') }, { limit: 7 }),
    })
    const target = new Uint8Array(8).fill(0xee)
    device.registers.readConfig(0, target)
    expect([...target]).toEqual([7, 0, 0, 0, 0, 0, 0, 0])
  })
})

/** A transport on which the device changes its configuration between two accesses of the driver. */
class TearingTransport extends SharedMemoryTransport<typeof definition.contract> {
  readonly widths: number[] = []
  onRead: () => void = () => {}

  override readConfig(offset: number, target: Uint8Array): void {
    super.readConfig(offset, target)
    this.widths.push(target.length)
    this.onRead()
  }
}

describe('driver side', () => {
  it('CFG-DRV-01, CFG-DRV-02, museum 27: no torn value is ever seen, wherever the change falls', () => {
    for (let at = 1; at <= 30; at++) {
      const device = definition.create({ config: { capacity: 0, limit: 0 } })
      const transport = new TearingTransport(device)
      const driver = startDriver(transport, { want: ['multi'] })
      let reads = 0
      transport.onRead = () => {
        if (++reads === at) device.config.update({ capacity: 2 ** 33 + 1, limit: 1 })
      }
      const { capacity, limit } = driver.readConfig()
      expect([0, 2 ** 33 + 1]).toContain(capacity)
      expect(capacity === 0).toBe(limit === 0)
    }
  })

  it('gives up on a configuration that never stands still', () => {
    const device = definition.create()
    const transport = new TearingTransport(device)
    const driver = startDriver(transport)
    transport.onRead = () => device.config.update({ limit: device.config.values.limit + 1 })
    expect(() => driver.config.limit).toThrow(expect.objectContaining({ code: 'CONFIG_UNSTABLE' }))
  })

  it('MMIO-REG-DRV-05: accesses have the width of their field, a u64 is two halves', () => {
    const transport = new TearingTransport(definition.create())
    const driver = startDriver(transport, { want: ['multi'] })
    driver.readConfig()
    expect(transport.widths).toEqual([1, 1, 1, 1, 1, 1, 1, 2, 4, 4, 4, 1, 1, 1])
  })

  it('CFG-DRV-03: a field whose feature was not offered is never read', () => {
    const transport = new TearingTransport(definition.create({ offer: [], config: { pairs: 9 } }))
    const driver = startDriver(transport, { want: ['multi'] })
    expect(driver.config.pairs).toBe(1)
    expect(transport.widths).toEqual([])
    expect(driver.readConfig().pairs).toBe(1)
    expect(transport.widths).not.toContain(2)
  })

  it('CFG-DRV-04, CFG-DRV-05: a longer configuration is welcome, a shorter one is refused', () => {
    class Sized extends SharedMemoryTransport<typeof definition.contract> {
      bytes = 0
      override get configLengthBytes(): number {
        return this.bytes
      }
    }
    const transport = new Sized(definition.create())
    transport.bytes = 10_000
    startDriver(transport).close()
    transport.bytes = 23
    expect(() => startDriver(transport)).toThrow(expect.objectContaining({ code: 'CONFIG_TOO_SHORT' }))
  })

  it('writes a field, and hears of changes', () => {
    const device = definition.create()
    const transport = new SharedMemoryTransport(device)
    const driver = startDriver(transport)
    let changes = 0
    driver.events.on('config', () => changes++)
    driver.writeConfig('mode', 4)
    expect(device.config.values.mode).toBe(4)
    device.config.update({ limit: 77 })
    transport.settle()
    expect(changes).toBe(1)
    expect(driver.config.limit).toBe(77)
  })
})

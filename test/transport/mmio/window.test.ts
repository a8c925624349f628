/** The device side of virtio over MMIO: registers as a guest reads and writes them (virtio 1.4 §4.2.2). */
import { fc, it as property } from '@fast-check/vitest'
import { GuestMemory } from 'virtio-sdk/memory'
import { type AccessWidth, MmioWindow } from 'virtio-sdk/transport'
import {
  type DeviceModel,
  DeviceRegisters,
  defineDevice,
  type ProtocolViolation,
  startDriver,
  u16,
  u32,
} from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { adder } from '../../virtio/adder.ts'
import { behindMmio } from './behind-mmio.ts'

const STATUS = 0x70
const QUEUE_SEL = 0x30
const QUEUE_SIZE = 0x38
const QUEUE_READY = 0x44
const QUEUE_RESET = 0xc0
const INTERRUPT_STATUS = 0x60
const INTERRUPT_ACK = 0x64

/** A device of one queue at its window, and what it reported. */
function started(device = adder.create({ config: { limit: 77 } })) {
  const levels: boolean[] = []
  const violations: string[] = []
  device.registers.events.on('violation', ({ clause }) => violations.push(clause))
  const memory = GuestMemory.ofSize(1 << 16, 0x1_0000)
  const window = new MmioWindow(device, { memory, interruptLine: (level) => levels.push(level) })
  const read = (offset: number) => window.read(offset, 4)
  const write = (offset: number, value: number) => window.write(offset, 4, value)
  /** To DRIVER_OK, with RING_RESET and the queue at the start of the memory. */
  const start = () => {
    for (const status of [0, 1, 3]) write(STATUS, status)
    write(0x24, 1)
    write(0x20, 1 | (1 << 8))
    write(STATUS, 11)
    setUp()
    write(STATUS, 15)
  }
  const setUp = (size = 8, queue = 0) => {
    write(QUEUE_SEL, queue)
    write(QUEUE_SIZE, size)
    for (const [i, offset] of [0x80, 0x90, 0xa0].entries()) {
      write(offset, 0x1_0000 + (3 * queue + i) * 0x1000)
      write(offset + 4, 0)
    }
    write(QUEUE_READY, 1)
  }
  return { device, memory, window, read, write, start, setUp, levels, violations }
}

describe('registers', () => {
  it('MMIO-REG-DEV-01, MMIO-REG-DEV-02: MagicValue is "virt", Version is 2', () => {
    const { read } = started()
    expect(read(0x000)).toBe(0x7472_6976)
    expect(read(0x004)).toBe(2)
    expect([read(0x008), read(0x00c)]).toEqual([0x1234, 0])
  })

  it('DeviceFeatures and DriverFeatures are windows of the selected words', () => {
    const { device, read, write } = started()
    const windows = [0, 1, 2, 9].map((window) => {
      write(0x14, window)
      return read(0x10)
    })
    const { offeredFeatures } = device.registers
    expect(windows).toEqual([offeredFeatures.window(0) >>> 0, offeredFeatures.window(1) >>> 0, 0, 0])
    expect(windows[1]! & 1).toBe(1)
  })

  it('QueueSizeMax is that of the selected queue, 0 where there is none', () => {
    const { read, write } = started()
    expect(read(0x34)).toBe(8)
    write(QUEUE_SEL, 1)
    expect(read(0x34)).toBe(0)
    expect(read(QUEUE_READY)).toBe(0)
  })

  it('MMIO-REG-DEV-05: a device reset clears InterruptStatus and every QueueReady', () => {
    const { device, read, write, start, levels } = started()
    start()
    device.registers.notifyConfigChange()
    expect([read(QUEUE_READY), read(INTERRUPT_STATUS), levels]).toEqual([1, 2, [true]])
    write(STATUS, 0)
    expect([read(QUEUE_READY), read(INTERRUPT_STATUS), read(STATUS), levels]).toEqual([0, 0, 0, [true, false]])
  })

  it('MMIO-REG-DEV-03, MMIO-REG-DEV-04: the bits of InterruptStatus are those of events that are not acknowledged', () => {
    const { device, read, write, start, levels } = started()
    start()
    expect(read(INTERRUPT_STATUS)).toBe(0)
    device.registers.notifyUsed(0)
    device.registers.notifyConfigChange()
    expect(read(INTERRUPT_STATUS)).toBe(3)
    write(INTERRUPT_ACK, 1)
    expect([read(INTERRUPT_STATUS), levels]).toEqual([2, [true]])
    write(INTERRUPT_ACK, 2)
    expect([read(INTERRUPT_STATUS), levels]).toEqual([0, [true, false]])
  })

  it('MMIO-REG-DEV-06: ConfigGeneration changes with the configuration', () => {
    const { device, read } = started()
    const before = read(0xfc)
    device.config.update({ limit: 5 })
    expect(read(0xfc)).not.toBe(before)
  })

  it('MMIO-REG-DEV-07: a queue that is not ready is not touched', () => {
    const { memory, read, write, start } = started()
    start()
    // A buffer of four writable bytes, made available.
    memory.writeU32(0x1_0000, 0x1_4000)
    memory.writeU32(0x1_0008, 4)
    memory.writeU16(0x1_000c, 2)
    memory.writeU16(0x1_1002, 1)
    write(QUEUE_READY, 0)
    const before = memory.regions[0]!.u8.slice()
    write(0x50, 0)
    expect([read(QUEUE_READY), read(INTERRUPT_STATUS)]).toEqual([0, 0])
    expect(memory.regions[0]!.u8).toEqual(before)
    // The same is served once the queue is ready again.
    write(QUEUE_READY, 1)
    write(0x50, 0)
    expect([memory.readU16(0x1_2002), read(INTERRUPT_STATUS)]).toEqual([1, 1])
  })

  it('MMIO-REG-DEV-08, MMIO-REG-DEV-09: QueueReset reads 0 after a device reset, and when a queue is made ready', () => {
    const { read, write, start, setUp } = started()
    expect(read(QUEUE_RESET)).toBe(0)
    start()
    expect(read(QUEUE_RESET)).toBe(0)
    write(QUEUE_RESET, 1)
    setUp()
    expect([read(QUEUE_RESET), read(QUEUE_READY)]).toEqual([0, 1])
    write(STATUS, 0)
    expect(read(QUEUE_RESET)).toBe(0)
  })

  it('MMIO-REG-DEV-10, MMIO-REG-DEV-12: 1 in QueueReset resets the selected queue, and when it is done both read 0', () => {
    const { read, write, start, violations } = started()
    start()
    write(QUEUE_RESET, 1)
    // Already now, whether QueueReset is read or not.
    expect(read(QUEUE_READY)).toBe(0)
    expect([read(QUEUE_RESET), read(QUEUE_READY)]).toEqual([0, 0])
    expect(violations).toEqual([])
  })

  it('MMIO-REG-DRV-22, MMIO-REG-DRV-23: a queue that was reset is made ready again, with another size', () => {
    const { device, read, write, start, setUp, violations } = started()
    start()
    for (const size of [4, 2]) {
      write(QUEUE_RESET, 1)
      expect(read(QUEUE_READY)).toBe(0)
      setUp(size)
      expect([read(QUEUE_READY), device.registers.queueSize, device.queues.requests.ring?.size]).toEqual([
        1,
        size,
        size,
      ])
    }
    expect(violations).toEqual([])
  })

  it('MMIO-REG-DEV-11, MMIO-REG-DEV-12: QueueReset reads 1 as long as the device uses the queue, then 0', () => {
    let used = true
    const model: DeviceModel = {
      onActivate() {},
      onReset() {},
      onNotify: () => false,
      onQueueReset() {},
      mayDisableQueue: () => !used,
    }
    const registers = new DeviceRegisters({ deviceId: 0x1234, queueSizes: [8] }, model)
    const { read, write, start } = started({ registers } as never)
    start()
    write(QUEUE_RESET, 1)
    expect([read(QUEUE_RESET), read(QUEUE_READY)]).toEqual([1, 1])
    used = false
    expect([read(QUEUE_RESET), read(QUEUE_READY)]).toEqual([0, 0])
  })

  it('each queue has its own reset under way', () => {
    const used = [true, true]
    const model: DeviceModel = {
      onActivate() {},
      onReset() {},
      onNotify: () => false,
      onQueueReset() {},
      mayDisableQueue: (queue) => !used[queue],
    }
    const registers = new DeviceRegisters({ deviceId: 0x1234, queueSizes: [8, 8] }, model)
    const { read, write, start, setUp } = started({ registers } as never)
    start()
    setUp(8, 1)
    const onBoth = (access: () => unknown) =>
      [0, 1].map((queue) => {
        write(QUEUE_SEL, queue)
        return access()
      })
    onBoth(() => write(QUEUE_RESET, 1))
    used[1] = false
    expect(onBoth(() => read(QUEUE_RESET))).toEqual([1, 0])
  })

  it('IMP-SHM-01: the shared memory registers tell of no region: all ones', () => {
    const { read, write } = started()
    write(0xac, 0)
    expect([0xb0, 0xb4, 0xb8, 0xbc].map(read)).toEqual(Array(4).fill(0xffff_ffff))
  })

  it.each([
    ['a byte of a register', 'MMIO-REG-DRV-04', (window: MmioWindow) => window.read(STATUS, 1)],
    ['half a register', 'MMIO-REG-DRV-04', (window: MmioWindow) => window.write(STATUS + 2, 2, 1)],
    ['a word that is not aligned', 'MMIO-REG-DRV-04', (window: MmioWindow) => window.read(STATUS + 2, 4)],
    ['a read of QueueNotify', 'MMIO-REG-DRV-03', (window: MmioWindow) => window.read(0x50, 4)],
    ['a read where nothing is', 'MMIO-REG-DRV-03', (window: MmioWindow) => window.read(0xf8, 4)],
    ['a write of MagicValue', 'MMIO-REG-DRV-02', (window: MmioWindow) => window.write(0, 4, 1)],
    ['a write where nothing is', 'MMIO-REG-DRV-02', (window: MmioWindow) => window.write(0x1c, 4, 1)],
    ['2 in QueueReady', 'MMIO-REG-DRV-16', (window: MmioWindow) => window.write(QUEUE_READY, 4, 2)],
    ['0 in QueueReset', 'MMIO-REG-DRV-21', (window: MmioWindow) => window.write(QUEUE_RESET, 4, 0)],
    ['a queue register while ready', 'MMIO-REG-DRV-15', (window: MmioWindow) => window.write(0x80, 4, 0)],
  ] as const)('%s is ignored and reported (%s)', (_, clause, access) => {
    const { window, start, violations, read } = started()
    start()
    const answer = access(window)
    expect(answer ?? 0).toBe(0)
    expect(violations).toEqual([clause])
    expect([read(STATUS), read(QUEUE_READY)]).toEqual([15, 1])
  })

  it.each([
    ['offset', -1, 4, 0],
    ['width', 0, 3, 0],
    ['value', 0, 4, 2 ** 32],
  ])('an emulator that passes a wrong %s is told so', (name, offset, width, value) => {
    const { window } = started()
    const refusal = expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) })
    expect(() => window.write(offset, width as AccessWidth, value)).toThrow(refusal)
    if (name !== 'value') expect(() => window.read(offset, width as AccessWidth)).toThrow(refusal)
  })
})

describe('configuration', () => {
  const device = () =>
    defineDevice({
      id: 0x1234,
      queues: [{ name: 'requests', size: 8 }],
      config: {
        word: u32('word', { initial: 0x1234_5678 }),
        half: u16('half', { initial: 0x9abc, driverWritable: true }),
      },
      requests() {},
    }).create()

  it('is read in any width, and past its end as 0', () => {
    const { window } = started(device() as never)
    const config = (offset: number, width: AccessWidth) => window.read(0x100 + offset, width)
    expect([config(0, 4), config(1, 1), config(2, 2), config(4, 2)]).toEqual([0x1234_5678, 0x56, 0x1234, 0x9abc])
    expect([config(4, 4), config(100, 4)]).toEqual([0x9abc, 0])
  })

  it('is written where the driver may, after FEATURES_OK', () => {
    const { window, start, violations } = started(device() as never)
    start()
    window.write(0x104, 2, 0x4321)
    expect(window.read(0x104, 2)).toBe(0x4321)
    window.write(0x100, 4, 1)
    expect([window.read(0x100, 4), violations]).toEqual([0x1234_5678, ['IMP-CFG-03']])
  })
})

describe('a guest at random', () => {
  const access = fc.record({
    offset: fc.oneof(
      fc.constantFrom(0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x60, 0x64, 0x70, 0x80, 0x90, 0xa0, 0xc0),
      fc.integer({ min: 0, max: 0x110 }),
    ),
    width: fc.constantFrom<AccessWidth>(4, 4, 4, 4, 2, 1),
    value: fc.oneof(fc.constantFrom(0, 1, 3, 8, 11, 15, 0x1_0000, 0x101, 0xffff_ffff), fc.nat(0xffff_ffff)),
    write: fc.boolean(),
  })

  property.prop([fc.array(access, { minLength: 50, maxLength: 150 })], { numRuns: 100 })(
    'crashes nothing, and the line is up exactly while InterruptStatus is not 0',
    (accesses) => {
      const { window, levels, read, start } = started()
      start()
      for (const { offset, width, value, write } of accesses) {
        if (write) window.write(offset, width, value)
        else expect(window.read(offset, width)).toBeLessThanOrEqual(2 ** (8 * width) - 1)
        expect(window.interruptLine).toBe(read(INTERRUPT_STATUS) !== 0)
      }
      // A line that changes has another level than before.
      expect(levels.every((level, i) => level === (i % 2 === 0))).toBe(true)
      // And a driver that starts anew finds the device whole.
      window.write(STATUS, 4, 0)
      expect(read(STATUS)).toBe(0)
      start()
      expect([read(STATUS), read(QUEUE_READY)]).toEqual([15, 1])
    },
  )
})

describe('hooks', () => {
  it('an interrupt line that throws breaks the device, not the guest that caused it', () => {
    const device = adder.create()
    const faults: unknown[] = []
    device.registers.events.on('fault', (error) => faults.push(error))
    const { window, transport } = behindMmio(device)
    const driver = startDriver(transport)
    const broken = new Error('no such interrupt')
    expect(window.interruptLine).toBe(false)
    driver.close()
    expect(() => new MmioWindow(adder.create(), { memory: transport.memory, interruptLine: 5 as never })).toThrow(
      'interruptLine',
    )
    const other = adder.create()
    other.registers.events.on('fault', (error) => faults.push(error))
    const spoiled = new MmioWindow(other, {
      memory: transport.memory,
      interruptLine: () => {
        throw broken
      },
    })
    for (const [offset, value] of [
      [STATUS, 1],
      [STATUS, 3],
      [0x24, 1],
      [0x20, 1],
      [STATUS, 11],
      [STATUS, 15],
    ] as const) {
      spoiled.write(offset, 4, value)
    }
    other.registers.notifyConfigChange()
    expect(faults).toEqual([broken])
    expect(spoiled.read(STATUS, 4) & 64).toBe(64)
  })
})

it('a violation has the rule of a register access', () => {
  const device = adder.create()
  const found: ProtocolViolation[] = []
  device.registers.events.on('violation', (violation) => found.push(violation as ProtocolViolation))
  const { window } = behindMmio(device)
  window.read(2, 2)
  expect(found).toMatchObject([{ rule: 'register-access', clause: 'MMIO-REG-DRV-04', queue: -1 }])
})

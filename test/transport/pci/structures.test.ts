/** What a guest finds in the BARs of a PCI function: common configuration, ISR, doorbells, MSI-X (virtio 1.4 §4.1.4, §4.1.5). */
import { fc, it as property } from '@fast-check/vitest'
import type { AccessWidth } from 'virtio-sdk/transport'
import { type DeviceModel, DeviceRegisters, defineDevice, u16, u32 } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import {
  capabilitiesOf,
  DEVICE,
  ENABLE,
  GENERATION,
  ISR,
  NOTIFY,
  quiet,
  RESET,
  SELECT,
  SIZE,
  STATUS,
  started,
  VECTOR,
} from './guest.ts'

describe('the common configuration', () => {
  it('PCI-COM-DEV-03: device_feature is the selected window of the offer', () => {
    const { device, read, write } = started()
    for (const window of [0, 1, 2, 0xffff_ffff]) {
      write(0, 4, window)
      expect(read(4)).toBe(device.registers.offeredFeatures.window(window) >>> 0)
      expect(read(0)).toBe(window)
    }
  })

  it('PCI-COM-DEV-04: driver_feature reads back what was accepted, by window', () => {
    const { read, write } = started()
    write(STATUS, 1, 1)
    write(STATUS, 1, 3)
    write(8, 4, 1)
    write(12, 4, 0xffff_ffff)
    const window1 = read(12)
    expect(window1 & 1).toBe(1)
    write(8, 4, 0)
    expect(read(12)).toBe(0)
    write(12, 4, (1 << 28) + 1)
    expect(read(12)).toBe(1 << 28)
    write(8, 4, 1)
    expect(read(12)).toBe(window1)
    write(STATUS, 1, 0)
    expect(read(12)).toBe(0)
  })

  it('PCI-COM-DEV-06: config_generation differs after any number of changes, though it has 8 bits', () => {
    const { device, read } = started()
    const before = read(GENERATION, 1)
    expect(read(GENERATION, 1)).toBe(before)
    for (let i = 0; i < 256; i++) device.config.update({ limit: i })
    expect(read(GENERATION, 1)).not.toBe(before)
  })

  it('PCI-COM-DEV-07, PCI-COM-DEV-08, PCI-COM-DEV-09, PCI-MSIX-DEV-07: a reset clears status, queues and vectors', () => {
    const { read, write, start } = started()
    start()
    write(VECTOR, 2, 1)
    write(16, 2, 0)
    expect([read(STATUS, 1), read(ENABLE, 2), read(VECTOR, 2), read(16, 2)]).toEqual([15, 1, 1, 0])
    write(STATUS, 1, 0)
    expect([read(STATUS, 1), read(ENABLE, 2), read(RESET, 2), read(VECTOR, 2), read(16, 2)]).toEqual([
      0, 0, 0, 0xffff, 0xffff,
    ])
  })

  it('PCI-COM-DEV-10, PCI-COM-DEV-11, PCI-COM-DEV-13: queue_reset resets the selected queue', () => {
    const { read, write, start, setUp } = started()
    start()
    write(RESET, 2, 1)
    expect([read(RESET, 2), read(ENABLE, 2)]).toEqual([0, 0])
    setUp()
    expect([read(RESET, 2), read(ENABLE, 2)]).toEqual([0, 1])
  })

  it('PCI-COM-DEV-12: queue_reset reads 1 as long as the device uses the queue', () => {
    let used = true
    const model: DeviceModel = { ...quiet, onQueueReset() {}, mayDisableQueue: () => !used }
    const device = { registers: new DeviceRegisters({ deviceId: 9, queueSizes: [8] }, model) }
    const { read, write, start } = started({}, device as never)
    start()
    write(RESET, 2, 1)
    expect([read(RESET, 2), read(ENABLE, 2)]).toEqual([1, 1])
    used = false
    expect([read(RESET, 2), read(ENABLE, 2)]).toEqual([0, 0])
  })

  it('PCI-COM-DEV-14, PCI-COM-DEV-15: queue_size is a power of two, 0 where there is no queue', () => {
    const { read, write } = started()
    expect(read(SIZE, 2)).toBe(8)
    write(SELECT, 2, 1)
    expect([read(SIZE, 2), read(ENABLE, 2), read(VECTOR, 2), read(30, 2)]).toEqual([0, 0, 0xffff, 0])
  })

  it('PCI-LAY-DEV-01: the halves of a 64-bit field are separate', () => {
    const { read, write } = started()
    write(36, 4, 5)
    write(32, 4, 0x1000)
    expect([read(32), read(36)]).toEqual([0x1000, 5])
  })

  it.each([
    ['half a field', 'PCI-LAY-DRV-01', 0, 2, 0],
    ['a field and more', 'PCI-LAY-DRV-01', STATUS, 4, 0],
    ['the middle of a field', 'PCI-LAY-DRV-01', SELECT + 1, 1, 0],
    ['device_feature', 'PCI-COM-DRV-01', 4, 4, 0],
    ['num_queues', 'PCI-COM-DRV-01', 18, 2, 0],
    ['0 in queue_enable', 'PCI-COM-DRV-06', ENABLE, 2, 0],
    ['0 in queue_reset', 'PCI-COM-DRV-07', RESET, 2, 0],
    ['ISR', 'PCI-CAP-DRV-09', ISR, 1, 0],
    ['nothing at all', 'PCI-CAP-DRV-09', 0x800, 4, 0],
    ['a kick of a byte', 'PCI-KICK-DRV-01', NOTIFY, 1, 0],
    ['a kick between doorbells', 'PCI-KICK-DRV-01', NOTIFY + 2, 2, 0],
    ["a kick at another queue's doorbell", 'PCI-KICK-DRV-03', NOTIFY, 2, 1],
  ] as const)('a write of %s is ignored and reported', (_, clause, offset, width, value) => {
    const { read, write, start, violations } = started()
    start()
    write(offset, width, value)
    expect(violations).toEqual([clause])
    expect([read(STATUS, 1), read(ENABLE, 2)]).toEqual([15, 1])
  })
})

describe('interrupts', () => {
  it('PCI-ISR-DEV-03, PCI-ISR-DEV-04, PCI-ISR-DEV-05: without MSI-X ISR is the line, and reading it clears both', () => {
    const { device, pci, read, start, levels } = started()
    start()
    device.registers.notifyUsed(0)
    device.registers.notifyConfigChange()
    expect(levels).toEqual([true])
    expect(pci.readConfig(6, 2) & 8).toBe(8)
    expect(pci.readConfig(4, 4) & 0x8_0000).toBe(0x8_0000)
    expect([read(ISR, 1), read(ISR, 1), levels]).toEqual([3, 0, [true, false]])
    expect(pci.readConfig(6, 2) & 8).toBe(0)
  })

  it('INTx off in the command register holds the line down', () => {
    const { device, pci, read, start, levels } = started()
    start()
    pci.writeConfig(4, 2, 0x400)
    device.registers.notifyUsed(0)
    expect([levels, pci.readConfig(6, 2) & 8]).toEqual([[], 8])
    pci.writeConfig(4, 2, 0)
    expect(levels).toEqual([true])
    expect([read(ISR, 1), levels]).toEqual([1, [true, false]])
  })

  it('PCI-ISR-DEV-02, PCI-MSIX-DEV-04: with MSI-X each event sends the message of its vector, and sets the configuration bit', () => {
    const { device, read, write, start, messages, levels, useMessages } = started()
    start()
    useMessages()
    write(16, 2, 0)
    write(VECTOR, 2, 1)
    device.registers.notifyUsed(0)
    expect([messages, read(ISR, 1)]).toEqual([[[0x1_fee0_0000, 0x41]], 0])
    device.registers.notifyConfigChange()
    expect([messages.at(-1), read(ISR, 1), levels]).toEqual([[0x1_fee0_0000, 0x40], 2, []])
    // Both on one vector, the other way round.
    write(VECTOR, 2, 0)
    device.registers.notifyUsed(0)
    expect(messages.at(-1)).toEqual([0x1_fee0_0000, 0x40])
  })

  it('PCI-INT-DEV-01, PCI-INT-DEV-02, PCI-MSIX-DEV-05: an event without a vector is not signalled', () => {
    const { device, write, start, messages, levels, useMessages } = started()
    start()
    useMessages()
    write(VECTOR, 2, 1)
    write(VECTOR, 2, 0xffff)
    device.registers.notifyUsed(0)
    device.registers.notifyConfigChange()
    expect([messages, levels]).toEqual([[], []])
  })

  it('PCI-MSIX-DEV-02, PCI-MSIX-DEV-06, PCI-MSIX-DEV-08, PCI-MSIX-DEV-09: a vector outside of the table reads back NO_VECTOR', () => {
    const { pci, read, write, start, useMessages } = started({ vectors: 5 })
    start()
    const { at } = useMessages(5)
    expect(pci.readConfig(at + 2, 2)).toBe(0x8004)
    for (const [vector, found] of [
      [4, 4],
      [5, 0xffff],
      [0, 0],
    ] as const) {
      write(VECTOR, 2, vector)
      write(16, 2, vector)
      expect([read(VECTOR, 2), read(16, 2)]).toEqual([found, found])
    }
  })

  it('PCI-MSIX-DEV-01: there are two vectors or more unless told otherwise', () => {
    const { pci } = started()
    const { at } = capabilitiesOf(pci).find(({ id }) => id === 0x11)!
    expect(pci.readConfig(at + 2, 2) & 0x7ff).toBe(1)
    expect(pci.readConfig(at + 4, 4)).toBe(1)
    expect(capabilitiesOf(started({ sendMessage: undefined as never }).pci).map(({ id }) => id)).not.toContain(0x11)
  })

  it('a masked vector is pending until it is unmasked, by its own bit or the function', () => {
    const { device, pci, write, start, messages, useMessages } = started()
    start()
    const { at } = useMessages()
    write(VECTOR, 2, 1)
    const pending = pci.readConfig(at + 8, 4) & ~7
    pci.writeBar(1, 16 + 12, 4, 1)
    device.registers.notifyUsed(0)
    expect([messages, pci.readBar(1, pending, 4)]).toEqual([[], 2])
    pci.writeBar(1, 16 + 12, 4, 0)
    expect([messages.length, pci.readBar(1, pending, 4)]).toEqual([1, 0])
    // Message control, by a byte and by the word that it is half of.
    pci.writeConfig(at + 3, 1, 0xc0)
    expect([pci.readConfig(at + 3, 1), pci.readConfig(at, 4) >>> 16]).toEqual([0xc0, 0xc001])
    device.registers.notifyUsed(0)
    device.registers.notifyUsed(0)
    expect(messages.length).toBe(1)
    pci.writeConfig(at + 2, 2, 0x8000)
    expect(messages.length).toBe(2)
  })
})

describe('a guest at random', () => {
  const access = fc.record({
    space: fc.constantFrom('config', 0, 0, 0, 1),
    offset: fc.oneof(
      fc.constantFrom(0, 4, 8, 12, 16, STATUS, SELECT, SIZE, VECTOR, ENABLE, RESET, 32, 40, 48, ISR, DEVICE, NOTIFY),
      fc.integer({ min: 0, max: 0x80 }),
      fc.integer({ min: 0, max: 0x4000 }),
    ),
    width: fc.constantFrom<AccessWidth>(4, 2, 1),
    value: fc.oneof(fc.constantFrom(0, 1, 3, 8, 11, 15, 0x8000, 0x1_0000, 0xffff_ffff), fc.nat(0xffff_ffff)),
    write: fc.boolean(),
  })

  property.prop([fc.array(access, { minLength: 50, maxLength: 150 })], { numRuns: 100 })(
    'crashes nothing; the line follows ISR; and a driver that starts anew finds the device whole',
    (accesses) => {
      const { pci, read, write, start, levels, setUp } = started()
      start()
      for (const { space, offset: anywhere, width, value, write: isWrite } of accesses) {
        const bytes = space === 'config' ? 256 : pci.barBytes[space as 0 | 1]!
        const offset = anywhere % (bytes - width + 1)
        if (space === 'config') {
          if (isWrite) pci.writeConfig(offset, width, value)
          else expect(pci.readConfig(offset, width)).toBeLessThanOrEqual(2 ** (8 * width) - 1)
        } else if (isWrite) pci.writeBar(space as 0 | 1, offset, width, value)
        else expect(pci.readBar(space as 0 | 1, offset, width)).toBeLessThanOrEqual(2 ** (8 * width) - 1)
      }
      expect(levels.every((level, i) => level === (i % 2 === 0))).toBe(true)
      read(ISR, 1)
      expect(pci.interruptLine).toBe(false)
      write(STATUS, 1, 0)
      expect(read(STATUS, 1)).toBe(0)
      start()
      expect([read(STATUS, 1), read(ENABLE, 2)]).toEqual([15, 1])
      write(RESET, 2, 1)
      setUp()
      expect(read(ENABLE, 2)).toBe(1)
    },
  )
})

describe('an emulator', () => {
  it('that passes a wrong BAR, offset, width or value is told so', () => {
    const { pci } = started({ sendMessage: undefined as never })
    expect(() => pci.readBar(1, 0, 4)).toThrow('bar must be one of 0')
    expect(() => pci.readBar(0, 0x4000, 4)).toThrow('offset')
    expect(() => pci.readConfig(254, 4)).toThrow('offset')
    expect(() => pci.readConfig(0, 3 as never)).toThrow('width')
    expect(() => pci.writeBar(0, 0, 4, -1)).toThrow('value')
  })

  it('reads any field of the device configuration in any width', () => {
    const device = defineDevice({
      id: 9,
      queues: [{ name: 'requests', size: 8 }],
      config: {
        word: u32('word', { initial: 0x1234_5678 }),
        half: u16('half', { initial: 0x9abc, driverWritable: true }),
      },
      requests() {},
    }).create()
    const { read, write, start } = started({}, device as never)
    start()
    expect([read(DEVICE), read(DEVICE + 1, 1), read(DEVICE + 4, 2), read(DEVICE + 4)]).toEqual([
      0x1234_5678, 0x56, 0x9abc, 0x9abc,
    ])
    write(DEVICE + 4, 2, 0x1122)
    expect(read(DEVICE + 4, 2)).toBe(0x1122)
  })
})

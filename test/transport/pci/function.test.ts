/** A PCI function of virtio: its identity, capabilities, BARs and the PCI_CFG window (virtio 1.4 §4.1.2, §4.1.4). */
import { GuestMemory } from 'virtio-sdk/memory'
import { PciFunction } from 'virtio-sdk/transport'
import { DeviceRegisters, defineDevice, entropyDevice } from 'virtio-sdk/virtio'
import { describe, expect, it } from 'vitest'
import { capabilitiesOf, DEVICE, quiet, SELECT, STATUS, started } from './guest.ts'

describe('identity', () => {
  it('PCI-ID-DEV-02, PCI-ID-DEV-03, PCI-ID-DEV-05, PCI-ID-DEV-06, PCI-ID-DEV-07: vendor 1af4, device 1040 and the type, revision 1', () => {
    const { pci } = started({}, entropyDevice({ source: () => 0 }).create() as never)
    expect([pci.readConfig(0, 2), pci.readConfig(2, 2), pci.readConfig(8, 1)]).toEqual([0x1af4, 0x1044, 1])
    expect(pci.readConfig(0x2e, 2)).toBeGreaterThanOrEqual(0x40)
    expect(pci.readConfig(0x3d, 1)).toBe(1)
  })

  it('PCI-COM-DEV-02, PCI-NCAP-DEV-01, PCI-ISR-DEV-01, PCI-DEV-DEV-01, PCI-ACC-DEV-01: has a capability of each structure', () => {
    const { pci } = started()
    expect(capabilitiesOf(pci).map(({ id, type }) => (id === 9 ? type : 'msix'))).toEqual([1, 2, 3, 4, 5, 'msix'])
  })

  it('PCI-COM-DEV-01, PCI-DEV-DEV-02, PCI-NCAP-DEV-02, PCI-CAP-DEV-02: structures are aligned, inside their BAR, and do not overlap', () => {
    for (const bar of ['memory', 'io'] as const) {
      const { pci } = started({ bar })
      const structures = capabilitiesOf(pci).filter(({ id, type }) => id === 9 && type < 5)
      for (const { length, type, offset, bytes } of structures) {
        expect(length).toBe(type === 2 ? 20 : 16)
        expect(offset % 4).toBe(0)
        expect(offset + bytes).toBeLessThanOrEqual(pci.barBytes[0]!)
      }
      const sorted = structures.toSorted((a, b) => a.offset - b.offset)
      for (const [i, { offset, bytes }] of sorted.entries()) {
        expect(offset + bytes).toBeLessThanOrEqual(sorted[i + 1]?.offset ?? pci.barBytes[0]!)
      }
    }
  })

  it('PCI-NCAP-DEV-03, PCI-NCAP-DEV-04, PCI-NCAP-DEV-05, PCI-NCAP-DEV-06: every queue has a doorbell within the structure', () => {
    const { pci, read, write } = started()
    const notify = capabilitiesOf(pci).find(({ type }) => type === 2)!
    const multiplier = pci.readConfig(notify.at + 16, 4)
    expect([multiplier % 2, Math.log2(multiplier) % 1]).toEqual([0, 0])
    const queues = read(18, 2)
    for (let queue = 0; queue < queues; queue++) {
      write(SELECT, 2, queue)
      expect(read(30, 2) * multiplier + 2).toBeLessThanOrEqual(notify.bytes)
    }
  })

  it('a device without configuration has no structure for it', () => {
    const device = defineDevice({ id: 60, queues: [{ name: 'requests', size: 8 }], requests() {} }).create()
    const { pci } = started({}, device as never)
    expect(capabilitiesOf(pci).map(({ type }) => type)).not.toContain(4)
  })

  it('too many queues for an I/O BAR are refused', () => {
    const device = { registers: new DeviceRegisters({ deviceId: 9, queueSizes: Array(17).fill(8) }, quiet) }
    const options = { memory: GuestMemory.ofSize(4096), interruptLine() {}, bar: 'io' } as const
    expect(() => new PciFunction(device, options)).toThrow('doorbells for 16 queues, there are 17')
  })
})

describe('configuration space', () => {
  it('BARs are sized by all ones, and decode where they were put', () => {
    const { pci } = started()
    pci.writeConfig(0x10, 4, 0xffff_ffff)
    expect(pci.readConfig(0x10, 4)).toBe(0xffff_c000)
    pci.writeConfig(0x10, 4, 0xfe00_4000)
    expect(pci.barAt(0xfe00_4010)).toBeNull()
    pci.writeConfig(4, 2, 2)
    expect(pci.barAt(0xfe00_4010)).toEqual({ bar: 0, offset: 0x10 })
    expect([pci.barAt(0xfe00_8000), pci.barAt(0xfe00_3fff), pci.barAt(0xfe00_4010, 'io')]).toEqual([null, null, null])
  })

  it('an I/O BAR is one, and is told so', () => {
    const { pci } = started({ bar: 'io' })
    pci.writeConfig(0x10, 4, 0xffff_ffff)
    expect(pci.readConfig(0x10, 4)).toBe(0xffff_ff01)
    pci.writeConfig(0x10, 4, 0xc000)
    pci.writeConfig(4, 2, 1)
    expect(pci.barAt(0xc014, 'io')).toEqual({ bar: 0, offset: 0x14 })
  })

  it('identity and capabilities cannot be written', () => {
    const { pci } = started()
    const before = Array.from({ length: 64 }, (_, i) => pci.readConfig(4 * i, 4))
    const writable = [1, 4, 5, 15]
    const window = capabilitiesOf(pci).find(({ type }) => type === 5)!.at / 4
    for (let i = 0; i < 64; i++) {
      if (!writable.includes(i) && (i < window || i > window + 4)) pci.writeConfig(4 * i, 4, 0xa5a5_a5a5)
    }
    const msix = capabilitiesOf(pci).find(({ id }) => id === 0x11)!.at
    pci.writeConfig(msix + 2, 2, 0)
    expect(Array.from({ length: 64 }, (_, i) => pci.readConfig(4 * i, 4))).toEqual(before)
  })

  it('PCI-ACC-DEV-02, PCI-ACC-DEV-03: the window of PCI_CFG reads and writes the BAR', () => {
    const { pci, violations } = started()
    const { at } = capabilitiesOf(pci).find(({ type }) => type === 5)!
    const aim = (offset: number, length: number, bar = 0) => {
      pci.writeConfig(at + 4, 1, bar)
      pci.writeConfig(at + 8, 4, offset)
      pci.writeConfig(at + 12, 4, length)
    }
    aim(STATUS, 1)
    pci.writeConfig(at + 16, 1, 1)
    expect([pci.readConfig(at + 16, 1), pci.readBar(0, STATUS, 1)]).toEqual([1, 1])
    aim(DEVICE, 4)
    expect(pci.readConfig(at + 16, 4)).toBe(77)
    for (const [offset, length, bar] of [
      [STATUS, 3, 0],
      [2, 4, 0],
      [0x3ffe, 4, 0],
      [0, 4, 5],
      [0, 4, 255],
    ] as const) {
      aim(offset, length, bar)
      expect(pci.readConfig(at + 16, 4)).toBe(0)
    }
    expect(violations).toEqual(Array(5).fill('PCI-ACC-DRV-01'))
  })
})

/** The structures of a virtio device, found through its PCI capabilities (virtio 1.4 §4.1.4). */
import { VirtioError } from '../../internal/error.ts'
import type { PciBus } from './bus.ts'
import * as pci from './registers.ts'
import { PCI } from './registers.ts'

/** Where a structure lies. */
export interface PciStructure {
  readonly bar: number
  readonly offset: number
  readonly bytes: number
}

/** What a driver uses of a function. */
export interface PciStructures {
  readonly common: PciStructure
  readonly isr: PciStructure
  readonly notify: PciStructure
  readonly multiplier: number
  /** null: the device has no configuration. */
  readonly config: PciStructure | null
  /** Offset of the MSI-X capability; null: there is none. */
  readonly msix: number | null
}

/** A list in 192 bytes has no more entries than this, unless it goes in circles. */
const MOST_CAPABILITIES = 48

/** Bytes that a structure of a type must have at least: one that is shorter is not usable (PCI-CAP-DRV-08). */
const LEAST_BYTES: Readonly<Record<number, number>> = { [pci.CFG_COMMON]: 56, [pci.CFG_NOTIFY]: 2, [pci.CFG_ISR]: 1 }

/**
 * The first usable structure of each type (PCI-CAP-DRV-03): those of reserved types and BARs are skipped, and longer ones are taken.
 * Throws `VirtioError` NO_DEVICE for a list in a circle, or without one of the structures that every device has.
 */
export function findStructures(bus: PciBus): PciStructures {
  const found = new Map<number, PciStructure>()
  let multiplier = 0
  let msix: number | null = null
  const hasList = (bus.readConfig(PCI.STATUS, 2) & pci.STATUS_CAPABILITIES) !== 0
  let at = hasList ? bus.readConfig(PCI.CAPABILITIES, 1) & ~3 : 0
  for (let count = 0; at >= 0x40; count++) {
    if (count === MOST_CAPABILITIES) throw new VirtioError('NO_DEVICE', 'the list of PCI capabilities goes in circles')
    const id = bus.readConfig(at, 1)
    if (id === pci.CAP_MSIX && msix === null) msix = at
    if (id === pci.CAP_VENDOR) {
      const length = bus.readConfig(at + 2, 1)
      const type = bus.readConfig(at + 3, 1)
      const bar = bus.readConfig(at + 4, 1)
      const offset = bus.readConfig(at + 8, 4)
      const bytes = bus.readConfig(at + 12, 4)
      const usable = length >= pci.CAP_BYTES && bar <= 5 && bytes >= (LEAST_BYTES[type] ?? 0)
      if (usable && !found.has(type)) {
        found.set(type, { bar, offset, bytes })
        if (type === pci.CFG_NOTIFY) multiplier = bus.readConfig(at + pci.CAP_BYTES, 4)
      }
    }
    at = bus.readConfig(at + 1, 1) & ~3
  }
  const structure = (type: number, name: string): PciStructure => {
    const one = found.get(type)
    if (one !== undefined) return one
    throw new VirtioError(
      'NO_DEVICE',
      `the function has no usable capability of type ${type}, ${name}: it is no modern virtio device`,
    )
  }
  return {
    common: structure(pci.CFG_COMMON, 'the common configuration'),
    notify: structure(pci.CFG_NOTIFY, 'notifications'),
    isr: structure(pci.CFG_ISR, 'ISR status'),
    multiplier,
    config: found.get(pci.CFG_DEVICE) ?? null,
    msix,
  }
}

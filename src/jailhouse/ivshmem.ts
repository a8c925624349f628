/** An ivshmem device of a cell: its place on the PCI bus, its sections of memory and its interrupt. */
import type { CellConfig, PciDevice } from './config.ts'
import { PCI_TYPES } from './words.ts'

/** A section of a link: 0 is the state table, 1 the common section, 2 + n the output section of peer n. */
export interface Section {
  readonly device: PciDevice
  readonly section: number
}

/** What a memory region is to the ivshmem devices of its cell; null: it is no section. */
export function sectionOf({ pciDevices }: CellConfig, region: number): Section | null {
  for (const device of pciDevices) {
    const section = region - device.firstRegion
    if (device.type === PCI_TYPES.ivshmem && section >= 0 && section < 2 + device.peers) return { device, section }
  }
  return null
}

/** `the output section of peer 1`. */
export function sectionName(section: number): string {
  if (section === 0) return 'the state table'
  return section === 1 ? 'the common section' : `the output section of peer ${section - 2}`
}

/** `00:01.0`. */
export function bdfInWords(bdf: number): string {
  const two = (value: number) => value.toString(16).padStart(2, '0')
  return `${two(bdf >> 8)}:${two((bdf >> 3) & 31)}.${bdf & 7}`
}

/** The GIC's number of a device's INTx; the pin follows from the device number. */
export function intxOf({ vpciIrqBase }: CellConfig, { bdf }: PciDevice): number {
  return 32 + vpciIrqBase + ((bdf >> 3) & 3)
}

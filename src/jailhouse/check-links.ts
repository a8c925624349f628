/** Faults of ivshmem devices: of each by itself, and of the ends of a link against each other. Jailhouse's tool looks at none. */

import type { CellConfig, MemoryRegion, PciDevice } from './config.ts'
import { type ConfigFault, type ConfigSet, range, regionPlace } from './fault.ts'
import { bdfInWords, intxOf, sectionName } from './ivshmem.ts'
import { PCI_TYPES, PROTOCOLS, protocolInWords } from './words.ts'

/** As many ends as Jailhouse's links have room for, and MSI-X vectors. */
const MOST_PEERS = 12
const MOST_VECTORS = 16

interface End {
  readonly cell: CellConfig
  readonly device: PciDevice
}

/** Of all devices of a set. */
export function checkLinks({ system, cells }: ConfigSet): ConfigFault[] {
  const faults: ConfigFault[] = []
  const links = new Map<number, End[]>()
  for (const cell of cells) {
    for (const device of cell.pciDevices) {
      if (device.type !== PCI_TYPES.ivshmem) continue
      const end = { cell, device }
      faults.push(...checkEnd(end))
      links.set(device.bdf, [...(links.get(device.bdf) ?? []), end])
    }
  }
  for (const ends of links.values()) {
    for (const [i, end] of ends.entries()) {
      for (const other of ends.slice(i + 1)) faults.push(...checkPair(end, other))
    }
    const [alone, another] = ends
    if (another === undefined && system !== null && cells.length > 1) {
      faults.push(fault(alone!, 'has no peer in this set', 'give a device of another cell the same bdf', 'nobody'))
    }
  }
  return faults
}

/** `cell demo, ivshmem 00:01.0`. */
function placeOf({ cell, device: { bdf } }: End): string {
  return `cell ${cell.name}, ivshmem ${bdfInWords(bdf)}`
}

function fault(end: End, what: string, cure: string, foundBy: ConfigFault['foundBy']): ConfigFault {
  return { where: placeOf(end), what, cure, foundBy }
}

function sectionsOf({ cell, device: { firstRegion, peers } }: End): readonly MemoryRegion[] {
  return cell.memory.slice(firstRegion, firstRegion + 2 + peers)
}

function checkEnd(end: End): ConfigFault[] {
  const { cell, device } = end
  const { firstRegion, peers, id, msixVectors } = device
  if (firstRegion + 2 + peers > cell.memory.length) {
    const last = firstRegion + 1 + peers
    const what = `needs memory regions ${firstRegion} to ${last} (state table, common section, ${peers} output sections), the cell has ${cell.memory.length}`
    return [
      fault(end, what, 'add the sections, or correct the first region or the number of peers (EINVAL)', 'hypervisor'),
    ]
  }
  const faults: ConfigFault[] = []
  if (id >= MOST_PEERS) {
    faults.push(
      fault(
        end,
        `has the id ${id}`,
        `Jailhouse links at most ${MOST_PEERS} peers: 0 to ${MOST_PEERS - 1} (EINVAL)`,
        'hypervisor',
      ),
    )
  } else if (id >= peers) {
    faults.push(fault(end, `has the id ${id}, of ${peers} peers`, `number the peers from 0 to ${peers - 1}`, 'nobody'))
  }
  if (peers < 2) faults.push(fault(end, `is a link of ${peers} peers`, 'a link has at least two', 'nobody'))
  if (msixVectors > MOST_VECTORS) {
    faults.push(fault(end, `has ${msixVectors} MSI-X vectors`, `at most ${MOST_VECTORS} (EINVAL)`, 'hypervisor'))
  }
  if ((device.barMasks[0]! & 0xfff) !== 0 || device.barMasks[0] === 0) {
    faults.push(
      fault(end, 'its registers have no BAR of whole pages', 'set the first bar mask to 0xfffff000', 'nobody'),
    )
  }
  faults.push(...checkSections(end), ...checkInterrupt(end))
  return faults
}

function checkSections(end: End): ConfigFault[] {
  const { cell, device } = end
  const { firstRegion, id, peers } = device
  const sections = sectionsOf(end)
  const faults: ConfigFault[] = []
  const at = (section: number, what: string, cure: string) =>
    faults.push({
      where: `${regionPlace(cell, firstRegion + section)}, ${sectionName(section)} of ivshmem ${bdfInWords(device.bdf)}`,
      what,
      cure,
      foundBy: 'nobody',
    })
  const [table, common, ...outputs] = sections
  if (table!.size < BigInt(4 * peers))
    at(0, `has ${table!.size} bytes for ${peers} peers`, 'four bytes each, in whole pages')
  if (table!.flags.includes('WRITE'))
    at(0, 'can be written by the guest', 'take WRITE away: a peer could forge the states of the others')
  if (!table!.flags.includes('READ')) at(0, 'cannot be read by the guest', 'add READ')
  if (common!.size > 0n && !(common!.flags.includes('READ') && common!.flags.includes('WRITE'))) {
    at(1, 'cannot be both read and written', 'add READ and WRITE, or set its size to 0')
  }
  for (const [peer, output] of outputs.entries()) {
    if (output.size === 0n) continue
    const writable = output.flags.includes('WRITE')
    if (!output.flags.includes('READ')) at(2 + peer, 'cannot be read', 'add READ')
    if (peer === id && !writable) at(2 + peer, 'cannot be written by its own peer', 'add WRITE')
    if (peer !== id && writable)
      at(2 + peer, `can be written by peer ${id}`, 'take WRITE away: only its owner writes an output section')
  }
  const sizes = new Set(outputs.map(({ size }) => size))
  if (sizes.size > 1)
    at(
      2,
      `the output sections have ${[...sizes].join(' and ')} bytes`,
      'make all of one size: guests are told the first',
    )
  for (const [i, section] of sections.entries()) {
    const flags = ['IO', 'COMM_REGION', 'COLORED'].filter((flag) => section.flags.includes(flag))
    if (section.size > 0n && flags.length > 0) at(i, `is ${flags.join(' and ')}`, 'a section is plain memory')
  }
  // A guest is told one address, and computes the others from the sizes.
  let next = table!.virt
  for (const [i, { virt, size }] of sections.entries()) {
    if (size === 0n) continue
    if (virt !== next) {
      at(
        i,
        `is at the guest address 0x${virt.toString(16)}; guests expect it at 0x${next.toString(16)}, behind the section before`,
        'put the sections one behind the other, in their order',
      )
      break
    }
    next += size
  }
  return faults
}

/** INTx of a virtual device is an interrupt of the cell: the GIC lets it through only when the cell has it. */
function checkInterrupt(end: End): ConfigFault[] {
  const { cell, device } = end
  if (device.msixVectors > 0 || cell.architecture === 'x86' || cell.irqchips.length === 0) return []
  const irq = intxOf(cell, device)
  const has = cell.irqchips.some(({ pinBase, bitmap }) => {
    const pin = irq - pinBase
    return pin >= 0 && pin < 128 && ((bitmap[pin >> 5]! >>> (pin & 31)) & 1) === 1
  })
  if (has) return []
  return [
    fault(
      end,
      `raises interrupt ${irq} (32 + ${cell.vpciIrqBase} + pin - 1), which the cell does not have`,
      'add it to the bitmap of its interrupt controller',
      'nobody',
    ),
  ]
}

function checkPair(end: End, other: End): ConfigFault[] {
  const faults: ConfigFault[] = []
  const [a, b] = [end.device, other.device]
  const against = placeOf(other)
  if (end.cell === other.cell) {
    faults.push(fault(end, 'is a second device of the same bdf in its cell', 'give it another bdf', 'nobody'))
  }
  if (a.id === b.id)
    faults.push(fault(end, `has the id ${a.id}, as ${against}`, 'number the ends apart (EBUSY)', 'hypervisor'))
  if (a.peers !== b.peers)
    faults.push(fault(end, `is a link of ${a.peers} peers, ${against} of ${b.peers}`, 'make both equal', 'nobody'))
  if (a.msixVectors !== b.msixVectors) {
    faults.push(
      fault(end, `has ${a.msixVectors} MSI-X vectors, ${against} ${b.msixVectors}`, 'make both equal', 'nobody'),
    )
  }
  if (!speakTogether(a.protocol, b.protocol)) {
    const what = `speaks ${protocolInWords(a.protocol)}, ${against} ${protocolInWords(b.protocol)}`
    faults.push(
      fault(end, what, 'use one protocol; of virtio one front-end and one back-end of the same device', 'nobody'),
    )
  }
  const theirs = sectionsOf(other)
  for (const [i, section] of sectionsOf(end).entries()) {
    const peer = theirs[i]
    if (peer === undefined || (section.size === 0n && peer.size === 0n)) continue
    if (section.phys === peer.phys && section.size === peer.size) continue
    faults.push({
      where: `${regionPlace(end.cell, a.firstRegion + i)}, ${sectionName(i)} of ivshmem ${bdfInWords(a.bdf)}`,
      what: `is ${range(section.phys, section.size)}, in cell ${other.cell.name} ${range(peer.phys, peer.size)}`,
      cure: 'give both ends the same physical memory',
      foundBy: 'nobody',
    })
  }
  return faults
}

function speakTogether(a: number, b: number): boolean {
  const [low, high] = a < b ? [a, b] : [b, a]
  const { virtioFront, virtioBack } = PROTOCOLS
  if (low >= virtioFront || high >= virtioFront) return low < virtioBack && high - virtioBack === low - virtioFront
  return a === b
}

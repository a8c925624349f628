/**
 * Faults of a set of configurations: those that Jailhouse's own tool reports (`jailhouse config check`), those at which its
 * hypervisor refuses to create a cell, and those that neither sees, of ivshmem links and between cells. Nothing is refused here:
 * mainline's own ZCU102 root has a fault and boots.
 */

import { checkArray } from '../internal/check-option.ts'
import { checkLinks } from './check-links.ts'
import {
  type CellConfig,
  type JailhouseConfig,
  jailhouseConfig,
  type MemoryRegion,
  type SystemConfig,
} from './config.ts'
import { type ConfigFault, type ConfigSet, range, regionPlace } from './fault.ts'
import { sectionOf } from './ivshmem.ts'
import { hex, sizeInWords } from './words.ts'

/** A range of physical addresses that the hypervisor has to keep for itself. */
interface Reserved {
  readonly name: string
  readonly start: bigint
  readonly size: bigint
}

/** Takes at most one system and any number of cells, each as `encode` does. Without a system only what a cell says by itself is checked. */
export function checkConfigs(descriptions: readonly unknown[]): readonly ConfigFault[] {
  checkArray('descriptions', descriptions)
  const configs = descriptions.map(jailhouseConfig)
  const system = configs.find((config) => config.kind === 'system') ?? null
  const others = configs.filter((config) => config.kind === 'cell')
  const set: ConfigSet = { system, cells: system === null ? others : [system.rootCell, ...others] }
  return [
    ...checkSet(configs),
    ...set.cells.flatMap((cell) => [...checkOverlaps(cell), ...checkRegions(cell, cell === system?.rootCell)]),
    ...checkReserved(set),
    ...checkCpus(set),
    ...checkInterrupts(set),
    ...checkSharing(set),
    ...checkLinks(set),
  ]
}

/** Whether two ranges share an address; an empty one shares none. */
function overlap(start: bigint, size: bigint, other: bigint, otherSize: bigint): boolean {
  return size > 0n && otherSize > 0n && start < other + otherSize && other < start + size
}

function isColored({ flags }: MemoryRegion): boolean {
  return flags.includes('COLORED')
}

function isComm({ flags }: MemoryRegion): boolean {
  return flags.includes('COMM_REGION')
}

function checkSet(configs: readonly JailhouseConfig[]): ConfigFault[] {
  const faults: ConfigFault[] = []
  const [first] = configs
  const systems = configs.filter(({ kind }) => kind === 'system')
  if (systems.length > 1) {
    faults.push({
      where: `the set of ${configs.length} files`,
      what: `has ${systems.length} system configurations`,
      cure: 'a board runs one; check the others by themselves',
      foundBy: 'config check',
    })
  }
  for (const config of configs.slice(1)) {
    for (const key of ['layout', 'architecture'] as const) {
      if (config[key] === first![key]) continue
      faults.push({
        where: nameOf(config),
        what: `has the ${key} ${config[key]}, ${nameOf(first!)} has ${first![key]}`,
        cure: 'build all files of a set for one hypervisor',
        foundBy: 'config check',
      })
    }
  }
  const names = new Map<string, number>()
  for (const config of configs) {
    const { name } = config.kind === 'system' ? config.rootCell : config
    names.set(name, (names.get(name) ?? 0) + 1)
  }
  for (const [name, count] of names) {
    if (count === 1) continue
    faults.push({
      where: `cell ${name}`,
      what: `${count} cells have this name`,
      cure: 'give each its own: the second is not created (EEXIST)',
      foundBy: 'hypervisor',
    })
  }
  return faults
}

function nameOf(config: JailhouseConfig): string {
  return config.kind === 'system' ? `the system of root cell ${config.rootCell.name}` : `cell ${config.name}`
}

/** Regions of one cell that share addresses, as Jailhouse's tool compares them. */
function checkOverlaps(cell: CellConfig): ConfigFault[] {
  const faults: ConfigFault[] = []
  for (const [i, a] of cell.memory.entries()) {
    for (const [j, b] of cell.memory.entries()) {
      if (j <= i) continue
      const spaces = [
        // Coloured regions interleave with others of the same range.
        overlap(a.phys, a.size, b.phys, b.size) && !(isColored(a) && isColored(b)) ? 'physically' : '',
        overlap(a.virt, a.size, b.virt, b.size) ? 'in the guest' : '',
      ].filter((space) => space !== '')
      if (spaces.length === 0) continue
      const physical = spaces.includes('physically')
      faults.push({
        where: regionPlace(cell, i),
        what: `overlaps region ${j} ${spaces.join(' and ')}: ${
          physical
            ? `${range(a.phys, a.size)} and ${range(b.phys, b.size)}`
            : `${range(a.virt, a.size)} and ${range(b.virt, b.size)}`
        }`,
        cure: 'move one of them, or make it shorter',
        foundBy: 'config check',
      })
    }
  }
  return faults
}

const PAGE = 4096n
const PAGE_OFFSET = PAGE - 1n

function checkRegions(cell: CellConfig, isRoot: boolean): ConfigFault[] {
  const faults: ConfigFault[] = []
  for (const [i, region] of cell.memory.entries()) {
    const { phys, virt, size, flags } = region
    const where = regionPlace(cell, i)
    if (size === 0n) continue
    if (phys + size > 1n << 64n || virt + size > 1n << 64n) {
      faults.push({ where, what: `goes past the end of the address space`, cure: 'make it shorter', foundBy: 'nobody' })
      continue
    }
    const isSubpage = (virt & PAGE_OFFSET) !== 0n || (size & PAGE_OFFSET) !== 0n
    if (isSubpage && !flags.includes('IO')) {
      faults.push({
        where,
        what: `is not made of whole pages: ${range(virt, size)}, ${sizeInWords(size)}`,
        cure: 'align address and size to 4096; only registers (flag IO) may be parts of a page',
        foundBy: 'nobody',
      })
    } else if (!isSubpage && (phys & PAGE_OFFSET) !== 0n && !isComm(region)) {
      faults.push({
        where,
        what: `is at the physical address ${hex(phys)}, in the middle of a page`,
        cure: 'align it to 4096',
        foundBy: 'hypervisor',
      })
    }
    if (!flags.includes('READ') && !flags.includes('WRITE')) {
      faults.push({
        where,
        what: 'is neither READ nor WRITE: every access stops the cell',
        cure: 'add READ, or set the size to 0',
        foundBy: 'nobody',
      })
    }
  }
  const comm = cell.memory.filter(isComm)
  if (isRoot) {
    if (comm.length > 0)
      faults.push(commFault(cell, 'the root cell has a communication region', 'leave it to the other cells'))
  } else if (comm.length > 1) {
    faults.push(commFault(cell, `has ${comm.length} communication regions`, 'have one'))
  }
  for (const { size } of comm) {
    if (size !== PAGE)
      faults.push(commFault(cell, `has a communication region of ${sizeInWords(size)}`, 'make it 4 KiB'))
  }
  return faults
}

function commFault(cell: CellConfig, what: string, cure: string): ConfigFault {
  return { where: `cell ${cell.name}`, what, cure, foundBy: 'nobody' }
}

/** What the hypervisor intercepts or lives in, and a cell must not have mapped. */
function checkReserved({ system, cells }: ConfigSet): ConfigFault[] {
  if (system === null) return []
  return cells.flatMap((cell) =>
    cell.memory.flatMap((region, i) =>
      reservedBy(system)
        .filter(({ start, size }) => !isComm(region) && overlap(region.phys, region.size, start, size))
        .map(
          ({ name, start, size }): ConfigFault => ({
            where: regionPlace(cell, i),
            what: `${range(region.phys, region.size)} overlaps ${name}, ${range(start, size)}`,
            cure:
              name === "the hypervisor's memory"
                ? 'move the region: the cell could overwrite the hypervisor'
                : 'leave that range out, or accesses to it are not intercepted',
            foundBy: 'config check',
          }),
        ),
    ),
  )
}

function reservedBy({
  hypervisorMemory,
  pciMmconfigBase,
  pciMmconfigEndBus,
  iommuUnits,
  gic,
  x86,
  rootCell,
}: SystemConfig): Reserved[] {
  const reserved: Reserved[] = [
    { name: "the hypervisor's memory", start: hypervisorMemory.phys, size: hypervisorMemory.size },
  ]
  if (pciMmconfigBase > 0n) {
    const size = BigInt(pciMmconfigEndBus + 1) << 20n
    reserved.push({ name: 'the PCI configuration space', start: pciMmconfigBase, size })
  }
  for (const { type, base, size } of iommuUnits) {
    if (type !== 0) reserved.push({ name: 'an IOMMU', start: base, size: BigInt(size) })
  }
  if (gic !== null) {
    const parts: readonly (readonly [string, bigint, bigint])[] =
      gic.version === 3
        ? [
            ['GICD', gic.gicd, 0x1_0000n],
            ['GICR', gic.gicr, 0x2_0000n],
          ]
        : [
            ['GICD', gic.gicd, 0x1000n],
            ['GICC', gic.gicc, 0x2000n],
            ['GICH', gic.gich, 0x2000n],
            ['GICV', gic.gicv, 0x2000n],
          ]
    for (const [name, start, size] of parts) reserved.push({ name: `the ${name}`, start, size })
  }
  if (x86 !== null) {
    reserved.push({ name: 'the xAPIC', start: 0xfee0_0000n, size: PAGE })
    for (const { address } of rootCell.irqchips) reserved.push({ name: 'an I/O APIC', start: address, size: PAGE })
  }
  return reserved
}

function checkCpus({ system, cells }: ConfigSet): ConfigFault[] {
  const faults: ConfigFault[] = []
  const others = cells.filter((cell) => cell !== system?.rootCell)
  const ownerOf = new Map<number, CellConfig>()
  for (const cell of others) {
    if (cell.cpus.length === 0) {
      faults.push({ where: `cell ${cell.name}`, what: 'has no CPU', cure: 'give it one', foundBy: 'nobody' })
    }
    for (const cpu of cell.cpus) {
      const owner = ownerOf.get(cpu)
      if (owner !== undefined) {
        faults.push({
          where: `cell ${cell.name}`,
          what: `has CPU ${cpu}, which cell ${owner.name} has too`,
          cure: 'a CPU belongs to one cell: the second is not created (EBUSY)',
          foundBy: 'hypervisor',
        })
      } else ownerOf.set(cpu, cell)
      if (system !== null && !system.rootCell.cpus.includes(cpu)) {
        faults.push({
          where: `cell ${cell.name}`,
          what: `has CPU ${cpu}, which the root cell does not have`,
          cure: `add it to the root cell, from which cells take their CPUs (it has ${system.rootCell.cpus.join(', ') || 'none'})`,
          foundBy: 'hypervisor',
        })
      }
    }
  }
  if (system?.rootCell.cpus.every((cpu) => ownerOf.has(cpu)) && ownerOf.size > 0) {
    faults.push({
      where: `root cell ${system.rootCell.name}`,
      what: 'the other cells take every CPU that it has',
      cure: 'leave it one: the last cell is not created (EBUSY)',
      foundBy: 'hypervisor',
    })
  }
  return faults
}

/** Pins of every interrupt controller by cell. */
function pinsOf({ irqchips }: CellConfig): Set<string> {
  const pins = new Set<string>()
  for (const { address, pinBase, bitmap } of irqchips) {
    for (const [word, bits] of bitmap.entries()) {
      for (let bit = 0; bit < 32; bit++)
        if ((bits >>> bit) & 1) pins.add(`${hex(address)} ${pinBase + 32 * word + bit}`)
    }
  }
  return pins
}

function checkInterrupts({ system, cells }: ConfigSet): ConfigFault[] {
  const faults: ConfigFault[] = []
  const owners = new Map<string, CellConfig>()
  for (const cell of cells) {
    for (const { pinBase } of cell.irqchips) {
      if (cell.architecture === 'x86' || pinBase % 32 === 0) continue
      faults.push({
        where: `cell ${cell.name}`,
        what: `has interrupts from pin ${pinBase} on`,
        cure: 'begin at a multiple of 32 (EINVAL)',
        foundBy: 'hypervisor',
      })
    }
    if (cell === system?.rootCell) continue
    const root = system === null ? null : pinsOf(system.rootCell)
    for (const pin of pinsOf(cell)) {
      const name = pin.split(' ')[1]!
      const owner = owners.get(pin)
      if (owner !== undefined) {
        faults.push({
          where: `cell ${cell.name}`,
          what: `has interrupt ${name}, which cell ${owner.name} has too`,
          cure: 'give an interrupt to one cell: either can mask it for the other',
          foundBy: 'nobody',
        })
      } else owners.set(pin, cell)
      if (root !== null && !root.has(pin)) {
        faults.push({
          where: `cell ${cell.name}`,
          what: `has interrupt ${name}, which the root cell does not have`,
          cure: 'add it to the root cell, from which cells take their interrupts',
          foundBy: 'nobody',
        })
      }
    }
  }
  return faults
}

/** Memory that two cells have, and that is no section of an ivshmem link between them. */
function checkSharing({ system, cells }: ConfigSet): ConfigFault[] {
  const faults: ConfigFault[] = []
  const others = cells.filter((cell) => cell !== system?.rootCell)
  for (const [n, cell] of others.entries()) {
    for (const other of others.slice(n + 1)) {
      for (const [i, a] of cell.memory.entries()) {
        for (const [j, b] of other.memory.entries()) {
          if (isComm(a) || isComm(b) || !overlap(a.phys, a.size, b.phys, b.size)) continue
          if (a.flags.includes('IO') && b.flags.includes('IO')) continue
          if (isColored(a) && isColored(b) && disjointColors(cell, other)) continue
          if (sameSection(cell, i, other, j)) continue
          const from = a.phys > b.phys ? a.phys : b.phys
          const [endOfA, endOfB] = [a.phys + a.size, b.phys + b.size]
          const shared = range(from, (endOfA < endOfB ? endOfA : endOfB) - from)
          faults.push({
            where: regionPlace(cell, i),
            what: `shares ${shared} with region ${j} of cell ${other.name}, without an ivshmem link`,
            cure: 'move one of them: each cell could read and write the memory of the other',
            foundBy: 'nobody',
          })
        }
      }
    }
  }
  return faults
}

function sameSection(cell: CellConfig, region: number, other: CellConfig, otherRegion: number): boolean {
  const [a, b] = [sectionOf(cell, region), sectionOf(other, otherRegion)]
  return a !== null && b !== null && a.device.bdf === b.device.bdf && a.section === b.section
}

/** Without cache regions a cell has all colours. */
function disjointColors({ caches }: CellConfig, { caches: others }: CellConfig): boolean {
  if (caches.length === 0 || others.length === 0) return false
  return caches.every((a) => others.every((b) => a.start + a.size <= b.start || b.start + b.size <= a.start))
}

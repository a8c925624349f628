/**
 * From a scenario to the configuration files of Jailhouse on a ZCU102: a system with its root cell, a cell for each VM, and an
 * ivshmem link for each pair of VMs that exchange messages.
 */

import { builtInProfile } from '../boards/index.ts'
import { checkFlags, checkObject } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import { planColors } from '../plan/index.ts'
import type { FlowSpec, Scenario, VmSpec } from '../scenario/index.ts'
import { type CellConfig, jailhouseConfig, type SystemConfig } from './config.ts'
import { intxOf } from './ivshmem.ts'
import { PCI_TYPES, PROTOCOLS } from './words.ts'
import * as board from './zcu102-map.ts'

/** How a scenario becomes cells. */
export interface CellsOptions {
  /** The layout of the branch with cache colouring, and RAM of the scenario's page colours. Default false. */
  readonly coloring?: boolean
  /** The SMMU is Jailhouse's, so that devices of a cell reach only its memory. Default false: QEMU's ZCU102 has none. */
  readonly smmu?: boolean
}

/** A link between two VMs, in physical memory that both have mapped. */
export interface CellLink {
  readonly vms: readonly [string, string]
  /** Names of the flows between the two, of either direction. */
  readonly flows: readonly string[]
  readonly bdf: number
  readonly start: bigint
  readonly commonBytes: bigint
  readonly outputBytes: bigint
}

/** The files of a scenario. */
export interface Cells {
  readonly system: SystemConfig
  /** In the scenario's order of VMs, without the one that is the root cell. */
  readonly cells: readonly CellConfig[]
  /** The VM that the root cell stands for, where VMs take every core; null: the root cell is no VM. */
  readonly rootVm: string | null
  readonly links: readonly CellLink[]
  /** What the root cell's Linux must leave alone: memory of the hypervisor, the links and the cells. */
  readonly reserved: { readonly start: bigint; readonly size: bigint }
}

const PAGE = 4096n
const DEFAULT_RAM = 128n << 20n
const LOADER_BYTES = 64n << 10n
const HUGE = 2n << 20n
/** Where a guest finds its communication region. */
const COMM_ADDRESS = 0x8000_0000n
/** virtio 1.4 §5.10: the device id of a socket device. */
const SOCKET_DEVICE = 19

/** Throws `VirtioError`: NO_BOARD, SHARED_CORE, NO_CORE, TOO_MUCH_RAM, BAD_COLORS, or BAD_CONFIG for a name that is too long. */
export function jailhouseCells(scenario: Scenario, options: CellsOptions = {}): Cells {
  checkObject('options', options)
  checkFlags(options, 'coloring', 'smmu')
  const { coloring = false, smmu = false } = options
  const { vms } = scenario
  mustFitBoard(scenario)
  const rootVm = vms.length === board.CORES ? vms.reduce((first, vm) => (vm.core < first.core ? vm : first)) : null
  const layout = coloring ? 'coloring' : 'mainline'
  const memory = new Bump(board.HIGH_DDR.start + board.HYPERVISOR_BYTES, board.HIGH_DDR.start + board.HIGH_DDR.size)

  const links = linksOf(scenario, memory)
  const endOfLinks = memory.next
  const others = vms.filter((vm) => vm !== rootVm)
  const loaders = others.map(() => memory.take(LOADER_BYTES, PAGE, 'the load regions'))
  const rams = coloring ? coloredRams(scenario, others, memory) : plainRams(others, memory)

  const cells = others.map((vm, i): CellConfig => {
    const own = links.filter((link) => link.vms.includes(vm.name))
    const vpciIrqBase = board.VPCI_IRQ_BASES[i + 1]!
    const hasUart = i === 0
    const sections = own.map((link) => sectionsOf(link, vm.name))
    const cell = {
      name: vm.name,
      layout,
      // The others have no UART of their own, and print through the hypervisor.
      flags: hasUart ? ['PASSIVE_COMMREG'] : ['PASSIVE_COMMREG', 'VIRTUAL_CONSOLE_PERMITTED', 'VIRTUAL_CONSOLE_ACTIVE'],
      cpus: [vm.core],
      vpciIrqBase,
      ...(hasUart && { console: board.UART1 }),
      memory: [
        ...sections.flat(),
        ...(hasUart ? [board.UART1_REGION] : []),
        { phys: loaders[i]!, virt: 0n, size: LOADER_BYTES, flags: ['READ', 'WRITE', 'EXECUTE', 'LOADABLE'] },
        {
          ...rams[i]!.region,
          flags: ['READ', 'WRITE', 'EXECUTE', 'DMA', 'LOADABLE', ...(coloring ? ['COLORED'] : [])],
        },
        { phys: 0n, virt: COMM_ADDRESS, size: PAGE, flags: ['READ', 'WRITE', 'COMM_REGION'] },
      ],
      caches: rams[i]!.colors,
      pciDevices: devicesOf(own, vm.name, 0),
    }
    return withInterrupts(named(vm, cell), hasUart ? [board.UART1_INTERRUPT] : [])
  })

  const own = rootVm === null ? [] : links.filter((link) => link.vms.includes(rootVm.name))
  const system = jailhouseConfig({
    ...board.SYSTEM,
    layout,
    iommuUnits: smmu ? [board.SMMU] : [],
    ...(coloring && { llcWaySize: BigInt(colorsOf(scenario)) * PAGE, colLoadAddress: board.COLORED_LOAD_ADDRESS }),
    rootCell: {
      name: rootVm?.name ?? 'ZynqMP-root',
      cpus: Array.from({ length: board.CORES }, (_, core) => core),
      vpciIrqBase: board.VPCI_IRQ_BASES[0],
      memory: [
        ...own.flatMap((link) => sectionsOf(link, rootVm!.name)),
        ...board.ROOT_REGISTERS,
        { phys: board.LOW_DDR.start, size: board.LOW_DDR.size, flags: board.RAM_FLAGS },
        {
          phys: endOfLinks,
          size: board.HIGH_DDR.start + board.HIGH_DDR.size - endOfLinks,
          flags: board.RAM_FLAGS,
        },
      ],
      irqchips: [{ address: board.GICD, pinBase: 32, bitmap: Array(4).fill(0xffff_ffff) as number[] }],
      pciDevices: devicesOf(own, rootVm?.name ?? '', 1),
      streamIds: smmu ? board.ROOT_STREAMS : [],
    },
  }) as SystemConfig

  const { start } = board.HIGH_DDR
  return { system, cells, rootVm: rootVm?.name ?? null, links, reserved: { start, size: memory.next - start } }
}

/** Takes physical memory in ascending order. */
class Bump {
  next: bigint
  readonly #end: bigint

  constructor(start: bigint, end: bigint) {
    this.next = start
    this.#end = end
  }

  /** Bytes that are left at this alignment. */
  room(alignment: bigint): bigint {
    return this.#end - roundUp(this.next, alignment)
  }

  take(size: bigint, alignment: bigint, what: string): bigint {
    if (size > this.room(alignment)) {
      throw new VirtioError(
        'TOO_MUCH_RAM',
        `${what} need ${size} bytes; of the ${board.HIGH_DDR.size} at 0x${board.HIGH_DDR.start.toString(16)} there are ${this.room(alignment)} left: give VMs less ram, or more page colours`,
      )
    }
    const start = roundUp(this.next, alignment)
    this.next = start + size
    return start
  }
}

function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit
}

function mustFitBoard({ platform, vms }: Scenario): void {
  if (platform !== 'zcu102') {
    throw new VirtioError(
      'NO_BOARD',
      `the scenario's platform is ${platform}; the addresses and interrupts of a board are known here for zcu102 only`,
    )
  }
  const owner = new Map<number, VmSpec>()
  for (const vm of vms) {
    const other = owner.get(vm.core)
    if (other !== undefined) {
      throw new VirtioError(
        'SHARED_CORE',
        `VMs ${other.name} and ${vm.name} share core ${vm.core}; a cell of Jailhouse has its cores to itself: move one of them`,
      )
    }
    if (vm.core >= board.CORES) {
      throw new VirtioError(
        'NO_CORE',
        `VM ${vm.name} is on core ${vm.core}; a zcu102 has cores 0 to ${board.CORES - 1}`,
      )
    }
    owner.set(vm.core, vm)
  }
}

function named(vm: VmSpec, cell: object): CellConfig {
  try {
    return jailhouseConfig(cell) as CellConfig
  } catch (error) {
    if (!(error instanceof VirtioError)) throw error
    throw new VirtioError(error.code, `VM ${vm.name} makes no cell: ${error.message}`, { cause: error })
  }
}

// -- RAM

interface Ram {
  readonly region: { readonly phys: bigint; readonly size: bigint }
  /** Runs of page colours. */
  readonly colors: readonly { readonly start: number; readonly size: number }[]
}

function plainRams(vms: readonly VmSpec[], memory: Bump): Ram[] {
  return vms.map(({ name, ramBytes }) => {
    const size = ramBytes === null ? DEFAULT_RAM : roundUp(BigInt(ramBytes), PAGE)
    return {
      region: { phys: memory.take(size, HUGE, `the RAM of VM ${name} and of those before it`), size },
      colors: [],
    }
  })
}

function colorsOf(scenario: Scenario): number {
  return builtInProfile(scenario).pageColors.value
}

/** Coloured RAM of all cells lies in one range, in which every page belongs to whoever has its colour. */
function coloredRams(scenario: Scenario, vms: readonly VmSpec[], memory: Bump): Ram[] {
  const count = colorsOf(scenario)
  const { broker } = scenario
  const plan = planColors(count, scenario.vms, broker.transfer === 'copy' ? 0 : broker.poolColors)
  // As many pages of each colour as the range has rows.
  const mostRows = memory.room(HUGE) / (BigInt(count) * PAGE)
  const wishes = vms.map((vm) => {
    const colors = plan.vms[scenario.vms.indexOf(vm)]!
    const most = mostRows * BigInt(colors.length) * PAGE
    const size = vm.ramBytes === null ? (DEFAULT_RAM < most ? DEFAULT_RAM : most) : roundUp(BigInt(vm.ramBytes), PAGE)
    const rows = roundUp(size / PAGE, BigInt(colors.length)) / BigInt(colors.length)
    return { colors, size, rows }
  })
  const rows = wishes.reduce((most, wish) => (wish.rows > most ? wish.rows : most), 0n)
  const start = memory.take(rows * BigInt(count) * PAGE, HUGE, 'the page colours that the VMs have')
  return wishes.map(({ colors, size }) => ({ region: { phys: start, size }, colors: runs(colors) }))
}

/** [0, 1, 2, 5] is 0 to 2, and 5. */
function runs(colors: readonly number[]): { start: number; size: number }[] {
  const found: { start: number; size: number }[] = []
  for (const color of colors) {
    const last = found.at(-1)
    if (last !== undefined && last.start + last.size === color) last.size++
    else found.push({ start: color, size: 1 })
  }
  return found
}

// -- Links

function linksOf({ vms, flows }: Scenario, memory: Bump): CellLink[] {
  const pairs = new Map<string, FlowSpec[]>()
  for (const flow of flows) {
    if (flow.from === flow.to) continue
    const key = JSON.stringify([flow.from, flow.to].sort())
    pairs.set(key, [...(pairs.get(key) ?? []), flow])
  }
  const links: CellLink[] = []
  for (const between of pairs.values()) {
    const { from, to } = between[0]!
    const bdf = freeDevice(links, [from, to]) << 3
    const commonBytes = commonSection(between, vms)
    const start = memory.take(PAGE * 3n + commonBytes, PAGE, 'the links between VMs')
    const names = between.map(({ name }) => name)
    links.push({ vms: [from, to], flows: names, bdf, start, commonBytes, outputBytes: PAGE })
  }
  return links
}

/** A device number that no link has, with an interrupt pin that neither end uses yet, if there is one. */
function freeDevice(links: readonly CellLink[], ends: readonly string[]): number {
  const free = Array.from({ length: 31 }, (_, i) => i + 1).filter((device) =>
    links.every(({ bdf }) => bdf !== device << 3),
  )
  const pins = new Set(links.filter(({ vms }) => vms.some((vm) => ends.includes(vm))).map(({ bdf }) => (bdf >> 3) & 3))
  return free.find((device) => !pins.has(device & 3)) ?? free[0]!
}

/**
 * Room for virtio's header, a ring of either direction, and two messages of each flow in whole pages: one that is read while the
 * next is written.
 */
function commonSection(flows: readonly FlowSpec[], vms: readonly VmSpec[]): bigint {
  const entries = Math.max(...vms.map(({ queueSize }) => queueSize ?? 256))
  // Descriptors of 16 bytes, the available ring, the used ring (virtio 1.4 §2.7).
  const ring = roundUp(BigInt(16 * entries + 6 + 2 * entries + 6 + 8 * entries), PAGE)
  const buffers = flows.reduce((sum, { lengthBytes }) => sum + 2n * roundUp(BigInt(Math.max(1, lengthBytes)), PAGE), 0n)
  return PAGE + 2n * ring + buffers
}

function sectionsOf({ vms, start, commonBytes, outputBytes }: CellLink, vm: string): object[] {
  const shared = ['READ', 'ROOTSHARED']
  const outputs = vms.map((owner, peer) => ({
    phys: start + PAGE + commonBytes + BigInt(peer) * outputBytes,
    size: outputBytes,
    flags: owner === vm ? ['READ', 'WRITE', 'ROOTSHARED'] : shared,
  }))
  return [
    { phys: start, size: PAGE, flags: shared },
    { phys: start + PAGE, size: commonBytes, flags: ['READ', 'WRITE', 'ROOTSHARED'] },
    ...outputs,
  ]
}

/** The sender of the first flow has the front-end (a driver), the other the back-end (a device). */
function devicesOf(links: readonly CellLink[], vm: string, domain: number): object[] {
  return links.map(({ vms, bdf }, i) => {
    const id = vms.indexOf(vm)
    return {
      type: PCI_TYPES.ivshmem,
      domain,
      bdf,
      barMasks: [0xffff_f000],
      firstRegion: 4 * i,
      id,
      peers: 2,
      protocol: (id === 0 ? PROTOCOLS.virtioFront : PROTOCOLS.virtioBack) + SOCKET_DEVICE,
    }
  })
}

/** The cell with the interrupts of its devices, and of these, in the bitmap of its GIC. */
function withInterrupts(cell: CellConfig, interrupts: readonly number[]): CellConfig {
  const bitmap = [0, 0, 0, 0]
  for (const irq of [...interrupts, ...cell.pciDevices.map((device) => intxOf(cell, device))]) {
    const pin = irq - 32
    bitmap[pin >> 5] = (bitmap[pin >> 5]! | (1 << (pin & 31))) >>> 0
  }
  return { ...cell, irqchips: [{ address: board.GICD, id: 0, pinBase: 32, bitmap }] }
}

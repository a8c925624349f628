/**
 * A configuration file of Jailhouse as values. Addresses and sizes of 64 bits are bigint. Where a program or a JSON file
 * describes one, a number may be a number, a bigint or a text such as `0x800400000`, flags may be names or one number, CPUs a
 * list or a mask, and what is left out is zero or empty.
 */
import { z } from 'zod'
import { VirtioError } from '../internal/error.ts'
import { ARCHITECTURES, CELL_FLAGS, flagsIn, MEMORY_FLAGS, SYSTEM_FLAGS } from './words.ts'

/** `mainline` is revision 14; `coloring` is revision 13 of the branch with cache colouring, commit f9099f71. */
export type JailhouseLayout = 'mainline' | 'coloring'

/** A region of memory, or of registers. Jailhouse maps `phys` at the guest address `virt`. */
export interface MemoryRegion {
  readonly phys: bigint
  readonly virt: bigint
  /** Bytes; 0 leaves the place of a region empty, as for an ivshmem section that is not there. */
  readonly size: bigint
  /** Names of `MEMORY_FLAGS`; bits without a name as one hexadecimal number. */
  readonly flags: readonly string[]
}

/** A console: UART registers or, on x86, ports. */
export interface Console {
  readonly address: bigint
  readonly size: number
  /** Index into `CONSOLE_TYPES`. */
  readonly type: number
  /** Bit 0: memory-mapped; bit 1: registers 4 bytes apart; the rest see console.h. */
  readonly flags: number
  readonly divider: number
  readonly gateNumber: number
  readonly clockRegister: bigint
}

/** A part of the last-level cache: ways on x86; page colours `start` to `start + size - 1` where memory is coloured. */
export interface CacheRegion {
  readonly start: number
  readonly size: number
  readonly type: number
  readonly flags: number
}

/** The interrupts of a controller that a cell has: bit n of word m is pin `pinBase + 32 m + n`. */
export interface Irqchip {
  readonly address: bigint
  readonly id: number
  readonly pinBase: number
  /** Four words of 32 bits. */
  readonly bitmap: readonly number[]
}

/** I/O ports of x86. */
export interface PortRegion {
  readonly base: number
  readonly length: number
}

/** A PCI device of a cell. Those of type 3 are ivshmem: the last four fields are theirs. */
export interface PciDevice {
  /** 1 device, 2 bridge, 3 ivshmem. */
  readonly type: number
  readonly iommu: number
  readonly domain: number
  /** Bus in bits 15 to 8, device in 7 to 3, function in 2 to 0. ivshmem devices of equal bdf are linked. */
  readonly bdf: number
  /** Six. A bit that is set can be written by the guest: 0xfffff000 is a BAR of 4 KiB. */
  readonly barMasks: readonly number[]
  readonly firstCapability: number
  readonly capabilities: number
  readonly msiVectors: number
  /** Bit 0: 64-bit addresses; bit 1: maskable. */
  readonly msiFlags: number
  readonly msixVectors: number
  readonly msixRegionSize: number
  readonly msixAddress: bigint
  /** Index of the memory region that is the state table; 1 + `peers` regions follow. */
  readonly firstRegion: number
  /** Of this end of the link, from 0. */
  readonly id: number
  /** How many ends the link may have. */
  readonly peers: number
  /** 0 undefined, 1 veth, 0x4000 custom, 0x8000 + device id a virtio front-end, 0xc000 + device id a back-end. */
  readonly protocol: number
}

/** A capability of a PCI device. */
export interface PciCapability {
  readonly id: number
  readonly start: number
  readonly length: number
  readonly flags: number
}

/** A stream of DMA accesses that an IOMMU tells apart; bits of `mask` are ignored in `id`. */
export interface StreamId {
  readonly id: number
  readonly mask: number
}

/** An IOMMU of the system. */
export interface IommuUnit {
  /** Index into `IOMMU_TYPES`. */
  readonly type: number
  readonly base: bigint
  readonly size: number
  /** Twelve bytes that depend on the type. */
  readonly rest: readonly number[]
}

/** Arm's interrupt controller. */
export interface GicConfig {
  readonly maintenanceIrq: number
  /** 2 or 3. */
  readonly version: number
  readonly gicd: bigint
  readonly gicc: bigint
  readonly gich: bigint
  readonly gicv: bigint
  readonly gicr: bigint
}

/** What an x86 system has in place of the GIC. */
export interface X86Config {
  readonly pmTimerAddress: number
  readonly apicMode: number
  readonly vtdInterruptLimit: number
  readonly tscKhz: number
  readonly apicKhz: number
}

/** A `.cell` file, or the root cell of a system. */
export interface CellConfig {
  readonly kind: 'cell'
  readonly layout: JailhouseLayout
  /** The branch with cache colouring does not store it. */
  readonly architecture: (typeof ARCHITECTURES)[number]
  /** At most 31 characters of ASCII. */
  readonly name: string
  /** Set by the driver, 0 in files. */
  readonly id: number
  /** Names of `CELL_FLAGS`; bits without a name as one hexadecimal number. */
  readonly flags: readonly string[]
  /** Ascending. */
  readonly cpus: readonly number[]
  /** Of the mask in the file. */
  readonly cpuSetBytes: number
  /** INTx of an ivshmem device is interrupt 32 + this + pin - 1. */
  readonly vpciIrqBase: number
  readonly cpuResetAddress: bigint
  readonly messageTimeout: bigint
  readonly console: Console
  readonly memory: readonly MemoryRegion[]
  readonly caches: readonly CacheRegion[]
  readonly irqchips: readonly Irqchip[]
  readonly pio: readonly PortRegion[]
  readonly pciDevices: readonly PciDevice[]
  readonly pciCapabilities: readonly PciCapability[]
  readonly streamIds: readonly StreamId[]
}

/** A system configuration: the board, the hypervisor's own memory, and the root cell. */
export interface SystemConfig {
  readonly kind: 'system'
  readonly layout: JailhouseLayout
  readonly architecture: (typeof ARCHITECTURES)[number]
  readonly flags: readonly string[]
  readonly hypervisorMemory: MemoryRegion
  readonly debugConsole: Console
  readonly pciMmconfigBase: bigint
  readonly pciMmconfigEndBus: number
  /** 1: the PCI host bridge is Jailhouse's own, for ivshmem only. */
  readonly pciIsVirtual: number
  readonly pciDomain: number
  /** Only in the layout with colouring: bytes of one way of the last-level cache. */
  readonly llcWaySize: bigint
  /** Only in the layout with colouring: where the root cell sees coloured memory while it loads an image; not 0. */
  readonly colLoadAddress: bigint
  /** At most eight. */
  readonly iommuUnits: readonly IommuUnit[]
  /** Of arm and arm64, else null. */
  readonly gic: GicConfig | null
  /** Of x86, else null. */
  readonly x86: X86Config | null
  readonly rootCell: CellConfig
}

/** What a file may hold. */
export type JailhouseConfig = SystemConfig | CellConfig

const whole = (bits: number) =>
  z.union([z.number(), z.bigint(), z.string()]).transform((value, context): bigint => {
    const found = wholeOf(value)
    if (found !== null && found < 1n << BigInt(bits)) return found
    context.addIssue(`must be a whole number of at most ${bits} bits, such as 4096 or "0x1000"`)
    return z.NEVER
  })
const u64 = whole(64).default(0n)
const small = (bits: number) => whole(bits).transform(Number).default(0)

function wholeOf(value: number | bigint | string): bigint | null {
  if (typeof value === 'string' && !/^(0x[0-9a-f]+|[0-9]+)$/i.test(value)) return null
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return null
  const found = BigInt(value)
  return found < 0n ? null : found
}

/** Names, with hexadecimal numbers among them for bits that have none, or all as one number. */
function flags(names: Readonly<Record<string, bigint>>, bits: number) {
  return z
    .union([z.number(), z.bigint(), z.string(), z.array(z.string())])
    .transform((value, context): readonly string[] => {
      let set = 0n
      for (const each of Array.isArray(value) ? value : [value]) {
        const bit = (typeof each === 'string' ? names[each] : undefined) ?? wholeOf(each)
        if (bit === null || bit === undefined || bit >= 1n << BigInt(bits)) {
          context.addIssue(`has ${JSON.stringify(String(each))}; the names are ${Object.keys(names).join(', ')}`)
          return z.NEVER
        }
        set |= bit
      }
      return flagsIn(set, names)
    })
    .default([])
}

/** Jailhouse takes a set of at most a page. */
const MOST_CPUS = 4096 * 8

const cpus = z
  .union([
    z.number(),
    z.bigint(),
    z.string(),
    z.array(
      z
        .number()
        .int()
        .min(0)
        .max(MOST_CPUS - 1),
    ),
  ])
  .transform((value, context): readonly number[] => {
    if (Array.isArray(value)) return [...new Set(value)].sort((a, b) => a - b)
    const mask = wholeOf(value)
    if (mask !== null && mask >> BigInt(MOST_CPUS) === 0n) {
      return Array.from({ length: mask.toString(2).length }, (_, cpu) => cpu).filter(
        (cpu) => ((mask >> BigInt(cpu)) & 1n) === 1n,
      )
    }
    context.addIssue('must be a list of CPU numbers, or a mask such as "0xc"')
    return z.NEVER
  })
  .default([])

/** Lists have a le32 as their length; the hypervisor takes a few pages. */
const list = <T extends z.ZodType>(element: T) => z.array(element).max(65_535).default([])

const region = z.strictObject({
  phys: u64,
  virt: whole(64).optional(),
  size: u64,
  flags: flags(MEMORY_FLAGS, 64),
})
const memory = region.transform(({ virt, ...rest }): MemoryRegion => ({ ...rest, virt: virt ?? rest.phys }))

const uart = z.strictObject({
  address: u64,
  size: small(32),
  type: small(16),
  flags: small(16),
  divider: small(32),
  gateNumber: small(32),
  clockRegister: u64,
})
const words = (bits: number, count: number) =>
  z
    .array(whole(bits).transform(Number))
    .max(count)
    .transform((values): readonly number[] => Array.from({ length: count }, (_, i) => values[i] ?? 0))
    .default(Array(count).fill(0))

const layout = z.enum(['mainline', 'coloring']).default('mainline')
const architecture = z.enum(ARCHITECTURES).default('arm64')

const cell = z.strictObject({
  kind: z.literal('cell').default('cell'),
  layout,
  architecture,
  name: z
    .string()
    .max(31)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a name may have any bytes but the zero that ends it
    .regex(/^[\x01-\xff]*$/, 'must be of characters of one byte, without a zero'),
  id: small(32),
  flags: flags(CELL_FLAGS, 32),
  cpus,
  cpuSetBytes: z
    .number()
    .int()
    .min(0)
    .max(MOST_CPUS / 8)
    .optional(),
  vpciIrqBase: small(32),
  cpuResetAddress: u64,
  messageTimeout: u64,
  console: uart.prefault({}),
  memory: list(memory),
  caches: list(z.strictObject({ start: small(32), size: small(32), type: small(8), flags: small(16) })),
  irqchips: list(z.strictObject({ address: u64, id: small(32), pinBase: small(32), bitmap: words(32, 4) })),
  pio: list(z.strictObject({ base: small(16), length: small(16) })),
  pciDevices: list(
    z.strictObject({
      type: small(8),
      iommu: small(8),
      domain: small(16),
      bdf: small(16),
      barMasks: words(32, 6),
      firstCapability: small(16),
      capabilities: small(16),
      msiVectors: small(8),
      msiFlags: small(8),
      msixVectors: small(16),
      msixRegionSize: small(16),
      msixAddress: u64,
      firstRegion: small(32),
      id: small(8),
      peers: small(8),
      protocol: small(16),
    }),
  ),
  pciCapabilities: list(z.strictObject({ id: small(16), start: small(16), length: small(16), flags: small(16) })),
  streamIds: list(z.strictObject({ id: small(16), mask: small(16) })),
})

const system = z.strictObject({
  kind: z.literal('system').default('system'),
  layout,
  architecture,
  flags: flags(SYSTEM_FLAGS, 32),
  // The hypervisor maps its own memory where it likes.
  hypervisorMemory: region.transform(({ virt, ...rest }): MemoryRegion => ({ ...rest, virt: virt ?? 0n })),
  debugConsole: uart.prefault({}),
  pciMmconfigBase: u64,
  pciMmconfigEndBus: small(8),
  pciIsVirtual: small(8),
  pciDomain: small(16),
  llcWaySize: u64,
  colLoadAddress: u64,
  iommuUnits: z
    .array(z.strictObject({ type: small(32), base: u64, size: small(32), rest: words(8, 12) }))
    .max(8)
    .default([]),
  gic: z
    .strictObject({
      maintenanceIrq: small(8),
      version: small(8),
      gicd: u64,
      gicc: u64,
      gich: u64,
      gicv: u64,
      gicr: u64,
    })
    .nullable()
    .default(null),
  x86: z
    .strictObject({
      pmTimerAddress: small(16),
      apicMode: small(8),
      vtdInterruptLimit: small(32),
      tscKhz: small(32),
      apicKhz: small(32),
    })
    .nullable()
    .default(null),
  rootCell: cell,
})

/**
 * Checks a description and fills in what it leaves out. An object with `rootCell` is a system, any other a cell. Throws
 * `VirtioError` BAD_CONFIG, with a line for each mistake: where it is, and what would be right.
 */
export function jailhouseConfig(description: unknown): JailhouseConfig {
  const isSystem = typeof description === 'object' && description !== null && 'rootCell' in description
  const parsed = isSystem ? system.safeParse(description) : cell.safeParse(description)
  if (!parsed.success) {
    const mistakes = parsed.error.issues.map(({ path, message }) => `${placeOf(path)}: ${message}`)
    throw new VirtioError('BAD_CONFIG', mistakes.join('\n'))
  }
  if (parsed.data.kind === 'cell') return completed(parsed.data)
  const { rootCell, ...board } = parsed.data
  mustFit(board)
  const { layout, architecture } = board
  return { ...board, rootCell: completed({ ...rootCell, layout, architecture }) }
}

/** The mask of CPUs is of whole 64-bit words, unless the description names its size. */
function completed({ cpuSetBytes, ...rest }: z.output<typeof cell>): CellConfig {
  const last = rest.cpus.at(-1) ?? -1
  const least = Math.ceil((last + 1) / 8)
  if (cpuSetBytes !== undefined && cpuSetBytes < least) {
    throw new VirtioError('BAD_CONFIG', `cpuSetBytes: is ${cpuSetBytes}; CPU ${last} needs ${least}`)
  }
  mustBeOfLayout(
    rest.layout,
    'memory',
    rest.memory.some(({ flags }) => flags.includes('COLORED')),
    'COLORED memory',
  )
  return { ...rest, cpuSetBytes: cpuSetBytes ?? Math.max(8, Math.ceil(least / 8) * 8) }
}

function mustFit({
  layout,
  architecture,
  gic,
  x86,
  llcWaySize,
  colLoadAddress,
}: Omit<z.output<typeof system>, 'rootCell'>) {
  const wrong = architecture === 'x86' ? 'gic' : 'x86'
  if ((architecture === 'x86' ? gic : x86) !== null) {
    throw new VirtioError('BAD_CONFIG', `${wrong}: the architecture is ${architecture}, which has none`)
  }
  mustBeOfLayout(layout, 'llcWaySize', llcWaySize > 0n, 'the size of a way')
  mustBeOfLayout(layout, 'colLoadAddress', colLoadAddress > 0n, 'the address to load coloured memory at')
}

function mustBeOfLayout(layout: JailhouseLayout, place: string, used: boolean, what: string): void {
  if (layout === 'coloring' || !used) return
  throw new VirtioError('BAD_CONFIG', `${place}: ${what} is only in the layout "coloring"; this one is "mainline"`)
}

/** `rootCell.memory[2].size`. */
function placeOf(path: readonly PropertyKey[]): string {
  const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return place === '' ? 'the configuration' : place.replace(/^\./, '')
}

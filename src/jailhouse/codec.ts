/** Configuration files of Jailhouse, between bytes and values. */
import { checkBytes } from '../internal/check-option.ts'
import { VirtioError } from '../internal/error.ts'
import type { Layout } from './binary.ts'
import {
  type CellConfig,
  type JailhouseConfig,
  type JailhouseLayout,
  jailhouseConfig,
  type MemoryRegion,
  type SystemConfig,
} from './config.ts'
import {
  CACHE,
  CELL_HEAD,
  GIC,
  IOMMU_UNITS,
  IRQCHIP,
  MEMORY,
  PCI_CAPABILITY,
  PCI_DEVICE,
  PIO,
  PLATFORM_BYTES,
  REVISIONS,
  SIGNATURE_BYTES,
  SIGNATURES,
  STREAM_ID,
  SYSTEM_HEADS,
  X86,
} from './structures.ts'
import { ARCHITECTURES, CELL_FLAGS, flagsIn, MEMORY_FLAGS, SYSTEM_FLAGS } from './words.ts'

type Kind = 'system' | 'cell'
type Architecture = (typeof ARCHITECTURES)[number]

/**
 * The bytes of a system or cell file. Takes what `decode` gives, or a description that `jailhouseConfig` completes, and throws
 * what that throws.
 */
export function encode(description: unknown): Uint8Array {
  const config = jailhouseConfig(description)
  const bytes = new Uint8Array(sizeOf(config))
  const view = new DataView(bytes.buffer)
  writeSignature(view, config)
  if (config.kind === 'cell') writeCell(view, 0, config)
  else writeSystem(view, config)
  return bytes
}

/** Bytes of the file that a configuration makes. Takes and throws what `encode` does. */
export function configSize(description: unknown): number {
  return sizeOf(jailhouseConfig(description))
}

function sizeOf(config: JailhouseConfig): number {
  if (config.kind === 'system') return rootCellAt(config.layout) + sizeOf(config.rootCell)
  const lists = listsOf(config).reduce((sum, [{ bytes }, values]) => sum + bytes * values.length, 0)
  return SIGNATURE_BYTES + CELL_HEAD.bytes + config.cpuSetBytes + lists
}

/**
 * The values of a system or cell file of either layout. Bytes behind the configuration are ignored, as Jailhouse does;
 * `configSize` tells how many it has. Throws `VirtioError`: BAD_SIGNATURE, BAD_REVISION, BAD_ARCHITECTURE or TRUNCATED, with the
 * offset.
 */
export function decode(bytes: Uint8Array): JailhouseConfig {
  checkBytes('bytes', bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { kind, layout, architecture } = readSignature(view, 0)
  if (kind === 'cell') return readCell(view, 0, layout, architecture)
  return readSystem(view, layout, architecture)
}

function rootCellAt(layout: JailhouseLayout): number {
  return SIGNATURE_BYTES + SYSTEM_HEADS[layout].bytes + PLATFORM_BYTES
}

// -- signatures

function readSignature(
  view: DataView,
  at: number,
): { kind: Kind; layout: JailhouseLayout; architecture: Architecture } {
  need(view, at, SIGNATURE_BYTES, 'the signature')
  const letters = String.fromCharCode(...Array.from({ length: 6 }, (_, i) => view.getUint8(at + i)))
  for (const layout of ['coloring', 'mainline'] as const) {
    for (const kind of ['system', 'cell'] as const) {
      if (!letters.startsWith(SIGNATURES[layout][kind])) continue
      const revision = view.getUint16(at + 6, true)
      if (revision !== REVISIONS[layout]) throw badRevision(at, letters, revision)
      if (layout === 'coloring') return { kind, layout, architecture: 'arm64' }
      const number = view.getUint8(at + 5)
      const architecture = ARCHITECTURES[number]
      if (architecture !== undefined) return { kind, layout, architecture }
      const known = ARCHITECTURES.map((name, i) => `${i} (${name})`).join(', ')
      throw new VirtioError(
        'BAD_ARCHITECTURE',
        `the architecture at byte ${at + 5} is ${number}; it is one of ${known}`,
      )
    }
  }
  throw new VirtioError(
    'BAD_SIGNATURE',
    `bytes ${at} to ${at + 5} are ${JSON.stringify(letters)}; a system file of Jailhouse begins with JHSYS, a cell file with JHCLL`,
  )
}

function badRevision(at: number, letters: string, revision: number): VirtioError {
  const known =
    'revision 14 (JHSYS, JHCLL) and revision 13 of the branch with cache colouring (JHSYST, JHCELL) are known'
  return new VirtioError(
    'BAD_REVISION',
    `the revision behind ${letters.trim()} at byte ${at + 6} is ${revision}; ${known}`,
  )
}

/** At the start of the file only: the root cell of a system has the room for one, and zeros in it. */
function writeSignature(view: DataView, { kind, layout, architecture }: JailhouseConfig): void {
  for (const [i, letter] of [...SIGNATURES[layout][kind]].entries()) view.setUint8(i, letter.charCodeAt(0))
  if (layout === 'mainline') view.setUint8(5, ARCHITECTURES.indexOf(architecture))
  view.setUint16(6, REVISIONS[layout], true)
}

// -- cells

/** Every list of a cell in the order of the file, with the layout of its elements. */
function listsOf(config: CellConfig): readonly (readonly [Layout<never>, readonly never[]])[] {
  const memory = config.memory.map((region) => ({ ...region, flags: bitsOf(region.flags, MEMORY_FLAGS) }))
  const caches = config.caches.map((cache) => ({ ...cache, reserved: 0 }))
  const lists = [
    [MEMORY, memory],
    [CACHE, caches],
    [IRQCHIP, config.irqchips],
    [PIO, config.pio],
    [PCI_DEVICE, config.pciDevices],
    [PCI_CAPABILITY, config.pciCapabilities],
    [STREAM_ID, config.streamIds],
  ]
  return lists as never
}

function writeCell(view: DataView, at: number, config: CellConfig): void {
  CELL_HEAD.write(view, at + SIGNATURE_BYTES, {
    ...config,
    flags: Number(bitsOf(config.flags, CELL_FLAGS)),
    counts: {
      cpuSetBytes: config.cpuSetBytes,
      memory: config.memory.length,
      caches: config.caches.length,
      irqchips: config.irqchips.length,
      pio: config.pio.length,
      pciDevices: config.pciDevices.length,
      pciCapabilities: config.pciCapabilities.length,
      streamIds: config.streamIds.length,
    },
  })
  let next = at + SIGNATURE_BYTES + CELL_HEAD.bytes
  for (const cpu of config.cpus) {
    const byte = next + (cpu >> 3)
    view.setUint8(byte, view.getUint8(byte) | (1 << (cpu & 7)))
  }
  next += config.cpuSetBytes
  for (const [layout, values] of listsOf(config)) {
    for (const value of values) {
      layout.write(view, next, value)
      next += layout.bytes
    }
  }
}

function readCell(view: DataView, at: number, layout: JailhouseLayout, architecture: Architecture): CellConfig {
  const start = at + SIGNATURE_BYTES
  need(view, start, CELL_HEAD.bytes, 'the head of the cell')
  const { counts, flags, ...head } = CELL_HEAD.read(view, start)
  let next = start + CELL_HEAD.bytes
  const cpuSetAt = next
  need(view, next, counts.cpuSetBytes, 'the CPU set')
  next += counts.cpuSetBytes
  const list = <T>(of: Layout<T>, count: number, what: string): T[] => {
    need(view, next, of.bytes * count, `the ${count} ${what}`)
    const values = Array.from({ length: count }, (_, i) => of.read(view, next + i * of.bytes))
    next += of.bytes * count
    return values
  }
  const cpus: number[] = []
  for (let cpu = 0; cpu < counts.cpuSetBytes * 8; cpu++) {
    if ((view.getUint8(cpuSetAt + (cpu >> 3)) >> (cpu & 7)) & 1) cpus.push(cpu)
  }
  return {
    kind: 'cell',
    layout,
    architecture,
    ...head,
    flags: flagsIn(BigInt(flags), CELL_FLAGS),
    cpus,
    cpuSetBytes: counts.cpuSetBytes,
    memory: list(MEMORY, counts.memory, 'memory regions').map(regionOf),
    caches: list(CACHE, counts.caches, 'cache regions').map(({ reserved: _, ...cache }) => cache),
    irqchips: list(IRQCHIP, counts.irqchips, 'interrupt controllers'),
    pio: list(PIO, counts.pio, 'port regions'),
    pciDevices: list(PCI_DEVICE, counts.pciDevices, 'PCI devices'),
    pciCapabilities: list(PCI_CAPABILITY, counts.pciCapabilities, 'PCI capabilities'),
    streamIds: list(STREAM_ID, counts.streamIds, 'stream ids'),
  }
}

// -- systems

function writeSystem(view: DataView, config: SystemConfig): void {
  const { layout } = config
  const noUnit = { type: 0, base: 0n, size: 0, rest: Array(12).fill(0) as number[] }
  SYSTEM_HEADS[layout].write(view, SIGNATURE_BYTES, {
    ...config,
    flags: Number(bitsOf(config.flags, SYSTEM_FLAGS)),
    hypervisorMemory: {
      ...config.hypervisorMemory,
      flags: bitsOf(config.hypervisorMemory.flags, MEMORY_FLAGS),
    },
    iommuUnits: Array.from({ length: IOMMU_UNITS }, (_, i) => config.iommuUnits[i] ?? noUnit),
  })
  const platformAt = SIGNATURE_BYTES + SYSTEM_HEADS[layout].bytes
  if (config.gic !== null) GIC.write(view, platformAt, { ...config.gic, reserved: 0 })
  if (config.x86 !== null) X86.write(view, platformAt, { ...config.x86, reserved: 0 })
  writeCell(view, rootCellAt(layout), config.rootCell)
}

function readSystem(view: DataView, layout: JailhouseLayout, architecture: Architecture): SystemConfig {
  const head = SYSTEM_HEADS[layout]
  need(view, SIGNATURE_BYTES, head.bytes + PLATFORM_BYTES, 'the head of the system')
  const { flags, hypervisorMemory, iommuUnits, ...rest } = head.read(view, SIGNATURE_BYTES)
  const platformAt = SIGNATURE_BYTES + head.bytes
  const x86 = architecture === 'x86'
  const rootAt = rootCellAt(layout)
  return {
    kind: 'system',
    layout,
    architecture,
    llcWaySize: 0n,
    colLoadAddress: 0n,
    ...rest,
    flags: flagsIn(BigInt(flags), SYSTEM_FLAGS),
    hypervisorMemory: regionOf(hypervisorMemory),
    iommuUnits: withoutLast(
      iommuUnits,
      ({ type, base, size, rest }) => type === 0 && base === 0n && size === 0 && rest.every((byte) => byte === 0),
    ),
    gic: x86 ? null : without(GIC.read(view, platformAt)),
    x86: x86 ? without(X86.read(view, platformAt)) : null,
    rootCell: readCell(view, rootAt, layout, architecture),
  }
}

function regionOf(region: { phys: bigint; virt: bigint; size: bigint; flags: bigint }): MemoryRegion {
  return { ...region, flags: flagsIn(region.flags, MEMORY_FLAGS) }
}

function without<T extends { readonly reserved: number }>({ reserved: _, ...rest }: T): Omit<T, 'reserved'> {
  return rest
}

/** The list without those at its end that are unused. */
function withoutLast<T>(values: readonly T[], unused: (value: T) => boolean): T[] {
  let end = values.length
  while (end > 0 && unused(values[end - 1]!)) end--
  return values.slice(0, end)
}

function bitsOf(names: readonly string[], bits: Readonly<Record<string, bigint>>): bigint {
  return names.reduce((set, name) => set | (bits[name] ?? BigInt(name)), 0n)
}

function need(view: DataView, at: number, bytes: number, what: string): void {
  if (at + bytes <= view.byteLength) return
  throw new VirtioError(
    'TRUNCATED',
    `${what} would end at byte ${at + bytes}, the file has ${view.byteLength}: it is cut short, or its counts are wrong`,
  )
}

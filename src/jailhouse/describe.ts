/** A configuration in words, and as JSON that `encode` takes back. */
import { type CellConfig, type Console, jailhouseConfig, type MemoryRegion, type SystemConfig } from './config.ts'
import { bdfInWords, intxOf, sectionName, sectionOf } from './ivshmem.ts'
import { CONSOLE_TYPES, hex, IOMMU_TYPES, PCI_TYPES, protocolInWords, sizeInWords } from './words.ts'

/** Lines of text: what the file configures, region by region. Takes and throws what `encode` does. */
export function describeConfig(description: unknown): string {
  const config = jailhouseConfig(description)
  const lines = config.kind === 'system' ? systemLines(config) : cellLines(config, '')
  return `${lines.join('\n')}\n`
}

/**
 * The configuration as JSON: numbers of 64 bits as hexadecimal texts, flags by name. `encode(JSON.parse(text))` gives the same
 * bytes.
 */
export function configJson(description: unknown): string {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? hex(value) : value)
  return `${JSON.stringify(jailhouseConfig(description), plain, 2)}\n`
}

function systemLines(config: SystemConfig): string[] {
  const { hypervisorMemory: memory, debugConsole, gic, x86, iommuUnits, layout } = config
  const lines = [
    `system configuration, ${layoutInWords(layout)}, ${config.architecture}`,
    `  hypervisor memory    ${hex(memory.phys)}, ${sizeInWords(memory.size)}`,
    `  debug console        ${consoleInWords(debugConsole)}`,
    `  PCI                  ${config.pciIsVirtual === 0 ? 'physical' : 'virtual'} host, ${config.pciDomain === 0xffff ? 'any free domain' : `domain ${config.pciDomain}`}, configuration space at ${hex(config.pciMmconfigBase)}, buses 0 to ${config.pciMmconfigEndBus}`,
  ]
  if (gic !== null) {
    const parts = (['gicd', 'gicc', 'gich', 'gicv', 'gicr'] as const)
      .filter((part) => gic[part] > 0n)
      .map((part) => `${part.toUpperCase()} ${hex(gic[part])}`)
    lines.push(`  GICv${gic.version}                ${parts.join(', ')}, maintenance interrupt ${gic.maintenanceIrq}`)
  }
  if (x86 !== null)
    lines.push(
      `  x86                  PM timer ${hex(x86.pmTimerAddress)}, APIC mode ${x86.apicMode}, TSC ${x86.tscKhz} kHz`,
    )
  for (const { type, base, size } of iommuUnits) {
    lines.push(
      `  IOMMU                ${IOMMU_TYPES[type] ?? `type ${type}`} at ${hex(base)}, ${sizeInWords(BigInt(size))}`,
    )
  }
  if (layout === 'coloring') {
    lines.push(
      `  colouring            way of ${sizeInWords(config.llcWaySize)} (${config.llcWaySize / 4096n} colours), images loaded at ${hex(config.colLoadAddress)}`,
    )
  }
  return [...lines, '', ...cellLines(config.rootCell, 'root ')]
}

function cellLines(cell: CellConfig, prefix: string): string[] {
  const { name, flags, cpus, memory, caches, irqchips, pciDevices, streamIds } = cell
  const head = prefix === '' ? `, ${layoutInWords(cell.layout)}, ${cell.architecture}` : ''
  const lines = [
    `${prefix}cell ${name}${head}`,
    `  CPUs                 ${cpus.join(', ') || 'none'}`,
    `  flags                ${flags.join(', ') || 'none'}`,
    `  starts at            ${hex(cell.cpuResetAddress)}`,
    `  console              ${consoleInWords(cell.console)}`,
  ]
  for (const [i, region] of memory.entries())
    lines.push(`  memory ${String(i).padEnd(13)} ${regionInWords(region, sectionInWords(cell, i))}`)
  for (const { start, size } of caches) lines.push(`  cache                ${size} from ${start} on`)
  for (const chip of irqchips)
    lines.push(
      `  interrupts           ${pinsInWords(chip.pinBase, chip.bitmap)} of the controller at ${hex(chip.address)}`,
    )
  for (const { base, length } of cell.pio)
    lines.push(`  ports                ${hex(base)} to ${hex(base + length - 1)}`)
  for (const device of pciDevices) {
    const where = `${device.domain.toString(16).padStart(4, '0')}:${bdfInWords(device.bdf)}`
    if (device.type !== PCI_TYPES.ivshmem) {
      lines.push(`  PCI ${where}     ${device.type === PCI_TYPES.bridge ? 'bridge' : `device of type ${device.type}`}`)
      continue
    }
    const interrupt =
      device.msixVectors > 0 ? `${device.msixVectors} MSI-X vectors` : `interrupt ${intxOf(cell, device)}`
    lines.push(
      `  ivshmem ${where} peer ${device.id} of ${device.peers}, regions ${device.firstRegion} to ${device.firstRegion + 1 + device.peers}, ${protocolInWords(device.protocol)}, ${interrupt}`,
    )
  }
  for (const { id, mask } of streamIds)
    lines.push(`  DMA stream           ${hex(id)}${mask === 0 ? '' : `, bits ${hex(mask)} ignored`}`)
  return lines
}

function layoutInWords(layout: CellConfig['layout']): string {
  return layout === 'mainline' ? 'revision 14' : 'revision 13 with cache colouring'
}

function consoleInWords({ type, address, size, flags }: Console): string {
  if (type === 0) return 'none'
  const access = (flags & 1) === 0 ? 'ports' : `registers ${(flags & 2) === 0 ? 1 : 4} bytes apart`
  return `${CONSOLE_TYPES[type] ?? `type ${type}`} at ${hex(address)}${size === 0 ? '' : `, ${sizeInWords(BigInt(size))}`}, ${access}`
}

function regionInWords({ phys, virt, size, flags }: MemoryRegion, section: string): string {
  if (size === 0n) return `empty${section}`
  const comm = flags.includes('COMM_REGION')
  const place = comm ? `at ${hex(virt)}` : virt === phys ? `${hex(phys)}` : `${hex(phys)} at ${hex(virt)}`
  return `${place}, ${sizeInWords(size)}, ${flags.join(' ') || 'no access'}${section}`
}

/** `, the state table of ivshmem 00:01.0`. */
function sectionInWords(cell: CellConfig, region: number): string {
  const found = sectionOf(cell, region)
  return found === null ? '' : `, ${sectionName(found.section)} of ivshmem ${bdfInWords(found.device.bdf)}`
}

/** `54, 141, 143`, with ranges for more than two in a row. */
function pinsInWords(base: number, bitmap: readonly number[]): string {
  const pins = bitmap.flatMap((bits, word) =>
    Array.from({ length: 32 }, (_, bit) => ((bits >>> bit) & 1 ? base + 32 * word + bit : -1)).filter(
      (pin) => pin >= 0,
    ),
  )
  const parts: string[] = []
  for (let i = 0; i < pins.length; ) {
    let end = i
    while (end + 1 < pins.length && pins[end + 1] === pins[end]! + 1) end++
    if (end - i >= 2) parts.push(`${pins[i]} to ${pins[end]}`)
    else parts.push(...pins.slice(i, end + 1).map(String))
    i = end + 1
  }
  return parts.join(', ') || 'none'
}

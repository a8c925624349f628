/** `jailhouse`: a scenario as configuration files of the hypervisor, and any such file in words. */
import { join, resolve } from 'node:path'
import { VirtioError } from '../internal/error.ts'
import { range } from '../jailhouse/fault.ts'
import {
  type Cells,
  type ConfigFault,
  checkConfigs,
  configJson,
  configSize,
  decode,
  describeConfig,
  encode,
  type JailhouseConfig,
  jailhouseCells,
} from '../jailhouse/index.ts'
import { bdfInWords } from '../jailhouse/ivshmem.ts'
import { hex } from '../jailhouse/words.ts'
import { oneLine } from './escape.ts'
import { reasonOf } from './file-error.ts'
import { readRegularFile } from './input-files.ts'
import { mustBeOutput, shownPath, writeFile } from './output-files.ts'
import { readScenario } from './scenario-file.ts'
import { counted, renderTable } from './table.ts'
import { EXIT_NEGATIVE, EXIT_OK, type Paint, painter, type Terminal, UsageError } from './terminal.ts'

interface Flags {
  readonly out?: unknown
  readonly coloring?: boolean
  readonly smmu?: boolean
  readonly json?: boolean
}

/** Of any file that the hypervisor would take: its configuration has to fit a few pages. */
const MOST_FILE_BYTES = 1 << 20

export function jailhouseCommand(
  words: readonly string[],
  flags: Flags,
  terminal: Terminal,
  defaultScenario: string,
): number {
  const [first, ...rest] = words
  if (first === 'show') return show(rest, flags, terminal)
  if (rest.length > 0) throw new UsageError('use jailhouse SCENARIO, or jailhouse show FILE')
  if (flags.json) throw new UsageError('--json goes with jailhouse show')
  return generate(first ?? defaultScenario, flags, terminal)
}

function generate(path: string, { out, coloring = false, smmu = false }: Flags, terminal: Terminal): number {
  if (Array.isArray(out)) throw new UsageError('--out is given more than once')
  if (out === '') throw new UsageError("--out is ''; name a folder")
  const { cwd, stdout, env } = terminal
  const folder = resolve(cwd, String(out ?? 'cells'))
  const made = jailhouseCells(readScenario(path, cwd), { coloring, smmu })
  const files = [made.system, ...made.cells].map((config) => ({
    config,
    path: join(folder, `${config.kind === 'system' ? 'zcu102-system' : fileName(config.name)}.cell`),
  }))
  const paths = files.map((file) => file.path)
  const twice = paths.find((each, i) => paths.indexOf(each) < i)
  if (twice !== undefined) throw new UsageError(`two VMs would be written to ${shownPath(twice, cwd)}; rename one`)
  for (const file of paths) mustBeOutput(file, [resolve(cwd, path)])
  for (const { config, path: file } of files) writeFile(file, encode(config))
  const paint = painter(stdout, env)
  stdout.write(overview(made, files, paint, cwd))
  const faults = checkConfigs(files.map(({ config }) => config))
  stdout.write(faultLines(faults, paint))
  stdout.write(notes(made, { coloring, smmu }))
  return faults.length === 0 ? EXIT_OK : EXIT_NEGATIVE
}

/** A VM's name may have characters that a file's name cannot. */
function fileName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\./, '_')
}

function overview(
  { links, cells }: Cells,
  files: readonly { readonly config: JailhouseConfig; readonly path: string }[],
  paint: Paint,
  cwd: string,
): string {
  const rows = files.map(({ config, path }) => {
    const cell = config.kind === 'system' ? config.rootCell : config
    const ram = cells.includes(cell) ? cell.memory.filter(({ flags }) => flags.includes('DMA')) : []
    const colors = cell.caches.map(({ start, size }) => (size === 1 ? `${start}` : `${start}-${start + size - 1}`))
    return [
      shownPath(path, cwd),
      cell.name,
      config.kind === 'system' ? 'root' : cell.cpus.join(','),
      ram.map(({ size }) => `${size >> 20n} MiB`).join(),
      ram.map(({ phys }) => hex(phys)).join(),
      colors.join(','),
      `${configSize(config)} B`,
    ]
  })
  const linkRows = links.map(({ vms, flows, bdf, start, commonBytes }) => [
    `${vms[0]} - ${vms[1]}`,
    bdfInWords(bdf),
    hex(start),
    `${commonBytes >> 10n} KiB`,
    flows.join(', '),
  ])
  const tables = renderTable([['file', 'cell', 'CPUs', 'RAM', 'at', 'colours', 'size'], ...rows], paint)
  if (linkRows.length === 0) return tables
  return `${tables}\n${renderTable([['ivshmem link', 'device', 'at', 'common section', 'flows'], ...linkRows], paint)}`
}

function notes({ rootVm, reserved }: Cells, { coloring, smmu }: { coloring: boolean; smmu: boolean }): string {
  const lines = [`Reserve ${range(reserved.start, reserved.size)} in the device tree of the root cell's Linux.`]
  if (rootVm !== null) {
    lines.push(`VM ${rootVm} is the root cell: VMs take every core, and Jailhouse leaves its root cell at least one.`)
  }
  if (coloring) {
    lines.push(
      'Page colours: revision 13, for the branch wip/cache-coloring at commit f9099f71. Jailhouse itself (mainline) has no colouring.',
    )
  }
  if (!smmu) {
    lines.push('Without --smmu (QEMU has no SMMU) DMA of the root cell reaches the memory of every cell.')
  }
  return `\n${lines.join('\n')}\n`
}

function show(names: readonly string[], { json, ...flags }: Flags, terminal: Terminal): number {
  if (names.length === 0) throw new UsageError('name a file: jailhouse show FILE, or a system file and its cells')
  for (const flag of ['out', 'coloring', 'smmu'] as const) {
    if (flags[flag] !== undefined) throw new UsageError(`--${flag} does not go with jailhouse show`)
  }
  const { stdout, stderr, cwd, env } = terminal
  const configs = names.map((name) => read(name, cwd, terminal))
  const faults = checkConfigs(configs)
  if (json) {
    const all = configs.map((config) => JSON.parse(configJson(config)) as unknown)
    stdout.write(`${JSON.stringify({ configs: all, faults }, null, 2)}\n`)
    return faults.length === 0 ? EXIT_OK : EXIT_NEGATIVE
  }
  for (const [i, config] of configs.entries()) stdout.write(`${i > 0 ? '\n' : ''}${describeConfig(config)}`)
  stdout.write(`\n${faultLines(faults, painter(stdout, env)) || 'no fault found\n'}`)
  if (configs.length === 1)
    stderr.write('Name the system file and all cells together to have them held against each other.\n')
  return faults.length === 0 ? EXIT_OK : EXIT_NEGATIVE
}

function read(name: string, cwd: string, { stderr }: Terminal): JailhouseConfig {
  let bytes: Buffer
  try {
    bytes = readRegularFile(resolve(cwd, name), MOST_FILE_BYTES)
  } catch (error) {
    throw new UsageError(`cannot read ${oneLine(name)}: ${reasonOf(error)}`, { cause: error })
  }
  try {
    const config = decode(bytes)
    const extra = bytes.length - configSize(config)
    if (extra > 0)
      stderr.write(`${oneLine(name)}: ${counted(extra, 'byte')} behind the configuration, which Jailhouse ignores\n`)
    return config
  } catch (error) {
    if (!(error instanceof VirtioError)) throw error
    throw new UsageError(`${oneLine(name)}: ${error.message}`, { cause: error })
  }
}

const TELLS = {
  'config check': "Jailhouse's config check reports it",
  hypervisor: 'Jailhouse refuses it',
  nobody: 'Jailhouse does not notice',
} as const

function faultLines(faults: readonly ConfigFault[], paint: Paint): string {
  return faults
    .map(
      ({ where, what, cure, foundBy }) =>
        `${paint('fault', 'bad')}  ${where}: ${what}\n       ${cure}  (${TELLS[foundBy]})\n`,
    )
    .join('')
}

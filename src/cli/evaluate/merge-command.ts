/** `merge`: the shards of one campaign to what a single run would have written, byte for byte. */
import { join, resolve } from 'node:path'
import { EXPERIMENTS, type Manifest, type ManifestExperiment, type RenderReport } from '../../evaluation/index.ts'
import { makeFolder, shownPath } from '../output-files.ts'
import { type Terminal, UsageError } from '../terminal.ts'
import { checkTable, differences, ResultFolder, readLines, requestOfManifest, writeTable } from './folder.ts'
import { FolderLock } from './lock.ts'
import { outFolderOf } from './options.ts'
import { finishFolder } from './outcome.ts'

export interface MergeFlags {
  readonly out?: unknown
  readonly quiet?: boolean
}

interface ShardFolder {
  readonly folder: ResultFolder
  readonly manifest: Manifest
}

export async function mergeCommand(
  paths: readonly string[],
  flags: MergeFlags,
  terminal: Terminal,
  version: string,
  renderReport?: RenderReport,
): Promise<number> {
  if (paths.includes('')) throw new UsageError("the name of a folder to merge is ''")
  const out = new ResultFolder(outFolderOf(flags.out, terminal.cwd))
  if (out.finished || out.interrupted) throw inUse(out)
  const shown = (folder: ResultFolder) => shownPath(folder.path, terminal.cwd)
  const shards = complete(
    paths.map((path) => open(resolve(terminal.cwd, path), path)),
    shown,
  )
  const [first] = shards as [ShardFolder, ...ShardFolder[]]
  if (first.manifest.version !== version) {
    throw new UsageError(
      `the shards were written by virtio-sdk ${first.manifest.version}, this is ${version}: merge with the version that wrote them`,
    )
  }

  for (const { folder, manifest } of shards) for (const entry of manifest.experiments) checkTable(folder, entry)
  makeFolder(out.path)
  const lock = await FolderLock.acquire(out.path)
  try {
    if (out.finished || out.interrupted) throw inUse(out)
    return merged(shards, out, terminal, flags.quiet === true, renderReport)
  } finally {
    await lock.release()
  }
}

function inUse(out: ResultFolder): UsageError {
  return new UsageError(`${out.path} holds a run; name another folder with --out`)
}

function merged(
  shards: readonly ShardFolder[],
  out: ResultFolder,
  terminal: Terminal,
  quiet: boolean,
  renderReport?: RenderReport,
): number {
  const [first] = shards as readonly [ShardFolder, ...ShardFolder[]]
  const started = terminal.now()
  const tables = first.manifest.experiments.map(({ name }, place) => {
    const experiment = EXPERIMENTS.find((candidate) => candidate.name === name)
    if (experiment === undefined)
      throw new UsageError(`${shownPath(first.folder.path, terminal.cwd)} has an experiment ${name} that is not known`)
    const sources = shards.map(({ folder, manifest }) => ({ folder, entry: manifest.experiments[place]! }))
    return writeTable(out, experiment, interleaved(sources), true)
  })
  const manifest: Manifest = {
    ...first.manifest,
    shard: { index: 1, count: 1 },
    experiments: tables.map(({ entry }) => entry),
  }
  const wallMs = terminal.now() - started
  return finishFolder(out, manifest, tables, terminal, { quiet, wallMs }, renderReport)
}

function open(path: string, asWritten: string): ShardFolder {
  const folder = new ResultFolder(path)
  if (folder.interrupted) {
    throw new UsageError(`${asWritten} is not finished; run its evaluate again with --resume`)
  }
  if (!folder.finished)
    throw new UsageError(`${asWritten} has no manifest.json: it is not a folder that evaluate wrote`)
  return { folder, manifest: folder.readManifest() }
}

/** All shards of one campaign, each once, in order; else says which are missing, twice there, or of another campaign. */
function complete(found: ShardFolder[], shown: (folder: ResultFolder) => string): ShardFolder[] {
  const [first] = found
  if (first === undefined) throw new UsageError('name the folders to merge')
  const { count } = first.manifest.shard
  const shards = new Map<number, ShardFolder>()
  for (const shard of found) {
    const { index } = shard.manifest.shard
    const different = differences(requestOfManifest(shard.manifest), requestOfManifest(first.manifest))
    if (different.length > 0) {
      throw new UsageError(
        `${shown(shard.folder)} is of another campaign than ${shown(first.folder)}: ${different.join('; ')}`,
      )
    }
    const twin = shards.get(index)
    if (twin !== undefined) {
      throw new UsageError(`${shown(twin.folder)} and ${shown(shard.folder)} are both shard ${index}/${count}`)
    }
    shards.set(index, shard)
  }
  const all = Array.from({ length: count }, (_, k) => k + 1)
  const missing = all.filter((index) => !shards.has(index))
  if (missing.length > 0) {
    const named = missing.slice(0, 10).map((index) => `${index}/${count}`)
    const more = missing.length - named.length
    const which = more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ')
    throw new UsageError(`shard ${which} ${missing.length === 1 ? 'is' : 'are'} missing`)
  }
  return all.map((index) => shards.get(index)!)
}

/** The units of all shards in their order: unit u is the next of shard u mod count. */
function* interleaved(sources: readonly { readonly folder: ResultFolder; readonly entry: ManifestExperiment }[]) {
  const readers = sources.map(({ folder, entry }) => readLines(join(folder.path, entry.file)))
  const total = sources.reduce((sum, { entry }) => sum + entry.rowsOfUnits.length, 0)
  for (let unit = 0; unit < total; unit++) {
    const shard = unit % sources.length
    const { folder, entry } = sources[shard]!
    const rows = entry.rowsOfUnits[Math.floor(unit / sources.length)]!
    let text = ''
    for (let row = 0; row < rows; row++) {
      const { value, done } = readers[shard]!.next()
      if (done) throw new UsageError(`${join(folder.path, entry.file)} has fewer rows than its manifest says`)
      text += `${value}\n`
    }
    yield { rows, text }
  }
  readers.forEach((reader, shard) => {
    const { folder, entry } = sources[shard]!
    if (!reader.next().done)
      throw new UsageError(`${join(folder.path, entry.file)} has more rows than its manifest says`)
  })
}

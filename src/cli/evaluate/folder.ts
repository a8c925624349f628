/**
 * A folder of results. While a run goes on it holds `parts/`: what was asked for, and a journal an experiment. When it is finished it
 * holds `data/`, and `manifest.json`, which is written last.
 */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Campaign,
  type Experiment,
  MANIFEST_FORMAT,
  type Manifest,
  type ManifestExperiment,
  type Row,
  type Shard,
} from '../../evaluation/index.ts'
import type { BoardProfile } from '../../platform-zcu102/index.ts'
import { doing, reasonOf } from '../file-error.ts'
import { MOST_BYTES, openRegularFile, readTextFile } from '../input-files.ts'
import { makeFolder, syncFolder, writeWhole, writeWholeInPieces } from '../output-files.ts'
import { UsageError } from '../terminal.ts'
import { mistakeInManifest, mistakeInRequest } from './manifest-shape.ts'

/** What a run was asked for: it can be resumed, or merged with others, only by what asks for the same. */
export interface Request {
  readonly format: typeof MANIFEST_FORMAT
  readonly version: string
  readonly campaign: Campaign
  readonly shard: Shard
  readonly platform: BoardProfile
  readonly experiments: readonly string[]
}

export function requestOf(
  version: string,
  campaign: Campaign,
  shard: Shard,
  platform: BoardProfile,
  experiments: readonly Experiment[],
): Request {
  const names = experiments.map(({ name }) => name)
  return { format: MANIFEST_FORMAT, version, campaign, shard, platform, experiments: names }
}

export function requestOfManifest(manifest: Manifest): Request {
  const { format, version, campaign, shard, platform, experiments } = manifest
  return { format, version, campaign, shard, platform, experiments: experiments.map(({ name }) => name) }
}

/** In words what the first request has that the second has not; empty where they can be of one campaign. */
export function differences(found: Request, wanted: Request): string[] {
  const texts: string[] = []
  const compare = (what: string, a: unknown, b: unknown) => {
    if (a !== b) texts.push(`${what} is ${a}, not ${b}`)
  }
  compare('version', found.version, wanted.version)
  for (const key of ['seed', 'points', 'sets'] as const) compare(key, found.campaign[key], wanted.campaign[key])
  compare('the number of shards', found.shard.count, wanted.shard.count)
  compare('the list of experiments', found.experiments.join(','), wanted.experiments.join(','))
  if (JSON.stringify(found.platform) !== JSON.stringify(wanted.platform)) texts.push('the costs of the platform differ')
  return texts
}

export class ResultFolder {
  readonly path: string
  readonly parts: string
  readonly data: string

  constructor(path: string) {
    this.path = path
    this.parts = join(path, 'parts')
    this.data = join(path, 'data')
  }

  get finished(): boolean {
    return existsSync(join(this.path, 'manifest.json'))
  }

  get interrupted(): boolean {
    return !this.finished && existsSync(this.parts)
  }

  readManifest(): Manifest {
    return this.#read<Manifest>('manifest.json', mistakeInManifest)
  }

  /** What an interrupted run was asked for; null when it was interrupted before it could say so. */
  readRequest(): Request | null {
    return existsSync(join(this.parts, 'request.json'))
      ? this.#read<Request>('parts/request.json', mistakeInRequest)
      : null
  }

  begin(request: Request): void {
    makeFolder(this.parts)
    writeWhole(join(this.parts, 'request.json'), `${JSON.stringify(request, null, 2)}\n`)
  }

  finish(manifest: Manifest): void {
    writeWhole(join(this.path, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    doing('remove', this.parts, () => rmSync(this.parts, { recursive: true, force: true }))
    syncFolder(this.path)
  }

  #read<T extends { format: number }>(name: string, mistakeIn: (value: unknown) => string | null): T {
    const path = join(this.path, name)
    let value: T
    try {
      value = JSON.parse(readTextFile(path, MOST_BYTES))
    } catch (error) {
      throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error })
    }
    if (value === null || typeof value !== 'object' || value.format !== MANIFEST_FORMAT) {
      throw new UsageError(`${path} was written in another format; use the version of virtio-sdk that wrote it`)
    }
    const mistake = mistakeIn(value)
    if (mistake !== null) throw new UsageError(`${path} is damaged: ${mistake}`)
    return value
  }
}

export interface WrittenTable {
  readonly entry: ManifestExperiment
  /** For the report: the summary of an experiment that has one, else its rows. */
  readonly table: string
  readonly rows: readonly Row[]
  readonly headline: readonly string[]
  /** What the rows refute, the first few. */
  readonly refutations: readonly string[]
}

const REFUTATIONS_KEPT = 5

/** Writes `data/<name>.ndjson` from the rows of its units in order, and the summary of a `whole` campaign. */
export function writeTable(
  folder: ResultFolder,
  experiment: Experiment,
  units: Iterable<{ readonly rows: number; readonly text: string }>,
  whole: boolean,
): WrittenTable {
  const { name, title, columns, assumptions } = experiment
  makeFolder(folder.data)
  const summary = whole ? experiment.summarize?.() : undefined
  const rowsOfUnits: number[] = []
  const kept: Row[] = []
  const refutations: string[] = []
  let rows = 0
  let refuted = 0
  const hash = createHash('sha256')
  writeWholeInPieces(join(folder.data, `${name}.ndjson`), (file) => {
    for (const unit of units) {
      file.write(unit.text)
      hash.update(unit.text)
      rowsOfUnits.push(unit.rows)
      rows += unit.rows
      for (const line of unit.text.split('\n')) {
        if (line === '') continue
        const row = JSON.parse(line) as Row
        const refutation = experiment.refutes?.(row) ?? null
        if (refutation !== null && refuted++ < REFUTATIONS_KEPT) refutations.push(refutation)
        if (summary !== undefined) summary.add(row)
        else if (whole) kept.push(row)
      }
    }
  })
  const summaryRows = summary?.rows()
  if (summaryRows !== undefined) {
    writeWhole(
      join(folder.data, `${name}-summary.ndjson`),
      summaryRows.map((row) => `${JSON.stringify(row)}\n`).join(''),
    )
  }
  return {
    entry: {
      name,
      title,
      file: `data/${name}.ndjson`,
      sha256: hash.digest('hex'),
      rows,
      refuted,
      rowsOfUnits,
      columns,
      assumptions,
      summary: summary === undefined ? null : { file: `data/${name}-summary.ndjson`, columns: summary.columns },
    },
    table: summary === undefined ? name : `${name}-summary`,
    rows: summaryRows ?? kept,
    headline: summary?.headline?.() ?? [],
    refutations,
  }
}

const PIECE_BYTES = 1 << 20

/** Lines without their newlines, piece by piece; a last line without one counts. */
export function* readLines(path: string): Generator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for (const piece of readPieces(path)) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  if (rest !== '') yield rest
}

/** The bytes of a file, each piece only until the next. */
function* readPieces(path: string): Generator<Buffer> {
  const file = openRegularFile(path)
  const piece = Buffer.alloc(PIECE_BYTES)
  try {
    for (let bytes = readSync(file, piece); bytes > 0; bytes = readSync(file, piece)) yield piece.subarray(0, bytes)
  } finally {
    closeSync(file)
  }
}

/** Throws `UsageError` when the data of an experiment is not, bit for bit, what was written. */
export function checkTable({ path: folder }: ResultFolder, { file, rows, sha256 }: ManifestExperiment): void {
  const path = join(folder, file)
  const hash = createHash('sha256')
  let lines = 0
  try {
    for (const piece of readPieces(path)) {
      hash.update(piece)
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines++
    }
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error })
  }
  if (lines !== rows) throw new UsageError(`${path} has ${lines < rows ? 'fewer' : 'more'} rows than its manifest says`)
  if (hash.digest('hex') !== sha256) {
    throw new UsageError(`${path} has changed since it was written; run that shard again`)
  }
}

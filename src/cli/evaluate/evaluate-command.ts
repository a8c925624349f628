/** `evaluate`: runs a campaign, or a shard of one, into a folder. */
import { join } from 'node:path'
import type { Experiment, Manifest, RenderReport } from '../../evaluation/index.ts'
import { makeFolder } from '../output-files.ts'
import { progress } from '../progress.ts'
import { type PlatformFlags, profileOfFlags } from '../scenario-profile.ts'
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal, UsageError } from '../terminal.ts'
import { differences, type Request, ResultFolder, requestOf, requestOfManifest, writeTable } from './folder.ts'
import { Journal } from './journal.ts'
import { FolderLock } from './lock.ts'
import { campaignOf, experimentsOf, jobsOf, outFolderOf, shardOf } from './options.ts'
import { finishFolder } from './outcome.ts'
import { runTasks } from './pool.ts'
import type { UnitTask } from './worker.ts'

export const DEFAULT_OUT = 'evaluation-results'

/** As they come from the command line, still to be checked. */
export interface EvaluateFlags extends PlatformFlags {
  readonly points?: unknown
  readonly sets?: unknown
  readonly seed?: unknown
  readonly jobs?: unknown
  readonly out?: unknown
  readonly only?: unknown
  readonly shard?: unknown
  readonly resume?: boolean
  readonly quiet?: boolean
}

export interface EvaluationParts {
  /** The built worker of the thread pool. */
  readonly workerFile: string
  /** Without it there is no report, only data. */
  readonly renderReport?: RenderReport
}

export async function evaluateCommand(
  flags: EvaluateFlags,
  terminal: Terminal,
  version: string,
  parts: EvaluationParts,
  args: readonly string[],
): Promise<number> {
  const experiments = experimentsOf(flags.only)
  const shard = shardOf(flags.shard)
  const request = requestOf(version, campaignOf(flags), shard, profileOfFlags(flags, terminal.cwd), experiments)
  const folder = new ResultFolder(outFolderOf(flags.out, terminal.cwd, DEFAULT_OUT))
  const resume = flags.resume === true
  const run: Run = { request, experiments, jobs: jobsOf(flags.jobs), folder, flags, terminal, args, parts }
  // A finished folder is nobody's: nothing more is written to it.
  if (folder.finished) return alreadyFinished(run)
  makeFolder(folder.path)
  const note = (text: string) => flags.quiet || terminal.stderr.write(`note: ${text}\n`)
  const lock = await FolderLock.acquire(folder.path, (owner) =>
    note(`${folder.path} was being written by ${owner}; watching whether it still is`),
  )
  try {
    if (folder.finished) return alreadyFinished(run)
    mayBegin(folder, request, resume)
    if (lock.predecessor !== null) {
      const { pid, host } = lock.predecessor
      note(`process ${pid} on ${host} left ${folder.path} unfinished; this one takes over`)
    }
    folder.begin(request)
    return await runCampaign(run, lock, note)
  } finally {
    await lock.release()
  }
}

interface Run {
  readonly request: Request
  readonly experiments: readonly Experiment[]
  readonly jobs: number
  readonly folder: ResultFolder
  readonly flags: EvaluateFlags
  readonly terminal: Terminal
  readonly args: readonly string[]
  readonly parts: EvaluationParts
}

function alreadyFinished({ folder, request, flags, terminal }: Run): number {
  if (flags.resume !== true) {
    throw new UsageError(`${folder.path} holds a finished run; name another folder with --out, or remove it`)
  }
  mustAgree(folder, 'a finished run', requestOfManifest(folder.readManifest()), request)
  if (!flags.quiet) terminal.stdout.write(`${folder.path} is finished already\n`)
  return EXIT_OK
}

async function runCampaign(run: Run, lock: FolderLock, note: (text: string) => void): Promise<number> {
  const { request, experiments, jobs, folder, flags, terminal, args, parts } = run
  const started = terminal.now()
  const journals = new Map<string, Journal>()
  try {
    for (const { name } of experiments) {
      const journal = new Journal(join(folder.parts, `${name}.journal`))
      journals.set(name, journal)
      if (journal.cutBytes > 0) {
        note(`${journal.path}: ${journal.size} whole records are kept, ${journal.cutBytes} bytes behind them cut off`)
      }
    }
    const all = experiments.flatMap((experiment) => tasksOf(experiment, request))
    const left = all.filter(({ experiment, unit }) => !journals.get(experiment)!.has(unit))
    const line = progress(terminal, !flags.quiet)
    let done = all.length - left.length
    const interruption = new AbortController()
    const { signal } = interruption
    const listensNoMore = terminal.onInterrupt?.(() => interruption.abort())
    try {
      await runTasks(left, { jobs, workerFile: parts.workerFile, signal }, (task, result) => {
        lock.assertOwned()
        journals.get(task.experiment)!.add(task.unit, result)
        line.update(task.experiment.padEnd(20), ++done, all.length)
      })
    } finally {
      listensNoMore?.()
      line.clear()
    }
    if (signal.aborted && done < all.length) {
      for (const journal of journals.values()) journal.sync()
      const command = ['virtio-sdk', ...args, ...(flags.resume === true ? [] : ['--resume'])].map(quoted).join(' ')
      terminal.stderr.write(`interrupted; ${done} of ${all.length} units are done and kept. To go on:\n  ${command}\n`)
      return EXIT_INTERRUPTED
    }

    const whole = request.shard.count === 1
    const tables = experiments.map((experiment) => {
      lock.assertOwned(true)
      const journal = journals.get(experiment.name)!
      const units = tasksOf(experiment, request).map(({ unit }) => unit)
      return writeTable(folder, experiment, textsOf(journal, units), whole)
    })
    const { experiments: _, ...rest } = request
    const manifest: Manifest = { ...rest, experiments: tables.map(({ entry }) => entry) }
    const wallMs = terminal.now() - started
    lock.assertOwned(true)
    return finishFolder(folder, manifest, tables, terminal, { quiet: flags.quiet === true, wallMs }, parts.renderReport)
  } finally {
    for (const journal of journals.values()) journal.close()
  }
}

/** As a POSIX shell has to be told. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Refuses what would mix two runs. */
function mayBegin(folder: ResultFolder, request: Request, resume: boolean): void {
  if (!folder.interrupted) return
  if (!resume) {
    throw new UsageError(`${folder.path} holds an interrupted run; add --resume to finish it, or name another folder`)
  }
  const there = folder.readRequest()
  if (there !== null) mustAgree(folder, 'an interrupted run', there, request)
}

function mustAgree(folder: ResultFolder, what: string, found: Request, wanted: Request): void {
  const different = differences(found, wanted)
  if (found.shard.index !== wanted.shard.index) {
    different.push(`the shard is ${found.shard.index}, not ${wanted.shard.index}`)
  }
  if (different.length > 0) {
    throw new UsageError(`${folder.path} holds ${what} of something else: ${different.join('; ')}; name another folder`)
  }
}

/** The units of a shard: every count-th, so that cheap and expensive ones are spread evenly. */
function tasksOf(experiment: Experiment, { campaign, shard, platform: profile }: Request): UnitTask[] {
  const tasks: UnitTask[] = []
  const count = experiment.units(campaign, profile).length
  for (let unit = shard.index - 1; unit < count; unit += shard.count) {
    tasks.push({ experiment: experiment.name, unit, campaign, profile })
  }
  return tasks
}

function* textsOf(journal: Journal, units: readonly number[]) {
  for (const unit of units) yield { rows: journal.rowsOf(unit), text: journal.textOf(unit) }
}

/**
 * One writer a folder. The owner of a folder is the lock with the highest number in it, `lock-1`, `lock-2`, …: a file that says who
 * wrote it, and whose time of change is a heartbeat.
 *
 *   - To take a free folder is to create `lock-1`; to take over from an owner that is gone is to create the next number. The file
 *     system lets one process create a file, so one wins, whoever else tries at that moment, on this host or on another.
 *   - Nobody removes a lock but the owner, when it ends, and the highest last. Who has created one looks again: a higher number, or
 *     another owner in the place of the one that was found gone, and it steps back.
 *   - An owner on this host lives while its process does. Of one elsewhere only the heart can be seen: it is watched for a while, by
 *     whether it moves and not by its time, because clocks differ.
 *   - An owner that slept for so long that it was taken for dead notices before it writes again.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { doing } from '../file-error.ts'
import { kindOf, openRegularFile, readTextFile } from '../input-files.ts'
import { OutputFile, syncFolder } from '../output-files.ts'
import { UsageError } from '../terminal.ts'

/** What a lock says of its owner. */
export interface Owner {
  /** Another for every lock. */
  readonly token: string
  readonly host: string
  /** Since when the host runs, and whose processes are counted there; null where the system does not tell. */
  readonly boot: string | null
  readonly processes: string | null
  readonly pid: number
  /** When the process began, in the system's own count: the number of a process may come again. */
  readonly began: string | null
}

export interface LockTimes {
  /** Between two beats. */
  readonly beatMs: number
  /** A heart that does not move for so long has stopped. */
  readonly watchMs: number
  /** How often the owner looks whether it still is. */
  readonly checkMs: number
}

/** File servers may show a change some seconds late. */
const TIMES: LockTimes = { beatMs: 2_000, watchMs: 15_000, checkMs: 1_000 }

const LOCK = /^lock-(\d{1,9})$/

export class FolderLock {
  /** Whose unfinished run was taken over; null: there was none. */
  readonly predecessor: Owner | null
  readonly #folder: string
  readonly #number: number
  readonly #heart: Worker
  readonly #checkMs: number
  #checked = 0

  private constructor(folder: string, number: number, predecessor: Owner | null, { beatMs, checkMs }: LockTimes) {
    this.#folder = folder
    this.#number = number
    this.predecessor = predecessor
    this.#checkMs = checkMs
    const workerData = { path: join(folder, `lock-${number}`), beatMs }
    this.#heart = new Worker(HEART, { eval: true, workerData, stdout: false, stderr: false })
    this.#heart.unref()
    // Where the folder cannot be reached, `assertOwned` says it.
    this.#heart.on('error', () => {})
  }

  /**
   * Takes an existing folder. Throws `UsageError` while another process owns it; `onWatch` hears of an owner on another host, whose
   * heart has to be watched, which takes some seconds.
   */
  static async acquire(
    folder: string,
    onWatch: (owner: string) => void = () => {},
    times: LockTimes = TIMES,
  ): Promise<FolderLock> {
    const self = thisProcess()
    const found = highest(folder)
    if (found > 0) mustBeLock(join(folder, `lock-${found}`))
    const owner = found === 0 ? null : readOwner(folder, found)
    if (found > 0 && (await lives(folder, found, owner, self, onWatch, times))) throw held(folder, owner)
    const number = found + 1
    if (!create(folder, number, self)) throw held(folder, readOwner(folder, number))
    const stillGone = found === 0 || readOwner(folder, found)?.token === owner?.token
    if (highest(folder) !== number || !stillGone) {
      const own = join(folder, `lock-${number}`)
      doing('remove', own, () => rmSync(own, { force: true }))
      throw held(folder, readOwner(folder, highest(folder)))
    }
    return new FolderLock(folder, number, owner, times)
  }

  /** Throws `UsageError` when another process has taken the folder over. It looks once in a while: call it before each write. */
  assertOwned(atOnce = false): void {
    const now = performance.now()
    if (!atOnce && this.#checked !== 0 && now - this.#checked < this.#checkMs) return
    this.#checked = now
    const owner = highest(this.#folder)
    if (owner === this.#number) return
    const by = owner > this.#number ? `, by ${inWords(readOwner(this.#folder, owner))}` : ''
    throw new UsageError(
      `${this.#folder} was taken over while this process slept${by}; what it has written until then is kept`,
    )
  }

  /** Gives the folder back; it may be gone. */
  async release(): Promise<void> {
    await this.#heart.terminate()
    for (const number of numbers(this.#folder)) {
      const path = join(this.#folder, `lock-${number}`)
      if (number <= this.#number) doing('remove', path, () => rmSync(path, { force: true }))
    }
  }
}

/** As a thread: the units of a campaign may keep the main one for long. */
const HEART = `
const { workerData: { path, beatMs } } = require('node:worker_threads')
const { utimesSync } = require('node:fs')
setInterval(() => {
  const now = Date.now() / 1000
  try { utimesSync(path, now, now) } catch {}
}, beatMs)
`

/** In their order; none where there is no such folder. */
function numbers(folder: string): number[] {
  const names = doing('read', folder, () => {
    try {
      return readdirSync(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  })
  return names.flatMap((name) => LOCK.exec(name)?.slice(1).map(Number) ?? []).sort((a, b) => a - b)
}

function highest(folder: string): number {
  return numbers(folder).at(-1) ?? 0
}

/** False: another process has just created it. */
function create(folder: string, number: number, owner: Owner): boolean {
  const path = join(folder, `lock-${number}`)
  const opened = doing('write', path, () => {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null
      throw error
    }
  })
  if (opened === null) return false
  const file = new OutputFile(path, opened)
  try {
    file.write(`${JSON.stringify(owner)}\n`)
    file.sync()
  } catch (error) {
    // A lock that does not say whose it is would have to be watched.
    rmSync(path, { force: true })
    throw error
  } finally {
    file.close()
  }
  syncFolder(folder)
  return true
}

/** What nobody of ours has put there is nobody's to remove, and would stay in the way of every run. */
function mustBeLock(path: string): void {
  const there = doing('read', path, () => statSync(path, { throwIfNoEntry: false }))
  const kind = there === undefined ? null : kindOf(there)
  if (kind !== null)
    throw new UsageError(`${path} is ${kind}, not a lock of virtio-sdk; remove it, or name another folder`)
}

/** Null: gone meanwhile, or not yet written to its end. */
function readOwner(folder: string, number: number): Owner | null {
  try {
    const owner = JSON.parse(readTextFile(join(folder, `lock-${number}`))) as Owner | null
    return typeof owner?.token === 'string' && typeof owner.host === 'string' && Number.isInteger(owner.pid)
      ? owner
      : null
  } catch {
    return null
  }
}

/** Of another host, and of a lock that its owner did not come to write, only the heart tells. */
async function lives(
  folder: string,
  number: number,
  owner: Owner | null,
  self: Owner,
  onWatch: (owner: string) => void,
  { beatMs, watchMs }: LockTimes,
): Promise<boolean> {
  const sameSystem =
    owner !== null && owner.host === self.host && owner.boot === self.boot && owner.processes === self.processes
  if (sameSystem) return processLives(owner)
  onWatch(inWords(owner))
  const first = beat(folder, number)
  for (let watched = 0; watched < watchMs; watched += beatMs) {
    await sleep(beatMs)
    if (beat(folder, number) !== first) return true
  }
  return false
}

function processLives({ pid, began }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and another's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = statFields(pid)
  // One that has ended stays in the table until its parent asks; in a container nobody may ever ask.
  if (stat !== null && /^[ZX]$/i.test(stat[0] ?? '')) return false
  return began === null || stat?.[BEGAN] === began
}

/** Opened anew each time: only then a file server has to tell the truth. -1: the lock is gone. */
function beat(folder: string, number: number): number {
  try {
    const file = openRegularFile(join(folder, `lock-${number}`))
    try {
      return fstatSync(file).mtimeMs
    } finally {
      closeSync(file)
    }
  } catch {
    return -1
  }
}

function held(folder: string, owner: Owner | null): UsageError {
  return new UsageError(
    `${folder} is being written by ${inWords(owner)}; wait for it, or name another folder with --out`,
  )
}

function inWords(owner: Owner | null): string {
  return owner === null ? 'another process' : `process ${owner.pid} on ${owner.host}`
}

function thisProcess(): Owner {
  return {
    token: randomUUID(),
    host: hostname(),
    boot: systemValue(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    processes: systemValue(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    began: statFields(process.pid)?.[BEGAN] ?? null,
  }
}

/** Where `statFields` has the time at which a process began. */
const BEGAN = 19

/** proc(5)'s stat from field 3 on, the state; the name in parentheses before it may hold anything. */
function statFields(pid: number): string[] | null {
  return systemValue(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  })
}

/** Null: the system does not tell. */
function systemValue<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

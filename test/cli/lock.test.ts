/** One writer a folder: which owners count as living, who wins a race, and what an owner does that was taken for dead. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FolderLock, type LockTimes, type Owner } from '../../src/cli/evaluate/lock.ts'
import { buildCli, runProcess } from './built-cli.ts'

const QUICK: LockTimes = { beatMs: 20, watchMs: 200, checkMs: 0 }
let root: string
let folder: string
let runs = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
})
beforeEach(() => {
  folder = join(root, `folder-${++runs}`)
  mkdirSync(folder)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const acquire = (watched: string[] = []) => FolderLock.acquire(folder, (owner) => watched.push(owner), QUICK)
const lockFile = (number: number) => join(folder, `lock-${number}`)
const owned = (number: number) => JSON.parse(readFileSync(lockFile(number), 'utf8')) as Owner

/** A lock as another process would have left it. */
async function lockOf(changes: Partial<Owner>, number = 1): Promise<void> {
  const lock = await acquire()
  const owner = { ...owned(lock.predecessor === null ? 1 : 2), token: `other ${number}`, ...changes }
  await lock.release()
  writeFileSync(lockFile(number), JSON.stringify(owner))
}

/** Of a process that is gone. */
const gonePid = () => spawnSync(process.execPath, ['-e', '0']).pid

describe('a folder', () => {
  it('that nobody has is taken, and given back with nothing left', async () => {
    const lock = await acquire()
    expect(lock.predecessor).toBeNull()
    expect(owned(1)).toMatchObject({ host: hostname(), pid: process.pid })
    lock.assertOwned()
    await lock.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('is refused while its owner lives', async () => {
    const lock = await acquire()
    await expect(acquire()).rejects.toThrow(
      `${folder} is being written by process ${process.pid} on ${hostname()}; wait for it, or name another folder`,
    )
    expect(readdirSync(folder)).toEqual(['lock-1'])
    await lock.release()
    await (await acquire()).release()
  })

  it('is taken over at once when its owner on this host has ended', async () => {
    await lockOf({ pid: gonePid() })
    const watched: string[] = []
    const lock = await acquire(watched)
    expect(watched).toEqual([])
    expect(lock.predecessor?.token).toBe('other 1')
    expect(readdirSync(folder).sort()).toEqual(['lock-1', 'lock-2'])
    await expect(acquire()).rejects.toThrow('is being written by')
    await lock.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it.runIf(existsSync('/proc/self/stat'))(
    'is taken over when only the number of its process has come again',
    async () => {
      await lockOf({ pid: process.pid, began: '1' })
      await (await acquire()).release()
    },
  )

  it.each([
    ['of another host', { host: 'elsewhere' }],
    ['of this host before it began again', { boot: 'another' }],
    ['of another container', { processes: 'pid:[1]' }],
  ])('is refused while the heart of its owner %s beats, whatever its clock says', async (_, changes) => {
    await lockOf({ ...changes, pid: gonePid() })
    let beats = 0
    const heart = setInterval(() => utimesSync(lockFile(1), 0, ++beats), 20)
    const watched: string[] = []
    try {
      await expect(acquire(watched)).rejects.toThrow('is being written by')
      expect(watched).toHaveLength(1)
    } finally {
      clearInterval(heart)
    }
    const lock = await acquire()
    expect(lock.predecessor?.token).toBe('other 1')
    await lock.release()
  })

  it.each(['', '{', 'null', '{"token":1}'])(
    'with a lock that its owner did not come to write (%j) is watched',
    async (text) => {
      writeFileSync(lockFile(1), text)
      const watched: string[] = []
      await (await acquire(watched)).release()
      expect(watched).toEqual(['another process'])
    },
  )

  it.skipIf(process.platform !== 'linux')(
    'is taken over from an owner that ended and whose parent does not ask',
    async () => {
      // The shell becomes a program that never asks how its child ended.
      const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
      try {
        const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))))
        const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
        while (stat()[0] !== 'Z') await setTimeout(5)
        await lockOf({ pid, began: stat()[19]! })
        const lock = await acquire()
        expect(lock.predecessor?.pid).toBe(pid)
        await lock.release()
      } finally {
        parent.kill()
      }
    },
  )

  it('has a heart that beats while the main thread works', async () => {
    const lock = await acquire()
    const beat = () => readFileSync(lockFile(1)) && Number(spawnSync('stat', ['-c', '%.Y', lockFile(1)]).stdout)
    // The thread has to begin first.
    const first = beat()
    for (let waited = 0; beat() === first && waited < 100; waited++) await setTimeout(20)
    const before = beat()
    for (let waited = 0; beat() === before && waited < 200; waited++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
    expect(beat()).toBeGreaterThan(before)
    await lock.release()
  })

  it('is taken by one of many that find its owner gone at the same moment', async () => {
    await lockOf({ host: 'elsewhere' })
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquire()))
    const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    expect(winners).toHaveLength(1)
    winners[0]!.assertOwned()
    for (const result of results) {
      if (result.status === 'rejected') expect(String(result.reason)).toContain('is being written by')
    }
    await winners[0]!.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('that was taken over is not written any more by an owner that slept', async () => {
    const slept = await acquire()
    await lockOf({ host: 'elsewhere', pid: 77 }, 2).catch(() => {})
    writeFileSync(lockFile(2), JSON.stringify({ ...owned(1), token: 'successor', host: 'elsewhere', pid: 77 }))
    expect(() => slept.assertOwned()).toThrow('was taken over while this process slept, by process 77 on elsewhere')
    await slept.release()
    expect(readdirSync(folder)).toEqual(['lock-2'])
  })

  it('that was removed meanwhile is said to be', async () => {
    const lock = await acquire()
    rmSync(folder, { recursive: true })
    expect(() => lock.assertOwned(true)).toThrow(folder)
    await lock.release()
  })
})

describe('two campaigns in one folder', () => {
  const ARGS = ['evaluate', '--only', 'acceptance', '--points', '10', '--sets', '400', '--jobs', '1', '--out', 'run']
  const SMALL = ['evaluate', '--only', 'acceptance', '--points', '3', '--sets', '20', '--jobs', '1', '--out']
  let cli: string
  let whole: string
  beforeAll(async () => {
    cli = await buildCli(join(root, 'built'))
    expect(runProcess(cli, [...SMALL, join(root, 'whole')], { cwd: root }).code).toBe(0)
    whole = readFileSync(join(root, 'whole/manifest.json'), 'utf8')
  }, 60_000)

  it('are one, and one that is refused; killed, it is taken over, and comes to the same', async () => {
    const first = spawn(process.execPath, [cli, ...ARGS], { cwd: folder, stdio: 'ignore' })
    const exited = new Promise((resolve) => first.on('exit', resolve))
    const journal = join(folder, 'run/parts/acceptance.journal')
    while (first.exitCode === null && !(existsSync(journal) && readFileSync(journal).length > 0)) await setTimeout(20)
    for (const more of [[], ['--resume']]) {
      const { code, stderr } = runProcess(cli, [...ARGS, ...more], { cwd: folder })
      expect(code).toBe(2)
      expect(stderr).toContain(`run is being written by process ${first.pid} on ${hostname()}; wait for it`)
    }
    first.kill('SIGKILL')
    await exited
    expect(runProcess(cli, ARGS, { cwd: folder }).stderr).toContain('holds an interrupted run; add --resume')
    const { code, stderr } = runProcess(cli, [...ARGS, '--resume'], { cwd: folder })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(readdirSync(join(folder, 'run')).sort()).toEqual(['data', 'manifest.json', 'report.html'])
    const again = runProcess(cli, [...ARGS.slice(0, -1), 'again'], { cwd: folder })
    expect(again.code).toBe(0)
    const rows = (run: string) => readFileSync(join(folder, run, 'data/acceptance.ndjson'), 'utf8')
    expect(rows('run')).toBe(rows('again'))
  })

  /** Loaded before the command line: the disk takes seven bytes a time, and has room for some. */
  const disk = (room: number) => {
    const patch = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'
      const { writeSync } = fs; let room = ${room}
      fs.writeSync = (file, bytes, offset, length, at) => {
        const some = Math.min(7, length)
        if ((room -= some) < 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
        return writeSync(file, bytes, offset, some, at)
      }
      syncBuiltinESMExports()`
    return ['--import', `data:text/javascript,${encodeURIComponent(patch)}`]
  }

  it.each(['a directory', 'a named pipe'])('do not take %s for a lock, nor remove it', (kind) => {
    const out = mkdtempSync(join(folder, 'odd-'))
    if (kind === 'a directory') mkdirSync(join(out, 'lock-1'))
    else execFileSync('mkfifo', [join(out, 'lock-1')])
    expect(runProcess(cli, [...SMALL, basename(out)], { cwd: folder })).toEqual({
      code: 2,
      stdout: '',
      stderr: `${out}/lock-1 is ${kind}, not a lock of virtio-sdk; remove it, or name another folder\n`,
    })
    expect(readdirSync(out)).toEqual(['lock-1'])
  })

  it('on a disk that takes a little at a time lose nothing', () => {
    expect(runProcess(cli, [...SMALL, 'pieces'], { cwd: folder, node: disk(1e9) }).code).toBe(0)
    for (const file of ['data/acceptance.ndjson', 'data/acceptance-summary.ndjson', 'manifest.json']) {
      expect(readFileSync(join(folder, 'pieces', file), 'utf8')).toBe(readFileSync(join(root, 'whole', file), 'utf8'))
    }
  })

  it.each([100, 8_000, 20_000, 50_000, 70_000])(
    'on a disk that is full after %d bytes end with one line, and go on when it is not',
    (room) => {
      const full = runProcess(cli, [...SMALL, 'full'], { cwd: folder, node: disk(room) })
      expect(full).toMatchObject({ code: 2, stdout: '' })
      expect(full.stderr).toMatch(/^cannot write .*\/full\/.*: the disk is full \(ENOSPC\)\n$/)
      // Of the lock nothing is left, so that nobody has to watch whether its owner lives.
      expect(readdirSync(join(folder, 'full')).filter((name) => name.startsWith('lock-'))).toEqual([])
      const { code, stderr } = runProcess(cli, [...SMALL, 'full', '--resume'], { cwd: folder })
      expect({ code, stderr }).toMatchObject({ code: 0 })
      expect(readFileSync(join(folder, 'full/manifest.json'), 'utf8')).toBe(whole)
    },
  )
})

/** A queue that somebody wrote, found by the path of a module that exports targets of the testing kit. */
import { existsSync, statSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { VirtioError } from '../../internal/error.ts'
import { GuestMemory } from '../../memory/index.ts'
import { TargetGone } from '../../testing/museum/bounded-call.ts'
import type { MuseumTarget } from '../../testing/museum/run-museum.ts'
import type { DeviceQueueUnderTest } from '../../testing/queue-targets.ts'
import { remoteDevice, remotePackedDevice } from '../../testing/remote-device.ts'
import { kindOf } from '../input-files.ts'
import { callable, flag, listOf, mistakeIn, oneOf, optional, text } from '../shapes.ts'
import { type Terminal, UsageError } from '../terminal.ts'
import { ProcessChannel } from './process-channel.ts'
import { type Guarded, guarding, thrownInWords } from './target-guard.ts'

export type QueueTarget = MuseumTarget

const HOW = 'export a DeviceQueueTarget or DriverQueueTarget, or several; docs/testing.md shows one'

/**
 * Every target that the module exports, under whatever name; a function is called for its target. Or, for `exec:COMMAND`, the
 * process that the command starts, with a packed ring for `exec-packed:COMMAND`.
 */
export async function loadTargets(path: unknown, terminal: Terminal, limitMs = LOAD_MS): Promise<QueueTarget[]> {
  if (typeof path !== 'string' || path === '') throw new UsageError('--target needs the path of a module')
  const exec = /^exec(-packed)?:(.*)$/s.exec(path)
  if (exec?.[2]?.trim() === '') throw new UsageError(`--target ${path} names no command, e.g. exec:./device`)
  if (exec) return [await processTarget(exec[2]!, terminal.cwd, exec[1] === undefined ? 'split' : 'packed')]
  const guarded = { terminal, limitMs }
  const exported = await load(path, guarded)
  const values = await guarding(path, guarded, () =>
    reading(path, () =>
      Promise.all(
        Object.values(exported)
          .flat()
          .map((value) => called(value, path)),
      ),
    ),
  )
  return await reading(path, () => {
    const targets = [...new Set(values.flat().filter(meansTarget))]
    for (const target of targets) check(target, path)
    if (targets.length === 0) throw new UsageError(`${path} exports no target; ${HOW}`)
    return targets
  })
}

/** To look at what a module exports may run its code: getters, and the traps of proxies. What these throw is the module's mistake. */
async function reading<T>(path: string, look: () => T | Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path} exports what cannot be read: ${thrownInWords(error)}`, { cause: error })
  }
}

/** To load a module, and again to call what it exports. */
const LOAD_MS = 10_000
/** Some languages take their time to begin. */
const FIRST_ANSWER_MS = 10_000
/** The system may tell a moment later how a process ended. */
const ENDING_MS = 1_000

/** Holds one conversation with it first: what is no target at all is an error, at once, not a failure of every exhibit. */
async function processTarget(command: string, cwd: string, format: 'split' | 'packed'): Promise<QueueTarget> {
  const channel = new ProcessChannel(command, cwd, { firstAnswerMs: FIRST_ANSWER_MS })
  process.once('exit', () => channel.close())
  const target = format === 'packed' ? remotePackedDevice(command, channel) : remoteDevice(command, channel)
  try {
    const device = target.create(GuestMemory.ofSize(0x1000, GREETING.base), GREETING.ring)
    if (format === 'split' && restores(device)) return remoteDevice(command, channel, { restores: true })
  } catch (error) {
    // What refuses this ring may take others.
    if (error instanceof VirtioError && error.code === 'REFUSED') return target
    if (error instanceof TargetGone) {
      for (let waited = 0; channel.ending === null && waited < ENDING_MS; waited += 20) await sleep(20)
    }
    const how = error instanceof TargetGone && channel.ending !== null ? ` ${channel.ending}` : ''
    const why = `${(error as Error).message}${how}; it has to answer as docs/testing.md says`
    throw new UsageError(`${command} is no target: ${why}`, { cause: error })
  }
  return target
}

/** With a ring over the first bytes of a small memory. */
const GREETING = {
  base: 0x10000,
  ring: {
    size: 2,
    descriptorArea: 0x10000,
    driverArea: 0x10400,
    deviceArea: 0x10800,
    eventIdx: false,
    indirect: false,
    inOrder: false,
  },
}

/** Whether it can begin where another device stopped, which many cannot. */
function restores(device: DeviceQueueUnderTest): boolean {
  if (device.restore === undefined) return false
  try {
    device.restore({ nextAvailable: 0xfffe, usedIndex: 0xfffe, inFlight: [] })
    return true
  } catch (error) {
    if (error instanceof VirtioError && (error.code === 'UNSUPPORTED' || error.code === 'REFUSED')) return false
    throw error
  }
}

async function load(path: string, guarded: Guarded): Promise<Record<string, unknown>> {
  const { cwd } = guarded.terminal
  const file = resolve(cwd, path)
  let url: string
  try {
    if (isBuiltin(path)) throw new Error('a module of Node')
    url = pathToFileURL(existsSync(file) ? file : createRequire(join(cwd, 'package.json')).resolve(path)).href
  } catch (error) {
    throw new UsageError(`there is no module ${path}: neither a file nor an installed package`, { cause: error })
  }
  const kind = existsSync(file) ? kindOf(statSync(file)) : null
  if (kind !== null) throw new UsageError(`cannot load ${path}: it is ${kind}, not a module`)
  try {
    return await guarding(path, guarded, async () => (await import(url)) as Record<string, unknown>)
  } catch (error) {
    if (error instanceof UsageError) throw error
    const unknown = (error as { code?: unknown } | null | undefined)?.code === 'ERR_UNKNOWN_FILE_EXTENSION'
    const types = unknown && /\.[cm]?ts$/.test(url)
    const cure = types ? '; this Node does not run TypeScript: use Node 22.18 or newer, or compile it' : ''
    throw new UsageError(`cannot load ${path}: ${thrownInWords(error)}${cure}`, { cause: error })
  }
}

async function called(value: unknown, path: string): Promise<unknown> {
  if (typeof value !== 'function' || value.length > 0 || /^class\b/.test(String(value))) return value
  try {
    return await value()
  } catch (error) {
    throw new UsageError(`${path} exports the function ${value.name}, and it threw: ${thrownInWords(error)}`, {
      cause: error,
    })
  }
}

/** Whatever has a side is a target, or was to be one. */
function meansTarget(value: unknown): value is QueueTarget {
  return typeof value === 'object' && value !== null && 'side' in value
}

const TARGET = {
  side: oneOf('device', 'driver'),
  format: oneOf(undefined, 'split', 'packed'),
  name: text,
  create: callable,
  rearmsWhenEmpty: optional(flag),
}
const LACKS = {
  split: ['eventIdx', 'indirect', 'concurrency'],
  packed: ['eventIdx', 'indirect', 'inOrder', 'concurrency'],
} as const

function check(target: QueueTarget, path: string): void {
  const mistake = mistakeIn(target, TARGET) ?? mistakeIn(target, { lacks: lacksOf(target) })
  if (mistake !== null) throw new UsageError(`${path} exports what is no target: its ${mistake}`)
}

function lacksOf({ format = 'split' }: QueueTarget) {
  return optional(listOf(oneOf(...LACKS[format]), LACKS[format].join(', ')))
}

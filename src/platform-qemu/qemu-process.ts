/**
 * QEMU as a process: its agent and guest program are built, and its RAM is a file that both map. Its files lose their names as soon as everybody has
 * them open, and the agent switches the machine off when nobody tells it any more that we are there: whatever ends us, nothing is left behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtioError } from '../internal/error.ts'
import { mapPieces, mapSharedFile, type SharedMapping } from '../native/index.ts'
import { AGENT, CONTROL_BYTES, fileOffsetOf, physical, RAM_BYTES } from './layout.ts'
import { Mailbox } from './mailbox.ts'

const QEMU = 'qemu-system-aarch64'
const TOOLS = 'aarch64-linux-gnu-'
const CORES = 4
const SHARED_MEMORY = '/dev/shm'
/** Bytes of what a program said that go into a message. */
const MOST_SAID = 500

const COMPILER_FLAGS = [
  '-O2',
  '-ffreestanding',
  '-fno-builtin',
  '-nostdlib',
  '-static',
  '-no-pie',
  '-fno-pic',
  '-fno-stack-protector',
  '-fno-tree-loop-distribute-patterns',
  '-mgeneral-regs-only',
  '-mstrict-align',
  '-Wl,--build-id=none',
  '-Wl,--no-warn-rwx-segments',
]

export class QemuProcess {
  readonly version: string
  /** The control area of its RAM. */
  readonly control: ArrayBuffer
  /** By core. */
  readonly mailboxes: readonly Mailbox[]
  /** The guests' program, to be copied to where each finds it. */
  readonly guestProgram: Uint8Array
  readonly #folder: string
  readonly #ram: string
  /** What it says, as an open file. */
  readonly #log: number
  readonly #child: ChildProcess
  readonly #mappings: SharedMapping[]

  private constructor(started: {
    readonly version: string
    readonly folder: string
    readonly ram: string
    readonly log: number
    readonly child: ChildProcess
    readonly mapping: SharedMapping
    readonly guestProgram: Uint8Array
  }) {
    this.version = started.version
    this.#folder = started.folder
    this.#ram = started.ram
    this.#log = started.log
    this.#child = started.child
    this.#mappings = [started.mapping]
    this.guestProgram = started.guestProgram
    this.control = started.mapping.bytes
    this.mailboxes = Array.from({ length: CORES }, (_, core) => new Mailbox(this.control, core, () => this.#whyNot()))
  }

  /**
   * Builds what runs on it from the sources in `sources`, and starts it. Throws `VirtioError` NO_QEMU where a program is missing, NO_NATIVE_CALLS
   * without koffi, QEMU_FAULT when it does not come up.
   */
  static async start(sources: string): Promise<QemuProcess> {
    const [version] = run(QEMU, ['--version'], 'qemu-system-arm').split('\n')
    const folder = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'virtio-sdk-qemu-'))
    let child: ChildProcess | null = null
    let mapping: SharedMapping | null = null
    try {
      const [agent, guest, flat] = ['agent.elf', 'guest.elf', 'guest.bin'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ]
      build(sources, agent, guest, flat)
      const ram = join(folder, 'ram')
      const file = openSync(ram, 'w+')
      ftruncateSync(file, RAM_BYTES)
      closeSync(file)
      mapping = await mapSharedFile(ram, fileOffsetOf(physical(0)), CONTROL_BYTES)
      const log = openSync(join(folder, 'log'), 'w+')
      child = spawn(QEMU, machineOf(agent, ram), {
        stdio: ['ignore', log, log],
        // Its sound card looks for one of this machine.
        env: { ...process.env, QEMU_AUDIO_DRV: 'none' },
      })
      const guestProgram = new Uint8Array(readFileSync(flat))
      const started = new QemuProcess({ version: version!.trim(), folder, ram, log, child, mapping, guestProgram })
      for (const mailbox of started.mailboxes) {
        mailbox.timer(false)
        mailbox.flush()
      }
      return started
    } catch (error) {
      mapping?.unmap()
      child?.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** A mapping of its RAM in which pieces are still to be placed. Once. */
  async mapRam(bytes: number): Promise<SharedMapping> {
    const mapping = await mapPieces(this.#ram, bytes)
    this.#mappings.push(mapping)
    rmSync(this.#folder, { recursive: true, force: true })
    return mapping
  }

  /** Ends it. Its RAM is gone: nothing that looks into it may be used any more. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await ended
    }
    for (const mapping of this.#mappings) mapping.unmap()
    closeSync(this.#log)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Why it will not answer, or null. */
  #whyNot(): string | null {
    if (isRunning(this.#child.pid)) return null
    const said = endOf(this.#log)
    return `QEMU has ended${said === '' ? '' : `, and said: ${said}`}`
  }
}

function machineOf(agent: string, ram: string): string[] {
  return [
    ...['-M', 'xlnx-zcu102,virtualization=on', '-smp', String(CORES), '-m', `${RAM_BYTES / 2 ** 20}M`, '-accel', 'tcg'],
    ...['-object', `memory-backend-file,id=ram,size=${RAM_BYTES},mem-path=${ram},share=on`],
    ...['-machine', 'memory-backend=ram', '-nodefaults', '-display', 'none', '-serial', 'none', '-monitor', 'none'],
    ...['-device', `loader,file=${agent},cpu-num=0`, '-no-reboot'],
  ]
}

function build(sources: string, agent: string, guest: string, flat: string): void {
  const source = (name: string) => join(sources, name)
  const object = `${agent}.o`
  const binutils = 'binutils-aarch64-linux-gnu'
  run(`${TOOLS}as`, ['-o', object, source('agent.S')], binutils)
  run(`${TOOLS}ld`, [`-Ttext=0x${physical(AGENT).toString(16)}`, '-o', agent, object], binutils)
  const inputs = ['-T', source('guest.ld'), '-o', guest, source('guest-start.S'), source('guest.c')]
  run(`${TOOLS}gcc`, [...COMPILER_FLAGS, ...inputs], 'gcc-aarch64-linux-gnu')
  run(`${TOOLS}objcopy`, ['-O', 'binary', guest, flat], binutils)
}

/** What the program printed. `aptPackage`: where Debian has it. */
function run(program: string, parameters: readonly string[], aptPackage: string): string {
  try {
    return execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string }
    if (code === 'ENOENT') {
      throw new VirtioError('NO_QEMU', `${program} is not there: apt-get install ${aptPackage} (Debian's name)`)
    }
    throw new VirtioError('NO_QEMU', `${program} failed: ${(stderr ?? String(error)).trim().slice(-MOST_SAID)}`)
  }
}

/** The last lines of an open file. */
function endOf(file: number): string {
  const { size } = fstatSync(file)
  const bytes = Buffer.alloc(Math.min(size, MOST_SAID))
  readSync(file, bytes, 0, bytes.length, size - bytes.length)
  return bytes.toString('utf8').trim()
}

/** A process that has ended stays until we have asked for its exit, which we cannot while we wait: its state says so. */
function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
    return state !== 'Z' && state !== 'X'
  } catch {
    return false
  }
}

/**
 * Lines to and from another process, synchronously: two named pipes, one for each direction, and a wait that has an end. For
 * systems that have `mkfifo`. A process that has ended, or was ended because it said nothing, is started again for the next `create`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CallTimeout, TargetGone } from '../../testing/museum/bounded-call.ts'
import type { LineChannel } from '../../testing/remote-device.ts'
import { UsageError } from '../terminal.ts'

const ANSWER_MS = 800
const NAP_MS = 0.05
/** Longer than any line of the protocol: a chain of 32768 descriptors, or what it has in memory in hexadecimal. */
const MOST_LINE_BYTES = 4 * 1024 ** 2

export interface ChannelOptions {
  /** How long the first answer of a process may take, which it needs to begin. Default: as long as any other. */
  readonly firstAnswerMs?: number
}

export class ProcessChannel implements LineChannel {
  readonly #command: string
  readonly #cwd: string
  readonly #firstAnswerMs: number
  #process: Conversant

  /** `command` is for a shell; its stdin and stdout are the channel, its stderr is ours. */
  constructor(command: string, cwd: string, { firstAnswerMs = ANSWER_MS }: ChannelOptions = {}) {
    this.#command = command
    this.#cwd = cwd
    this.#firstAnswerMs = firstAnswerMs
    this.#process = new Conversant(command, cwd, firstAnswerMs)
  }

  /** Throws `TargetGone` when the process is gone, `CallTimeout` when it does not read what it is told. */
  send(line: string): void {
    if (this.#process.ended && line.startsWith('create')) {
      this.#process.close()
      this.#process = new Conversant(this.#command, this.#cwd, this.#firstAnswerMs)
    }
    this.#process.send(line)
  }

  /** Throws `TargetGone` when the process is gone, `CallTimeout` when it said nothing for too long: it is ended then. */
  receive(): string {
    return this.#process.receive()
  }

  /** How the process ended: `with code 127`; null while it lives. To be asked after its last line, in another turn of the loop. */
  get ending(): string | null {
    return this.#process.ending
  }

  close(): void {
    this.#process.close()
  }
}

/** One process, from its start to its end. */
class Conversant {
  /** Nobody is left who could write, or we have ended it. */
  ended = false
  readonly #child: ChildProcess
  readonly #toChild: number
  readonly #fromChild: number
  readonly #chunk = Buffer.alloc(1 << 16)
  readonly #clock = new Int32Array(new SharedArrayBuffer(4))
  readonly #lines: string[] = []
  /** Of a line that has not ended. */
  #pieces: string[] = []
  #pieceBytes = 0
  #patienceMs: number
  #closed = false

  constructor(command: string, cwd: string, firstAnswerMs: number) {
    this.#patienceMs = firstAnswerMs
    const folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
    const [to, from] = [join(folder, 'to'), join(folder, 'from')]
    try {
      execFileSync('mkfifo', [to, from])
    } catch (error) {
      throw new UsageError(`targets in other processes need mkfifo: ${(error as Error).message}`, { cause: error })
    }
    // No open waits for its other end. Each end is opened for itself: that ours do not wait is not to be inherited.
    const both = openSync(to, constants.O_RDWR | constants.O_NONBLOCK)
    const input = openSync(to, constants.O_RDONLY)
    this.#toChild = openSync(to, constants.O_WRONLY | constants.O_NONBLOCK)
    closeSync(both)
    this.#fromChild = openSync(from, constants.O_RDONLY | constants.O_NONBLOCK)
    const output = openSync(from, constants.O_WRONLY)
    this.#child = spawn(command, { cwd, shell: true, stdio: [input, output, 'inherit'], detached: true })
    // What cannot be started has ended.
    this.#child.on('error', () => {})
    this.#child.unref()
    closeSync(input)
    closeSync(output)
    rmSync(folder, { recursive: true })
  }

  get ending(): string | null {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null) return `with code ${exitCode}`
    return signalCode === null ? null : `by ${signalCode}`
  }

  send(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    const deadline = performance.now() + this.#patienceMs
    for (let done = 0; done < bytes.length; ) {
      if (this.ended) throw gone()
      const more = this.#write(bytes, done)
      done += more
      if (more === 0) this.#wait(deadline, 'read nothing')
    }
  }

  receive(): string {
    const deadline = performance.now() + this.#patienceMs
    for (;;) {
      const line = this.#lines.shift()
      if (line !== undefined) {
        this.#patienceMs = ANSWER_MS
        return line.trimEnd()
      }
      if (this.ended) throw gone()
      if (this.#pieceBytes > MOST_LINE_BYTES) throw this.#given(`said a line of more than ${MOST_LINE_BYTES} bytes`)
      const bytes = this.#read()
      if (bytes > 0) this.#hear(this.#chunk.toString('latin1', 0, bytes))
      else if (!this.ended) this.#wait(deadline, 'said nothing')
    }
  }

  #hear(text: string): void {
    const [first, ...more] = text.split('\n')
    this.#pieces.push(first!)
    this.#pieceBytes += first!.length
    const last = more.pop()
    if (last === undefined) return
    this.#lines.push(this.#pieces.join(''), ...more)
    this.#pieces = [last]
    this.#pieceBytes = last.length
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#kill()
    closeSync(this.#toChild)
    closeSync(this.#fromChild)
  }

  #wait(deadline: number, what: string): void {
    if (performance.now() > deadline) throw this.#given(`${what} for ${this.#patienceMs} ms`)
    Atomics.wait(this.#clock, 0, 0, NAP_MS)
  }

  #given(what: string): CallTimeout {
    this.ended = true
    this.#kill()
    return new CallTimeout(`the target ${what}`)
  }

  /** The shell and what it started. */
  #kill(): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
  }

  /** 0: its pipe is full. */
  #write(bytes: Buffer, from: number): number {
    try {
      return writeSync(this.#toChild, bytes, from)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') this.ended = true
      if (code === 'EPIPE' || code === 'EAGAIN') return 0
      throw error
    }
  }

  /** 0: nothing yet, or nothing any more. */
  #read(): number {
    try {
      const bytes = readSync(this.#fromChild, this.#chunk)
      this.ended = bytes === 0
      return bytes
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      throw error
    }
  }
}

function gone(): TargetGone {
  return new TargetGone("the target's process has ended")
}

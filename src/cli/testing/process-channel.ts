/**
 * Lines to and from another process, synchronously: two named pipes, one for each direction, and a wait that has an end. For
 * systems that have `mkfifo`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LineChannel } from '../../testing/remote-device.ts'
import { UsageError } from '../terminal.ts'

const ANSWER_MS = 800
const NAP_MS = 0.05

export class ProcessChannel implements LineChannel {
  readonly #child: ChildProcess
  readonly #toChild: number
  readonly #fromChild: number
  readonly #chunk = Buffer.alloc(4096)
  readonly #clock = new Int32Array(new SharedArrayBuffer(4))
  #received = ''
  /** Nobody is left who could write: the process is gone. */
  #ended = false

  /** `command` is for a shell; its stdin and stdout are the channel, its stderr is ours. */
  constructor(command: string, cwd: string) {
    const folder = mkdtempSync(join(tmpdir(), 'virtio-sdk-'))
    const [to, from] = [join(folder, 'to'), join(folder, 'from')]
    try {
      execFileSync('mkfifo', [to, from])
    } catch (error) {
      throw new UsageError(`targets in other processes need mkfifo: ${(error as Error).message}`, { cause: error })
    }
    // Open for both, and without blocking, so that neither open waits for the other end.
    this.#toChild = openSync(to, constants.O_RDWR)
    this.#fromChild = openSync(from, constants.O_RDONLY | constants.O_NONBLOCK)
    const output = openSync(from, constants.O_WRONLY)
    this.#child = spawn(command, { cwd, shell: true, stdio: [this.#toChild, output, 'inherit'], detached: true })
    this.#child.unref()
    closeSync(output)
    rmSync(folder, { recursive: true })
  }

  /** Throws when the process is gone. */
  send(line: string): void {
    this.#requireProcess()
    writeSync(this.#toChild, `${line}\n`)
  }

  /** Throws when the process says nothing for too long, or is gone. */
  receive(): string {
    const deadline = performance.now() + ANSWER_MS
    for (;;) {
      const end = this.#received.indexOf('\n')
      if (end >= 0) {
        const line = this.#received.slice(0, end)
        this.#received = this.#received.slice(end + 1)
        return line.trimEnd()
      }
      const bytes = this.#read()
      this.#requireProcess()
      if (bytes > 0) this.#received += this.#chunk.toString('latin1', 0, bytes)
      else if (performance.now() > deadline) throw new Error(`the target said nothing for ${ANSWER_MS} ms`)
      else Atomics.wait(this.#clock, 0, 0, NAP_MS)
    }
  }

  close(): void {
    // The shell and what it started.
    if (this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL')
      } catch {
        // It is gone already.
      }
    }
    closeSync(this.#toChild)
    closeSync(this.#fromChild)
  }

  #requireProcess(): void {
    if (this.#ended) throw new Error("the target's process has ended")
  }

  /** 0: nothing yet, or nothing any more. */
  #read(): number {
    try {
      const bytes = readSync(this.#fromChild, this.#chunk)
      this.#ended = bytes === 0
      return bytes
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      throw error
    }
  }
}

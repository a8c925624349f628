/**
 * An end for code that may never give control back: a thread watches the clock. When the time is over it asks the main thread, and
 * when that does not answer ends the process, with `EXIT_USAGE`. Where Node has no inspector, only code that gives control back
 * hears of it.
 */
import { Worker } from 'node:worker_threads'
import { EXIT_USAGE } from '../terminal.ts'

/** What the main thread and the thread of the clock tell each other. */
const RUNNING = 0
const LATE = 1
const HEARD = 2

export class Deadline {
  readonly #state = new Int32Array(new SharedArrayBuffer(4))
  readonly #clock: Worker

  /** Calls `onLate` once after `ms`, unless it was ended before; `exit` listeners of a process that has to be ended see `passed`. */
  constructor(ms: number, onLate: () => void) {
    const workerData = { ms, state: this.#state }
    this.#clock = new Worker(CLOCK, { eval: true, workerData, stdout: false, stderr: false })
    this.#clock.on('error', () => {})
    this.#clock.once('message', () => {
      Atomics.store(this.#state, 0, HEARD)
      onLate()
    })
    // Last: to listen to it would keep the process alive again.
    this.#clock.unref()
  }

  /** The time was over before `end`. */
  get passed(): boolean {
    return Atomics.load(this.#state, 0) !== RUNNING
  }

  end(): void {
    void this.#clock.terminate()
  }
}

/** Runs after the other `exit` listeners have told what they have to: Node would add that it waits for a debugger. */
const END = `
process.once('exit', () => process.getBuiltinModule?.('node:fs').closeSync(2))
process.exit(${EXIT_USAGE})`

/** Who answers within a while runs no loop. In the middle of a loop the engine still does what an inspector asks for. */
const CLOCK = `
const { parentPort, workerData: { ms, state } } = require('node:worker_threads')
const ANSWER_MS = 300
setTimeout(() => {
  Atomics.store(state, 0, ${LATE})
  parentPort.postMessage('late')
  setInterval(() => {
    if (Atomics.load(state, 0) === ${HEARD}) return
    try {
      const { Session } = require('node:inspector')
      const session = new Session()
      session.connectToMainThread()
      session.post('Runtime.evaluate', { expression: \`${END}\` })
    } catch {}
  }, ANSWER_MS)
}, ms)
`

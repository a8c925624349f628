/** Units over threads. The order in which they end does not matter to anybody. */
import Tinypool from 'tinypool'
import runUnit, { type UnitResult, type UnitTask } from './worker.ts'

/** So many tasks a thread wait in the pool: enough to keep it busy, few enough to stop soon. */
const AHEAD = 3

export interface PoolOptions {
  readonly jobs: number
  /** The built worker: a file that exports `runUnit`. */
  readonly workerFile: string
  /** Ends the run: nothing more is begun, nor waited for, and the call returns. */
  readonly signal: AbortSignal
}

/** Runs all tasks; `done` is called once a task, in the order in which they end. The first error stops the run and is thrown. */
export async function runTasks(
  tasks: readonly UnitTask[],
  { jobs, workerFile, signal }: PoolOptions,
  done: (task: UnitTask, result: UnitResult) => void,
): Promise<void> {
  const threads = Math.min(jobs, tasks.length)
  if (threads <= 1) {
    for (const task of tasks) {
      if (signal.aborted) return
      done(task, runUnit(task))
      // Lets signals and the progress line through.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return
  }
  const pool = new Tinypool({ filename: workerFile, minThreads: threads, maxThreads: threads })
  let next = 0
  const feed = async () => {
    while (next < tasks.length) {
      const task = tasks[next++]!
      const result = await pool.run(task)
      if (!signal.aborted) done(task, result)
    }
  }
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const finished = Promise.all(Array.from({ length: threads * AHEAD }, feed))
  // When the pool goes, so do the tasks that it runs.
  finished.catch(() => {})
  try {
    await Promise.race([finished, aborted])
  } finally {
    next = tasks.length
    await pool.destroy()
  }
}

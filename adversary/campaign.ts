/** Many cases of one seed on several threads: what `npm run adversary` and `npm run hostile` share. */
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parentPort, Worker, workerData } from 'node:worker_threads'

/** What all workers look at: the next case, and whether to stop. */
const NEXT = 0
const STOP = 1

export interface CampaignOptions {
  readonly seed: number
  /** Cases 0 to `count` - 1; Infinity: as many as there is time for. */
  readonly count: number
  /** Threads. */
  readonly jobs: number
  /** null: until all cases were examined. */
  readonly seconds: number | null
  /** Cases that a worker takes at a time, because those next to each other share something. */
  readonly batch: number
}

interface Task extends Pick<CampaignOptions, 'seed' | 'count' | 'batch'> {
  readonly shared: Int32Array
}

/**
 * Runs until all cases were examined, the time is over, or `onResult` answers true; then workers finish the case that they are at. Results
 * come in no order. `script`: a module, by its URL, that calls `work` where it is not the main thread. Rejects when a worker throws.
 */
export function campaign<Result>(
  script: string,
  { seed, count, jobs, seconds, batch }: CampaignOptions,
  onResult: (result: Result) => boolean,
): Promise<void> {
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const timer = seconds === null ? undefined : setTimeout(() => Atomics.store(shared, STOP, 1), seconds * 1000)
  const workers = Array.from({ length: jobs }, () => {
    const worker = new Worker(fileURLToPath(script), {
      workerData: { seed, count, batch, shared } satisfies Task,
      // Machines are short-lived: most of what they are made of should not be moved before it dies.
      resourceLimits: { maxYoungGenerationSizeMb: 96 },
    })
    worker.on('message', (result: Result) => {
      if (onResult(result)) Atomics.store(shared, STOP, 1)
    })
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject)
      worker.on('exit', () => resolve())
    })
  })
  return Promise.all(workers).then(() => clearTimeout(timer))
}

/**
 * In a worker of `campaign`: examines cases until there are none left, or it is told to stop. Each is a job of its own: what a `WeakRef` is
 * made of lives until the job ends that made it, and memory has such of every queue.
 */
export async function work(examine: (seed: number, index: number) => unknown): Promise<void> {
  const { seed, count, batch, shared } = workerData as Task
  for (;;) {
    const first = Atomics.add(shared, NEXT, batch)
    for (let index = first; index < first + batch; index++) {
      if (index >= count || Atomics.load(shared, STOP) !== 0) return
      parentPort!.postMessage(examine(seed, index))
      await setImmediate()
    }
  }
}

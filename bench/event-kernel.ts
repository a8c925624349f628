/**
 * The event kernel beside what one would write first: a binary heap of event objects with closures. Hold model: the queue is
 * filled with n events, then one operation takes the earliest and schedules one at its time plus a random increment.
 *
 * Both sides get the same increments and keep the same total order (time, priority, sequence). The baseline is written with
 * care: it sifts a hole instead of swapping, and compares without calls.
 */
import { Random } from '../src/internal/random.ts'
import { EventKernel } from '../src/sim/event-kernel.ts'
import { type BenchRatio, type BenchResult, type BenchSuite, benchResult, median } from './suite.ts'

interface ClosureEvent {
  readonly timeNs: number
  readonly priority: number
  readonly sequence: number
  readonly run: () => void
}

class ClosureHeap {
  now = 0
  #sequence = 0
  readonly #heap: ClosureEvent[] = []

  schedule(timeNs: number, priority: number, run: () => void): void {
    const heap = this.#heap
    const event = { timeNs, priority, sequence: this.#sequence++, run }
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const other = heap[parent]!
      if (!before(event, other)) break
      heap[at] = other
      at = parent
    }
    heap[at] = event
  }

  next(): boolean {
    const heap = this.#heap
    if (heap.length === 0) return false
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last)
    this.now = first.timeNs
    first.run()
    return true
  }

  #sink(event: ClosureEvent): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, event)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = event
  }
}

function before(x: ClosureEvent, y: ClosureEvent): boolean {
  if (x.timeNs !== y.timeNs) return x.timeNs < y.timeNs
  if (x.priority !== y.priority) return x.priority < y.priority
  return x.sequence < y.sequence
}

/** Increments in ns, drawn before the clock runs: what is measured is the queue. */
const INCREMENTS = 1 << 14
const DISTRIBUTIONS: Readonly<Record<string, (random: Random) => number>> = {
  exponential: (random) => Math.round(-2000 * Math.log(1 - random.unit())),
  uniform: (random) => random.between(0, 4000),
  bimodal: (random) => (random.chance(0.9) ? random.between(50, 150) : random.between(50_000, 150_000)),
  ties: (random) => 1000 * random.between(0, 4),
}

/** Something that has been filled and can be run for a number of events; returns a checksum of the order. */
type Hold = (events: number) => number

function kernelHold(pending: number, increments: Int32Array): Hold {
  const kernel = new EventKernel({ capacity: pending })
  let draw = 0
  for (let i = 0; i < pending; i++) kernel.schedule(increments[draw++ % INCREMENTS]!, i & 3, 1, i, 0)
  return (events) => {
    let checksum = 0
    for (let i = 0; i < events; i++) {
      kernel.next()
      checksum = (Math.imul(checksum, 31) + kernel.a) | 0
      kernel.schedule(kernel.now + increments[draw++ % INCREMENTS]!, kernel.a & 3, 1, kernel.a, 0)
    }
    return checksum
  }
}

function heapHold(pending: number, increments: Int32Array): Hold {
  const heap = new ClosureHeap()
  let draw = 0
  let checksum = 0
  const add = (a: number) => {
    heap.schedule(heap.now + increments[draw++ % INCREMENTS]!, a & 3, () => {
      checksum = (Math.imul(checksum, 31) + a) | 0
      add(a)
    })
  }
  for (let i = 0; i < pending; i++) add(i)
  return (events) => {
    checksum = 0
    for (let i = 0; i < events; i++) heap.next()
    return checksum
  }
}

export const suite: BenchSuite = {
  name: 'event-kernel',
  async run({ seed, effort, progress }) {
    const results: BenchResult[] = []
    const ratios: BenchRatio[] = []
    const runs = 9
    const events = Math.max(10_000, Math.round(300_000 * effort))
    for (const [distribution, draw] of Object.entries(DISTRIBUTIONS)) {
      const random = new Random(seed)
      const increments = Int32Array.from({ length: INCREMENTS }, () => draw(random))
      for (const pending of [16, 256, 4096]) {
        const name = `hold, ${pending} pending, ${distribution}`
        progress(name)
        const sides = [kernelHold(pending, increments), heapHold(pending, increments)] as const
        const samples: readonly [number[], number[]] = [[], []]
        // Run 0 warms up: code is compiled and the calendar has settled.
        for (let run = 0; run <= runs; run++) {
          const checksums = sides.map((hold, side) => {
            const start = process.hrtime.bigint()
            const checksum = hold(events)
            const ns = Number(process.hrtime.bigint() - start)
            if (run > 0) samples[side]!.push(ns / events)
            return checksum
          })
          if (checksums[0] !== checksums[1]) throw new Error(`${name}: the two queues disagree about the order`)
        }
        results.push(benchResult(name, 'event kernel', samples[0]), benchResult(name, 'closure heap', samples[1]))
        const value = median(samples[1]) / median(samples[0])
        ratios.push({
          name: `${name}: closure heap / event kernel`,
          value,
          unit: 'x',
          ...(pending === 256 && { atLeast: 3 }),
        })
      }
    }
    return { results, ratios }
  },
}

/** Guest tasks under the time that the broker steals from their core: fixed priority, preemptive, any deadlines [Lehoczky 1990]. */
import { ceilDivide, exact } from './exact.ts'

/** A sporadic task of a guest; preemptive, on one core. Times are integer ns. */
export interface GuestTask {
  readonly name?: string
  /** Least distance of two releases. */
  readonly periodNs: number
  /** Relative to the release; may exceed the period. Not read by the analysis. */
  readonly deadlineNs: number
  /** C: worst-case execution time. */
  readonly executionNs: number
}

/** What a core loses to EL2. `within` as of `StolenTime`; `rate` is its share in the long run. */
export interface CoreInterference {
  within(windowNs: number): number
  readonly rate: number
  /** B_el2: one EL2 section, which can be under way at the release. */
  readonly blockingNs: number
}

/** What the bound of a task is made of, in ns. */
export interface GuestTerms {
  readonly responseNs: number
  readonly ownNs: number
  readonly interferenceNs: number
  readonly blockingNs: number
  readonly stolenNs: number
  /** Release of the worst instance, counted from the first of its busy period: the sum of the four above less this is the bound. */
  readonly releaseNs: number
}

/**
 * Bounds of `tasks`, most urgent first: R = C + B_el2 + sum over hp of ceil(R/T)·C + I_k(R), over every instance of the busy
 * period. null: the tasks and the broker together fill the core, there is no bound.
 */
export function guestResponseTimes(tasks: readonly GuestTask[], core: CoreInterference): (GuestTerms | null)[] {
  let load = core.rate
  return tasks.map((task, i) => {
    load += task.executionNs / task.periodNs
    return load < 1 - MARGIN ? guestResponse(tasks, i, core) : null
  })
}

/** Rates are doubles: a load this close to 1 is taken for full. */
const MARGIN = 1e-9

function guestResponse(tasks: readonly GuestTask[], i: number, core: CoreInterference): GuestTerms {
  const task = tasks[i]!
  let worst: GuestTerms | null = null
  let busyNs = 0
  for (let q = 1; ; q++) {
    const ownNs = q * task.executionNs
    let interferenceNs = 0
    let stolenNs = 0
    for (;;) {
      interferenceNs = 0
      for (let j = 0; j < i; j++) {
        interferenceNs += ceilDivide(busyNs, tasks[j]!.periodNs) * tasks[j]!.executionNs
      }
      stolenNs = core.within(busyNs)
      const nextNs = exact(ownNs + core.blockingNs + interferenceNs + stolenNs)
      if (nextNs <= busyNs) break
      busyNs = nextNs
    }
    const releaseNs = (q - 1) * task.periodNs
    const responseNs = busyNs - releaseNs
    if (worst === null || responseNs > worst.responseNs) {
      worst = { responseNs, ownNs, interferenceNs, blockingNs: core.blockingNs, stolenNs, releaseNs }
    }
    if (busyNs <= q * task.periodNs) return worst
  }
}

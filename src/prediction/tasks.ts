/**
 * Guest tasks under what the broker takes from their core: fixed priority, preemptive, below the guest's own drivers. Analysed
 * only; the simulated guests have none.
 */
import { type GuestTerms, guestResponseTimes } from '../analysis/index.ts'
import type { TaskSpec } from '../scenario/index.ts'
import { type CoreLoad, LONG_NS } from './cores.ts'
import { driversWithin } from './path.ts'
import type { SoftwareCosts } from './software.ts'
import { type System, throttledWithin } from './system.ts'

/** The bound of a guest's task under the time that the broker takes from its core. */
export interface TaskPrediction {
  readonly vm: string
  readonly name: string
  readonly deadlineNs: number
  readonly responseNs: number | null
  readonly terms: GuestTerms | null
  readonly schedulable: boolean
}

/** Tasks of VMs that share a core have no bound: nothing says how the hypervisor would schedule them. */
export function tasksOf(
  system: System,
  software: SoftwareCosts,
  /** null: what the broker takes from the cores is not known, and no task has a bound. */
  loads: ReadonlyMap<number, CoreLoad> | null,
  spans: readonly number[],
): TaskPrediction[] {
  const { scenario, vmCores } = system
  return scenario.vms.flatMap(({ name: vm, core, tasks }) => {
    const ordered = byPriority(tasks)
    const load = loads?.get(core)
    const within = (windowNs: number) => {
      const driversNs = driversWithin(system, software, core, windowNs, spans)
      return load!.within(windowNs) + throttledWithin(system, core, windowNs) + driversNs
    }
    const alone = vmCores.filter((other) => other === core).length === 1
    const terms =
      alone && load !== undefined
        ? guestResponseTimes(
            ordered.map(({ periodNs, deadlineNs, wcetNs }) => ({ periodNs, deadlineNs, executionNs: wcetNs })),
            // What is under way at a release is in the window's count already.
            { within, rate: within(LONG_NS) / LONG_NS, blockingNs: 0 },
          )
        : ordered.map(() => null)
    return ordered.map(({ name, deadlineNs }, i): TaskPrediction => {
      const responseNs = terms[i]?.responseNs ?? null
      const schedulable = responseNs !== null && responseNs <= deadlineNs
      return { vm, name, deadlineNs, responseNs, terms: terms[i] ?? null, schedulable }
    })
  })
}

/** Most urgent first: as given, else deadline-monotonic, ties by order. */
function byPriority(tasks: readonly TaskSpec[]): TaskSpec[] {
  const byDeadline = [...tasks].sort((a, b) => a.deadlineNs - b.deadlineNs)
  const rank = (task: TaskSpec) => task.priority ?? byDeadline.indexOf(task)
  return [...tasks].sort((a, b) => rank(a) - rank(b))
}

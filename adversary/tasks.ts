/**
 * What guest tasks would have gone through: they are analysed and not simulated, so the time that EL2 and the guest's drivers left them is
 * taken from a run, and the tasks are laid into it by hand.
 */
import type { TaskPrediction } from '../src/platform-zcu102/index.ts'
import type { TaskSpec } from '../src/scenario/index.ts'
import { CoreLevel, type EventKernel, type PreemptiveCores } from '../src/sim/index.ts'
import { Intervals } from './witness.ts'

/** Watches when a core does anything more urgent than tasks: drivers, interrupt handlers, EL2. Computations are not. */
export function watchDrivers(cores: PreemptiveCores, kernel: EventKernel): Intervals[] {
  const busy = Array.from({ length: cores.coreCount }, () => new Intervals())
  const sinceNs = busy.map(() => -1)
  const look = (core: number) => {
    const isBusy = cores.runningLevel(core) > CoreLevel.computation
    if (isBusy && sinceNs[core]! < 0) sinceNs[core] = kernel.now
    else if (!isBusy && sinceNs[core]! >= 0) {
      busy[core]!.add(sinceNs[core]!, kernel.now)
      sinceNs[core] = -1
    }
  }
  const { enqueue, enter, finish, leave } = cores
  cores.enqueue = (core, ...rest) => {
    enqueue.call(cores, core, ...rest)
    look(core)
  }
  cores.enter = (core) => {
    const entered = enter.call(cores, core)
    look(core)
    return entered
  }
  cores.finish = (core) => {
    const finished = finish.call(cores, core)
    look(core)
    return finished
  }
  cores.leave = (core) => {
    leave.call(cores, core)
    look(core)
  }
  return busy
}

/** Instants at which tasks are released together: so many of those at which something more urgent begins. */
const RELEASES = 24

/**
 * The longest response of each task of one VM, which are given most urgent first, when all are released together and then once a period;
 * up to `endNs`, when the run was over.
 */
export function longestResponses(
  tasks: readonly (Pick<TaskPrediction, 'name'> & Pick<TaskSpec, 'periodNs' | 'wcetNs'>)[],
  busy: Intervals,
  endNs: number,
): number[] {
  const longestNs = tasks.map(() => 0)
  const step = Math.max(1, Math.floor(busy.startNs.length / RELEASES))
  for (let first = 0; first < busy.startNs.length; first += step) {
    const releaseNs = busy.startNs[first]!
    tasks.forEach(({ wcetNs }, i) => {
      let responseNs = 0
      for (;;) {
        let workNs = wcetNs
        for (const { periodNs, wcetNs: aboveNs } of tasks.slice(0, i)) {
          workNs += Math.max(1, Math.ceil(responseNs / periodNs)) * aboveNs
        }
        const doneNs = freeAfter(busy, first, workNs) - releaseNs
        if (releaseNs + doneNs > endNs) return
        if (doneNs <= responseNs) break
        responseNs = doneNs
      }
      longestNs[i] = Math.max(longestNs[i]!, responseNs)
    })
  }
  return longestNs
}

/** When so much time has been free from the start of an interval on. */
function freeAfter({ startNs, endNs }: Intervals, first: number, freeNs: number): number {
  let leftNs = freeNs
  for (let i = first; ; i++) {
    const untilNs = startNs[i + 1] ?? Number.POSITIVE_INFINITY
    const gapNs = untilNs - endNs[i]!
    if (gapNs >= leftNs) return endNs[i]! + leftNs
    leftNs -= gapNs
  }
}

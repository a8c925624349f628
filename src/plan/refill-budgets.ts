/** What a scenario's `memguard` and `refillsPerUs` mean to the cores of a board. */

import type { BoardProfile } from '../boards/index.ts'
import { VirtioError } from '../internal/error.ts'
import { Random } from '../internal/random.ts'
import type { Scenario } from '../scenario/index.ts'

/** Of a scenario's seed; others are drawn from elsewhere. */
const PHASES_STREAM = 4

export interface RefillBudget {
  /** Guest time in one period that takes the budget, ns; Infinity where the load takes nothing. */
  readonly guestNs: number
  readonly periodNs: number
  /** From `start` to the beginning of its first whole period, ns; below `periodNs`. */
  readonly phaseNs: number
}

/**
 * By core; null where no VM asks for one. VMs that share a core share its budget, and load it no faster than the fastest of
 * them does. Phases are drawn. Throws `VirtioError` BAD_MEMGUARD for a period that MemGuard's own interrupts would fill.
 */
export function refillBudgets({ seed, vms }: Scenario, profile: BoardProfile): (RefillBudget | null)[] {
  const phases = new Random(seed, PHASES_STREAM)
  return Array.from({ length: profile.cores.value }, (_, core) => {
    const here = vms.filter((vm) => vm.core === core)
    const memguard = here.find((vm) => vm.memguard !== null)?.memguard
    if (!memguard) return null
    const { periodNs, refills } = memguard
    const busyNs = 2 * profile.costsNs.irqEntryAck.value[2]
    if (periodNs <= busyNs) {
      throw new VirtioError(
        'BAD_MEMGUARD',
        `a memguard period of ${periodNs} ns on core ${core} leaves its guest nothing: the two interrupts of a period ` +
          `take up to ${busyNs} ns; make it longer`,
      )
    }
    const refillsPerUs = Math.max(...here.map((vm) => vm.refillsPerUs))
    return { guestNs: guestTimeNs(refills, refillsPerUs), periodNs, phaseNs: phases.between(0, periodNs - 1) }
  })
}

/** Longest time that an interrupt of the broker's can wait for a throttled core under `accept`, ns: the rest of a period. */
export function longestThrottleNs({ vms }: Scenario): number {
  return vms.reduce((longestNs, { core, memguard }) => {
    if (memguard === null) return longestNs
    const refillsPerUs = Math.max(...vms.filter((vm) => vm.core === core).map((vm) => vm.refillsPerUs))
    return Math.max(longestNs, memguard.periodNs - guestTimeNs(memguard.refills, refillsPerUs))
  }, 0)
}

/** Guest time that a budget lasts for, rounded up to whole ns. */
export function guestTimeNs(refills: number, refillsPerUs: number): number {
  return refillsPerUs === 0 ? Number.POSITIVE_INFINITY : Math.ceil((refills * 1000) / refillsPerUs)
}

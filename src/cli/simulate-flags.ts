/** What `simulate` and `simulate --worst` take alike: flags, seed and duration, the designs to run, and the bounds to hold against. */
import type { Design, Prediction } from '../platform-zcu102/index.ts'
import { type Scenario, vmOnDedicatedCore } from '../scenario/index.ts'
import type { PlatformFlags } from './scenario-profile.ts'
import type { DesignRun } from './simulate-report.ts'
import { UsageError } from './terminal.ts'
import { timeFlag } from './time-flag.ts'

/** As they come from the command line, still to be checked. */
export interface SimulateFlags extends PlatformFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly seed?: unknown
  readonly duration?: unknown
  readonly design?: unknown
  /** `board`, or `qemu`. */
  readonly on?: unknown
  readonly payload?: unknown
  readonly out?: unknown
  readonly trace?: unknown
  readonly html?: unknown
  readonly set?: unknown
  /** A search for the longest responses, in so many runs or seconds; the trace is that of one flow. */
  readonly worst?: boolean
  readonly runs?: unknown
  readonly seconds?: unknown
  readonly flow?: unknown
}

/** Instead of those in the scenario. Throws `UsageError`. */
export function seedAndDuration({ seed, duration }: SimulateFlags): { seed?: number; durationNs?: number } {
  const changes: { seed?: number; durationNs?: number } = {}
  if (seed !== undefined) {
    if (Array.isArray(seed)) throw new UsageError('--seed takes one value')
    if (!Number.isSafeInteger(seed) || (seed as number) < 0)
      throw new UsageError(`--seed ${seed}: write a whole number from 0`)
    changes.seed = seed as number
  }
  if (duration !== undefined) {
    const ns = timeFlag('--duration', duration)
    if (ns === 0) throw new UsageError('--duration 0 simulates nothing; write e.g. 100ms')
    changes.durationNs = ns
  }
  return changes
}

/** Both, unless asked otherwise, or unless a VM has the core that the dedicated broker needs. */
export function designsOf(flag: unknown, scenario: Scenario, note: (text: string) => void): readonly Design[] {
  const design = flag ?? 'both'
  if (design !== 'both' && design !== 'floating' && design !== 'dedicated') {
    throw new UsageError(`--design ${design}: use both, floating or dedicated`)
  }
  if (design === 'floating') return ['floating']
  const vm = vmOnDedicatedCore(scenario)
  if (vm) {
    const why = `core ${vm.core} belongs to the dedicated broker, and VM ${vm.name} runs there`
    if (flag === undefined) {
      note(`${why}: only the floating design is simulated`)
      return ['floating']
    }
    throw new UsageError(`${why}; move the VM, change broker.dedicatedCore, or use --design floating`)
  }
  return design === 'both' ? ['dedicated', 'floating'] : ['dedicated']
}

/** What no message may take longer than, by name. */
export function boundsOf({ flows, chains }: Pick<Prediction, 'flows' | 'chains'>): DesignRun['bounds'] {
  const byName = (parts: Prediction['flows'] | Prediction['chains']) =>
    new Map(parts.map(({ name, endToEndNs }) => [name, endToEndNs] as const))
  return { flows: byName(flows), chains: byName(chains) }
}

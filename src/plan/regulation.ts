/** How a scenario's DMA is regulated on a board: what the engine moves per ns while it runs, and what software makes it wait for. */

import type { BoardProfile } from '../boards/index.ts'
import { rateSetting } from '../boards/index.ts'
import { BucketRegulator, BudgetRegulator, NoRegulator, type Regulator } from '../broker/index.ts'
import { VirtioError } from '../internal/error.ts'
import type { Scenario } from '../scenario/index.ts'

/**
 * beta, bytes/ns: the engine's own rate, or what rate control leaves of it. A rate that the scenario pins is that of the
 * abstract model, whose rate control has no granularity. Throws `VirtioError` for a rate that the board cannot keep.
 */
export function dmaBytesPerNs({ broker, overrides }: Scenario, profile: BoardProfile): number {
  const { regulator } = broker
  if (overrides.dmaBytesPerNs !== null) {
    return regulator.kind === 'rate' ? Math.min(overrides.dmaBytesPerNs, regulator.bytesPerNs) : overrides.dmaBytesPerNs
  }
  const own = profile.dmaBytesPerNs.value
  if (regulator.kind !== 'rate') return own
  if (profile.dmaRateControl === undefined) {
    throw new VirtioError(
      'UNSUPPORTED',
      `the DMA of ${profile.name} has no rate control; use regulator kind bucket or budget`,
    )
  }
  return Math.min(own, rateSetting(regulator.bytesPerNs, profile.dmaRateControl.value).bytesPerNs)
}

/** The part of the regulator that is software. Throws `VirtioError` BAD_REGULATOR for one that could never let a piece start. */
export function regulatorOf(scenario: Scenario, profile: BoardProfile): Regulator {
  const { regulator, chunkBytes } = scenario.broker
  switch (regulator.kind) {
    case 'none':
    case 'rate':
      return new NoRegulator()
    case 'bucket':
      return new BucketRegulator({ ...regulator, chunkBytes, dmaBytesPerNs: dmaBytesPerNs(scenario, profile) })
    case 'budget':
      return new BudgetRegulator(regulator.budgetNs, regulator.periodNs)
  }
}

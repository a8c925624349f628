/** What a scenario's overrides mean for the machine: it becomes the abstract model of docs/analysis.md §1, and nothing else. */

import type { BoardProfile, CostTriple } from '../boards/index.ts'
import { COST_OPS, type CostOpName } from '../platform/index.ts'
import type { Overrides, Scenario } from '../scenario/index.ts'
import type { Design } from './design.ts'

/** Overheads are pinned: what the scenario does not name costs nothing. */
export function isPinned({ chunkOverheadNs, messageOverheadNs }: Overrides): boolean {
  return chunkOverheadNs !== null || messageOverheadNs !== null
}

/** By cost op: the profile's, or the overheads that the scenario pins, a chunk's in `dmaSetup`, a message's in `messageOverhead`. */
export function costTriples(profile: BoardProfile, overrides: Overrides): readonly CostTriple[] {
  return COST_OPS.map((name) => (isPinned(overrides) ? pinnedCost(name, overrides) : profile.costsNs[name].value))
}

function pinnedCost(name: CostOpName, { chunkOverheadNs, messageOverheadNs }: Overrides): CostTriple {
  if (name === 'dmaSetup') {
    const [best, worst] = chunkOverheadNs ?? [0, 0]
    return [best, Math.round((best + worst) / 2), worst]
  }
  if (name === 'messageOverhead') return [messageOverheadNs ?? 0, messageOverheadNs ?? 0, messageOverheadNs ?? 0]
  return [0, 0, 0]
}

/**
 * Whether transfers are chained. The dedicated broker does not; nor does a machine whose overhead of every chunk is pinned: a
 * chained chunk would have none.
 */
export function chainingOf({ broker, overrides }: Scenario, design: Design): 'adaptive' | 'piece' {
  return design === 'floating' && !isPinned(overrides) ? broker.chaining : 'piece'
}

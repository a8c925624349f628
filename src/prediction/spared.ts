/**
 * A regulator that never keeps anything waiting (docs/prediction.md §3, "A regulator that is never felt"): then the machine does what it would do
 * without one, and its bounds are those of the machine without. Theorem 0 of docs/analysis.md, with the times for which messages of this machine are
 * under way, and the same for a token bucket.
 */
import type { Regulator } from '../analysis/index.ts'
import { type Drain, drainOf } from './drain.ts'
import type { Rounds, Settled } from './rounds.ts'
import { messagesWithin, type System, type SystemFlow } from './system.ts'

const NO_REGULATOR: Regulator = { kind: 'none' }

/** A system to be settled, and its drain if that is known already. */
export interface Spared {
  readonly system: System
  readonly drain: Drain | null
}

/**
 * The system as it is, or without its regulator where that is never felt. `from`: of a system with as much of everything or less. Pinned bounds are
 * those of the theorems as they are written.
 */
export function sparedOf(system: System, rounds: Rounds, from: Settled | null = null): Spared {
  const { flows, pinned, regulator } = system
  const regulated = !pinned && (regulator.kind === 'budget' || regulator.kind === 'bucket')
  // Even of messages that are over at once there may be too many.
  const still = () => flows.map(() => 0)
  if (!regulated || !spares(system, still())) return { system, drain: null }
  const free: System = { ...system, regulator: NO_REGULATOR }
  const drain = drainOf(free, rounds, from?.system.regulator.kind === 'none' ? from.drain : null)
  return drain.spans.length > 0 && spares(system, drain.spans) ? { system: free, drain } : { system, drain: null }
}

/** `spans`: how long messages are under way at most while the regulator keeps nothing waiting. */
function spares(system: System, spans: readonly number[]): boolean {
  const { flows, regulator, scenario, bytesPerNs } = system
  if (spans.includes(Number.POSITIVE_INFINITY)) return false
  if (regulator.kind === 'budget') {
    const copiedNs = (flow: SystemFlow) => messagesWithin(flow, spans[flow.index]!, regulator.periodNs) * wireNs(flow)
    return flows.reduce((sum, flow) => sum + copiedNs(flow), 0) < regulator.budgetNs
  }
  if (scenario.broker.regulator.kind !== 'bucket') return false
  // As the machine has it: the engine's own rate, and the share of it that comes in.
  const { burstBytes, bytesPerNs: filledBytesPerNs } = scenario.broker.regulator
  const share = filledBytesPerNs / bytesPerNs
  const asked = flows.reduce((sum, flow) => sum + wireNs(flow) / flow.periodNs, 0)
  const atOnceNs = flows.reduce((sum, flow) => sum + (spans[flow.index]! / flow.periodNs + 1) * wireNs(flow), 0)
  return asked <= share && atOnceNs <= Math.floor(burstBytes / bytesPerNs)
}

/** DMA time of a message at most, also where its first page is cut in two; 0 of one that never sees the DMA. */
function wireNs({ pages, pieces, workNs }: SystemFlow): number {
  return pages === 'moved' ? 0 : workNs + pieces + 1
}

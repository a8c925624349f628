/**
 * Costs of a board that find what is left out of a bound: where one action costs 500 to 30 000 ns and all others 1, with best and worst the
 * same, a term that is missing shows at once, and no slack of the other terms hides it.
 */
import type { Random } from '../src/internal/random.ts'
import { COST_OPS, type CostOpName } from '../src/platform/index.ts'
import { type CostTriple, zcu102 } from '../src/platform-zcu102/index.ts'
import type { CalibrationFile } from './case.ts'

export const COST_KINDS = ['spike', 'spikes', 'ones', 'worst', 'random', 'ranges', 'board'] as const
export type CostKind = (typeof COST_KINDS)[number]

/** Nothing simulated makes hypercalls; messages have an overhead only where a scenario pins it. */
export const DRAWN_OPS: readonly CostOpName[] = COST_OPS.filter((op) => op !== 'hvc' && op !== 'messageOverhead')
const SPIKES: readonly CostKind[] = [
  'spike',
  'spike',
  'spike',
  'spike',
  'spikes',
  'ones',
  'worst',
  'random',
  'ranges',
  'board',
]
/** Paid 64 times a page, or for all of a TLB: a spike of theirs is smaller, or messages take no time beside it. */
const BY_LINE: readonly CostOpName[] = ['cacheCleanPerLine', 'copyPerLine']

/** Only where pages move, where cores are throttled, and where interrupts can go to another core. */
const OF_PAGES: readonly CostOpName[] = [...BY_LINE, 'pteUpdate', 'tlbInvalidate', 'tlbRefill', 'smmuInvalidate']
const OF_LOOKS: readonly CostOpName[] = ['gicAccess']

/** `moves`: pages may change owners; `looks`: cores may be throttled. Spikes are of actions that are then taken. */
export function drawCosts(
  random: Random,
  { moves, looks }: { readonly moves: boolean; readonly looks: boolean },
): { kind: CostKind; calibration: CalibrationFile | null } {
  const ops = DRAWN_OPS.filter((op) => (moves || !OF_PAGES.includes(op)) && (looks || !OF_LOOKS.includes(op)))
  const kind = random.pick(SPIKES)
  const prefetched = random.chance(0.3) ? random.between(1, 8) : 0
  if (kind === 'board') return { kind, calibration: null }
  const costsNs: Partial<Record<CostOpName, CostTriple>> = {}
  const spikes = kind === 'spike' ? [random.pick(ops)] : [random.pick(ops), random.pick(ops)]
  for (const op of COST_OPS) costsNs[op] = costOf(kind, op, spikes.includes(op), random)
  return {
    kind,
    calibration: {
      board: 'zcu102',
      by: 'the adversary',
      date: '2026-01-01',
      method: `drawn: ${kind === 'spike' ? `${spikes[0]} dear` : kind}`,
      costsNs,
      ...(prefetched > 0 && { dmaPrefetchedPieces: prefetched }),
    },
  }
}

function costOf(kind: CostKind, op: CostOpName, isSpike: boolean, random: Random): CostTriple {
  if (op === 'messageOverhead') return [0, 0, 0]
  const spikeNs = Math.round(logUniform(random, 500, 30_000) / (BY_LINE.includes(op) ? 60 : 1))
  switch (kind) {
    case 'ones':
      return [1, 1, 1]
    case 'worst': {
      const worst = zcu102.costsNs[op].value[2]
      return [worst, worst, worst]
    }
    case 'random': {
      const ns = Math.round(logUniform(random, 1, BY_LINE.includes(op) ? 40 : 3000))
      return [ns, ns, ns]
    }
    case 'ranges':
      return isSpike ? [1, random.pick([1, spikeNs]), spikeNs] : [1, 1, 1]
    default:
      return isSpike ? [spikeNs, spikeNs, spikeNs] : [1, 1, 1]
  }
}

export function logUniform(random: Random, low: number, high: number): number {
  return low * (high / low) ** random.unit()
}

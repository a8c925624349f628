/**
 * Five flows between three cores: frames, commands and logs much as in the default scenario, regulated to half of the DMA's time; no
 * period divides another, so that flows meet in all phases.
 */
import type { BrokerSpec, Scenario } from '../../scenario/index.ts'
import type { Load } from './machine-runs.ts'

export const STANDARD_VM_CORES = 3

export function standardLoad(
  durationNs: number,
  costs: Scenario['costs'],
  seed: number,
  broker: Partial<BrokerSpec> = {},
): Load {
  return {
    vmCores: STANDARD_VM_CORES,
    flows: [
      { name: 'control', from: 1, to: 0, periodNs: 5_100_000, lengthBytes: 65_536 },
      { name: 'frames', from: 0, to: 1, periodNs: 9_700_000, lengthBytes: 614_400 },
      { name: 'log', from: 0, to: 2, periodNs: 103_000_000, lengthBytes: 1_048_576 },
      { name: 'trajectory', from: 1, to: 2, periodNs: 19_900_000, lengthBytes: 16_384 },
      { name: 'settings', from: 2, to: 1, periodNs: 49_300_000, deadlineNs: 25_000_000, lengthBytes: 2000 },
    ],
    durationNs,
    costs,
    seed,
    broker: { regulator: { kind: 'budget', budgetNs: 500_000, periodNs: 1_000_000 }, ...broker },
  }
}

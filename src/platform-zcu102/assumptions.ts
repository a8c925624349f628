/** What has to be believed for a run's figures to mean anything: printed with every result. */
import type { Scenario } from '../scenario/index.ts'
import { profileOf } from './zcu102.ts'

/** Throws `VirtioError` UNKNOWN_PLATFORM. */
export function assumptionsOf(scenario: Scenario): string[] {
  const { overrides, broker } = scenario
  const profile = profileOf(scenario.platform)
  const assumed = Object.entries(profile.costsNs)
    .filter(([, cost]) => cost.status.includes('ASSUMED'))
    .map(([name]) => name)
  const rate = overrides.dmaBytesPerNs ?? profile.dmaBytesPerNs.value
  const lines = [
    'Simulated: nothing here was measured on a board.',
    `DMA copies ${rate} bytes/ns (${overrides.dmaBytesPerNs === null ? profile.dmaBytesPerNs.status : 'pinned by the scenario'}); PAUSE reaches the piece after the one in flight (${profile.dmaPrefetchedPieces.status}).`,
    `Costs are ${scenario.costs === 'random' ? 'drawn between best and worst, mostly near typical' : scenario.costs}; ASSUMED among them: ${assumed.join(', ')}.`,
    'The dedicated broker is reconstructed from the public guest-side code of RTSS 2021; its broker and figures were not available.',
    'Guests are driver models: sending and interrupt handling cost time, producing and consuming payload does not.',
    `The broker accepts messages up to ${ARRIVAL_TOLERANCE_NS / 1000} us early beyond a flow's jitter, and shapes what comes earlier.`,
    'MemGuard, cache misses and memory interference are not simulated.',
  ]
  if (overrides.chunkOverheadNs !== null || overrides.messageOverheadNs !== null) {
    lines.push('Overheads are pinned by the scenario: what it does not name costs nothing.')
  }
  if (broker.transfer !== 'copy') lines.push('Remapped pages keep their frames, whatever colour those have.')
  return lines
}

/** Variation of the path from a flow's release to the broker (P6 of the analysis): send, trap, preemption. */
export const ARRIVAL_TOLERANCE_NS = 50_000

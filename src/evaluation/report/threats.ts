/** Threats to validity: part of the report, because figures travel without their documentation. */
import type { BoardProfile } from '../../platform-zcu102/index.ts'
import { factsWith } from './platform.ts'

export function threats(profile: BoardProfile): string[] {
  const assumed = factsWith(profile, 'ASSUMED')
  const measured = factsWith(profile, 'MEASURED')
  return [
    measured.length === 0
      ? `Nothing was measured. Every cost comes from the profile of ${profile.title}; ${assumed.length} of them are ASSUMED, placeholders until somebody calibrates them. What depends on them should be read with the sensitivity study.`
      : `Measured on a board: ${measured.join(', ')}. Everything else comes from the profile of ${profile.title}; ASSUMED are ${assumed.join(', ') || 'none'}.`,
    'The dedicated broker is reconstructed. The text and figures of the paper it comes from (RTSS 2021) were not available, only its public guest-side code; the loop of its broker, its regulator and its costs may differ.',
    'A0 is a reconstructed baseline test, not the test of any paper. The gain of A3 and A4 over it is no gain over any published analysis.',
    'Random sets are not applications: independent flows with log-uniform periods. Real flows are harmonic, chained, or have few distinct periods and sizes.',
    'The worst response that a search finds is a lower limit of the true one. Pessimism is therefore overstated; by how much is known only for small instances, where all behaviours were tried.',
    'The random sets know the DMA stage and the software on its path. Waiting for locks, interference in caches and memory, sending, receiving and the throttling of a receiver are only in the experiments of the whole machine.',
    'The simulated machine is a model with costs for actions. It has no pipelines, caches, memory controller, or contention between the DMA and the cores; guests are driver models that neither produce nor consume payload.',
    'Other boards are the ZCU102 scaled to their processors; of most of them only the outline is known.',
    'Typical costs standing for the worst are a claim that a calibration has to confirm; the variants show the worst costs as well.',
    'Analyses and machines share the shape of a flow set and the rate of the DMA, nothing else; a fault in what they share would show in neither. The exhaustive search in the tests is a third witness.',
  ]
}

/** What has to be believed for a prediction to mean anything: printed with every one. */

import type { BoardProfile } from '../boards/index.ts'
import { assumptionsOf } from '../plan/index.ts'
import type { Scenario } from '../scenario/index.ts'
import type { Prediction } from './predict.ts'

/** Lines of `assumptionsOf` that speak of a run, not of a board or of a design. */
const OF_RUNS = [/^Simulated/, /^Costs are /, /^Overheads are pinned/]

/** What has to be believed for a prediction to mean anything, a sentence each. */
export function predictionAssumptions(
  scenario: Scenario,
  { design, pinned, scheduler }: Prediction,
  profile: BoardProfile,
): string[] {
  const assumed = Object.entries(profile.costsNs).filter(([, { status }]) => status.includes('ASSUMED'))
  const lines = [
    'Bounded: every cost at its worst, best ones only where less is worse. Nothing was simulated.',
    `Of the costs of ${profile.name}, ASSUMED: ${assumed.map(([name]) => name).join(', ') || 'none'}. A bound is as good as they are.`,
  ]
  if (pinned) {
    lines.push(
      'Overheads are pinned: bounds and verdicts are those of the abstract model (docs/analysis.md §1), every chunk with an overhead of its own and nothing committed ahead. End to end is that and what the machine adds.',
    )
  } else {
    lines.push(
      'Sporadic releases, at least a period apart but for the jitter that the scenario gives; guests keep to their flows.',
      'Nothing else uses the DMA or its budget, and nothing else runs in EL2 or in the drivers of the guests.',
    )
  }
  if (design === 'dedicated') lines.push('The dedicated broker’s core does nothing else.')
  if (scheduler === 'edf' && !pinned) lines.push('The broker counts deadlines from the arrival of a message.')
  if (scenario.vms.some(({ tasks }) => tasks.length > 0)) {
    lines.push('Guest tasks are preemptive with fixed priorities, below the drivers of their guest.')
  }
  return [...lines, ...assumptionsOf(scenario, profile).filter((line) => !OF_RUNS.some((own) => own.test(line)))]
}

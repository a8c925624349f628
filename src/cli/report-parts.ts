/** What the reports of several commands are made of. */
import type { BoardProfile } from '../platform-zcu102/index.ts'
import { formatTime, type Scenario } from '../scenario/index.ts'
import { oneLine } from './escape.ts'
import { type ReportSection, renderSections } from './report-section.ts'
import { counted } from './table.ts'
import type { Paint, Terminal } from './terminal.ts'

/** To the microsecond. */
export function milliseconds(ns: number): string {
  return (ns / 1e6).toFixed(3)
}

/** `24,531` */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** What the object of a simulation begins with: of the scenario and its seed alone, so that two runs of them are equal. */
export function simulatedHead(scenario: Scenario, profile: BoardProfile, assumptions: readonly string[]) {
  return {
    seed: scenario.seed,
    platform: scenario.platform,
    calibration: scenario.calibration,
    /** Every figure of the board, each with its provenance. */
    profile,
    durationNs: scenario.durationNs,
    assumptions,
  }
}

/** The first line of a simulation's tables. */
export function simulatedHeading(title: string, { durationNs, flows, platform, vms }: Scenario): string {
  return `${title}: ${counted(vms.length, 'VM')}, ${counted(flows.length, 'flow')}, ${formatTime(durationNs)} on ${platform}, simulated`
}

/** The last of a simulation's sections. */
export function assumptionSection(assumptions: readonly string[]): ReportSection {
  return { title: 'Assumptions', lines: assumptions.map(oneLine), listed: true }
}

/** The same as text. */
export function assumptionLines(assumptions: readonly string[], paint: Paint): string {
  return renderSections([assumptionSection(assumptions)], paint).join('')
}

/** A bound that was exceeded is a mistake of ours. */
export function tellExceeded(exceeded: readonly string[], { seed }: Scenario, terminal: Terminal): void {
  for (const what of exceeded) {
    terminal.stderr.write(`${what}: a bound is violated, a bug of ours; please report it with seed ${seed}\n`)
  }
}

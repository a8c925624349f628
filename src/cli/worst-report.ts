/** What a search for the longest responses found: as an object for programs, and as tables for people. */
import type { BoardProfile, Design, LongestResponse } from '../platform-zcu102/index.ts'
import type { Scenario } from '../scenario/index.ts'
import { assumptionSection, milliseconds, simulatedHead, simulatedHeading } from './report-parts.ts'
import { type ReportSection, renderSections } from './report-section.ts'
import type { Cell } from './table.ts'
import type { Paint } from './terminal.ts'

export interface WorstRun {
  readonly design: Design
  /** By flow. */
  readonly found: readonly LongestResponse[]
  /** By flow, ns; null: there is no bound. */
  readonly boundsNs: readonly (number | null)[]
  readonly runs: number
}

/** The flow that came nearest to its bound; without any bound the first. */
export function nearest({ found, boundsNs }: WorstRun): number {
  const shares = found.map(({ responseNs }, i) => (boundsNs[i] === null ? 0 : responseNs / boundsNs[i]!))
  return shares.indexOf(Math.max(...shares))
}

/** What took longer than its bound, as it goes into a message. */
export function exceeding({ design, found, boundsNs }: WorstRun): string[] {
  return found.flatMap(({ flow, responseNs }, i) => {
    const boundNs = boundsNs[i] ?? null
    if (boundNs === null || responseNs <= boundNs) return []
    return [`${design}: flow ${flow} took ${responseNs} ns in a run that was found, its bound is ${boundNs} ns`]
  })
}

/** The object of `--json`. `plan` is what `plannedRun` takes to run what was found once more. */
export function worstObject(
  scenario: Scenario,
  profile: BoardProfile,
  searches: readonly WorstRun[],
  assumptions: readonly string[],
) {
  return {
    ...simulatedHead(scenario, profile, assumptions),
    designs: Object.fromEntries(
      searches.map(({ boundsNs, design, found, runs }) => [
        design,
        {
          runs,
          flows: Object.fromEntries(
            found.map(({ flow, plan, responseNs }, i) => [flow, { responseNs, boundNs: boundsNs[i] ?? null, plan }]),
          ),
        },
      ]),
    ),
  }
}

export function renderWorst(
  title: string,
  scenario: Scenario,
  searches: readonly WorstRun[],
  assumptions: readonly string[],
  paint: Paint,
): string {
  const heading = `${paint(simulatedHeading(title, scenario), 'strong')}\n`
  return [heading, ...renderSections(worstSections(scenario, searches, assumptions), paint)].join('\n')
}

/** Every table, with what is said below it. */
export function worstSections(
  scenario: Scenario,
  searches: readonly WorstRun[],
  assumptions: readonly string[],
): ReportSection[] {
  const rows: Cell[][] = [['flow', 'design', 'longest found', 'bound', 'bound / found', 'deadline']]
  scenario.flows.forEach(({ name, deadlineNs }, i) => {
    for (const { boundsNs, design, found } of searches) {
      const { responseNs } = found[i]!
      const boundNs = boundsNs[i] ?? null
      const late = responseNs > deadlineNs
      rows.push([
        name,
        design,
        late ? { text: milliseconds(responseNs), tone: 'bad' } : milliseconds(responseNs),
        boundNs === null
          ? 'none'
          : responseNs > boundNs
            ? { text: milliseconds(boundNs), tone: 'bad' }
            : milliseconds(boundNs),
        boundNs === null || responseNs === 0 ? '' : (boundNs / responseNs).toFixed(2),
        milliseconds(deadlineNs),
      ])
    }
  })
  const runs = searches.map((search) => `${search.design} ${search.runs}`).join(', ')
  return [
    { title: 'Longest responses found by search, in ms, simulated, and their bounds', rows },
    {
      title: null,
      lines: [
        `runs: ${runs}; seed ${scenario.seed}; offsets, jitter, best and worst costs, phases of MemGuard and polling are searched`,
        'Each was seen in a run that the scenario allows. A longer one may exist, so the true bound / longest may be smaller.',
      ],
    },
    assumptionSection(assumptions),
  ]
}
